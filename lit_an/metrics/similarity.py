"""Structural similarity of images: SSIM, of the hole alone too, and MS-SSIM, from the maps that torchmetrics computes.

The means over the maps are taken here: torchmetrics' own changed between its versions 1.4 and 1.6 (it then counts
positions at the border, whose window is half mirror), and a figure must not depend on what is installed.
"""

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from lit_an.metrics.pixel_errors import hole_mean

_WINDOW = 11  # px; Gaussian, σ 1.5
_SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # of Wang, Simoncelli, Bovik; fine to coarse

# The smaller side, in pixels: MS-SSIM halves an image four times, and a window must fit into what is left.
SMALLEST_SSIM = _WINDOW
SMALLEST_MS_SSIM = 2 ** (len(_SCALE_WEIGHTS) - 1) * _WINDOW


class Similarity(NamedTuple):
    """Similarity of each image; 1 for identical images, less for others. Both (B,), float64.

    Attributes:
        ssim: mean over channels and the positions whose window lies inside the image.
        hole_ssim: mean over channels and the positions of the hole, those at the border too (their window sees the
            image mirrored); a window reaches 5 px beyond the hole. NaN where there is no hole.
    """

    ssim: Tensor
    hole_ssim: Tensor


def structural_similarity(image: Tensor, other: Tensor, mask: Tensor) -> Similarity:
    """SSIM of each colour channel with a Gaussian window of 11 px, σ 1.5, and biased variances.

    Args:
        image, other: (B, C, H, W), in [-1, 1], of at least 11 px a side.
        mask: (B, 1, H, W), 1 = hole, 0 = known.

    Source: Wang et al., "Image quality assessment: from error visibility to structural similarity", IEEE TIP 2004.

    Example:
        >>> image = torch.linspace(-1, 1, 16).expand(1, 3, 16, 16)
        >>> [float(value) for value in structural_similarity(image, image, torch.ones(1, 1, 16, 16))]
        [1.0, 1.0]
    """
    full = _ssim(image, other, return_full_image=True)
    return Similarity(_mean_of_whole_windows(full), hole_mean(full, mask))


def multiscale_similarity(image: Tensor, other: Tensor) -> Tensor:
    """MS-SSIM of each image over five scales, (B,), float64, in [0, 1]; 1 for identical images.

    Args:
        image, other: (B, C, H, W), in [-1, 1], of at least 176 px a side.

    Source: Wang, Simoncelli, Bovik, "Multiscale structural similarity for image quality assessment", Asilomar 2003.
    Differs: a scale of negative similarity counts as 0, since a power of it is no number.
    """
    product = torch.ones(len(image), dtype=torch.float64, device=image.device)
    for weight in _SCALE_WEIGHTS[:-1]:
        contrast = _ssim(image, other, return_contrast_sensitivity=True)  # (B,)
        product *= contrast.double().clamp_min(0) ** weight
        image, other = F.avg_pool2d(image, 2), F.avg_pool2d(other, 2)
    coarsest = _mean_of_whole_windows(_ssim(image, other, return_full_image=True))
    return product * coarsest.clamp_min(0) ** _SCALE_WEIGHTS[-1]


def _ssim(image: Tensor, other: Tensor, **what: Any) -> Tensor:
    from torchmetrics.functional.image import structural_similarity_index_measure

    found = structural_similarity_index_measure(
        other.float(), image.float(), sigma=1.5, data_range=2.0, reduction="none", **what
    )
    return found[1]


def _mean_of_whole_windows(full: Tensor) -> Tensor:
    """(B,), float64, from the map (B, C, H, W)."""
    reach = _WINDOW // 2
    return full[..., reach:-reach, reach:-reach].double().mean(dim=(1, 2, 3))
