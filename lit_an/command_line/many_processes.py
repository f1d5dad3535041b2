"""Runs of several processes: their strategy and their launcher, so that a run ends when one of them is gone."""

import os
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytorch_lightning as pl
import torch.distributed
from lightning_fabric.plugins.collectives.torch_collective import default_pg_timeout
from lightning_fabric.utilities.distributed import _set_num_threads_if_needed
from pytorch_lightning.strategies import DDPStrategy
from pytorch_lightning.strategies.launchers.subprocess_script import _SubprocessScriptLauncher
from pytorch_lightning.trainer.connectors.signal_connector import _SignalConnector
from pytorch_lightning.utilities.rank_zero import rank_zero_only

from lit_an.command_line.pulse import own_store
from lit_an.command_line.watchdog import Watchdog, check_others
from lit_an.machine.workers import named_launcher
from lit_an.tasks.networkwise_ddp import NetworkwiseDDP

# NCCL ends the process at this timeout without a sentence; the watchdog does it earlier.
_MARGIN_OF_NCCL = timedelta(minutes=1)
_LONGEST_PAUSE = 0.5  # seconds


def tell_later_nodes() -> None:
    """Tells Lightning on a later machine, known by ``NODE_RANK``, that this is not the first process of the run.

    Until the processes have met, Lightning takes the first process of each machine for the first of all, whose loggers
    write and whose run folder must be new.
    """
    node = os.environ.get("NODE_RANK", "")
    known: Any = rank_zero_only
    if node.isdecimal() and int(node) > 0 and known.rank == 0:
        known.rank = int(node)


class NoSignals(_SignalConnector):
    """Leaves all signals to ``callbacks.Checkpointing`` and, outside of the training, to their default.

    Lightning's handlers broadcast from inside a signal, which hangs if a process is gone, and those for SLURM write a
    checkpoint of their own and requeue the job.
    """

    def register_signal_handlers(self) -> None:
        """Registers none."""

    def teardown(self) -> None:
        """Restores none."""


class Launcher(_SubprocessScriptLauncher):
    """Lightning's launcher, with a watchdog in each process.

    Lightning's own observer kills this process if one of its children fails, while it may be writing a checkpoint.
    """

    timeout: float
    grace: float

    def launch(self, function: Callable[..., Any], *args: Any, trainer: Any = None, **kwargs: Any) -> Any:
        """Starts the other processes of this machine, if nobody else does, and calls the function."""
        self.cluster_environment.validate_settings(num_devices=self.num_processes, num_nodes=self.num_nodes)
        if not self.cluster_environment.creates_processes_externally:
            os.environ.update(named_launcher())
            self._call_children_scripts()
        _set_num_threads_if_needed(num_processes=self.num_processes)
        watchdog = Watchdog(trainer, self.procs, self.timeout, self.grace)
        watchdog.start()
        result = function(*args, **kwargs)
        watchdog.stop()  # after an error it goes on, until the process has ended
        return result


class ManyProcesses(NetworkwiseDDP):
    """DDP in which the others wait for the first process as long as it takes, as long as it lives.

    The process group has a timeout of minutes, so that the loss of a process is noticed. Where one process works for
    longer while the others wait, for a metric or a checkpoint, Lightning has a barrier or a broadcast: there the
    processes meet in the store first, where waiting has no limit but the signs of life.
    """

    _meetings = 0
    _store: Any = None

    def barrier(self, *args: Any, **kwargs: Any) -> None:
        """Waits for all processes, without a limit as long as they live."""
        if torch.distributed.is_initialized():
            self._meet(f"a barrier for {args[0] if args else 'all processes'}", self.world_size)
        super().barrier(*args, **kwargs)

    def broadcast(self, obj: Any, src: int = 0) -> Any:
        """Sends an object to all processes, which wait for it without a limit as long as its source lives."""
        if torch.distributed.is_initialized():
            self._meet(f"a broadcast from process {src}", 1, arrives=self.global_rank == src)
        return super().broadcast(obj, src)

    def _meet(self, what: str, arrivals: int, arrives: bool = True) -> None:
        """Waits until so many processes have arrived; those who look at this thread read ``what`` and ``number``."""
        if self._store is None:
            self._store = own_store("lit_an/meetings")
        self._meetings += 1
        number, pause = self._meetings, 0.001
        there = self._store.add(str(number), int(arrives))
        while there < arrivals:
            check_others()
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
            there = self._store.add(str(number), 0)


def prepare(trainer: pl.Trainer, timeout: float, grace: float) -> None:
    """Prepares a trainer for several processes; does nothing to the strategy of a single one.

    Args:
        trainer: newly made.
        timeout: of collectives in seconds, unless the config gives the strategy one of its own.
        grace: seconds after a stop signal; see ``Watchdog``.
    """
    trainer._signal_connector = NoSignals(trainer)
    strategy = trainer.strategy
    if type(strategy) is not DDPStrategy:
        return
    # Lightning makes the strategy, from "auto", "ddp" or a class path; ManyProcesses only changes methods.
    strategy.__class__ = ManyProcesses
    if strategy._timeout not in (None, default_pg_timeout):
        assert strategy._timeout is not None
        timeout = strategy._timeout.total_seconds()
    on_gpu = strategy.root_device.type != "cpu"
    strategy._timeout = timedelta(seconds=timeout) + (_MARGIN_OF_NCCL if on_gpu else timedelta())
    assert strategy.cluster_environment is not None
    launcher = Launcher(strategy.cluster_environment, strategy.num_processes, strategy.num_nodes)
    launcher.timeout, launcher.grace = timeout, grace
    strategy._launcher = launcher
