"""Two samples: the walk from one to the other, their regions, and one with the region statistics of the other."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from lit_an.errors import InputError
from lit_an.latents import slerp
from lit_an.norms.recording import recorded_layouts
from lit_an.norms.region_editing import Move, edited_regions, layers_with_regions
from lit_an.sampling.images import images_of, latents_and_labels, sample
from lit_an.trained.generator import TrainedGenerator


class Sample(NamedTuple):
    """An image of a generator.

    Attributes:
        label: its class.
        seed: of its latent.
    """

    label: int
    seed: int


def walk(
    generator: TrainedGenerator, start: Sample, end: Sample, steps: int = 9, truncation: float | None = None
) -> Tensor:
    """Images on the way from one sample to another: latents on the sphere, classes mixed linearly.

    Args:
        generator: what makes them.
        start, end: the first and the last image.
        steps: images, ≥ 2.
        truncation: see ``sample``.

    Returns:
        (steps, 3, H, W), in [-1, 1].

    Raises:
        InputError: a class that is not there, or a number out of range.
    """
    if steps < 2:
        raise InputError(f"a walk has at least 2 steps, its ends, got {steps}")
    labels, seeds = zip(start, end, strict=True)
    latents, known = latents_and_labels(generator, labels, seeds, truncation)
    share = torch.linspace(0, 1, steps)
    classes = F.one_hot(known, generator.num_classes).float()
    mixtures = torch.lerp(classes[0], classes[1], share[:, None])
    return images_of(generator, slerp(latents[0], latents[1], share), mixtures)


def pair_with_layouts(
    generator: TrainedGenerator, pair: Sequence[Sample], truncation: float | None = None
) -> tuple[Tensor, dict[str, Tensor]]:
    """Samples and their layouts.

    Args:
        generator: what makes them.
        pair: usually two.
        truncation: see ``sample``.

    Returns:
        Images (B, 3, H, W) in [-1, 1], and (B, N, h, w) for each layer with regions, by name; empty for a generator
        without any.
    """
    with recorded_layouts(generator.network) as recorded:
        images = _of(generator, pair, truncation)
    return images, {name: layout for name, (_, layout) in recorded.items()}


def pair_with_moved_regions(
    generator: TrainedGenerator,
    pair: Sequence[Sample],
    layer: str,
    moves: Sequence[Move],
    share: float = 1.0,
    truncation: float | None = None,
) -> Tensor:
    """Samples, made with the statistics of some regions in place of others' in one layer.

    Args:
        generator: what makes them.
        pair: usually two.
        layer: its name, as in ``pair_with_layouts``.
        moves: images are counted within the pair; see ``lit_an.norms.region_editing``.
        share: how far statistics go to those of the others, 0 … 1.
        truncation: see ``sample``.

    Returns:
        (B, 3, H, W), in [-1, 1].

    Raises:
        InputError: a layer or a region that is not there.
    """
    layers = layers_with_regions(generator.network)
    if layer not in layers:
        raise InputError(f"the generator has no layer {layer!r} with regions; it has {', '.join(layers) or 'none'}")
    with edited_regions(layers[layer], moves, share):
        return _of(generator, pair, truncation)


def _of(generator: TrainedGenerator, pair: Sequence[Sample], truncation: float | None) -> Tensor:
    # In one batch, since layouts are those of the last batch, and moves are within one.
    if not pair:
        raise InputError("there must be at least one sample, got none")
    labels, seeds = zip(*pair, strict=True)
    return sample(generator, labels, seeds, truncation, batch_size=len(pair))
