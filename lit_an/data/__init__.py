"""Data: a source knows where pictures are, a module makes of them what a task takes.

``ClassData(source=…)`` gives labeled images, ``InpaintingData(source=…)`` images with holes. Any source serves either,
as long as it has what the module needs: classes need labels, holes need nothing.

How to add a data set: one file in ``lit_an/data/sources/``; its package says how. ``shards/`` is the format of prepared
images, ``preparation/`` makes it, ``transforms.py`` and ``cropping.py`` are pure functions of pictures and seeds.
"""

from lit_an.data.base import ImageData
from lit_an.data.class_data import ClassData
from lit_an.data.inpainting_data import InpaintingData

__all__ = ["ClassData", "ImageData", "InpaintingData"]
