"""Latents as functions of seeds, truncation, interpolation, and batches with random classes."""

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from lit_an.errors import InputError
from lit_an.seeds import mix_seed

_STANDING_SEED = 1809
# Fewer than 2 % of normal values are within a truncation below this.
_RARELY_WITHIN = 0.02


def seeded_latent(latent_dim: int, seed: int, truncation: float | None = None) -> Tensor:
    """A latent that is a function of its arguments alone.

    With a truncation, values beyond it are drawn again until none remains: the truncation trick, which trades variety
    for quality. The other values stay the same, so that an image changes little under a mild truncation. Below 0.02,
    where nearly every value would be drawn again many times, it is drawn once, from the same distribution.

    Args:
        latent_dim: width of the latent.
        seed: of this latent, 0 ≤ seed < 2⁶³.
        truncation: the largest magnitude of a value, > 0, in standard deviations; None for a plain normal.

    Returns:
        (latent_dim,), float32, on the CPU, so that it is the same for every device.

    Source: Brock et al., BigGAN, arXiv 1809.11096, section 3.1: resampling the values above a threshold, not scaling.

    Example:
        >>> plain, near = seeded_latent(100, seed=1), seeded_latent(100, seed=1, truncation=1.5)
        >>> kept = plain.abs() <= 1.5
        >>> bool(torch.equal(near[kept], plain[kept])), bool((near.abs() <= 1.5).all())
        (True, True)
    """
    generator = torch.Generator().manual_seed(seed)
    latent = torch.randn(latent_dim, generator=generator)
    while truncation is not None and bool((beyond := latent.abs() > truncation).any()):
        again, is_rare = int(beyond.sum()), truncation < _RARELY_WITHIN
        latent[beyond] = _within(truncation, again, generator) if is_rare else torch.randn(again, generator=generator)
    return latent


def _within(truncation: float, count: int, generator: torch.Generator) -> Tensor:
    """Values of a truncated normal distribution, by the inverse of its distribution function."""
    uniform = 2 * torch.rand(count, generator=generator, dtype=torch.float64) - 1
    values = math.sqrt(2) * torch.erfinv(math.erf(truncation / math.sqrt(2)) * uniform)
    return values.clamp(-truncation, truncation).float()


def latents_of(labels: Sequence[int], seeds: Sequence[int], latent_dim: int, truncation: float | None = None) -> Tensor:
    """One latent for each pair of a class and a seed, a function of the pair alone.

    Args:
        labels: classes.
        seeds: as many, any integers.
        latent_dim: width of the latent.
        truncation: see ``seeded_latent``.

    Returns:
        (B, latent_dim), float32, on the CPU.

    Raises:
        InputError: a truncation that is not above 0.

    Example:
        >>> alone, beside = latents_of([1], [7], 4), latents_of([0, 1], [7, 7], 4)
        >>> bool(torch.equal(alone[0], beside[1])), bool(torch.equal(beside[0], beside[1]))
        (True, False)
    """
    check_truncation(truncation)
    pairs = zip(labels, seeds, strict=True)
    latents = [seeded_latent(latent_dim, mix_seed(label, seed), truncation) for label, seed in pairs]
    return torch.stack(latents) if latents else torch.empty(0, latent_dim)


def check_truncation(truncation: float | None) -> None:
    """Raises InputError unless the truncation is None or positive."""
    if truncation is not None and not truncation > 0:
        raise InputError(f"truncation must be greater than 0, got {truncation}; omit it for no truncation")


def standing_batches(
    latent_dim: int,
    num_classes: int,
    passes: int = 100,
    batch_size: int = 64,
    truncation: float | None = None,
    device: torch.device | str = "cpu",
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yields latents and random classes to estimate standing statistics from, the same at each call.

    Args:
        latent_dim: width of the latent.
        num_classes: classes to draw from, with equal probability.
        passes: batches, ≥ 1.
        batch_size: images in each, ≥ 2.
        truncation: see ``seeded_latent``; use that of the images to generate, since it changes the statistics.
        device: where to put them; they are drawn on the CPU.

    Returns:
        An iterator over (batch_size, latent_dim) float32 and (batch_size,) int64.

    Raises:
        InputError: a number out of range.

    Source: Brock et al., BigGAN, arXiv 1809.11096, appendix, typically 100 passes; classes are drawn at random as in
    its authors' PyTorch code (BigGAN-PyTorch, utils.py, ``accumulate_standing_stats``).
    """
    if passes < 1 or batch_size < 2:
        raise InputError(f"standing statistics need at least 1 pass and a batch of 2, got {passes} and {batch_size}")
    check_truncation(truncation)
    return (
        _standing_batch(number, latent_dim, num_classes, batch_size, truncation, torch.device(device))
        for number in range(passes)
    )


def _standing_batch(
    number: int, latent_dim: int, num_classes: int, size: int, truncation: float | None, device: torch.device
) -> tuple[Tensor, Tensor]:
    classes = torch.Generator().manual_seed(mix_seed(_STANDING_SEED, number))
    label = torch.randint(num_classes, (size,), generator=classes)
    seeds = range(number * size, (number + 1) * size)
    latent = latents_of([-_STANDING_SEED] * size, seeds, latent_dim, truncation)
    return latent.to(device), label.to(device)


def slerp(start: Tensor, end: Tensor, share: Tensor) -> Tensor:
    """Spherical interpolation, which keeps the norm of interpolated latents near that of normal samples.

    Args:
        start, end: (D,), two latents.
        share: (K,), 0 at the start to 1 at the end.

    Returns:
        (K, D).

    Source: Shoemake, "Animating rotation with quaternion curves", SIGGRAPH 1985; for latents: White, arXiv 1609.04468.
    Differs: parallel latents, for which the formula is 0 / 0, are interpolated linearly.

    Example:
        >>> way = slerp(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]), torch.tensor([0.0, 0.5, 1.0]))
        >>> bool(torch.allclose(way.norm(dim=1), torch.ones(3)))
        True
    """
    cosine = torch.dot(start, end) / (start.norm() * end.norm()).clamp_min(1e-12)
    angle, share = cosine.clamp(-1, 1).acos(), share[:, None]
    if angle.sin() < 1e-4:
        return torch.lerp(start, end, share)
    return (((1 - share) * angle).sin() * start + (share * angle).sin() * end) / angle.sin()
