"""Trained networks: reads a checkpoint or an export, builds its network and finds its run folder.

``load_generator`` and ``load_exported`` give a ``TrainedGenerator``, ``load_inpainter`` and
``load_exported_inpainter`` a ``TrainedInpainter``. Nothing in a file is executed; neither Lightning nor a data set is
needed. To add a kind of generator: a subclass of ``TrainedNetwork``, its loaders, and its form in ``graph_forms.py``.
"""

from lit_an.trained.checkpoints import Description
from lit_an.trained.exported import load_exported, load_exported_inpainter, save_exported
from lit_an.trained.generator import TrainedGenerator, load_generator
from lit_an.trained.graphs import save_compiled, save_onnx, save_program
from lit_an.trained.inpainter import TrainedInpainter, load_inpainter

__all__ = [
    "Description",
    "TrainedGenerator",
    "TrainedInpainter",
    "load_exported",
    "load_exported_inpainter",
    "load_generator",
    "load_inpainter",
    "save_compiled",
    "save_exported",
    "save_onnx",
    "save_program",
]
