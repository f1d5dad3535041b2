"""Trained networks: reads a checkpoint or an export, builds its network and finds its run folder.

``load_generator`` and ``load_exported`` give a ``TrainedGenerator``, ``load_inpainter`` a ``TrainedInpainter``. Nothing
in a file is executed; neither Lightning nor a data set is needed.
"""

from lit_an.trained.checkpoints import Description
from lit_an.trained.exported import load_exported, save_exported
from lit_an.trained.generator import TrainedGenerator, load_generator
from lit_an.trained.graphs import save_onnx, save_program
from lit_an.trained.inpainter import TrainedInpainter, load_inpainter

__all__ = [
    "Description",
    "TrainedGenerator",
    "TrainedInpainter",
    "load_exported",
    "load_generator",
    "load_inpainter",
    "save_exported",
    "save_onnx",
    "save_program",
]
