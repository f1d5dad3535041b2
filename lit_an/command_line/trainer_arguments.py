"""Rules for the arguments of Lightning's trainer, since a run is one endless epoch of iterations.

Each argument works as documented or is rejected with a sentence that names the alternative;
``docs/command_line.md`` has the same table.
"""

import warnings
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

from pytorch_lightning import Callback, Trainer
from pytorch_lightning.accelerators import CPUAccelerator
from pytorch_lightning.callbacks import Checkpoint, ModelSummary, ProgressBar
from pytorch_lightning.strategies import DDPStrategy, SingleDeviceStrategy
from pytorch_lightning.utilities.exceptions import MisconfigurationException
from pytorch_lightning.utilities.rank_zero import rank_zero_info

from lit_an.command_line.many_processes import prepare
from lit_an.errors import InputError, at_least
from lit_an.tensors.precision import Float32Precision, set_float32_precision


class Rule(NamedTuple):
    """The rule for an argument.

    Attributes:
        meaning: what it does, or the alternative to rejected values.
        allows: whether a value is accepted; None accepts all that Lightning accepts.
    """

    meaning: str
    allows: Callable[[Any], bool] | None = None


def _only(*values: Any) -> Callable[[Any], bool]:
    return lambda value: value in values


def _whole(least: int) -> Callable[[Any], bool]:
    return lambda value: value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= least)


def _all(value: Any) -> bool:
    return value is None or (isinstance(value, float) and value == 1)


def _share_or_number(value: Any) -> bool:
    return value is None or (0 <= value <= 1 if isinstance(value, float) else value >= 0)


_STRATEGIES = ("auto", "ddp", "ddp_find_unused_parameters_true", "single_device")
_STRATEGY_CLASSES = {f"pytorch_lightning.strategies.{kind.__name__}" for kind in (DDPStrategy, SingleDeviceStrategy)}
_FLOAT16 = ("16-mixed", "16", 16)
_PRECISIONS = (None, "32-true", "32", 32, "64-true", "64", 64, *_FLOAT16, "bf16-mixed", "bf16")


def _known_strategy(value: Any) -> bool:
    if isinstance(value, str):
        return value in _STRATEGIES
    module, _, name = str(value.get("class_path", "")).rpartition(".")
    known = f"pytorch_lightning.strategies.{name}" in _STRATEGY_CLASSES and module.startswith("pytorch_lightning.")
    return known and (value.get("init_args") or {}).get("start_method", "popen") == "popen"


_LENGTH = "a run is one endless epoch; --iterations N is its length, in all"
_WORKS: dict[str, Rule] = {
    "accelerator": Rule("cpu, gpu, mps, or auto for the best there is"),
    "strategy": Rule("it may be auto or ddp, where each device has a process of its own", _known_strategy),
    "devices": Rule("how many devices, or which"),
    "num_nodes": Rule("how many machines; see configs/trainer/nodes.yaml"),
    "precision": Rule(
        "it may be 32-true, bf16-mixed, 64-true or, on a GPU, 16-mixed; half precision needs the mixed ones, whose "
        "weights and penalties stay in float32",
        _only(*_PRECISIONS),
    ),
    "logger": Rule(
        "default: TensorBoard; others by class_path, see configs/loggers; metrics.csv is always there; false for none "
        "at all"
    ),
    "callbacks": Rule(
        "a list; --trainer.callbacks+ adds one, --trainer.callbacks.Checkpointing.keep=9 sets an argument "
        "of the one of that class"
    ),
    "max_time": Rule(
        "time of training in all, DD:HH:MM:SS, with those parts before a resume that had it too; then a checkpoint"
    ),
    "limit_val_batches": Rule("a number of batches (1) or a share of them (1.0), at least 0", _share_or_number),
    "limit_test_batches": Rule("a number of batches (1) or a share of them (1.0), at least 0", _share_or_number),
    "val_check_interval": Rule("iterations from one validation to the next, at least 1; null for none", _whole(1)),
    "num_sanity_val_steps": Rule("batches of a validation before the training; default 0, -1 for all", _whole(-1)),
    "log_every_n_steps": Rule(
        "iterations from one log to the next, at least 1; --trainer.logger false for no logs", _whole(1)
    ),
    "enable_checkpointing": Rule("false takes the callbacks that write checkpoints away"),
    "enable_progress_bar": Rule("false takes the callbacks that show progress away"),
    "enable_model_summary": Rule("false takes the callbacks that print a summary away"),
    "deterministic": Rule("true, false or warn: only deterministic algorithms of PyTorch"),
    "benchmark": Rule("cuDNN measures which algorithms are fastest"),
    "inference_mode": Rule("validation and test under torch.inference_mode rather than torch.no_grad"),
    "use_distributed_sampler": Rule("validation and test are shared out over the devices"),
    "profiler": Rule("simple, advanced or pytorch"),
    "detect_anomaly": Rule("looks for the operation that made a NaN; slow"),
    "plugins": Rule("as Lightning has it"),
    "sync_batchnorm": Rule(
        "batch norms, `spade`'s too, take their statistics over all devices; `switchable` and region norms of the "
        "batch do not"
    ),
    "enable_autolog_hparams": Rule("nothing: the run folder has the whole config"),
}
_OURS: dict[str, Rule] = {
    "float32_matmul_precision": Rule(
        "how exact float32 products and convolutions are: highest, or high (TF32) or medium (bfloat16) where the "
        "device has them; null leaves PyTorch's defaults, on NVIDIA GPUs TF32 in convolutions alone"
    ),
    "cards": Rule("few: loggers show what one reads, 25 values at most; all: every value of metrics.csv"),
    "timeout_minutes": Rule(
        "a run of several processes ends if one of them gives no sign of life for so long; default 5"
    ),
    "grace_seconds": Rule(
        "a process that only waits for others ends so long after a stop signal, without a new checkpoint; default 30"
    ),
}
_SHORTEST = 0.01
_REFUSED: dict[str, Rule] = {
    "fast_dev_run": Rule("--iterations 3 --trainer.limit_val_batches 1 is a short run", _only(False, 0)),
    "max_epochs": Rule(_LENGTH, _only(-1, None)),
    "min_epochs": Rule(_LENGTH, _only(None)),
    "max_steps": Rule("it would count the steps of both optimizers; --iterations N is a run's length", _only(-1, None)),
    "min_steps": Rule("it would count the steps of both optimizers; --iterations N is a run's length", _only(None)),
    "limit_train_batches": Rule(f"the same batches would come again and again; {_LENGTH}", _all),
    "limit_predict_batches": Rule("sample has --samples_per_class, and inpaint --images", _all),
    "overfit_batches": Rule("name a folder of few images with --data.source.root", _only(0, None)),
    "check_val_every_n_epoch": Rule("--trainer.val_check_interval N validates every N iterations", _only(None)),
    "accumulate_grad_batches": Rule("--model.accumulate N splits the batch of a step into N parts", _only(1)),
    "gradient_clip_val": Rule("--model.gradient_clip_norm X limits the norm of each network's gradient", _only(None)),
    "gradient_clip_algorithm": Rule("--model.gradient_clip_norm X limits the norm of each gradient", _only(None)),
    "barebones": Rule(
        "--trainer.logger false --trainer.enable_progress_bar false leaves out what can be", _only(False)
    ),
    "reload_dataloaders_every_n_epochs": Rule("a run is one endless epoch, whose data do not change", _only(0)),
    "default_root_dir": Rule("--run_folder FOLDER is where everything goes", _only(None)),
    "model_registry": Rule("checkpoints are files in the run folder", _only(None)),
}

RULES: dict[str, Rule] = {**_WORKS, **_OURS, **_REFUSED}


class RunTrainer(Trainer):
    """Lightning's trainer, in which a whole-number limit such as 1 is always a number of batches.

    A run of several processes ends if one of them is lost; see ``lit_an.command_line.watchdog``.

    Args:
        timeout_minutes: a run of several processes ends if one of them gives no sign of life for so long, > 0.
        grace_seconds: a process that only waits for others ends so long after a stop signal, > 0.
        cards: what loggers show beside ``metrics.csv``, see ``callbacks.loggers.cards``; read by the command line.
        float32_matmul_precision: see ``lit_an.tensors.precision.set_float32_precision``; None leaves what PyTorch has.

    Raises:
        InputError: a time that is not above 0, or float16 on a CPU, in whose place Lightning would take bfloat16.
    """

    def __init__(
        self,
        *,
        timeout_minutes: float = 5.0,
        grace_seconds: float = 30.0,
        cards: Literal["few", "all"] = "few",
        float32_matmul_precision: Float32Precision | None = None,
        limit_train_batches: int | float | None = None,
        limit_val_batches: int | float | None = None,
        limit_test_batches: int | float | None = None,
        limit_predict_batches: int | float | None = None,
        **kwargs: Any,
    ) -> None:
        if float32_matmul_precision is not None:
            set_float32_precision(float32_matmul_precision)
            rank_zero_info(f"float32 products and convolutions: {float32_matmul_precision} precision")
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*AMP with fp16 is not supported on CPU")  # an error below
            try:
                super().__init__(
                    limit_train_batches=limit_train_batches,
                    limit_val_batches=limit_val_batches,
                    limit_test_batches=limit_test_batches,
                    limit_predict_batches=limit_predict_batches,
                    **kwargs,
                )
            except MisconfigurationException as error:
                if "No supported gpu backend" not in str(error):
                    raise
                raise InputError(
                    "--trainer.accelerator gpu: PyTorch finds no GPU on this machine; give cpu or auto, or install a "
                    "PyTorch for its GPU"
                ) from error
        if kwargs.get("precision") in _FLOAT16 and isinstance(self.accelerator, CPUAccelerator):
            raise InputError(
                f"--trainer.precision {kwargs['precision']} is not possible on a CPU, which has no mixed precision of "
                "float16; give 32-true, or bf16-mixed, or a GPU (--trainer.accelerator gpu)"
            )
        at_least("--trainer", _SHORTEST, timeout_minutes=timeout_minutes, grace_seconds=grace_seconds)
        prepare(self, 60 * timeout_minutes, grace_seconds)


def check_arguments(given: Mapping[str, Any] | None) -> None:
    """Rejects arguments that would not work as documented.

    Args:
        given: the trainer's arguments by name, as parsed; None for a config that says ``trainer: null``.

    Raises:
        InputError: a rule does not allow a value, or there are none.

    Example:
        >>> check_arguments({"max_steps": 5})
        Traceback (most recent call last):
        ...
        lit_an.errors.InputError: --trainer.max_steps 5 is not possible here: it would count the steps of both \
optimizers; --iterations N is a run's length
    """
    if given is None:
        raise InputError("trainer is null in the config; give its arguments, or leave the key out")
    for name, value in given.items():
        rule = RULES.get(name)
        if rule is not None and rule.allows is not None and not rule.allows(value):
            given_value = value if isinstance(value, (str, int, float)) else getattr(value, "class_path", value)
            raise InputError(f"--trainer.{name} {given_value} is not possible here: {rule.meaning}")


def enabled_callbacks(given: Mapping[str, Any]) -> list[Callback]:
    """The callbacks without those that another argument disables.

    Args:
        given: the trainer's arguments, built.
    """
    callbacks = given.get("callbacks") or []
    callbacks = callbacks if isinstance(callbacks, list) else [callbacks]
    kinds = {
        "enable_progress_bar": ProgressBar,
        "enable_checkpointing": Checkpoint,
        "enable_model_summary": ModelSummary,
    }
    off = tuple(kind for name, kind in kinds.items() if given.get(name) is False)
    return [callback for callback in callbacks if not isinstance(callback, off)]
