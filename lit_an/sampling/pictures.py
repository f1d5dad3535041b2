"""Pictures of samples: class sheets, interpolations, regions and nearest neighbors."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from lit_an.latents import latents_of, slerp
from lit_an.norms.recording import recorded_layouts
from lit_an.pictures.panels import layout_panel, sample_grid
from lit_an.sampling.images import images_of, sample
from lit_an.trained.generator import TrainedGenerator


def class_sheet(
    generator: TrainedGenerator, classes: Sequence[int], seeds: Sequence[int], truncation: float | None = None
) -> Tensor:
    """One row for each class, one column for each seed, the name of the class at the left.

    Args:
        generator: what makes the images.
        classes, seeds: rows and columns.
        truncation: see ``sample``.

    Returns:
        (3, height, width), uint8.
    """
    labels = [label for label in classes for _ in seeds]
    images = sample(generator, labels, list(seeds) * len(classes), truncation)
    return sample_grid(images, [generator.class_names[label] for label in classes], [f"seed {seed}" for seed in seeds])


def latent_strips(
    generator: TrainedGenerator, classes: Sequence[int], seed: int, columns: int = 8, truncation: float | None = None
) -> Tensor:
    """One row for each class: from its image of ``seed`` to that of ``seed + 1``, on the sphere of latents.

    Returns:
        (3, height, width), uint8.
    """
    share = torch.linspace(0, 1, columns)
    ends = [latents_of([label] * 2, [seed, seed + 1], generator.latent_dim, truncation) for label in classes]
    latent = torch.cat([slerp(start, end, share) for start, end in ends])
    images = images_of(generator, latent, torch.tensor(classes).repeat_interleave(columns))
    heads = [f"seed {seed}", *_between(columns), f"seed {seed + 1}"]
    return sample_grid(images, [generator.class_names[label] for label in classes], heads)


def class_strips(
    generator: TrainedGenerator, classes: Sequence[int], seed: int, columns: int = 8, truncation: float | None = None
) -> Tensor:
    """One row for each class: an interpolation to the next class with a fixed latent.

    The condition (one-hot class or class embedding) is interpolated linearly.

    Returns:
        (3, height, width), uint8.
    """
    share = torch.linspace(0, 1, columns)[:, None]
    one_hot = F.one_hot(torch.tensor(classes), generator.num_classes).float()
    mixture = torch.cat([torch.lerp(*pair, share) for pair in zip(one_hot, one_hot.roll(-1, 0), strict=True)])
    latent = latents_of(classes, [seed] * len(classes), generator.latent_dim, truncation)
    images = images_of(generator, latent.repeat_interleave(columns, 0), mixture)
    names = [generator.class_names[label] for label in classes]
    titles = [f"{name} > {following}" for name, following in zip(names, [*names[1:], names[0]], strict=True)]
    return sample_grid(images, titles, ["0 %", *_between(columns), "100 %"])


def layout_panels(
    generator: TrainedGenerator, classes: Sequence[int], seeds: Sequence[int], truncation: float | None = None
) -> dict[str, Tensor]:
    """Each image with the regions of a norm's layout, for each norm with a layout, by module name.

    Returns:
        (3, height, width), uint8, for each; see ``lit_an.pictures.panels.layout_panel``. Empty for a generator without
        layouts.
    """
    labels = [label for label in classes for _ in seeds]
    with recorded_layouts(generator.network) as recorded:
        # In one batch, since only the layouts of the last batch are kept.
        images = sample(generator, labels, list(seeds) * len(classes), truncation, batch_size=len(labels))
    names = [f"{generator.class_names[label]}, seed {seed}" for label in classes for seed in seeds]
    return {name: layout_panel(images, layout, names) for name, (_, layout) in recorded.items()}


def neighbor_sheet(samples: Tensor, neighbors: Tensor, names: Sequence[str]) -> Tensor:
    """One row for each sample: the sample, then its neighbors, the nearest first.

    Args:
        samples: (B, 3, H, W), in [-1, 1].
        neighbors: (B, K, 3, H, W), in [-1, 1].
        names: B, one for each row.

    Returns:
        (3, height, width), uint8.
    """
    rows = torch.cat([samples[:, None], neighbors], dim=1)  # (B, 1 + K, 3, H, W)
    heads = ["sample", "nearest", *(f"{number}." for number in range(2, rows.shape[1]))]
    return sample_grid(rows.flatten(0, 1), list(names), heads[: rows.shape[1]])


def _between(columns: int) -> list[str]:
    """What the columns between the first and the last show: the share of the last."""
    return [f"{100 * column / (columns - 1):.0f} %" for column in range(1, columns - 1)]
