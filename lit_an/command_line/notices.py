"""Silences notices of libraries, and warns of slow settings."""

import logging
import os
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytorch_lightning import Trainer


def silence_notices() -> None:
    """Silences messages of libraries that users cannot act on; called before PyTorch is imported."""
    # If a process of a run is gone, each of the others gets a C++ traceback for each connection to it.
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    warnings.filterwarnings("ignore", message="Precision bf16-mixed is not supported by the model summary")
    warnings.filterwarnings("ignore", message=r".*isinstance\(treespec, LeafSpec\)")
    # LightningCLI gets its arguments from the parser of commands.
    warnings.filterwarnings("ignore", message="LightningCLI's args parameter is intended to run from within Python")
    # The second counts the steps of both optimizers, where the user counts iterations.
    silent = ("try installing [litlogger]", "`Trainer.fit` stopped: `max_steps=")
    logging.getLogger("pytorch_lightning.utilities.rank_zero").addFilter(
        lambda record: not any(part in record.getMessage() for part in silent)
    )


def warn_of_slow_arithmetic(trainer: "Trainer") -> None:
    """Warns if half precision is slower than float32 on this machine."""
    # Imported here, since commands without a trainer use this module too.
    import torch
    from pytorch_lightning.utilities.rank_zero import rank_zero_warn

    on_cpu = trainer.strategy.root_device.type == "cpu"
    if on_cpu and str(trainer.precision).startswith("bf16") and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        rank_zero_warn(
            f"this CPU has no bfloat16 arithmetic: {trainer.precision} takes several times as long here as "
            "--trainer.precision 32-true",
            category=UserWarning,
        )
