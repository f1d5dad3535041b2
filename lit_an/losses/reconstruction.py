"""Reconstruction losses of inpainting: absolute differences inside and outside the holes, and the confidence map.

Each image has the same weight regardless of the size of its hole: losses average over an image's pixels first, then
over the batch. Smaller is better. Masks may be of any type; of whole numbers all above 0 is hole.
"""

import functools

import torch
from torch import Tensor

from lit_an.errors import InputError
from lit_an.tensors.holes import weight_of
from lit_an.tensors.precision import at_least_float32, without_autocast


def hole_l1(
    prediction: Tensor, image: Tensor, mask: Tensor, confidence: Tensor | None = None, area: int | None = None
) -> Tensor:
    """Weighted L1 distance: Σ |prediction − image| · weight / (C · area) over an image's channels and pixels.

    Reduction: mean over the batch.

    The weight is ``confidence`` where it is given, else the mask, so that it is the mean absolute difference in the
    hole. An empty hole counts 0.

    Args:
        prediction: (B, C, H, W), the generator's output, not composited.
        image: (B, C, H, W), the truth.
        mask: (B, 1, H, W), 1 = hole.
        confidence: (B, 1, H, W), ≥ 0, the weight of each pixel; ``confidence_map(mask)``. It does not enter the
            divisor: a deep hole counts less than a shallow one.
        area: pixels to divide by; None takes each image's own hole, Σ mask.

    Raises:
        InputError: shapes that do not match.

    Source: Wang et al., "Image inpainting via generative multi-column convolutional neural networks" (GMCNN), NeurIPS
        2018 (arXiv 1810.08771), section 3.3, whose PyTorch code divides by the mean of the mask. The TensorFlow codes
        of GMCNN and of attentive normalization divide by a constant: ``area=H * W`` with free-form holes, and
        ``area=128 * 128`` with rectangles, which is the rectangle before it is shrunk at random.

    Differs: published batches share one mask; with a mask for each image the mean is taken over the image first, so
        that a batch may be cut into parts.

    Example:
        >>> image, mask = torch.zeros(1, 3, 2, 2), torch.tensor([[[[1.0, 0.0], [0.0, 0.0]]]])
        >>> float(hole_l1(image + 0.5, image, mask)), float(hole_l1(image + 0.5, image, mask, area=2 * 2))
        (0.5, 0.125)
    """
    _check_shapes(prediction, image, mask)
    mask = weight_of(mask)
    weight = mask if confidence is None else confidence
    if weight.shape != mask.shape:
        raise InputError(
            f"hole_l1: confidence must have the mask's shape {tuple(mask.shape)}, got {tuple(weight.shape)}"
        )
    return _weighted_l1(prediction, image, weight, mask.sum((1, 2, 3)) if area is None else area)


def context_l1(prediction: Tensor, image: Tensor, mask: Tensor) -> Tensor:
    """Mean absolute difference of an image at its known pixels; 0 if it has none.

    Reduction: mean over the batch.

    Args:
        prediction: (B, C, H, W), the generator's output, not composited.
        image: (B, C, H, W), the truth.
        mask: (B, 1, H, W), 1 = hole.

    Raises:
        InputError: shapes that do not match.

    Source: as published in the codes of DeepFill v1 (arXiv 1801.07892), GMCNN and attentive normalization: the mean
        over all pixels of what is outside the hole, divided by the mean of 1 − mask.

    Example:
        >>> image, mask = torch.zeros(1, 3, 2, 2), torch.tensor([[[[1.0, 0.0], [0.0, 0.0]]]])
        >>> float(context_l1(image + 0.5, image, mask))
        0.5
    """
    _check_shapes(prediction, image, mask)
    known = 1 - weight_of(mask)
    return _weighted_l1(prediction, image, known, known.sum((1, 2, 3)))


@torch.no_grad()
def confidence_map(
    mask: Tensor, kernel_size: int | None = None, standard_deviation: float | None = None, iterations: int = 7
) -> Tensor:
    """Confidence of the pixels in a hole, which decreases with the distance to known pixels, by repeated blurring.

    M₀ = 0, Mᵢ₊₁ = (g ∗ (1 − mask + Mᵢ)) · mask, with a Gaussian g that sums to 1, and zeros beyond the border: it
    decreases toward the middle of a hole and is 0 at known pixels.

    Args:
        mask: (B, 1, H, W), 1 = hole.
        kernel_size: side of g in pixels, ≥ 1; None takes a quarter of the image's smaller side: the published 64 of
            256. An even one reaches one pixel further to the right and down, as in TensorFlow.
        standard_deviation: of g in pixels, > 0; None takes 5/8 of ``kernel_size``: the published 40 of 64. With
            ``math.inf`` g is a box.
        iterations: ≥ 1.

    Returns:
        (B, 1, H, W), in [0, 1], of the mask's type, or float32 if that holds whole numbers.

    Raises:
        InputError: an argument out of its range.

    Source: GMCNN (arXiv 1810.08771), section 3.3.

    Differs: the published codes evaluate the Gaussian at up to 1/40 of a standard deviation, not with one of 40
        pixels: to 0.06 % a box, ``standard_deviation=math.inf``. GMCNN's PyTorch code has a side of 65 and mirrors
        the image at its border, TensorFlow's has nothing there, as here.

    Example:
        >>> mask = torch.zeros(1, 1, 5, 5)
        >>> mask[..., 1:4, 1:4] = 1
        >>> ninths = confidence_map(mask, kernel_size=3, standard_deviation=float("inf"), iterations=1) * 9
        >>> ninths.round()[0, 0, 2].tolist()  # known pixels around a hole's rim and center
        [0.0, 3.0, 0.0, 3.0, 0.0]
    """
    mask = weight_of(mask)
    size = max(1, round(min(mask.shape[-2:]) / 4)) if kernel_size is None else kernel_size
    deviation = 0.625 * size if standard_deviation is None else standard_deviation
    if size < 1 or iterations < 1 or not deviation > 0:
        raise InputError(
            "confidence_map: kernel_size and iterations must be at least 1 and standard_deviation above 0, got "
            f"{size}, {iterations} and {deviation}"
        )
    # A Gaussian is separable, and a blur of rows is a product with a banded matrix: dense products of this size are
    # many times as fast as convolutions with 64 taps on one channel.
    rows, columns = (_blur_matrix(side, size, deviation, mask.device, mask.dtype) for side in mask.shape[-2:])
    with without_autocast(mask):
        confidence = torch.zeros_like(mask)
        for _ in range(iterations):
            confidence = rows @ (1 - mask + confidence) @ columns.mT * mask
    return confidence


@functools.lru_cache(maxsize=8)  # sending it to a GPU waits for the GPU
def _blur_matrix(side: int, size: int, deviation: float, device: torch.device, dtype: torch.dtype) -> Tensor:
    """(side, side): entry (i, j) is what pixel j gives to pixel i."""
    with torch.inference_mode(False):  # it may be made in a validation and used in training
        tap = torch.arange(side) - torch.arange(side)[:, None] + (size - 1) // 2
        kernel = torch.exp(-0.5 * ((torch.arange(size, dtype=torch.float64) - (size - 1) / 2) / deviation) ** 2)
        inside = (tap >= 0) & (tap < size)
        return torch.where(inside, (kernel / kernel.sum())[tap.clamp(0, size - 1)], 0).to(device, dtype)


def _weighted_l1(prediction: Tensor, image: Tensor, weight: Tensor, area: Tensor | int) -> Tensor:
    difference = at_least_float32(prediction - image).abs()
    total = (difference * weight).sum((1, 2, 3))  # (B,)
    divisor = prediction.shape[1] * (area.to(total) if isinstance(area, Tensor) else total.new_full((), area))
    return (total / divisor.clamp(min=1e-6)).mean()


def _check_shapes(prediction: Tensor, image: Tensor, mask: Tensor) -> None:
    expected = (image.shape[0], 1, *image.shape[2:])
    if prediction.shape != image.shape or mask.shape != expected:
        raise InputError(
            "prediction and image must have one shape (B, C, H, W) and the mask (B, 1, H, W), got "
            f"{tuple(prediction.shape)}, {tuple(image.shape)} and {tuple(mask.shape)}"
        )
