"""Sources: one class per data set, which says where the pictures of its splits are.

How to add one: a new file here with a subclass of ``Source`` that implements ``open(split, image_size)``, which returns
the pictures of a split: ``FilePictures`` for image files, or a subclass of ``Pictures``. A source with classes has
``class_names`` and gives ``labels`` to its pictures. A source has no batch size, no crop and no hole: training,
``prepare``, ``check``, metrics and nearest neighbors all use it alike. What a user can get wrong raises ``InputError``
with one sentence. Then import the class below; the contract tests in ``tests/data/test_sources.py`` ask for its small
files.
"""

from lit_an.data.sources.base import FilePictures, Picture, Pictures, Source
from lit_an.data.sources.celeba_hq import CelebAHQ
from lit_an.data.sources.earth import Earth
from lit_an.data.sources.image_folder import ImageFolder
from lit_an.data.sources.imagenet import ImageNet
from lit_an.data.sources.paris_street_view import ParisStreetView
from lit_an.data.sources.photographs import Photographs
from lit_an.data.sources.places365 import Places365
from lit_an.data.sources.prepared import Prepared

__all__ = [
    "CelebAHQ",
    "Earth",
    "FilePictures",
    "ImageFolder",
    "ImageNet",
    "ParisStreetView",
    "Photographs",
    "Picture",
    "Pictures",
    "Places365",
    "Prepared",
    "Source",
]
