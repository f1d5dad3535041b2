"""Fills holes in picture files with a trained generator, without Lightning or a data set.

``load_inpainter`` and ``load_exported_inpainter`` give a ``TrainedInpainter``; ``inpaint`` passes an image of any size
through it. A ``Picture`` holds the samples of a file at their own depth: only those in the hole are changed. To add a
source of holes: a class in ``hole_sources.py`` with ``of``, and an option in ``lit_an/commands/inpaint.py``.
"""

from lit_an.inpainting.picture import Picture, filled, read_picture, to_model
from lit_an.inpainting.picture_writing import write_picture
from lit_an.inpainting.tiling import Tiling, inpaint
from lit_an.trained.exported import load_exported_inpainter
from lit_an.trained.inpainter import TrainedInpainter, load_inpainter

__all__ = [
    "Picture",
    "Tiling",
    "TrainedInpainter",
    "filled",
    "inpaint",
    "load_exported_inpainter",
    "load_inpainter",
    "read_picture",
    "to_model",
    "write_picture",
]
