"""The record of a run: how it was started, with what code, on what machine, and what it needed."""

import itertools
import json
import sys
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning import Callback
from pytorch_lightning.utilities.rank_zero import rank_zero_warn
from torch import nn

from callbacks.records.operation_count import OperationCount
from lit_an.code_version import code_hash, git_state, library_versions
from lit_an.errors import OutputError
from lit_an.files import json_text, replacing
from lit_an.machine.facts import machine_facts
from lit_an.machine.memory import peak_memory
from lit_an.run_report.reading import RECORD
from lit_an.tasks.adversarial import AdversarialTask
from lit_an.tasks.compiling import called_modules

FILE = RECORD


class RunRecord(Callback):
    """Writes ``<run folder>/run.json`` after the first iteration and at the end of a training.

    It has the command, versions, the state of the git checkout, the machine, numbers of parameters, multiply-adds of a
    forward pass for one image, peak memory, and all starts of the run. Every run of the command line has it.
    """

    def __init__(self) -> None:
        self._facts: dict[str, Any] = {}
        self._counts: dict[str, list[OperationCount]] = {}
        self._first = 0

    def on_train_start(self, trainer: pl.Trainer, task: AdversarialTask) -> None:
        self._first = task.iteration
        self._facts = {}
        # A hook that comes and goes would have the networks compiled twice.
        if trainer.is_global_zero and task.backend is None:
            networks = {"generator": task.generator, "discriminator": task.discriminator}
            self._counts = {
                name: [OperationCount(module) for module in called_modules(network)]
                for name, network in networks.items()
            }

    def on_train_batch_end(
        self, trainer: pl.Trainer, task: AdversarialTask, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.is_global_zero and not self._facts:
            self._facts = {**_facts(task), "starts": [*_former_starts(trainer), self._start()]}
            self._facts["operations"] = {}
            self._count()
            self._write(trainer, task)
        elif self._count():
            self._write(trainer, task)

    def on_train_end(self, trainer: pl.Trainer, task: AdversarialTask) -> None:
        for count in itertools.chain(*self._counts.values()):
            count.take()
        if trainer.is_global_zero and self._facts:
            self._facts["ended"] = _now()
            self._write(trainer, task)

    def _count(self) -> bool:
        """Counts the networks that have run; a discriminator may join the game later. Says whether there were any."""
        ready = [name for name, counts in self._counts.items() if all(count.has_run for count in counts)]
        for name in ready:
            found = [count.take() for count in self._counts.pop(name)]
            if None not in found:
                self._facts["operations"][name] = sum(filter(None, found))
        return bool(ready)

    def _start(self) -> dict[str, Any]:
        return {"command": sys.argv, "time": _now(), "iteration": self._first, "code": code_hash()}

    def _write(self, trainer: pl.Trainer, task: AdversarialTask) -> None:
        """Writes the record; a training goes on without it."""
        self._facts |= {"iteration": task.iteration, "peak_memory": peak_memory(task.device)}
        path = Path(trainer.default_root_dir, FILE)
        try:
            with replacing(path) as temporary:
                temporary.write_text(json_text(self._facts), encoding="utf-8")
        except OutputError as error:
            rank_zero_warn(f"{error}; the training goes on without this file", category=UserWarning)


def _facts(task: AdversarialTask) -> dict[str, Any]:
    return {
        "command": sys.argv,
        "code": code_hash(),
        "git": git_state(),
        "versions": library_versions(),
        "machine": machine_facts(task.device),
        "processes": task.trainer.world_size,
        "parameters": {"generator": _parameters(task.generator), "discriminator": _parameters(task.discriminator)},
    }


def _former_starts(trainer: pl.Trainer) -> list[Any]:
    """The starts in the file of a run that is resumed."""
    try:
        starts = json.loads(Path(trainer.default_root_dir, FILE).read_text(encoding="utf-8"))["starts"]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return starts if isinstance(starts, list) else []


def _parameters(network: nn.Module) -> int:
    """Number of parameters that are trained."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")
