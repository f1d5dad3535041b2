"""Changes of color as 3×3 matrices around the gray axis, one for each image."""

import math

import torch
from torch import Tensor

from lit_an.tensors.precision import without_autocast


def _identity(like: Tensor) -> Tensor:
    return torch.eye(3, device=like.device, dtype=like.dtype)


def _gray(like: Tensor) -> Tensor:
    """The projection onto the gray axis (1, 1, 1) / √3."""
    return torch.full((3, 3), 1 / 3, device=like.device, dtype=like.dtype)


def saturation_matrix(factor: Tensor) -> Tensor:
    """(B, 3, 3): multiplies the distance from gray by ``factor`` (B,); 0 leaves gray, 1 all as it was.

    Example:
        >>> gray = saturation_matrix(torch.tensor([0.0]))[0] @ torch.tensor([0.9, 0.0, 0.0])
        >>> [round(float(value), 4) for value in gray]
        [0.3, 0.3, 0.3]
    """
    return _identity(factor) + (factor - 1)[:, None, None] * (_identity(factor) - _gray(factor))


def hue_matrix(angle: Tensor) -> Tensor:
    """(B, 3, 3): turns colors around the gray axis by ``angle`` (B,) in radians (Rodrigues' formula).

    Example:
        >>> turned = hue_matrix(torch.tensor([2 * math.pi / 3]))[0] @ torch.tensor([1.0, 0.0, 0.0])  # red
        >>> [abs(round(float(value), 4)) for value in turned]
        [0.0, 1.0, 0.0]
    """
    identity = _identity(angle)
    cross = (identity.roll(1, 0) - identity.roll(-1, 0)) / math.sqrt(3)  # cross @ x is the axis × x
    cosine, sine = torch.cos(angle)[:, None, None], torch.sin(angle)[:, None, None]
    return cosine * identity + (1 - cosine) * _gray(angle) + sine * cross


def luma_flip_matrix(flip: Tensor) -> Tensor:
    """(B, 3, 3): mirrors brightness and keeps the distance from gray where ``flip`` (B,) is 1; 0 changes nothing."""
    return _identity(flip) - 2 * flip[:, None, None] * _gray(flip)


def recolor(image: Tensor, matrix: Tensor, offset: Tensor) -> Tensor:
    """matrix · color + offset at every pixel.

    Args:
        image: (B, 3, H, W).
        matrix: (B, 3, 3).
        offset: (B, 3).

    Returns:
        (B, 3, H, W), in float32 or better.
    """
    kind = torch.promote_types(image.dtype, torch.float32)
    with without_autocast(image):
        flat = matrix.to(kind) @ image.to(kind).flatten(2) + offset.to(kind)[:, :, None]
    return flat.unflatten(2, image.shape[2:])
