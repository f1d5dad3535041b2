"""Runs the command line and ends it by a signal at one place; ``kill_resume.py`` starts it.

    python benchmarks/kill_places.py '{"place": "training", "signal": 9, "delay": 0.3, "rank": 0}' fit --config …

The program itself is not changed: places in files are found by Python's audit events (the kill comes just before the
system call), the others by a wrapper around a hook of Lightning's module.
"""

import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

# A place in files: the audit event and what the name of the file looks like. "open" of a checkpoint is that of its
# temporary file, whose content PyTorch writes in the time that follows.
FILE_PLACES: dict[str, tuple[str, Callable[[Path], bool]]] = {
    "writing a checkpoint": ("open", lambda path: path.parent.name == "checkpoints" and path.name.startswith(".")),
    "before last.ckpt is renamed": ("os.rename", lambda path: path.name == "last.ckpt"),
    "between last.ckpt and its number": ("os.rename", lambda path: path.name.startswith("iteration_")),
    "before an old checkpoint is removed": ("os.remove", lambda path: path.name.startswith("iteration_")),
    "between checkpoint and log": ("open", lambda path: path.name == "metrics.csv"),
    "metrics.csv gets a column": ("os.rename", lambda path: path.name == "metrics.csv"),
    "writing a picture": ("os.rename", lambda path: path.suffix == ".png"),
    "writing the config": ("os.rename", lambda path: path.name == "config.yaml"),
}
HOOK_PLACES = {
    "first iteration": "on_before_optimizer_step",
    "training": "training_step",
    "validation": "validation_step",
    "end of a validation": "on_validation_epoch_end",
}
START = "start-up"
PLACES = (START, *HOOK_PLACES, *FILE_PLACES)


class Killer:
    """Sends a signal at the n-th time that a place is reached, and ``delay`` seconds later."""

    def __init__(self, number: int, delay: float, times: int) -> None:
        self.number, self.delay, self.left = number, delay, times

    def reached(self) -> None:
        """Counts one time."""
        self.left -= 1
        if self.left != 0:
            return
        # SIGKILL ends all processes of the run, as a power failure does; another signal goes to this one alone.
        send, to = (os.killpg, os.getpgrp()) if self.number == signal.SIGKILL else (os.kill, os.getpid())
        if self.delay == 0:
            send(to, self.number)
        else:
            threading.Timer(self.delay, send, (to, self.number)).start()


def watch_files(place: str, killer: Killer) -> None:
    """Watches for a place in files; "between checkpoint and log" counts only right after a checkpoint."""
    event, fits = FILE_PLACES[place]
    after_checkpoint = place == "between checkpoint and log"
    armed = not after_checkpoint

    def hook(name: str, arguments: tuple[Any, ...]) -> None:
        nonlocal armed
        if name not in ("open", "os.rename", "os.remove"):
            return
        path = arguments[1] if name == "os.rename" else arguments[0]
        if not isinstance(path, (str, os.PathLike)):
            return
        if after_checkpoint and name == "os.rename" and Path(path).name.startswith("iteration_"):
            armed = True
        elif armed and name == event and fits(Path(path)):
            armed = not after_checkpoint
            killer.reached()

    sys.addaudithook(hook)


def watch_hook(name: str, killer: Killer) -> None:
    """Watches for a hook of the task."""
    from lit_an.tasks.class_conditional import ClassConditionalGAN
    from lit_an.tasks.inpainting import InpaintingGAN

    for kind in (ClassConditionalGAN, InpaintingGAN):
        original = getattr(kind, name)

        def reaching(self: Any, *arguments: Any, original: Any = original, **named: Any) -> Any:
            killer.reached()
            return original(self, *arguments, **named)

        setattr(kind, name, reaching)


def main() -> int:
    plan = json.loads(sys.argv[1])
    if int(os.environ.get("LOCAL_RANK", 0)) == plan["rank"]:
        killer = Killer(plan["signal"], plan["delay"], plan["times"])
        if plan["place"] == START:
            killer.reached()
        elif plan["place"] in FILE_PLACES:
            watch_files(plan["place"], killer)
        elif plan["place"] in HOOK_PLACES:
            watch_hook(HOOK_PLACES[plan["place"]], killer)
    import cli

    return cli.main(sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
