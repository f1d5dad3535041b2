"""The signals that make a run save or stop."""

import signal
from types import FrameType
from typing import Any

SAVE_SIGNALS = (signal.SIGUSR1,) if hasattr(signal, "SIGUSR1") else ()
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


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
        """The newest signal, which stays; 0 if there is none."""
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
        """Removes and returns the newest signal; 0 if there is none."""
        received, self._received = self._received, None
        return received or 0

    def _record(self, number: int, frame: FrameType | None) -> None:
        if number in STOP_SIGNALS:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        self._received = number
