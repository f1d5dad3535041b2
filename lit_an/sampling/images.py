"""Images of classes and seeds from a trained generator."""

from collections.abc import Sequence
from operator import index

import torch
from torch import Tensor

from lit_an.errors import InputError
from lit_an.latents import latents_of
from lit_an.trained.generator import TrainedGenerator


def sample(
    generator: TrainedGenerator,
    labels: Sequence[int],
    seeds: Sequence[int],
    truncation: float | None = None,
    batch_size: int = 64,
) -> Tensor:
    """Images that are each a function of a class and a seed.

    Latents do not depend on the batch. Images do not either, except for rounding: kernels for other batch sizes add in
    another order, so values differ by about 1e-6; with the same batch size and position they are equal bit for bit.
    Only with ``batch`` statistics an image depends on the other images of its batch.

    Args:
        generator: from ``load_generator`` or ``load_exported``.
        labels: classes, 0 ≤ label < num_classes; a list, an array or a tensor.
        seeds: one integer for each label.
        truncation: largest magnitude of the latents' values, > 0 (BigGAN's truncation trick: values beyond are drawn
            again); None for none.
        batch_size: images made at once, ≥ 1.

    Returns:
        (B, 3, image_size, image_size), float32 in [-1, 1], on the CPU.

    Raises:
        InputError: a label, a truncation or a batch size out of range, or another number of seeds than of labels.
    """
    latent, known = latents_and_labels(generator, labels, seeds, truncation)
    return images_of(generator, latent, known, batch_size)


def latents_and_labels(
    generator: TrainedGenerator, labels: Sequence[int], seeds: Sequence[int], truncation: float | None = None
) -> tuple[Tensor, Tensor]:
    """What a generator makes the images of classes and seeds from; takes and raises the same as ``sample``.

    Returns:
        (B, latent_dim), float32, and (B,), int64, on the CPU.
    """
    labels, seeds = [[index(each) for each in numbers] for numbers in (labels, seeds)]
    if len(labels) != len(seeds):
        raise InputError(f"there must be a seed for each label, got {len(labels)} labels and {len(seeds)} seeds")
    wrong = [label for label in labels if not 0 <= label < generator.num_classes]
    if wrong:
        raise InputError(f"there is no class {wrong[0]}: the generator knows 0 to {generator.num_classes - 1}")
    latent = latents_of(labels, seeds, generator.latent_dim, truncation)
    return latent, torch.tensor(labels, dtype=torch.int64)


@torch.inference_mode()
def images_of(generator: TrainedGenerator, latent: Tensor, label: Tensor, batch_size: int = 64) -> Tensor:
    """Images of given latents and classes.

    Args:
        generator: from ``load_generator`` or ``load_exported``.
        latent: (B, latent_dim).
        label: (B,), int64, or (B, num_classes), float, weights of mixtures of classes.
        batch_size: images made at once, ≥ 1.

    Returns:
        (B, 3, image_size, image_size), float32 in [-1, 1], on the CPU.

    Raises:
        InputError: a batch size below 1, latents or labels of another shape, or images that are not finite.
    """
    if batch_size < 1:
        raise InputError(f"batch_size must be at least 1, got {batch_size}")
    count = len(latent)
    if latent.shape != (count, generator.latent_dim) or label.shape not in ((count,), (count, generator.num_classes)):
        raise InputError(
            f"latents must have the shape (B, {generator.latent_dim}) and labels (B,) or (B, {generator.num_classes}), "
            f"got {tuple(latent.shape)} and {tuple(label.shape)}"
        )
    if count == 0:
        return torch.empty(0, 3, generator.image_size, generator.image_size)
    parts = zip(latent.split(batch_size), label.split(batch_size), strict=True)
    made = torch.cat([generator(*(tensor.to(generator.device) for tensor in part)).float().cpu() for part in parts])
    if not made.isfinite().all():
        wrong = int((~made.isfinite()).flatten(1).any(1).sum())
        raise InputError(
            f"{wrong} of {len(made)} generated images hold values that are not finite numbers, although the weights "
            "are finite: the training diverges; give an earlier checkpoint"
        )
    return made
