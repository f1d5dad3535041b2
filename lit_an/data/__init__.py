"""Data sets.

How to add one: write ``lit_an/data/<name>.py`` with a subclass of ``lit_an.data.base.LabelledImages``. It spells all
arguments of its constructor, those of the base included (a config reads them from the signature), and has two
members:

- ``class_names``: the classes in the order of their labels;
- ``dataset(split)``: an indexable set of ``lit_an.batch.ClassBatch`` without the batch dimension: images float32 in
  [-1, 1], channels first; labels int64; regions int64 per pixel, or None. Training asks for a ``lit_an.batch.Draw``
  and takes all randomness from its seed; validation and test ask for an ``int`` and get the image as it is.

``lit_an/data/transforms.py`` decodes image files. Whatever takes long and happens once goes into ``prepare_data()``.
What a user can get wrong raises ``lit_an.errors.InputError`` with one sentence. Then export the class here, add
``tests/data/test_<name>.py``, and name it in a config: ``data: {class_path: lit_an.data.<Name>}``.
"""

from lit_an.data.base import LabelledImages
from lit_an.data.earth_tiles import EarthTiles
from lit_an.data.image_folder import ImageFolder
from lit_an.data.imagenet import ImageNet
from lit_an.data.prepared import Prepared

__all__ = ["EarthTiles", "ImageFolder", "ImageNet", "LabelledImages", "Prepared"]
