"""Gives one region of a feature map the mean and the spread of another, inside a network while it runs."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from lit_an.errors import InputError
from lit_an.norms.attentive.functional import regional_moments
from lit_an.norms.attentive.semantic_layout import SemanticLayout
from lit_an.norms.base import without_compiler


class Region(NamedTuple):
    """A region of an image of a batch.

    Attributes:
        image: 0 ≤ image < B.
        region: 0 ≤ region < N.
    """

    image: int
    region: int


class Move(NamedTuple):
    """``target`` gets the mean and the standard deviation that ``source`` has."""

    source: Region
    target: Region


def layers_with_regions(network: nn.Module) -> dict[str, nn.Module]:
    """The layers of a network that have a ``SemanticLayout`` of their own, by name."""
    found = network.named_modules()
    return {name: layer for name, layer in found if isinstance(getattr(layer, "layout", None), SemanticLayout)}


def with_moved_moments(
    features: Tensor, layout: Tensor, moves: Sequence[Move], share: float = 1.0, eps: float = 1e-5
) -> Tensor:
    """Renormalizes regions of a feature map to the moments of other regions.

    Each channel of a target becomes (y − μ_t) / σ_t · σ_s + μ_s where the region is the strongest one; μ and σ are
    moments over the soft regions, as attentive normalization takes them, of target and source. All of them are of the
    given features, so that two moves in opposite directions swap. With a ``share`` below 1, μ and σ go only so far from
    the target's own to the source's.

    Args:
        features: (B, C, H, W).
        layout: (B, N, H, W), ≥ 0, sums to 1 over N.
        moves: which region gets the moments of which.
        share: 0 (nothing changes) … 1.
        eps: > 0, added to the variances.

    Returns:
        (B, C, H, W); where no move goes, and where a region gets its own moments, the same bits.

    Raises:
        InputError: an image or a region that is not there.

    Source: adaptive instance normalization (Huang, Belongie, arXiv 1703.06868), here between soft regions.

    Example:
        >>> features, layout = torch.randn(2, 3, 8, 8), torch.randn(2, 4, 8, 8).softmax(1)
        >>> itself = Move(Region(0, 2), Region(0, 2))
        >>> torch.equal(with_moved_moments(features, layout, [itself]), features)
        True
    """
    for place in (place for move in moves for place in move):
        if not (0 <= place.image < layout.shape[0] and 0 <= place.region < layout.shape[1]):
            raise InputError(
                f"there is no region {place.region} of image {place.image}: a layout of {layout.shape[0]} images has "
                f"the regions 0 to {layout.shape[1] - 1}"
            )
    value = features if features.dtype == torch.float64 else features.float()
    mean, variance = regional_moments(value.flatten(2), layout.flatten(2).to(value.dtype))  # (B, C, N)
    deviation = (variance + eps).sqrt()
    strongest = layout.argmax(1)  # (B, H, W)
    moved = value.clone()
    for source, target in moves:
        # As a change of the features, which is exactly 0 for equal moments.
        gain = deviation[source.image, :, source.region] / deviation[target.image, :, target.region] - 1
        shift = mean[source.image, :, source.region] - mean[target.image, :, target.region]
        own = mean[target.image, :, target.region]
        change = (value[target.image] - own[:, None, None]) * gain[:, None, None] + shift[:, None, None]
        moved[target.image] += share * change * (strongest[target.image] == target.region)
    return moved.to(features.dtype)


@contextmanager
def edited_regions(layer: nn.Module, moves: Sequence[Move], share: float = 1.0) -> Iterator[None]:
    """While the block runs, the output of a layer has moved moments; its own layout says where its regions are.

    The output is edited and not the normalized part alone, from which the layer has just removed these moments. A
    layout that samples itself, in training, is drawn anew for the edit. Compiled networks run as they were written.

    Args:
        layer: one of ``layers_with_regions``.
        moves, share: see ``with_moved_moments``.
    """

    layout_of = layer.get_submodule("layout")

    def edit(_: nn.Module, arguments: tuple[Any, ...], output: Tensor) -> Tensor:
        return with_moved_moments(output, layout_of(arguments[0]), moves, share)

    hook = layer.register_forward_hook(edit)
    try:
        with without_compiler():
            yield
    finally:
        hook.remove()
