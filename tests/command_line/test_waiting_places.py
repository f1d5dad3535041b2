"""Where a thread waits is told by the names of functions, which must be the right ones."""

import importlib
from datetime import timedelta
from pathlib import Path

import pytest
import torch
from pytorch_lightning.strategies import DDPStrategy

from callbacks import Checkpointing
from lit_an.command_line import waiting_places
from lit_an.command_line.lost_processes import LostProcessError, what_was_lost
from lit_an.command_line.many_processes import ManyProcesses
from lit_an.command_line.trainer_arguments import RunTrainer
from lit_an.command_line.waiting_places import MainThread
from lit_an.errors import InputError


def test_the_functions_are_there() -> None:
    """A function that is renamed must be renamed there too."""
    methods = {waiting_places._SAVING: Checkpointing, waiting_places._MEETING: ManyProcesses}
    for (module, name), kind in methods.items():
        assert kind.__module__ == module
        assert callable(getattr(kind, name))
    for module, name in (waiting_places._ENDING, waiting_places._BACKWARD_PASS):
        assert callable(getattr(importlib.import_module(module), name))
    assert {"what", "number"} <= set(ManyProcesses._meet.__code__.co_varnames)


def test_a_thread_that_computes_does_not_wait() -> None:
    """This one looks at itself, as no other does."""
    look = MainThread(spins=False).look()
    assert (look.place, look.saves, look.ends) == (None, False, False)


def test_errors_of_a_lost_process_and_others() -> None:
    assert what_was_lost(torch.distributed.DistNetworkError("Broken pipe")) is not None
    assert what_was_lost(LostProcessError("process 1 has ended")) == "process 1 has ended"
    for error in (RuntimeError("The size of tensor a (3) must match"), ValueError("gloo"), InputError("gloo")):
        assert what_was_lost(error) is None


def test_the_timeout_of_the_process_group(tmp_path: Path) -> None:
    """For every way to choose the strategy; one of the strategy's own counts."""

    def seconds(strategy: object, **more: float) -> float:
        trainer = RunTrainer(accelerator="cpu", devices=2, strategy=strategy, default_root_dir=tmp_path, **more)
        timeout = trainer.strategy._timeout  # type: ignore[attr-defined]
        return float(timeout.total_seconds())

    for strategy in ("auto", "ddp", "ddp_find_unused_parameters_true", DDPStrategy()):
        assert seconds(strategy) == 300
    assert seconds("auto", timeout_minutes=2) == 120
    assert seconds(DDPStrategy(timeout=timedelta(minutes=7))) == 420
    with pytest.raises(InputError, match="timeout_minutes must be at least"):
        seconds("auto", timeout_minutes=0)
