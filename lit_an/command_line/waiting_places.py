"""Where the main thread waits for other processes."""

import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import NamedTuple

# A thread that used less of a processor than this share since the last look has been waiting. The backward pass is
# computed in the main thread on a CPU; it waits there for other processes too.
_IDLE = 0.05

_COLLECTIVES = ("torch.distributed.", "torch.nn.parallel.distributed")
_BACKWARD_PASS = ("torch.autograd.graph", "_engine_run_backward")
_MEETING = ("lit_an.command_line.many_processes", "_meet")
_SAVING = ("callbacks.checkpointing", "_write")
_ENDING = ("pytorch_lightning.trainer.call", "_interrupt")


class Look(NamedTuple):
    """What the main thread does.

    Attributes:
        place: the function in which it waits for other processes, or None.
        call: differs between two calls of that function.
        saves: whether it writes a checkpoint.
        ends: whether it is ending the run for an error.
    """

    place: str | None
    call: tuple[int, int]
    saves: bool
    ends: bool


class MainThread:
    """The main thread of this process, seen from another thread.

    Args:
        spins: whether waiting for a collective keeps the processor busy, as it does on a GPU.
    """

    def __init__(self, spins: bool) -> None:
        self._spins = spins
        self._ident = threading.main_thread().ident or 0
        clock = getattr(time, "pthread_getcpuclockid", None)
        self._clock = None if clock is None else clock(self._ident)
        self._used, self._looked_at = self._time_used(), time.monotonic()

    def look(self) -> Look:
        """Looks once; whether the thread was idle refers to the time since the last look."""
        used, now = self._time_used(), time.monotonic()
        idle = used - self._used <= _IDLE * (now - self._looked_at)
        self._used, self._looked_at = used, now
        frame = sys._current_frames().get(self._ident)
        assert frame is not None
        # The frame is read and let go at once: it would keep tensors alive.
        names = {_name(each) for each in _outward(frame)}
        saves, ends = _SAVING in names, _ENDING in names
        if _name(frame)[0] == _MEETING[0] and _MEETING in names:
            here = next(each for each in _outward(frame) if _name(each) == _MEETING).f_locals
            return Look(here["what"], (here["number"], 0), saves, ends)
        return Look(_place_of(frame, idle, self._spins), (id(frame), frame.f_lasti), saves, ends)

    def _time_used(self) -> float:
        return 0.0 if self._clock is None else time.clock_gettime(self._clock)


def _place_of(frame: FrameType, idle: bool, spins: bool) -> str | None:
    module, function = _name(frame)
    if module.startswith(_COLLECTIVES):
        return function if idle or spins else None
    if (module, function) == _BACKWARD_PASS:
        return "the backward pass" if idle else None
    return None


def _name(frame: FrameType) -> tuple[str, str]:
    return str(frame.f_globals.get("__name__", "")), frame.f_code.co_name


def _outward(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back
