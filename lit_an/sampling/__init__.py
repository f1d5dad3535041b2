"""Sampling from a trained generator, loaded from a checkpoint or an export, without Lightning or a data set.

``load_generator`` and ``load_exported`` give a ``TrainedGenerator``; everything else takes one. To add a kind of
picture: a function in ``pictures.py`` from a generator to a uint8 tensor, and a line in ``lit_an/commands/sample.py``.
"""

from lit_an.sampling.images import images_of, sample
from lit_an.sampling.neighbors import nearest_neighbors
from lit_an.sampling.pairs import Sample, pair_with_layouts, pair_with_moved_regions, walk
from lit_an.sampling.statistics import standing_statistics, use_statistics
from lit_an.sampling.streaming import write_samples
from lit_an.trained.checkpoints import Description
from lit_an.trained.exported import load_exported, save_exported
from lit_an.trained.generator import TrainedGenerator, load_generator
from lit_an.trained.graphs import save_compiled, save_onnx, save_program

__all__ = [
    "Description",
    "Sample",
    "TrainedGenerator",
    "images_of",
    "load_exported",
    "load_generator",
    "nearest_neighbors",
    "pair_with_layouts",
    "pair_with_moved_regions",
    "sample",
    "save_compiled",
    "save_exported",
    "save_onnx",
    "save_program",
    "standing_statistics",
    "use_statistics",
    "walk",
    "write_samples",
]
