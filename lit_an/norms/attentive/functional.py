"""The arithmetic of attentive normalization, as pure functions of tensors.

Letters: B batch, C channels, H W height and width, L = H·W positions, N regions, x (B, C, H, W) a feature map.
Everything is a few thin matrix products over L; no tensor is larger than the input by more than a factor N/C.

Source: Wang, Chen, Zhang, Sun, Jia, "Attentive Normalization for Conditional Image Generation", CVPR 2020
(arXiv 2004.03828), sections 3.2 to 3.4.
"""

from typing import Literal

import torch
from torch import Tensor

from lit_an.errors import InputError
from lit_an.tensors.precision import without_autocast

Moments = Literal["soft", "masked"]

# Below this mass a region holds nothing worth normalizing: its mean is drawn to 0 and its share of the output is
# smaller still. Its square is far from the smallest float32, so that gradients through 1/mass stay finite.
SMALLEST_MASS = 1e-12


def center(x: Tensor) -> tuple[Tensor, Tensor]:
    """Takes each channel's mean out of a feature map, in float32 or better.

    Regional normalization does not change under a constant per channel, and E[v²] − E[v]² cancels
    catastrophically beside one.

    Args:
        x: (B, C, H, W), a feature map of any floating-point type.

    Returns:
        The centered map, (B, C, H, W), and the mean, (B, C, 1, 1), both float32 (float64 for float64).

    Example:
        >>> centered, mean = center(torch.full((1, 2, 4, 4), 7.0))
        >>> float(centered.abs().max()), mean.flatten().tolist()
        (0.0, [7.0, 7.0])
    """
    x = x if x.dtype == torch.float64 else x.float()
    mean = x.mean(dim=(2, 3), keepdim=True)
    return x - mean, mean


def sample_positions(batch_size: int, length: int, count: int, device: torch.device | str = "cpu") -> Tensor:
    """Draws positions uniformly without replacement, for each image its own; no synchronization with the host.

    Args:
        batch_size: B, images.
        length: positions to choose from.
        count: N, positions to draw, 1 ≤ count ≤ length.
        device: where to draw; torch's generator of that device decides.

    Returns:
        (B, count), int64, 0 ≤ position < length, distinct within a row.

    Raises:
        InputError: count is larger than length.

    Example:
        >>> sample_positions(2, 9, 9).sort().values.tolist() == [list(range(9))] * 2
        True
    """
    if not 1 <= count <= length:
        raise InputError(f"cannot sample {count} distinct positions from {length}; choose between 1 and {length}")
    return torch.rand(batch_size, length, device=device).topk(count, sorted=False).indices


def salient_windows(batch_size: int, height: int, width: int, count: int, device: torch.device | str) -> Tensor:
    """Positions of randomly drawn 2×2 windows of a map, for each image its own.

    A max-pool of keys over a window picks its salient point (the paper's choice). Where the pooled map has fewer than
    ``count`` positions, windows of one position are drawn.

    Args:
        batch_size: B, images.
        height, width: of the map.
        count: N, windows to draw, ≤ H·W.
        device: where to draw.

    Returns:
        (B, N, P), int64, positions in 0 … H·W − 1, with P = 4 or 1.

    Raises:
        InputError: the map has fewer than ``count`` positions.
    """
    pool = 2 if (height // 2) * (width // 2) >= count else 1
    rows, columns = height // pool, width // pool
    if rows * columns < count:
        raise InputError(
            f"num_regions={count} needs at least as many positions to sample from, but the feature map has "
            f"{height}x{width} = {height * width}; lower num_regions, use a larger map, or set self_sampling=False"
        )
    point = sample_positions(batch_size, rows * columns, count, device)
    corner = (point // columns) * pool * width + (point % columns) * pool  # (B, N), top left of each window
    offset = torch.arange(pool, device=device)
    return corner[:, :, None] + (offset[:, None] * width + offset).flatten()


def salient_keys(features: Tensor, key_weight: Tensor, key_bias: Tensor) -> Tensor:
    """Keys k(x) of windows: the largest of each key channel over the positions of a window.

    Args:
        features: (B, C, N, P), features at the P positions of N windows.
        key_weight: (K, C), the key projection.
        key_bias: (K,), its bias.

    Returns:
        (B, N, K).
    """
    keys = key_weight @ features.flatten(2).to(key_weight.dtype) + key_bias[:, None]  # (B, K, N·P)
    return keys.unflatten(2, features.shape[2:]).amax(3).transpose(1, 2)


def sampled_filters(keys: Tensor, query_weight: Tensor, query_bias: Tensor) -> tuple[Tensor, Tensor]:
    """Turns sampled keys into one 1×1 filter per region, so that the query map is never formed.

    k_iᵀ (W_q x_j + b_q) = (W_qᵀ k_i)ᵀ x_j + k_iᵀ b_q: a dynamic filter and a constant.

    Args:
        keys: (B, N, K), keys at the sampled points.
        query_weight: (K, C), the query projection.
        query_bias: (K,), its bias.

    Returns:
        Filters (B, N, C) and constants (B, N).
    """
    return keys @ query_weight, keys @ query_bias


def semantic_layout(
    centered: Tensor,
    offset: Tensor,
    filters: Tensor,
    constants: Tensor | None = None,
    temperature: float = 0.1,
    sampled: Tensor | None = None,
) -> Tensor:
    """Soft assignment of each position to N regions: softmax over regions of temperature · (filters x + constants).

    Args:
        centered: (B, C, H, W), a feature map without its offset (see ``center``).
        offset: (B, C, 1, 1), the constant per channel to be thought added to it.
        filters: (N, C) shared by the batch or (B, N, C) per image.
        constants: (B, N), added to each region's logits, or None.
        temperature: > 0, a factor on the logits: larger is sharper (the paper's τ).
        sampled: (B, N, H, W), added to the logits, or None.

    Returns:
        layout: (B, N, H, W), ≥ 0, sums to 1 over N; soft region membership.

    Source: equations 1 to 3.
    """
    filters = filters.to(centered.dtype).expand(centered.shape[0], -1, -1)  # (B, N, C)
    base = filters @ offset.flatten(2)  # (B, N, 1)
    if constants is not None:
        base = base + constants[:, :, None]
    logits = torch.baddbmm(base, filters, centered.flatten(2))  # (B, N, L)
    if sampled is not None:
        logits = logits + sampled.flatten(2)
    return (logits * temperature).softmax(dim=1).unflatten(2, centered.shape[2:])


def regional_moments(value: Tensor, layout: Tensor, moments: Moments = "soft") -> tuple[Tensor, Tensor]:
    """Mean and variance of each channel over each soft region.

    Args:
        value: (B, C, L), features; centered ones keep precision (see ``center``).
        layout: (B, N, L), soft region membership.
        moments: ``soft``: Σ S (V − μ)² / Σ S, the weighted variance. ``masked``: Σ (S V − μ)² / Σ S over all
            positions, as in the published code, where positions outside the region add μ².

    Returns:
        mean and variance, (B, C, N) each, variance ≥ 0.
    """
    inverse_mass = layout.sum(2).clamp_min(SMALLEST_MASS).reciprocal()[:, None]  # (B, 1, N)
    membership = layout.transpose(1, 2)  # (B, L, N)
    total = value @ membership
    mean = total * inverse_mass
    square = value * value
    if moments == "soft":
        # Σ S (V − μ)² / m = Σ S V² / m − μ²
        variance = (square @ membership) * inverse_mass - mean * mean
    else:
        # Σ (S V − μ)² = Σ S² V² − 2 μ Σ S V + L μ²
        spread = square @ (membership * membership) - 2 * mean * total + value.shape[2] * mean * mean
        variance = spread * inverse_mass
    return mean, variance.clamp_min(0)


def regional_normalize(
    x: Tensor,
    layout: Tensor,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    moments: Moments = "soft",
    eps: float = 1e-5,
) -> Tensor:
    """Normalizes each soft region of a feature map by its own mean and variance and sums the regions up.

    y_cj = Σ_i S_ij [weight_ic (x_cj − μ_ic) / sqrt(σ²_ic + eps) + bias_ic]

    Computed as y = x ∘ (A S) + D S with A = weight / sqrt(σ² + eps) and D = bias − μ ∘ A, both (B, C, N): four thin
    products, never a tensor of B·C·N·L.

    Args:
        x: (B, C, H, W), features.
        layout: (B, N, H, W), ≥ 0, sums to 1 over N; soft region membership.
        weight: (N, C), or (B, N, C) for each image, gain of each region and channel; None is 1.
        bias: (N, C) or (B, N, C), shift of each region and channel; None is 0.
        moments: ``soft`` or ``masked``, see ``regional_moments``.
        eps: > 0, added to the variance.

    Returns:
        (B, C, H, W), in the type of ``x``; statistics are accumulated in float32 or better.

    Raises:
        InputError: shapes that do not belong together, or unknown ``moments``.

    Source: equations 4 and 5.
    Differs: the published TensorFlow code divides the region mean by the number of positions once more (too small
    by a factor L); that is not reproduced.

    Example:
        >>> x = torch.randn(2, 3, 8, 8)
        >>> one_region = torch.ones(2, 1, 8, 8)
        >>> instance_norm = torch.nn.functional.instance_norm(x)
        >>> torch.allclose(regional_normalize(x, one_region), instance_norm, atol=1e-5)
        True
    """
    _check_shapes(x, layout, moments)
    with without_autocast(x):
        membership = layout.flatten(2).to(torch.promote_types(x.dtype, torch.float32))  # (B, N, L)
        # Centering changes nothing for soft moments but the rounding; masked moments depend on the offset.
        value = (center(x)[0] if moments == "soft" else x.to(membership.dtype)).flatten(2)  # (B, C, L)
        mean, variance = regional_moments(value, membership, moments)
        scale = torch.rsqrt(variance + eps)  # (B, C, N)
        if weight is not None:
            scale = scale * weight.transpose(-2, -1)
        shift = -mean * scale
        if bias is not None:
            shift = shift + bias.transpose(-2, -1)
        normalized = torch.addcmul(shift @ membership, value, scale @ membership)
    return normalized.unflatten(2, x.shape[2:]).to(x.dtype)


def attentive_normalize(
    x: Tensor,
    value_weight: Tensor | None,
    filters: Tensor,
    constants: Tensor | None,
    temperature: float,
    residual_scale: Tensor,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """The whole layer with soft moments: x + ρ · regional_normalize(W_v x, layout of x).

    Args:
        x: (B, C, H, W), a feature map.
        value_weight: (C, C), the value projection W_v; a bias would not matter. None is the identity.
        filters: (1, N, C) shared by the batch or (B, N, C) per image.
        constants: (B, N), added to each region's logits, or None.
        temperature: > 0, a factor on the logits.
        residual_scale: scalar ρ.
        weight, bias: (N, C), or (B, N, C) for each image, gain and shift of each region and channel; None is 1 and 0.
        eps: > 0, added to the variance.

    Returns:
        (B, C, H, W), in the type of ``x``.
    """
    with without_autocast(x):
        centered, offset = center(x)
        layout = semantic_layout(centered, offset, filters, constants, temperature)
        value = centered
        if value_weight is not None:
            value = (value_weight.to(centered.dtype) @ centered.flatten(2)).unflatten(2, x.shape[2:])
        normalized = regional_normalize(value, layout, weight, bias, "soft", eps)
        return (x + residual_scale * normalized).to(x.dtype)


def _check_shapes(x: Tensor, layout: Tensor, moments: str) -> None:
    if moments not in ("soft", "masked"):
        raise InputError(f"moments must be 'soft' or 'masked', got {moments!r}")
    if layout.dim() != 4 or layout.shape[0] != x.shape[0] or layout.shape[2:] != x.shape[2:]:
        raise InputError(
            f"a layout for features of shape {tuple(x.shape)} must be (B, N, H, W) = ({x.shape[0]}, N, "
            f"{x.shape[2]}, {x.shape[3]}), got {tuple(layout.shape)}"
        )
