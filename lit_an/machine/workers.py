"""Processes that end with the one that started them and, if they load data, never before it.

A process that is killed cannot end those that it has started: those of one run would wait for it, and those of an
ablation or of a report would go on unseen. Each of them therefore looks for its parent, from its first moment, since
PyTorch takes seconds to import. A process that none of ours started has no such parent: it goes on when its shell ends.
"""

import os
import signal
import sys
import threading
import time

# Environment variable with the process id of the process that started a run, or a process of a run.
LAUNCHER = "LIT_AN_LAUNCHER"

# Exit code of a run that ended for a reason outside of it and can be resumed; sysexits.h calls it EX_TEMPFAIL.
LOST_PROCESS = 75

_ended = threading.Event()

_INTERVAL = 0.5  # seconds
_PATIENCE = 5.0  # seconds for a process to end by itself, as all do at the end of a run
_ADOPTING = 1  # the process that gets the children of one that has ended
_TIME_TO_SAVE = 60.0  # seconds for the first process of a run to save a checkpoint


def named_launcher() -> dict[str, str]:
    """What the environment of a process that this one starts says, so that ``end_with_launcher`` there looks for it."""
    return {LAUNCHER: str(os.getpid())}


def end_with_launcher() -> None:
    """Starts to look for the launcher, if this process has one: the first process of a run, torchrun or a bench."""
    parent = _launcher()
    if parent is not None:
        threading.Thread(target=_watch, args=(parent, _begins_run()), name="parent-watch", daemon=True).start()


def _launcher() -> int | None:
    if "TORCHELASTIC_RUN_ID" in os.environ:
        return os.getppid()
    if LAUNCHER not in os.environ:
        return None
    launcher = int(os.environ[LAUNCHER])
    # A command that a run starts has the variable too, and need not end with what started the run.
    is_ours = not _begins_run() or os.getppid() in (launcher, _ADOPTING)
    return launcher if is_ours else None


def _begins_run() -> bool:
    """Whether this is the first process of a run, which saves its checkpoints; of those of torchrun none is."""
    return "TORCHELASTIC_RUN_ID" not in os.environ and os.environ.get("LOCAL_RANK", "0") == "0"


def launcher_has_ended() -> bool:
    """Whether this process had a launcher, which has ended."""
    return _ended.is_set()


def _watch(parent: int, saves: bool) -> None:
    while os.getppid() == parent:
        time.sleep(_INTERVAL)
    _ended.set()
    if saves:
        os.kill(os.getpid(), signal.SIGTERM)  # as a scheduler does: it saves
        time.sleep(_TIME_TO_SAVE)
    else:
        time.sleep(_PATIENCE)
    rank = os.environ.get("RANK") or os.environ.get("LOCAL_RANK", "0")
    print(
        f"error in process {rank}: its launcher, process id {parent}, has ended, so this process ends too",
        file=sys.stderr,
        flush=True,
    )
    os._exit(LOST_PROCESS)


def leave_signals_to_parent(worker: int) -> None:
    """For ``lit_an.machine.loader.Loader(worker_init_fn=…)``: the process ignores the signals that stop or save a run.

    A scheduler or Ctrl-C signals every process of a run at once. The training process finishes its iteration and saves
    a checkpoint, and needs its workers for that. They end when it ends or is killed.
    With a plain ``DataLoader`` a program would never end: it waits for processes that ignore its SIGTERM.

    Args:
        worker: number of the worker; not used.
    """
    for name in ("SIGTERM", "SIGINT", "SIGUSR1"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
