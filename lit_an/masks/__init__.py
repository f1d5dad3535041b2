"""Holes for inpainting: shapes that draw random masks, and masks from files.

A mask is float32, 1 in the hole and 0 where the image is known.

How to add a shape: a new file here with a subclass of ``HoleShape`` whose ``paint`` is a function of its arguments
alone, and its import below; the contract tests find it. Its constructor takes plain numbers, words or other shapes,
keeps them as attributes of the same names and raises ``InputError`` for invalid values. A config names the class, so
there is no registry: ``mask: {class_path: lit_an.masks.FreeForm, init_args: {parts: 4}}``.
"""

from lit_an.masks.base import HoleShape
from lit_an.masks.border import Border, Half
from lit_an.masks.free_form import FreeForm
from lit_an.masks.from_files import MaskFiles
from lit_an.masks.mixture import Mixture
from lit_an.masks.rectangle import Center, Rectangle
from lit_an.masks.strokes import Strokes

__all__ = ["Border", "Center", "FreeForm", "Half", "HoleShape", "MaskFiles", "Mixture", "Rectangle", "Strokes"]
