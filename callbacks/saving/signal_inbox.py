"""The signals that make a run save or stop."""

import signal
from types import FrameType
from typing import Any

SAVE_SIGNALS = (signal.SIGUSR1,) if hasattr(signal, "SIGUSR1") else ()
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


# From the weakest to the strongest; 0 is none.
_BY_RANK = (0, *SAVE_SIGNALS, *STOP_SIGNALS)


def rank_of_signal(number: int) -> int:
    """How much a signal asks for: one that stops ranks above one that saves, whatever their numbers.

    Example:
        >>> rank_of_signal(signal.SIGINT) > rank_of_signal(signal.SIGUSR1) > rank_of_signal(0)
        True
    """
    return _BY_RANK.index(number)


def signal_of_rank(rank: int) -> int:
    """The signal of a rank; 0 for none."""
    return int(_BY_RANK[rank])


class SignalInbox:
    """Records the signals that this process receives while a run trains.

    Lightning's own handler broadcasts from inside the signal, which can hang; this one only records the signal. A
    second signal that stops ends the process immediately, as by default.
    """

    def __init__(self) -> None:
        self._received: int | None = None
        self._former_handlers: dict[int, Any] = {}

    @property
    def is_open(self) -> bool:
        """Whether signals are recorded."""
        return bool(self._former_handlers)

    @property
    def newest(self) -> int:
        """The signal that ``take`` would return, which stays; 0 if there is none."""
        return self._received or 0

    def open(self) -> None:
        """Begins to record; what was recorded before is forgotten."""
        self._received = None
        for number in (*SAVE_SIGNALS, *STOP_SIGNALS):
            self._former_handlers[number] = signal.signal(number, self._record)

    def close(self) -> None:
        """Restores the former handlers."""
        for number, handler in self._former_handlers.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
        self._former_handlers = {}

    def take(self) -> int:
        """Removes and returns the newest signal, one that stops before one that saves; 0 if there is none."""
        received, self._received = self._received, None
        return received or 0

    def _record(self, number: int, frame: FrameType | None) -> None:
        if number in STOP_SIGNALS:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        if number in STOP_SIGNALS or self._received not in STOP_SIGNALS:  # a stop saves too
            self._received = number
