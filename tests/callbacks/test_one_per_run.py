"""Callbacks of which a run has one."""

from pathlib import Path

import pytest
import pytorch_lightning as pl
from jsonargparse import Namespace
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.demos.boring_classes import BoringModel

import callbacks
from callbacks import Checkpointing, GeneratorEMA, LayoutCalibration, SampleGridLogger
from lit_an.command_line.callback_options import keep_last_of_a_kind
from lit_an.errors import InputError
from tests.training import make_data, make_task, make_trainer

KINDS = [kind for name in callbacks.__all__ if issubclass(kind := getattr(callbacks, name), Callback)]


@pytest.mark.parametrize("kind", KINDS)
def test_every_callback_says_that_a_run_has_one(kind: type[Callback]) -> None:
    """None of them works twice: they swap the same weights or write the same files."""
    assert kind.one_per_run  # type: ignore[attr-defined]


def test_the_last_one_takes_the_place_of_the_first() -> None:
    """Also where it is named in another way; the average must be made before the pictures that use it."""
    paths = ("callbacks.GeneratorEMA", "callbacks.SampleGridLogger", "callbacks.generator_ema.GeneratorEMA")
    given = [Namespace(class_path=path, number=number) for number, path in enumerate(paths)]
    config = {"trainer.callbacks": given}
    assert keep_last_of_a_kind(config) == ["GeneratorEMA"]
    assert [each.number for each in config["trainer.callbacks"]] == [2, 1]
    assert keep_last_of_a_kind(config) == []


@pytest.mark.parametrize("kind", [GeneratorEMA, Checkpointing, SampleGridLogger])
def test_a_second_one_is_refused_in_python(kind: type[Callback], tmp_path: Path, image_folder: Path) -> None:
    task = make_task()
    trainer = make_trainer(tmp_path, task, 1, [kind(), kind()])
    with pytest.raises(InputError, match=f"more than one {kind.__name__}, and a run takes one; leave one out"):
        trainer.fit(task, datamodule=make_data(image_folder))
    assert task.iteration == 0


@pytest.mark.parametrize("kind", [GeneratorEMA, LayoutCalibration, SampleGridLogger])
def test_a_module_that_is_no_task_is_refused(kind: type[Callback], tmp_path: Path) -> None:
    trainer = pl.Trainer(
        callbacks=[kind()], default_root_dir=tmp_path, accelerator="cpu", logger=False, enable_checkpointing=False
    )
    with pytest.raises(InputError, match=f"{kind.__name__} follows the iterations of a task of lit_an"):
        trainer.fit(BoringModel())
