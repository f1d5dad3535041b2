"""A command that is stopped ends as after an error: what it was writing is removed, what it has started ends."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# SIGINT is Python's own: it raises KeyboardInterrupt. By the others a process ends where it is.
_OTHERS = ("SIGTERM", "SIGHUP")


class Stopped(KeyboardInterrupt):
    """A signal asks this process to end.

    Args:
        number: of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextmanager
def signals_as_exceptions() -> Iterator[None]:
    """Inside, SIGTERM and SIGHUP raise ``Stopped`` once; a second one ends the process where it is.

    A signal that is ignored, as under nohup, stays so; outside the main thread, which alone gets signals, all do.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    owner = os.getpid()

    def stop(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        if os.getpid() != owner:  # a fork, which has nothing to tidy
            os.kill(os.getpid(), number)
        raise Stopped(number)

    numbers = [getattr(signal, name) for name in _OTHERS if hasattr(signal, name)]
    taken = [number for number in numbers if signal.getsignal(number) == signal.SIG_DFL]
    for number in taken:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)


@contextmanager
def save_signals_ignored() -> Iterator[None]:
    """Inside, SIGUSR1 does nothing, where a training does not answer it: while it starts, and after its last iteration.

    By default the signal would end the process.
    """
    number = getattr(signal, "SIGUSR1", None)
    if number is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    former = signal.getsignal(number)
    if former == signal.SIG_DFL:
        signal.signal(number, signal.SIG_IGN)
    try:
        yield
    finally:
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, former)


def stopped_by(stop: KeyboardInterrupt) -> int:
    """The signal that a process was stopped by."""
    return stop.number if isinstance(stop, Stopped) else signal.SIGINT
