"""A classifier of pixels, learned from real images with region maps: the ground truth of images that have none."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from lit_an.seeds import mix_seed

_WINDOWS = (5, 15)  # sides in pixels
_SEED = 2020


class PixelSegmenter(NamedTuple):
    """Multinomial logistic regression of a pixel's color and of the colors around it; it does not see positions.

    Attributes:
        mean, deviation: (15,), float64, of the features in training.
        weight: (K, 15), float64, of the standardized features.
        bias: (K,), float64.
    """

    mean: Tensor
    deviation: Tensor
    weight: Tensor
    bias: Tensor

    def segment(self, images: Tensor) -> Tensor:
        """(B, H, W), int64: the likeliest region of each pixel of images (B, 3, H, W) in [-1, 1]."""
        mean, deviation, weight, bias = (part.to(images.device) for part in self)
        features = (pixel_features(images).double() - mean[:, None, None]) / deviation[:, None, None]
        return (torch.einsum("kc,bchw->bkhw", weight, features) + bias[:, None, None]).argmax(1)


class SegmenterQuality(NamedTuple):
    """How well a segmenter does on images that it was not fitted to.

    Attributes:
        accuracy: in [0, 1], share of their pixels whose region is right.
        commonest: in [0, 1], share of the commonest region, what one learns without looking.
    """

    accuracy: float
    commonest: float


def pixel_features(images: Tensor) -> Tensor:
    """Colors, and their local means and standard deviations in windows of 5 and of 15 pixels.

    Args:
        images: (B, 3, H, W), in [-1, 1].

    Returns:
        (B, 15, H, W), of the images' type; at the border, windows hold the pixels inside the image.

    Example:
        >>> pixel_features(torch.zeros(1, 3, 8, 8)).shape
        torch.Size([1, 15, 8, 8])
    """
    found = [images]
    for side in _WINDOWS:
        mean, square = (
            F.avg_pool2d(x, side, stride=1, padding=side // 2, count_include_pad=False)
            for x in (images, images.square())
        )
        found += [mean, (square - mean.square()).clamp_min(0).sqrt()]
    return torch.cat(found, 1)


def fit_segmenter(images: Tensor, regions: Tensor, pixels: int = 64, decay: float = 1e-4) -> PixelSegmenter:
    """Fits the segmenter to real images: cross-entropy, L-BFGS from zero.

    Args:
        images: (B, 3, H, W), in [-1, 1].
        regions: (B, H, W), int64, ≥ 0, the region of each pixel; its largest number is K - 1.
        pixels: of each image to learn from, drawn at random, ≥ 1.
        decay: factor of half the squared norm of the weights, ≥ 0.
    """
    generator = torch.Generator().manual_seed(mix_seed(_SEED, len(images)))
    place = torch.randint(images[0, 0].numel(), (len(images), pixels), generator=generator).to(images.device)
    points = [_at(pixel_features(image[None]).double(), chosen) for image, chosen in zip(images, place, strict=True)]
    # Validations run in inference mode, whose tensors take part in no gradient.
    with torch.inference_mode(False), torch.enable_grad():
        x, y = torch.cat(points).clone(), regions.flatten(1).gather(1, place).flatten().clone()
        mean, deviation = x.mean(0), x.std(0, correction=0).clamp_min(1e-6)
        x = (x - mean) / deviation
        weight = torch.zeros(int(regions.max()) + 1, x.shape[1], dtype=x.dtype, device=x.device, requires_grad=True)
        bias = torch.zeros(len(weight), dtype=x.dtype, device=x.device, requires_grad=True)
        optimizer = torch.optim.LBFGS([weight, bias], max_iter=200, line_search_fn="strong_wolfe")

        def loss() -> Tensor:
            optimizer.zero_grad()
            value = F.cross_entropy(x @ weight.t() + bias, y) + decay / 2 * weight.square().sum()
            value.backward()
            return value

        optimizer.step(loss)  # type: ignore[arg-type]  # its closure gives a tensor
    return PixelSegmenter(mean, deviation, weight.detach(), bias.detach())


def segmenter_quality(segmenter: PixelSegmenter, images: Tensor, regions: Tensor) -> SegmenterQuality:
    """Quality on held-out images (B, 3, H, W) with regions (B, H, W)."""
    # One by one: the features of many large images need much memory.
    right = sum(
        int((segmenter.segment(image[None])[0] == one).sum()) for image, one in zip(images, regions, strict=True)
    )
    commonest = int(torch.bincount(regions.flatten()).max())
    return SegmenterQuality(right / regions.numel(), commonest / regions.numel())


def _at(maps: Tensor, place: Tensor) -> Tensor:
    """(P, C), the values of a map (1, C, H, W) at P places."""
    return maps[0].flatten(1)[:, place].t()
