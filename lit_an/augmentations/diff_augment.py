"""DiffAugment: changes the color of every image, translates it and cuts out a square."""

import torch
from torch import Tensor

from lit_an.augmentations.base import AUGMENTATIONS, Augmentation
from lit_an.augmentations.color import recolor, saturation_matrix
from lit_an.augmentations.geometry import resample, shifting_matrix, with_hole
from lit_an.errors import InputError


@AUGMENTATIONS.register("diffaugment")
class DiffAugment(Augmentation):
    """Brightness, saturation and contrast; translation with zeros behind; a square cut out.

    Args:
        color: change brightness by up to ±0.5, saturation by 0 to 2 and contrast by 0.5 to 1.5 times.
        translation: largest shift as a share of the side, 0 ≤ translation < 1; 0 for none.
        cutout: side of the square as a share of the side, 0 ≤ cutout < 1; 0 for none.

    Raises:
        InputError: a share out of range.

    Source: Zhao et al., "Differentiable augmentation for data-efficient GAN training", NeurIPS 2020 (arXiv 2006.10738),
    section 3; the ranges are those of the authors' code.

    Example:
        >>> DiffAugment()(torch.zeros(2, 3, 8, 8)).shape
        torch.Size([2, 3, 8, 8])
    """

    def __init__(self, color: bool = True, translation: float = 0.125, cutout: float = 0.5) -> None:
        for name, value in (("translation", translation), ("cutout", cutout)):
            if not 0 <= value < 1:
                raise InputError(f"DiffAugment: {name} must be at least 0 and less than 1, got {value}")
        self.color, self.translation, self.cutout = color, translation, cutout

    def __call__(self, image: Tensor) -> Tensor:
        if self.color:
            image = _recolored(image)
        if self.translation > 0:
            image = _translated(image, self.translation)
        return _cut(image, self.cutout) if self.cutout > 0 else image


def _recolored(image: Tensor) -> Tensor:
    brightness, saturation, contrast = torch.rand(3, len(image), device=image.device)
    offset = (brightness - 0.5)[:, None].expand(-1, 3)
    image = recolor(image, saturation_matrix(2 * saturation), offset)  # the order does not matter: the offset is gray
    mean = image.mean((1, 2, 3), keepdim=True)
    return torch.lerp(mean, image, (contrast + 0.5)[:, None, None, None].to(image.dtype))


def _translated(image: Tensor, share: float) -> Tensor:
    shift = [_whole(image, -round(size * share), round(size * share)) for size in image.shape[2:]]
    rows, columns = (shifting_matrix(by, size) for by, size in zip(shift, image.shape[2:], strict=True))
    return resample(image, rows, columns)


def _cut(image: Tensor, share: float) -> Tensor:
    side = round(min(image.shape[2:]) * share)
    # The center is uniform over the image, so a part of the square is often outside.
    row, column = (_whole(image, 0, size - side % 2) - side // 2 for size in image.shape[2:])
    return with_hole(image, row, column, side)


def _whole(image: Tensor, low: int, high: int) -> Tensor:
    """(B,): whole numbers from ``low`` to ``high``."""
    return torch.randint(low, high + 1, (len(image),), device=image.device)
