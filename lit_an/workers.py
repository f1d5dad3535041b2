"""Processes that load data: they end with the process that trains, never before it."""

import signal


def leave_signals_to_parent(worker: int) -> None:
    """For ``DataLoader(worker_init_fn=…)``: the process ignores the signals that stop a run or make it save.

    A scheduler, or Ctrl-C, signals every process of a run at once. The one that trains finishes its iteration,
    saves, and needs its workers for it; they end when it ends, or when it has gone.

    Args:
        worker: the number of the worker, which makes no difference.
    """
    for name in ("SIGTERM", "SIGINT", "SIGUSR1"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
