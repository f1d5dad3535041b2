"""A block that may take neither too long nor too much memory."""

import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType


class TooLong(BaseException):
    """Not an ``Exception``, so that no code takes it for an error of its own."""


@contextmanager
def bounded(seconds: int, memory: int) -> Iterator[None]:
    """Ends the block after some seconds; allocations beyond ``memory`` bytes fail in it.

    Raises:
        TooLong: in the block.
    """

    def give_up(number: int, frame: FrameType | None) -> None:
        raise TooLong(f"longer than {seconds} s")

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    former_limit = resource.getrlimit(resource.RLIMIT_AS)
    former_handler = signal.signal(signal.SIGALRM, give_up)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + memory, former_limit[1]))
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, former_handler)
        resource.setrlimit(resource.RLIMIT_AS, former_limit)
