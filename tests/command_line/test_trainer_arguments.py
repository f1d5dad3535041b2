"""Every argument of Lightning's trainer works as it says, or is refused with what to use instead."""

import inspect
import re
from pathlib import Path
from typing import Any

import pytest
from jsonargparse import Namespace
from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import ModelCheckpoint, ModelSummary, TQDMProgressBar

from lit_an.command_line.trainer_arguments import _REFUSED, RULES, RunTrainer, check_arguments, enabled_callbacks
from lit_an.errors import InputError

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "command_line.md"
DEFAULTS = {
    name: parameter.default
    for kind in (Trainer, RunTrainer)
    for name, parameter in inspect.signature(kind.__init__).parameters.items()
    if parameter.kind is inspect.Parameter.KEYWORD_ONLY
}
# What the command line starts from, where that is not Lightning's default.
OURS = {"max_epochs": -1, "check_val_every_n_epoch": None, "num_sanity_val_steps": 0}


def test_every_argument_has_a_rule() -> None:
    assert RULES.keys() == DEFAULTS.keys()


def test_the_document_says_the_same() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", DOCUMENT.read_text(), re.MULTILINE))
    assert rows == {
        name: f"refused: {rule.meaning}" if name in _REFUSED else rule.meaning for name, rule in RULES.items()
    }


def test_what_is_not_given_is_no_fault() -> None:
    check_arguments({**DEFAULTS, **OURS})


WRONG: dict[str, list[Any]] = {
    "strategy": ["ddp_spawn", "fsdp", "foo", "ddp_find_unused_parameters_false", Namespace(class_path="a.DDPStrategy")],
    "precision": ["16-true", "bf16-true", "transformer-engine"],
    "limit_val_batches": [-1, 1.5, -0.5],
    "limit_test_batches": [-1, 1.5],
    "val_check_interval": [0, -1, 0.5, 1.0, "00:01:00:00"],
    "num_sanity_val_steps": [-2],
    "log_every_n_steps": [0, -1],
    "fast_dev_run": [True, 3],
    "max_epochs": [5],
    "min_epochs": [1],
    "max_steps": [10],
    "min_steps": [10],
    "limit_train_batches": [1, 2, 0.5],
    "limit_predict_batches": [1],
    "overfit_batches": [1, 0.5],
    "check_val_every_n_epoch": [1],
    "accumulate_grad_batches": [2],
    "gradient_clip_val": [1.0],
    "gradient_clip_algorithm": ["norm"],
    "barebones": [True],
    "reload_dataloaders_every_n_epochs": [1],
    "default_root_dir": ["here"],
    "model_registry": ["models"],
}
RIGHT: dict[str, list[Any]] = {
    "strategy": ["auto", "ddp", Namespace(class_path="pytorch_lightning.strategies.DDPStrategy")],
    "precision": ["32-true", "64-true", "bf16-mixed", "16-mixed"],
    "limit_val_batches": [1, 1.0, 0, 0.5],
    "val_check_interval": [1, 1000],
    "num_sanity_val_steps": [-1, 0, 2],
    "log_every_n_steps": [1, 50],
}


def test_all_that_is_refused_is_tried_here() -> None:
    assert {name for name, rule in RULES.items() if rule.allows is not None} == WRONG.keys()


@pytest.mark.parametrize("name", WRONG)
def test_a_value_that_would_do_something_else_is_refused(name: str) -> None:
    for value in WRONG[name]:
        with pytest.raises(InputError) as caught:
            check_arguments({name: value})
        assert str(caught.value).startswith(f"--trainer.{name} ")
        assert str(caught.value).endswith(f" is not possible here: {RULES[name].meaning}")


@pytest.mark.parametrize("name", RIGHT)
def test_a_value_that_works_is_taken(name: str) -> None:
    for value in RIGHT[name]:
        check_arguments({name: value})


def test_what_is_switched_off_takes_its_callbacks_along() -> None:
    callbacks = [TQDMProgressBar(), ModelCheckpoint(), ModelSummary()]
    assert enabled_callbacks({"callbacks": callbacks, "enable_progress_bar": None}) == callbacks
    switches = ("enable_progress_bar", "enable_checkpointing", "enable_model_summary")
    for switch, callback in zip(switches, callbacks, strict=True):
        left = enabled_callbacks({"callbacks": callbacks, switch: False})
        assert left == [each for each in callbacks if each is not callback]
