"""Ends a process of a run when the process that started it has ended.

A launcher that is killed cannot end the processes that it has started, and these would wait for it. Each of them
therefore looks for its parent, from its first moment, since PyTorch takes seconds to import. A process that no launcher
started has no such parent: it goes on when its shell ends.
"""

import os
import sys
import threading
import time

# Environment variable with the process id of the launcher.
VARIABLE = "LIT_AN_LAUNCHER"
# Exit code of a run that ended for a reason outside of it and can be resumed; sysexits.h calls it EX_TEMPFAIL.
LOST_PROCESS = 75

_ended = threading.Event()

_INTERVAL = 0.5  # seconds
_PATIENCE = 5.0  # seconds for a process to end by itself, as all do at the end of a run


def name_launcher() -> None:
    """Tells the processes that this one will start that it is their launcher."""
    os.environ[VARIABLE] = str(os.getpid())


def end_with_launcher() -> None:
    """Starts to look for the launcher, if this process has one: the first process of a run, or torchrun."""
    parent = _launcher()
    if parent is not None:
        threading.Thread(target=_watch, args=(parent,), name="parent-watch", daemon=True).start()


def _launcher() -> int | None:
    if "TORCHELASTIC_RUN_ID" in os.environ:
        return os.getppid()
    if os.environ.get("LOCAL_RANK", "0") != "0" and VARIABLE in os.environ:
        return int(os.environ[VARIABLE])
    return None


def launcher_has_ended() -> bool:
    """Whether this process had a launcher, which has ended."""
    return _ended.is_set()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_INTERVAL)
    _ended.set()
    time.sleep(_PATIENCE)
    rank = os.environ.get("RANK", os.environ["LOCAL_RANK"])
    print(
        f"error in process {rank}: its launcher, process id {parent}, has ended, so this process ends too",
        file=sys.stderr,
        flush=True,
    )
    os._exit(LOST_PROCESS)
