"""Attentive normalization as one differentiable function, block by block, with its backward in closed form.

The same numbers as the plain composition in ``functional.attentive_normalize`` (the oracle in the tests), in two reads
of the input forward and two backward. Blocks are small enough to stay in a core's cache between the thin products that
use them, so that the large maps are read and written once and no temporary is larger than the projected input.

Shapes as there: x (B, C, L) with L positions, V (B, C, L) values, S (B, N, L) layout, and everything that belongs to a
region and a channel (B, C, N).
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

import lit_an.norms.functional as AN

# Elements of one block of the input on the CPU: with what is computed beside it, about a core's second-level cache.
_BLOCK = 1 << 17
_SMALLEST_BLOCK = 64


class _Statistics(NamedTuple):
    """What the regions of a map amount to; all (B, C, N) but ``mass`` (B, 1, N)."""

    mass: Tensor
    mean: Tensor
    square: Tensor  # E[V²] of the region
    scale: Tensor  # 1 / sqrt(σ² + eps)


def attentive_normalize(
    x: Tensor,
    value_weight: Tensor,
    filters: Tensor,
    constants: Tensor | None,
    temperature: float,
    residual_scale: Tensor,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """``functional.attentive_normalize`` with soft moments, faster and in less memory; see there."""
    filters = filters.expand(len(x), -1, -1)
    output: Tensor = _AttentiveNormalize.apply(
        x, value_weight, filters, constants, temperature, residual_scale, weight, bias, eps
    )
    return output


class _AttentiveNormalize(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, *inputs: Any) -> Tensor:
        value_weight, filters, constants, temperature, residual_scale, weight, bias, eps = inputs
        with torch.autocast(x.device.type, enabled=False):
            blocks = _Blocks(x, value_weight, filters, constants, temperature)
            projected = [blocks.project(block) for block in blocks]
            statistics = _statistics(blocks, projected, eps)
            scale, shift = _affine(statistics, weight, bias)
            output = torch.empty_like(x)
            stacked = torch.cat([scale, shift], 1) * residual_scale  # (B, 2C, N)
            for block, (value, layout) in zip(blocks, projected, strict=True):
                spread = blocks.product(stacked[block[0]], layout)  # (g, 2C, n)
                by_scale, by_shift = spread.chunk(2, 1)
                change = torch.addcmul(by_shift, value, by_scale, out=by_shift)
                torch.add(blocks.of(x, block), change, out=blocks.of(output, block))
        ctx.arguments = (temperature, eps)
        saved = [tensor for pair in projected for tensor in pair]
        ctx.save_for_backward(
            x, value_weight, filters, constants, residual_scale, weight, bias, blocks.offset, *statistics, *saved
        )
        return output

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        (gradient,) = gradients
        x, value_weight, filters, constants, residual_scale, weight, bias, offset, *rest = ctx.saved_tensors
        temperature, eps = ctx.arguments
        inputs = (x, value_weight, filters, constants, residual_scale, weight, bias)
        # Here, and only here, the path is chosen: a gradient that is to be differentiated again is taken from the plain
        # composition, which autograd can follow; any other by the closed form below.
        if torch.is_grad_enabled():
            grads = _differentiable_backward(inputs, temperature, eps, gradient)
        else:
            statistics, projected = _Statistics(*rest[:4]), list(zip(rest[4::2], rest[5::2], strict=True))
            with torch.autocast(x.device.type, enabled=False):
                blocks = _Blocks(x, value_weight, filters, constants, temperature, offset)
                grads = _closed_backward(blocks, projected, statistics, residual_scale, weight, bias, gradient)
        x_, value_, filters_, constants_, residual_, weight_, bias_ = grads
        return x_, value_, filters_, constants_, None, residual_, weight_, bias_, None


Block = tuple[slice, slice]
Projected = tuple[Tensor, Tensor]


class _Blocks:
    """A map in blocks of positions, or of images where they are small, and its projection to values and layout.

    Everything in a block follows the memory order of the map: for channels-last maps a (g, C, n) tensor is a
    transposed view, and products are taken from the other side, so that nothing is ever copied to another order.
    """

    def __init__(
        self,
        x: Tensor,
        value_weight: Tensor,
        filters: Tensor,
        constants: Tensor | None,
        temperature: float,
        offset: Tensor | None = None,
    ) -> None:
        self.type = torch.promote_types(x.dtype, torch.float32)
        self.map = x.flatten(2)
        self.shape = self.map.shape
        self.channels_last = self.map.stride(1) == 1 and self.map.stride(2) != 1
        self.temperature = temperature
        self.offset = self.map.mean(2, keepdim=True, dtype=self.type) if offset is None else offset  # (B, C, 1)
        # Values and layout are products with the same input: one product.
        self.filters = filters
        self.joint = torch.cat([value_weight.expand(len(x), -1, -1), filters], 1)  # (B, C + N, C)
        self.has_constants = constants is not None
        base = filters @ self.offset
        self.base = base if constants is None else base + constants[:, :, None]  # (B, N, 1)

    def __iter__(self) -> Iterator[Block]:
        batch, channels, length = self.shape
        if self.map.device.type != "cpu":
            yield slice(0, batch), slice(0, length)
            return
        positions = max(_SMALLEST_BLOCK, _BLOCK // channels)
        images = max(1, positions // length)
        for image in range(0, batch, images):
            for position in range(0, length, positions):
                yield slice(image, image + images), slice(position, position + positions)

    def of(self, tensor: Tensor, block: Block) -> Tensor:
        """(g, C, n): a block of a (B, C, H, W) map, a view."""
        return tensor.flatten(2)[block[0], :, block[1]]

    def centred(self, block: Block) -> Tensor:
        """(g, C, n): a block of the input without its channel means, in float32 or better."""
        return self.map[block[0], :, block[1]] - self.offset[block[0]]

    def product(self, left: Tensor, right: Tensor) -> Tensor:
        """left @ right, the result in the memory order of the map."""
        return torch.bmm(right.mT, left.mT).mT if self.channels_last else torch.bmm(left, right)

    def project(self, block: Block) -> Projected:
        """Values (g, C, n) and layout (g, N, n) of a block."""
        projected = self.product(self.joint[block[0]], self.centred(block))
        value, logits = projected.split([self.shape[1], projected.shape[1] - self.shape[1]], 1)
        logits = logits.add(self.base[block[0]]).mul_(self.temperature)
        return value, logits.softmax(1)


def _statistics(blocks: _Blocks, projected: list[Projected], eps: float) -> _Statistics:
    batch, channels, _ = blocks.shape
    num_regions = blocks.filters.shape[1]
    mass = blocks.offset.new_zeros(batch, 1, num_regions)
    total, square = (blocks.offset.new_zeros(batch, channels, num_regions) for _ in range(2))
    for (images, _), (value, layout) in zip(blocks, projected, strict=True):
        mass[images] += layout.sum(2)[:, None]
        total[images].baddbmm_(value, layout.mT)
        square[images].baddbmm_(value * value, layout.mT)
    mass.clamp_min_(AN.SMALLEST_MASS)
    mean, square = total.div_(mass), square.div_(mass)
    variance = (square - mean * mean).clamp_min_(0)
    return _Statistics(mass, mean, square, torch.rsqrt(variance + eps))


def _affine(statistics: _Statistics, weight: Tensor | None, bias: Tensor | None) -> tuple[Tensor, Tensor]:
    """A = weight / sqrt(σ² + eps) and D = bias − μ A: the output is V ∘ (A S) + D S."""
    scale = statistics.scale if weight is None else statistics.scale * weight.t()
    shift = -statistics.mean * scale
    return scale, shift if bias is None else shift + bias.t()


def _closed_backward(
    blocks: _Blocks,
    projected: list[Projected],
    statistics: _Statistics,
    residual_scale: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    gradient: Tensor,
) -> tuple[Tensor | None, ...]:
    """Gradients of x, value_weight, filters, constants, residual_scale, weight and bias."""
    scale, shift = _affine(statistics, weight, bias)
    # ∂/∂A = (G ∘ V) Sᵀ and ∂/∂D = G Sᵀ, G the output's gradient without the residual scale ρ.
    by_scale, by_shift = torch.zeros_like(scale), torch.zeros_like(shift)
    for block, (value, layout) in zip(blocks, projected, strict=True):
        g = blocks.of(gradient, block).to(blocks.type)
        by_scale[block[0]].baddbmm_(g * value, layout.mT)
        by_shift[block[0]].baddbmm_(g, layout.mT)
    for_residual = (scale * by_scale + shift * by_shift).sum().to(residual_scale.dtype)
    by_scale, by_shift = by_scale * residual_scale, by_shift * residual_scale

    by_scale = by_scale - statistics.mean * by_shift
    for_weight = None if weight is None else (by_scale * statistics.scale).sum(0).t()
    for_bias = None if bias is None else by_shift.sum(0).t()
    by_variance = -0.5 * by_scale * scale * statistics.scale.square()
    # A variance that was raised to 0 does not move.
    by_variance = by_variance * (statistics.square > statistics.mean.square())
    by_mean = -scale * by_shift - 2 * statistics.mean * by_variance
    # μ = V Sᵀ / m and E[V²] = V² Sᵀ / m
    by_total, by_square = by_mean / statistics.mass, by_variance / statistics.mass
    by_mass = -(by_total * statistics.mean + by_square * statistics.square).sum(1)[:, :, None]  # (B, N, 1)
    by_mass = by_mass * (statistics.mass > AN.SMALLEST_MASS).mT

    scale, shift = scale * residual_scale, shift * residual_scale
    to_value = torch.cat([scale, by_total, 2 * by_square], 1)  # (B, 3C, N)
    for_x = torch.empty_like(gradient)
    for_joint = torch.zeros_like(blocks.joint)
    for_base = torch.zeros_like(blocks.base)
    for block, (value, layout) in zip(blocks, projected, strict=True):
        images = block[0]
        g = blocks.of(gradient, block).to(blocks.type)
        # ∂/∂V = G ∘ (A S) + M S + V ∘ (2 E S), M and E the gradients of the two sums
        first, second, third = blocks.product(to_value[images], layout).chunk(3, 1)
        for_value = second.addcmul(g, first).addcmul_(value, third)
        # ∂/∂S = Aᵀ (G ∘ V) + Dᵀ G + Mᵀ V + Eᵀ V² + the mass
        for_layout = blocks.product(scale[images].mT, g * value)
        for_layout += blocks.product(shift[images].mT, g)
        for_layout += blocks.product(by_total[images].mT, value)
        for_layout += blocks.product(by_square[images].mT, value * value)
        for_layout += by_mass[images]
        for_logits = for_layout.sub_((layout * for_layout).sum(1, keepdim=True)).mul_(layout).mul_(blocks.temperature)
        both = torch.cat([for_value, for_logits], 1)  # (g, C + N, n)
        for_joint[images].baddbmm_(both, blocks.centred(block).mT)
        for_base[images] += for_logits.sum(2, keepdim=True)
        # The values are shift-invariant, so their gradient sums to 0 and the channel means need no term.
        change = blocks.product(blocks.joint[images].mT, both)
        torch.add(blocks.of(gradient, block), change, out=blocks.of(for_x, block))
    channels = blocks.shape[1]
    for_filters = for_joint[:, channels:] + for_base * blocks.offset.mT
    for_constants = for_base[:, :, 0] if blocks.has_constants else None
    return for_x, for_joint[:, :channels].sum(0), for_filters, for_constants, for_residual, for_weight, for_bias


def _differentiable_backward(
    inputs: tuple[Tensor | None, ...], temperature: float, eps: float, gradient: Tensor
) -> tuple[Tensor | None, ...]:
    x, value_weight, filters, constants, residual_scale, weight, bias = inputs
    output = AN.attentive_normalize(
        x,
        value_weight,
        filters,
        constants,
        temperature,
        residual_scale,
        weight,
        bias,
        eps=eps,  # type: ignore[arg-type]
    )
    wanted = [tensor for tensor in inputs if tensor is not None and tensor.requires_grad]
    found = iter(torch.autograd.grad(output, wanted, gradient, create_graph=True, allow_unused=True))
    return tuple(next(found) if tensor is not None and tensor.requires_grad else None for tensor in inputs)


__all__ = ["attentive_normalize"]
