"""Attentive normalization by PyTorch's products, block by block, with its backward in closed form.

The path of other types and strides, of machines without a compiler, and of GPUs without Triton; two reads of the input
forward and two backward. Blocks are small enough to stay in cache between the thin products that use them. Nothing of
the size of the map is saved for the backward pass but the input: values and layout are projected again, which costs
less than memory that is fresh from the operating system.

Shapes as in ``functional.py``: x (B, C, L) with L positions, V (B, C, L) values, S (B, N, L) layout, and everything
that belongs to a region and a channel (B, C, N).
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from lit_an.norms.attentive.inputs import Gradients, Inputs
from lit_an.norms.attentive.position_blocks import PositionBlocks
from lit_an.norms.attentive.region_statistics import RegionGradients, RegionStatistics
from lit_an.tensors.precision import without_autocast


def saved_like(x: Tensor, num_regions: int) -> list[Tensor]:
    """Empty tensors of the sizes that ``forward`` saves for ``backward``.

    Args:
        x: (B, C, H, W); may be a fake tensor, of a symbolic size.
        num_regions: N.
    """
    batch, channels = x.shape[:2]
    per_region = (batch, channels, num_regions)
    sizes = [(batch, channels, 1), (batch, 1, num_regions), per_region, per_region, per_region]
    return [x.new_empty(size, dtype=torch.promote_types(x.dtype, torch.float32)) for size in sizes]


def forward(inputs: Inputs, temperature: float, eps: float, training: bool) -> tuple[Tensor, list[Tensor]]:
    """The result, and the tensors that ``backward`` needs beside the inputs."""
    x, value_weight, filters, constants, residual_scale, weight, bias = inputs
    with without_autocast(x):
        blocks = PositionBlocks(x, value_weight, filters, constants, temperature)
        statistics = _statistics(blocks, eps)
        output = _output(blocks, statistics, residual_scale, weight, bias).unflatten(2, x.shape[2:])
    return output, [blocks.offset, *statistics]


def backward(inputs: Inputs, temperature: float, eps: float, saved: Sequence[Tensor], gradient: Tensor) -> Gradients:
    """Gradients of the inputs."""
    x, value_weight, filters, constants, residual_scale, weight, bias = inputs
    offset, *statistics = saved
    with without_autocast(x):
        blocks = PositionBlocks(x, value_weight, filters, constants, temperature, offset)
        return _closed_backward(blocks, RegionStatistics(*statistics), residual_scale, weight, bias, gradient)


def _statistics(blocks: PositionBlocks, eps: float) -> RegionStatistics:
    channels, regions = blocks.channels, blocks.num_regions
    mass, total, square = (blocks.sums(*size) for size in ((1, regions), (channels, regions), (channels, regions)))
    for block, value, layout in blocks.project():
        mass[block[0]] += layout.sum(2)[:, None].view_as(mass[block[0]])
        blocks.add_product(total, block, value, layout)
        squared = torch.mul(value, value, out=blocks.scratch("rows", value, channels))
        blocks.add_product(square, block, squared, layout)
    return RegionStatistics.of_sums(mass.sum(1), total.sum(1), square.sum(1), eps)


def _output(
    blocks: PositionBlocks,
    statistics: RegionStatistics,
    residual_scale: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
) -> Tensor:
    """The result, in the memory of the values."""
    affine = torch.cat(statistics.affine(weight, bias), 1) * residual_scale  # (B, 2C, N)
    for block, value, layout in blocks.again():
        spread = blocks.product(
            blocks.coefficients(affine, block), layout, blocks.scratch("rows", value, 2 * blocks.channels)
        )
        scale, shift = spread.chunk(2, 1)
        torch.add(shift.addcmul_(value, scale), blocks.strips(blocks.map, block), out=value)
    return blocks.values.to(blocks.map.dtype)


def _closed_backward(
    blocks: PositionBlocks,
    statistics: RegionStatistics,
    residual_scale: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    gradient: Tensor,
) -> Gradients:
    flat = gradient.flatten(2)
    # ∂/∂A = (G ∘ V) Sᵀ and ∂/∂D = G Sᵀ, G the output's gradient without the residual scale ρ.
    channels, regions = blocks.channels, blocks.num_regions
    by_affine = blocks.sums(2 * channels, regions)
    for block, value, layout in blocks.project():
        rows = blocks.scratch("rows", value, 2 * channels)
        product, g = rows.chunk(2, 1)
        torch.mul(value, g.copy_(blocks.strips(flat, block)), out=product)
        blocks.add_product(by_affine, block, rows, layout)
    by_scale, by_shift = by_affine.sum(1).chunk(2, 1)
    regional = RegionGradients.of_sums(statistics, residual_scale, weight, bias, by_scale, by_shift)
    scale, shift, by_square, by_total, by_mass, *found = regional

    to_value = torch.cat([scale, 2 * by_square, by_total], 1)  # (B, 3C, N)
    to_layout = torch.cat([scale, by_square, by_total, shift], 1).mT  # (B, N, 4C)
    to_input = blocks.joint[:, :, :-1].mT  # (B, C, C + N)
    for_joint = blocks.sums(channels + regions, channels + 1)
    for block, values, layout in blocks.again():
        rows = blocks.scratch("rows", values, 4 * channels)
        product, square, value, g = rows.chunk(4, 1)
        value.copy_(values), g.copy_(blocks.strips(flat, block))
        torch.mul(value, value, out=square)
        torch.mul(value, g, out=product)
        both = blocks.scratch("both", values, channels + regions)
        for_values, for_logits = both.split([channels, regions], 1)
        # ∂/∂S = Aᵀ (G ∘ V) + Eᵀ V² + Mᵀ V + Dᵀ G + the mass, E and M the gradients of the two sums
        s = blocks.product(blocks.coefficients(to_layout, block), rows, blocks.scratch("logits", values, regions))
        torch.mul(layout, s.add_(blocks.coefficients(by_mass, block)), out=for_logits)
        for_logits.addcmul_(layout, for_logits.sum(1, keepdim=True), value=-1)
        # ∂/∂V = G ∘ (A S) + V ∘ (2 E S) + M S
        spread = blocks.scratch("spread", values, 3 * channels)
        first, second, third = blocks.product(blocks.coefficients(to_value, block), layout, spread).chunk(3, 1)
        torch.addcmul(third.addcmul_(value, second), g, first, out=for_values)
        blocks.add_product(for_joint, block, both, blocks.centered(block))
        # The values are shift-invariant, so their gradient sums to 0 and the channel means need no term. They are
        # needed no more: x's gradient takes their place.
        product = blocks.scratch("centered", values, channels)
        blocks.product(blocks.coefficients(to_input, block), both, product)
        torch.add(product, blocks.strips(flat, block), out=values)
    for_value, for_logits = for_joint.sum(1).split([channels, regions], 1)
    for_logits = for_logits * blocks.temperature
    for_constants = for_logits[:, :, -1] if blocks.has_constants else None
    for_filters = for_logits[:, :, :-1] + for_logits[:, :, -1:] * blocks.offset.mT
    return (
        blocks.values.to(blocks.map.dtype).unflatten(2, gradient.shape[2:]),
        *(for_value[:, :, :-1].sum(0), for_filters, for_constants, *found),
    )
