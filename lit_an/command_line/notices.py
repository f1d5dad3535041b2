"""Silences notices of libraries, and warns of slow settings."""

import io
import logging
import os
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytorch_lightning import Trainer


_PACKAGES = tuple(Path(__file__).parents[2] / name for name in ("lit_an", "callbacks"))


def silence_notices() -> None:
    """Silences messages of libraries that users cannot act on; called before PyTorch is imported."""
    # If a process of a run is gone, each of the others gets a C++ traceback for each connection to it.
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    warnings.filterwarnings("ignore", message="Precision bf16-mixed is not supported by the model summary")
    warnings.filterwarnings("ignore", message=r".*isinstance\(treespec, LeafSpec\)")
    # Schedules count iterations, also those in which a network is not trained yet.
    warnings.filterwarnings("ignore", message=r"Detected call of `lr_scheduler\.step\(\)` before")
    # LightningCLI gets its arguments from the parser of commands.
    warnings.filterwarnings("ignore", message="LightningCLI's args parameter is intended to run from within Python")
    # The second counts the steps of both optimizers, where the user counts iterations; a header says the others.
    silent = (
        "try installing [litlogger]",
        "`Trainer.fit` stopped: `max_steps=",
        "TPU available: ",
        "GPU available: ",
        "Seed set to ",
        "Restoring states from the checkpoint path",
        "Restored all states from the checkpoint",
        "Loaded model weights from the checkpoint",
    )
    for name in ("pytorch_lightning.utilities.rank_zero", "lightning_fabric.utilities.seed"):
        logging.getLogger(name).addFilter(lambda record: not any(part in record.getMessage() for part in silent))


def escape_what_cannot_be_said() -> None:
    """Writes characters that the locale lacks as escapes such as ``\\u2026``, in place of ending with an error."""
    for stream in (sys.stdout, sys.stderr):
        encoding = str(getattr(stream, "encoding", None) or "utf-8").replace("-", "").replace("_", "").lower()
        if encoding != "utf8" and isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def say_warnings_plainly() -> None:
    """Leaves file and line out of warnings of the project, which are about the run; called after Lightning's import."""
    formats = warnings.formatwarning

    def plain(message: Any, category: Any, filename: str, lineno: int, line: str | None = None) -> str:
        if any(Path(filename).is_relative_to(package) for package in _PACKAGES):
            return f"warning: {message}\n"
        return formats(message, category, filename, lineno, line)

    warnings.formatwarning = plain


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
