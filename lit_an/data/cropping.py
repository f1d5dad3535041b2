"""Which square of a picture is shown, and the cutting of it: pure functions of sizes and a seed."""

import math
from typing import Literal, NamedTuple, get_args

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from lit_an.data.transforms import to_tensor
from lit_an.errors import InputError
from lit_an.seeds import mix_seed

Crop = Literal["center", "random", "resize"]


class Box(NamedTuple):
    """A part of a picture, in whole pixels."""

    left: int
    top: int
    width: int
    height: int


class Cropping(NamedTuple):
    """How pictures of any size become squares of one.

    Attributes:
        image_size: side of the squares in pixels.
        crop: ``center``: the center square of the short side. ``random``: in training, a square at a random place
            whose side is a random share of the short side; elsewhere as ``center``. ``resize``: the whole picture,
            squeezed or stretched.
        min_scale: least share of ``random``, 0 < min_scale ≤ 1; the largest is 1.
    """

    image_size: int
    crop: Crop = "center"
    min_scale: float = 1.0

    def box(self, width: int, height: int, seed: int | None) -> Box:
        """What is shown of a picture.

        Args:
            width, height: of the picture.
            seed: of a training draw; None where nothing is random.

        Example:
            >>> Cropping(64, "center").box(300, 200, seed=None)
            Box(left=50, top=0, width=200, height=200)
        """
        if self.crop == "resize":
            return Box(0, 0, width, height)
        # Whole source pixels: half a pixel of offset would blur a picture that needs no resizing.
        side = max(1, round(self._scale(seed) * min(width, height)))
        free_across, free_down = width - side, height - side
        if self.crop == "center" or seed is None:
            return Box(free_across // 2, free_down // 2, side, side)
        return Box(_up_to(free_across, mix_seed(seed, 1)), _up_to(free_down, mix_seed(seed, 2)), side, side)

    def side_to_read(self, seed: int | None) -> int:
        """To about how many pixels the short side of a picture may be shrunk before it is cut."""
        return math.ceil(self.image_size / self._scale(seed))

    def cut(
        self, image: Image.Image | Tensor, regions: np.ndarray | None, seed: int | None
    ) -> tuple[Tensor, Tensor | None]:
        """Cuts a picture and its region map at the same place: the one antialiased, the other by the nearest pixel.

        Args:
            image: RGB, W × H, or (3, H, W), uint8.
            regions: (H, W), region indices, or None.
            seed: of a training draw; None where nothing is random.

        Returns:
            (3, S, S), uint8, and (S, S), int64, or None.
        """
        width, height = (image.shape[2], image.shape[1]) if isinstance(image, Tensor) else image.size
        box = self.box(width, height, seed)
        rows, columns = (
            nearest(start, n, self.image_size) for start, n in ((box.top, box.height), (box.left, box.width))
        )
        shown = None if regions is None else torch.from_numpy(regions[np.ix_(rows, columns)]).long()
        if isinstance(image, Tensor) and box == (0, 0, self.image_size, self.image_size) == (0, 0, width, height):
            return image, shown  # what a resize would give, several times as fast
        return to_tensor(self.square(as_image(image), seed)), shown

    def square(self, image: Image.Image, seed: int | None = None) -> Image.Image:
        """What is shown of a picture, S × S, antialiased.

        Example:
            >>> Cropping(64).square(Image.new("RGB", (300, 200))).size
            (64, 64)
        """
        box = self.box(*image.size, seed)
        # Cropped, not by resize's box, whose filter would look over the edge.
        part = image.crop((box.left, box.top, box.left + box.width, box.top + box.height))
        return part.resize((self.image_size, self.image_size), Image.Resampling.LANCZOS)

    def _scale(self, seed: int | None) -> float:
        if self.crop != "random" or seed is None:
            return 1.0
        return self.min_scale + (1.0 - self.min_scale) * mix_seed(seed, 0) / 2**63


def check_cropping(cropping: Cropping) -> None:
    """Raises InputError for values that cannot be."""
    if cropping.crop not in get_args(Crop):
        raise InputError(f"data: crop must be one of {', '.join(get_args(Crop))}, got {cropping.crop!r}")
    if not 0.0 < cropping.min_scale <= 1.0:
        raise InputError(f"data: min_scale must be above 0 and at most 1, got {cropping.min_scale}")


def nearest(start: int, length: int, number: int) -> np.ndarray:
    """(number,), int64: the source pixels under the centers of ``number`` pixels spread over ``length`` from ``start``.

    Example:
        >>> nearest(10, 8, 4).tolist()
        [11, 13, 15, 17]
    """
    return start + ((np.arange(number) + 0.5) * length / number).astype(np.int64)


def as_image(image: Image.Image | Tensor) -> Image.Image:
    """A picture as Pillow has it; a tensor is (3, H, W), uint8."""
    if isinstance(image, Image.Image):
        return image
    return Image.fromarray(image.permute(1, 2, 0).contiguous().numpy())


def _up_to(largest: int, seed: int) -> int:
    """0 … ``largest``, all alike."""
    return seed % (largest + 1)
