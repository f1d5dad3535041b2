"""Which mean and variance batch normalization uses when a generator makes images."""

from dataclasses import replace
from typing import Literal

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from lit_an.errors import InputError
from lit_an.latents import latents_of
from lit_an.sampling.trained import TrainedGenerator

Statistics = Literal["running", "standing", "batch"]

_STANDING_SEED = 1809


def use_statistics(
    generator: TrainedGenerator,
    statistics: Statistics = "running",
    truncation: float | None = None,
    passes: int = 100,
    batch_size: int = 64,
) -> TrainedGenerator:
    """Prepares a generator for one of three ways to normalize a batch; without batch norm they are all the same.

    - ``running``: those that came with the weights: averages kept in training, of the last weights and not of their
      moving average, or what an export holds.
    - ``standing``: estimated anew with these weights and this truncation; see ``standing_statistics``.
    - ``batch``: each batch is normalized by itself, so that an image depends on the images beside it.

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
        for norm in batch_norms(generator):
            norm.train()
            norm.momentum = 0.0  # the stored statistics stay as they are
        generator.description = replace(generator.description, statistics="batch")
    return generator


@torch.inference_mode()
def standing_statistics(
    generator: TrainedGenerator, truncation: float | None = None, passes: int = 100, batch_size: int = 64
) -> TrainedGenerator:
    """Estimates the batch-norm statistics of a generator anew, by forward passes with fixed seeds.

    Mean and variance of each layer are the averages over all passes of those of the batch; classes take turns. All
    other layers stay in evaluation mode.

    Args:
        generator: changed in place, and left in evaluation mode.
        truncation: of the latents; take that of the images to come, since it changes the statistics.
        passes: forward passes, ≥ 1.
        batch_size: images in a pass, ≥ 2, at best a multiple of the number of classes.

    Returns:
        The same generator.

    Raises:
        InputError: a number out of range.

    Source: "standing statistics" of Brock et al., BigGAN, arXiv 1809.11096, appendix: typically 100 passes.
    """
    if passes < 1 or batch_size < 2:
        raise InputError(f"standing statistics need at least 1 pass and a batch of 2, got {passes} and {batch_size}")
    generator.eval()
    norms = batch_norms(generator)
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # torch then keeps the plain average over passes
        norm.train()
    for start in range(0, passes * batch_size if norms else 0, batch_size):
        seeds = range(start, start + batch_size)
        label = torch.tensor([seed % generator.num_classes for seed in seeds], device=generator.device)
        latent = latents_of([-_STANDING_SEED] * batch_size, seeds, generator.latent_dim, truncation)
        generator(latent.to(generator.device), label)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    generator.description = replace(generator.description, statistics="standing")
    return generator.eval()


def batch_norms(network: nn.Module) -> list[_BatchNorm]:
    """The batch-norm layers of a network that keep statistics."""
    return [module for module in network.modules() if isinstance(module, _BatchNorm) and module.track_running_stats]
