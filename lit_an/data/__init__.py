"""Data sets.

How to add one for class-conditional generation: write ``lit_an/data/<name>.py`` with a subclass of
``lit_an.data.base.LabelledImages``. It spells all arguments of its constructor, those of the base included (a config
reads them from the signature), and has two members:

- ``class_names``: the classes in the order of their labels;
- ``dataset(split)``: an indexable set of ``lit_an.batch.ClassBatch`` without the batch dimension: images float32 in
  [-1, 1], channels first; labels int64; regions int64 per pixel, or None. Training asks for a ``lit_an.batch.Draw``
  and takes all randomness from its seed; validation and test ask for an ``int`` and get the image as it is.

One for inpainting is a subclass of ``lit_an.data.masked_images.MaskedImages`` with one member, ``photos(split)``: the
photographs by their number, whole (``lit_an.data.photos.Photos``; files are ``PhotoFiles``). Crops, mirroring and
holes are made of them by the base.

``lit_an/data/transforms.py`` decodes image files, ``lit_an/data/listing.py`` lists them by the one walk of
``lit_an/data/walking.py``, ``lit_an/data/split_folders.py`` knows splits by their names. Whatever takes long and
happens once goes into ``prepare_data()``. What a user can get wrong raises ``lit_an.errors.InputError`` with one
sentence. Then export the class here, add ``tests/data/test_<name>.py``, and name it in a config:
``data: {class_path: lit_an.data.<Name>}``.
"""

from lit_an.data.base import LabelledImages
from lit_an.data.celeba_hq import CelebAHQ
from lit_an.data.earth_photographs import EarthPhotographs
from lit_an.data.earth_tiles import EarthTiles
from lit_an.data.image_folder import ImageFolder
from lit_an.data.imagenet import ImageNet
from lit_an.data.masked_images import MaskedImages
from lit_an.data.paris_street_view import ParisStreetView
from lit_an.data.photographs import Photographs
from lit_an.data.places365 import Places365
from lit_an.data.prepared import Prepared
from lit_an.data.prepared_photographs import PreparedPhotographs

__all__ = [
    "CelebAHQ",
    "EarthPhotographs",
    "EarthTiles",
    "ImageFolder",
    "ImageNet",
    "LabelledImages",
    "MaskedImages",
    "ParisStreetView",
    "Photographs",
    "Places365",
    "Prepared",
    "PreparedPhotographs",
]
