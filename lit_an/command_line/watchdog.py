"""Ends a process that waits for others in vain, with one sentence and an exit code that says what to do.

A thread beside the main one, in runs of several processes: Python runs its signal handlers in the main thread, which
may wait in C++ for a process that is gone. A process is never ended for being slow: only one that waits is, and only
while no other process that gives signs of life works.
"""

import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import pytorch_lightning as pl
import torch

from callbacks.saving.signal_inbox import STOP_SIGNALS
from lit_an.checkpoints.places import numbered_in
from lit_an.command_line.lost_processes import LostProcessError, what_was_lost
from lit_an.command_line.pulse import ENDED, FRESH, WAITS, WORKS, Pulse
from lit_an.command_line.waiting_places import Look, MainThread
from lit_an.machine.workers import LOST_PROCESS, launcher_has_ended

_INTERVAL = 1.0  # seconds between two looks
# Seconds after the timeout of the process group: its own error comes first, and lets the first process save.
_MARGIN = 20.0
_LINGER = 3.0  # seconds for others to read why this process ends
_PATIENCE = 10.0  # seconds for the main thread to notice by itself that another process has ended

_ORDERLY = (0, *(128 + number for number in STOP_SIGNALS))

_current: "Watchdog | None" = None


class Watchdog:
    """Watches the main thread from ``start`` on.

    Args:
        trainer: of the run.
        children: the processes that this one has started, from local rank 1 on.
        timeout: seconds without progress, or without a sign of another process, until the run is ended.
        grace: seconds without progress after a stop signal until the process is ended.
    """

    def __init__(
        self, trainer: pl.Trainer, children: Sequence["subprocess.Popen[bytes]"], timeout: float, grace: float
    ) -> None:
        self._trainer, self._children, self._timeout, self._grace = trainer, children, timeout, grace
        on_gpu = trainer.strategy.root_device.type != "cpu"
        # NCCL's own watchdog would end the process without a sentence, a minute after the timeout.
        self._limit = timeout if on_gpu else timeout + _MARGIN
        self._main = MainThread(spins=on_gpu)
        self._pulse: Pulse | None = None
        self._look = Look(None, (0, 0), False, False)
        self._since = self._ends_since = time.monotonic()
        self._signals: list[tuple[int, float]] = []
        self._ended: tuple[int, int, float] | None = None  # rank, exit code and time of a process that has ended
        self._exit_code: int | None = None
        self._former_wakeup = -1
        self._stopped = False

    def start(self) -> None:
        """Starts the thread; the signals of this process are reported to it too."""
        global _current
        _current = self
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        # The C handler of a signal writes to it, whatever the main thread does.
        self._former_wakeup = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        threading.Thread(target=self._run, name="watchdog", daemon=True).start()

    def stop(self) -> None:
        """Ends the watch, at the orderly end of a run."""
        signal.set_wakeup_fd(self._former_wakeup)
        self._stopped = True

    def check(self) -> None:
        """For a main thread that waits in Python.

        Raises:
            LostProcessError: a process of the run has ended, or gives no signs of life.
        """
        if self._ended is not None:
            raise LostProcessError(self._end_of_another(self._ended[0], self._ended[1]))
        silent = self._silent()
        if silent is not None:
            raise LostProcessError(f"{self._waited()}, and process {silent[0]} gave no sign for {silent[1]:.0f} s")

    def say_end(self, exit_code: int) -> None:
        """Tells the others that this process ends and why, so that they end for the same reason."""
        self._exit_code = exit_code
        if self._pulse is not None and exit_code != LOST_PROCESS:
            self._pulse.publish(_LINGER)
            if self._trainer.is_global_zero:
                time.sleep(_LINGER)  # the store may end with this process; the others read it until then
        self._take_children_along()

    def outcome(self, error: BaseException) -> tuple[int, str] | None:
        """The exit code and the sentence if an error comes from the loss of another process; None for any other."""
        reason = what_was_lost(error)
        if reason is None:
            return None
        deadline = time.monotonic() + _LINGER  # why it ended is known a little later
        while self._ended is None and not launcher_has_ended() and time.monotonic() < deadline:
            self._find_ended()
            time.sleep(_INTERVAL)
        if self._signals:
            number, _ = self._signals[0]
            return 128 + number, f"stopped by {self._signal_name()} while {reason}; {self._how_to_resume()}"
        if self._ended is not None:
            return self._code_of_ended(), f"{self._end_of_another(*self._ended[:2])}; {self._how_to_resume()}"
        return LOST_PROCESS, f"in iteration {self._iteration}, {reason}; {self._how_to_resume()}"

    def _run(self) -> None:
        while not self._stopped:
            if select.select([self._reader], [], [], _INTERVAL)[0]:
                now = time.monotonic()
                self._signals += [(number, now) for number in self._reader.recv(64) if number in STOP_SIGNALS]
            if self._pulse is None and torch.distributed.is_initialized():
                self._pulse = Pulse(self._trainer.global_rank, self._trainer.world_size, self._state)
            self._update()
            self._judge()

    def _state(self) -> str:
        if self._exit_code is not None:
            return f"{ENDED} {self._exit_code}"
        return WAITS if self._look.place is not None else WORKS

    def _update(self) -> None:
        now, before = time.monotonic(), self._look
        self._look = self._main.look()
        if self._look.place is None or self._look[:2] != before[:2]:
            self._since = now
        if not self._look.ends:
            self._ends_since = now
        self._find_ended()

    def _find_ended(self) -> None:
        """Notes a process that has ended: a child by its exit code, any other by what it wrote."""
        if self._ended is not None:
            return
        waits_in_vain = self._look.place is not None and time.monotonic() - self._since >= _PATIENCE / 2
        for number, child in enumerate(self._children):
            # One that was stopped or has finished is missed only where this process still waits for it.
            code = child.poll()
            if code is not None and (code not in _ORDERLY or waits_in_vain):
                self._ended = self._trainer.global_rank + number + 1, child.returncode, time.monotonic()
                return
        for rank, sign in self._pulse.others().items() if self._pulse is not None else ():
            if sign.state.startswith(ENDED):
                self._ended = rank, int(sign.state.split()[1]), time.monotonic()
                return

    def _judge(self) -> None:
        """Ends the process if it is time."""
        now, waits = time.monotonic(), self._look.place is not None
        waited = now - self._since if waits else 0.0
        if self._exit_code is not None:
            return
        if self._signals:
            number, at = self._signals[0]
            twice = sum(each == number for each, _ in self._signals) > 1 and waited >= 1
            if twice or (min(waited, now - at) >= self._grace and not self._others_work()):
                self._end(128 + number, f"stopped by {self._signal_name()} without a new checkpoint: {self._waited()}")
        if self._ended is not None and not self._look.saves:
            patience = self._grace if not waits else _PATIENCE / 2
            if now - self._ended[2] >= patience and not self._look.ends:
                self._end(self._code_of_ended(), self._end_of_another(*self._ended[:2]))
        if now - self._ends_since >= self._timeout:
            self._end(LOST_PROCESS, f"the run could not end in {self._timeout:.0f} s after an error")
        silent = self._silent()
        if waited >= self._limit and (silent is not None or not self._others_work()):
            who = "all processes wait" if silent is None else f"process {silent[0]} gave no sign for {silent[1]:.0f} s"
            self._end(LOST_PROCESS, f"{self._waited()}, and {who}")

    def _others_work(self) -> bool:
        signs = self._pulse.others().values() if self._pulse is not None else ()
        return any(sign.state == WORKS and sign.age < FRESH for sign in signs)

    def _silent(self) -> tuple[int, float] | None:
        """A process that has given no sign for the timeout, and for how many seconds."""
        if self._pulse is None:
            return None
        silent = [(rank, self._pulse.silent_for(rank)) for rank in self._pulse.ranks]
        return next(((rank, seconds) for rank, seconds in silent if seconds >= self._timeout), None)

    def _code_of_ended(self) -> int:
        """The exit code for the end of another process: its own if that says what to do."""
        assert self._ended is not None
        code = self._ended[1]
        return code if 0 < code < 128 else LOST_PROCESS

    def _end_of_another(self, rank: int, code: int) -> str:
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        return f"in iteration {self._iteration}, process {rank} of the run {how}"

    def _take_children_along(self) -> None:
        """Lets the children end by themselves for a moment, then kills them."""
        deadline = time.monotonic() + _PATIENCE
        while any(child.poll() is None for child in self._children) and time.monotonic() < deadline:
            time.sleep(_INTERVAL)
        for child in self._children:
            child.kill()

    @property
    def _iteration(self) -> int:
        return int(getattr(self._trainer.lightning_module, "iteration", 0))

    def _signal_name(self) -> str:
        return signal.Signals(self._signals[0][0]).name

    def _waited(self) -> str:
        seconds = time.monotonic() - self._since
        return f"in iteration {self._iteration}, this process has waited {seconds:.0f} s in {self._look.place}"

    def _how_to_resume(self) -> str:
        run = Path(self._trainer.default_root_dir)
        try:
            newest = next(iter(numbered_in(run / "checkpoints")), None)
        except OSError:  # the disk is gone too
            newest = None
        if newest is not None:
            return f"the last checkpoint is {newest}: resume with --ckpt_path {run}"
        if self._trainer.is_global_zero:
            return "there is no checkpoint yet: start the run again"
        return f"resume from the last checkpoint of process 0 with --ckpt_path {run}, or start again"

    def _end(self, code: int, sentence: str) -> NoReturn:
        rank = self._trainer.global_rank
        place = "error" if rank == 0 else f"error in process {rank}"
        print(f"\n{place}: {sentence}; {self._how_to_resume()}", file=sys.stderr, flush=True)
        self._take_children_along()
        os._exit(code)


def current() -> Watchdog | None:
    """The watchdog of this process, if it is one of several of a run."""
    return _current


def check_others() -> None:
    """Raises LostProcessError if another process of the run is gone; for a main thread that waits in Python."""
    if _current is not None:
        _current.check()
