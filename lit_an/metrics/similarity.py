"""Structural similarity of images: SSIM, of the hole alone too, and MS-SSIM.

The maps agree with torchmetrics. They replace it because its mean includes positions at the border in some versions
(1.6) and not in others (1.4), its float32 has an error of 1e-4 in flat images, and its float64 takes ten
times as long (1.1 s against 0.11 s for one image of 256 × 256 on one core).
"""

from functools import lru_cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from lit_an.errors import InputError
from lit_an.metrics.pixel_errors import hole_mean

_WINDOW, _SIGMA = 11, 1.5  # px
_REACH = _WINDOW // 2
_C1, _C2 = (0.01 * 2) ** 2, (0.03 * 2) ** 2  # for values in [-1, 1], whose range is 2
_SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # of Wang, Simoncelli and Bovik; fine to coarse

# The smaller side, in pixels: MS-SSIM halves an image four times, and a window must fit into what is left.
SMALLEST_SSIM = _WINDOW
SMALLEST_MS_SSIM = 2 ** (len(_SCALE_WEIGHTS) - 1) * _WINDOW


class Similarity(NamedTuple):
    """Similarity of each image; 1 for identical images, smaller for others. Both (B,), float64.

    Attributes:
        ssim: mean over channels and the positions whose window lies inside the image.
        hole_ssim: mean over channels and the positions of the hole, those at the border too (their window sees the
            image mirrored); a window reaches 5 px beyond the hole. NaN where there is no hole.
    """

    ssim: Tensor
    hole_ssim: Tensor


def structural_similarity(image: Tensor, other: Tensor, mask: Tensor) -> Similarity:
    """SSIM of each color channel with a Gaussian window of 11 px, σ 1.5, and biased variances.

    Args:
        image, other: (B, C, H, W), in [-1, 1], of at least 11 px a side.
        mask: (B, 1, H, W), 1 = hole, 0 = known.

    Raises:
        InputError: smaller images.

    Source: Wang et al., "Image quality assessment: from error visibility to structural similarity", IEEE TIP 2004.

    Example:
        >>> image = torch.linspace(-1, 1, 16).expand(1, 3, 16, 16)
        >>> [round(float(value), 6) for value in structural_similarity(image, image, torch.ones(1, 1, 16, 16))]
        [1.0, 1.0]
    """
    _check_side("SSIM", image, SMALLEST_SSIM)
    luminance, contrast = _maps(image.double(), other.double())
    similarity = luminance * contrast
    return Similarity(_mean_of_whole_windows(similarity), hole_mean(similarity, mask))


def multiscale_similarity(image: Tensor, other: Tensor) -> Tensor:
    """MS-SSIM of each image over five scales, (B,), float64, in [0, 1]; 1 for identical images.

    Args:
        image, other: (B, C, H, W), in [-1, 1], of at least 176 px a side.

    Raises:
        InputError: smaller images.

    Source: Wang, Simoncelli, Bovik, "Multiscale structural similarity for image quality assessment", Asilomar 2003.
    Differs: a scale of negative similarity counts as 0, since its power is not a real number.
    """
    _check_side("MS-SSIM", image, SMALLEST_MS_SSIM)
    image, other = image.double(), other.double()
    product = torch.ones(len(image), dtype=torch.float64, device=image.device)
    for scale, weight in enumerate(_SCALE_WEIGHTS):
        if scale > 0:
            image, other = F.avg_pool2d(image, 2), F.avg_pool2d(other, 2)
        luminance, contrast = _maps(image, other)
        coarsest = scale == len(_SCALE_WEIGHTS) - 1
        mean = _mean_of_whole_windows(luminance * contrast if coarsest else contrast)
        product *= mean.clamp_min(0) ** weight
    return product


def _check_side(what: str, image: Tensor, least: int) -> None:
    if min(image.shape[-2:]) < least:
        raise InputError(f"{what} needs images of at least {least} px a side, got {tuple(image.shape)}")


def _maps(image: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """The two factors of SSIM at each position, (B, C, H, W), float64."""
    first, second = _blurred(image), _blurred(other)
    variances = _blurred(image * image) - first * first + _blurred(other * other) - second * second
    covariance = _blurred(image * other) - first * second
    luminance = (2 * first * second + _C1) / (first * first + second * second + _C1)
    return luminance, (2 * covariance + _C2) / (variances + _C2)


def _blurred(values: Tensor) -> Tensor:
    """Means under the window around each position, as two products of matrices: many times as fast as a convolution."""
    height, width = (_window_matrix(size, values.device) for size in values.shape[-2:])
    return height @ values @ width.T


@lru_cache(maxsize=16)  # by device too, which would wait for a copy at each blur
def _window_matrix(size: int, device: torch.device) -> Tensor:
    """(size, size), float64: row i holds the window around i, folded back at the borders."""
    offset = torch.arange(_WINDOW) - _REACH
    window = torch.exp(-(offset.double() ** 2) / (2 * _SIGMA**2))
    place = (torch.arange(size)[:, None] + offset).abs()
    place = torch.where(place < size, place, 2 * (size - 1) - place)
    rows = torch.zeros(size, size, dtype=torch.float64)
    return rows.scatter_add_(1, place, (window / window.sum()).expand(size, -1)).to(device)


def _mean_of_whole_windows(values: Tensor) -> Tensor:
    """(B,) from (B, C, H, W)."""
    return values[..., _REACH:-_REACH, _REACH:-_REACH].mean(dim=(1, 2, 3))
