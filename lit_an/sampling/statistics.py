"""Batch-norm statistics for sampling."""

from dataclasses import replace
from typing import Literal

import torch

from lit_an.errors import InputError
from lit_an.latents import standing_batches
from lit_an.norms.running_statistics import estimate_statistics, statistics_keepers
from lit_an.trained.generator import TrainedGenerator

Statistics = Literal["running", "standing", "batch"]


def use_statistics(
    generator: TrainedGenerator,
    statistics: Statistics = "running",
    truncation: float | None = None,
    passes: int = 100,
    batch_size: int = 64,
) -> TrainedGenerator:
    """Sets which batch-norm statistics a generator uses; without batch norm it has no effect.

    - ``running``: those that the generator holds: averages kept in training (where the weights are an average too,
      see ``callbacks.GeneratorEMA``), what an export holds, or what ``standing`` has put in their place.
    - ``standing``: estimated with these weights and this truncation; see ``standing_statistics``.
    - ``batch``: each batch is normalized by its own statistics, so that an image depends on the others.

    Args:
        generator: changed in place.
        statistics: one of the three.
        truncation: of the latents of ``standing``.
        passes, batch_size: of ``standing``.

    Returns:
        The same generator.

    Raises:
        InputError: an unknown name, or a number below 1.
    """
    if statistics not in ("running", "standing", "batch"):
        raise InputError(f"statistics must be 'running', 'standing' or 'batch', got {statistics!r}")
    generator.eval()
    if statistics == "standing":
        standing_statistics(generator, truncation, passes, batch_size)
    elif statistics == "batch":
        for norm in statistics_keepers(generator):
            norm.train()
            norm.momentum = 0.0  # type: ignore[assignment]  # the stored statistics stay as they are
    return generator


@torch.inference_mode()
def standing_statistics(
    generator: TrainedGenerator, truncation: float | None = None, passes: int = 100, batch_size: int = 64
) -> TrainedGenerator:
    """Estimates the batch-norm statistics of a generator by forward passes with fixed seeds.

    Mean and variance of each layer are the averages over all passes of those of the batch; classes are drawn at
    random. All other layers stay in evaluation mode.

    Args:
        generator: changed in place, and left in evaluation mode.
        truncation: of the latents; use that of the images to generate, since it changes the statistics.
        passes: forward passes, ≥ 1.
        batch_size: images in a pass, ≥ 2.

    Returns:
        The same generator.

    Raises:
        InputError: a number out of range.

    Source: "standing statistics" of Brock et al., BigGAN, arXiv 1809.11096, appendix: typically 100 passes.
    """
    latent_dim, num_classes = generator.latent_dim, generator.num_classes
    batches = standing_batches(latent_dim, num_classes, passes, batch_size, truncation, generator.device)
    estimate_statistics(generator, batches)
    generator.description = replace(generator.description, statistics="standing")
    return generator
