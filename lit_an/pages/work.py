"""Who uses the networks: one at a time, nobody who has left, and nobody when the page ends."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lit_an.errors import InputError


class Work:
    """What the page does at the moment.

    Gradio lets an event go whose visitor has cancelled it, but not the thread that works for it. That would use a
    network, whose layouts are recorded, beside the next one, and could not be ended with the process.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._going_on = 0
        self._ended = False
        self._turn = threading.Lock()

    @contextmanager
    def part(self) -> Iterator[None]:
        """Anything that the page does; ``end`` waits for it."""
        with self._changed:
            self._going_on += 1
        try:
            yield
        finally:
            with self._changed:
                self._going_on -= 1
                self._changed.notify_all()

    @contextmanager
    def turn(self, is_wanted: Callable[[], bool] = lambda: True) -> Iterator[Callable[[], None]]:
        """The use of a network, for one at a time.

        Args:
            is_wanted: whether somebody waits for the result.

        Yields:
            A function to call now and then.

        Raises:
            InputError: from that function or at first: nobody wants the result any more, or the page has ended.
        """

        def go_on() -> None:
            if self._ended or not is_wanted():
                raise InputError("this was stopped, since the page was left or another picture chosen")

        with self._turn:
            go_on()
            yield go_on

    def end(self) -> None:
        """Ends all work and waits until it has ended."""
        self._ended = True
        with self._changed:
            self._changed.wait_for(lambda: self._going_on == 0)
