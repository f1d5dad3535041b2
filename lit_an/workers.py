"""Processes that end with the one that started them and, if they load data, never before it."""

import signal

# Environment variable with the process id of the process that started a run, or a process of a run.
LAUNCHER = "LIT_AN_LAUNCHER"


def leave_signals_to_parent(worker: int) -> None:
    """For ``DataLoader(worker_init_fn=…)``: the process ignores the signals that stop a run or make it save.

    A scheduler or Ctrl-C signals every process of a run at once. The training process finishes its iteration and saves
    a checkpoint, and needs its workers for that. They end when it ends or is killed.

    Args:
        worker: number of the worker; not used.
    """
    for name in ("SIGTERM", "SIGINT", "SIGUSR1"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
