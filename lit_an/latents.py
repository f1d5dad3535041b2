"""Latents as functions of seeds, truncated or not, and the ways between two of them."""

from collections.abc import Sequence

import torch
from torch import Tensor

from lit_an.errors import InputError
from lit_an.seeds import mix_seed


def seeded_latent(latent_dim: int, seed: int, truncation: float | None = None) -> Tensor:
    """A latent that is a function of its arguments alone.

    With a truncation, values beyond it are drawn again until none is: the truncation trick, which trades variety for
    quality. Values that are near enough stay, so that an image changes little under a mild truncation.

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
        latent[beyond] = torch.randn(int(beyond.sum()), generator=generator)
    return latent


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
    """Raises InputError for a truncation that no value could pass."""
    if truncation is not None and not truncation > 0:
        raise InputError(f"truncation must be greater than 0, got {truncation}; leave it out for none")


def slerp(start: Tensor, end: Tensor, share: Tensor) -> Tensor:
    """Spherical interpolation: on the way from one latent to the other the length stays near that of normal latents.

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
