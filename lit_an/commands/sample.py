"""``python cli.py sample``: generates images and pictures with a class-conditional generator, without the data set."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

from torch import Tensor

from lit_an.commands.checkpoint_option import chosen_for, say_showcase
from lit_an.commands.option_types import Names
from lit_an.errors import InputError
from lit_an.files import printable
from lit_an.latents import check_truncation
from lit_an.pictures.panels import write_png
from lit_an.registry import nearest
from lit_an.sampling.images import sample
from lit_an.sampling.neighbors import nearest_neighbors
from lit_an.sampling.pictures import class_sheet, class_strips, latent_strips, layout_panels, neighbor_sheet
from lit_an.sampling.statistics import Statistics, use_statistics
from lit_an.sampling.streaming import claim, requests_of, write_samples
from lit_an.trained.checkpoints import config_beside, parse_device, weights_hash
from lit_an.trained.generator import TrainedGenerator

if TYPE_CHECKING:
    from lit_an.data.class_data import ClassData

What = Literal["png", "npz", "sheet", "latents", "classes", "layouts", "neighbors"]

_ROWS_OF_A_SHEET = 50


def run(
    ckpt_path: str | None = None,
    config: str | None = None,
    output: str | None = None,
    write: tuple[What, ...] = ("png", "sheet"),
    samples_per_class: int = 16,
    classes: Names | None = None,
    first_seed: int = 0,
    truncation: float | None = None,
    statistics: Statistics = "running",
    standing_passes: int = 100,
    batch_size: int = 64,
    columns: int = 8,
    rows: int = 16,
    device: str = "auto",
    shard: int = 0,
    shards: int = 1,
) -> int:
    """Generates images with a class-conditional generator; a second run skips finished files.

    Args:
        ckpt_path: the folder of a run, one of its .ckpt files, or the folder of an export. Default: the generator that
            comes with lit_an.
        config: the config of the run. Default: config.yaml in its run folder.
        output: the folder to write to. Default: predictions/iteration_… in the run folder, named after truncation and
            statistics too; for the generator that comes with lit_an, predictions/showcase_class_conditional… in the
            current folder.
        write: any of png (one file per image), npz (all images in one file), sheet (one row per class), latents and
            classes (interpolations between two latents, two classes), layouts (images beside the regions of the
            norm) and neighbors (images beside the nearest training images, which needs the data).
        samples_per_class: images per class, for png and npz.
        classes: names of the classes. Default: all.
        first_seed: seed of the first image of each class; the others count up from it.
        truncation: largest magnitude of a latent's values; larger ones are drawn again. Default: none.
        statistics: statistics of batch norm: running (kept in training), standing (estimated now) or batch (of each
            batch).
        standing_passes: batches of 64 from which standing statistics are estimated.
        batch_size: images per forward pass.
        columns: images per row of a picture.
        rows: largest number of classes in a picture other than the sheet; they are spread evenly.
        device: cpu, cuda, cuda:1, …; auto takes a GPU if there is one.
        shard: index of this process, from 0, if several share the work.
        shards: number of processes that share the work of png and npz; a last call without it joins the npz and draws
            the pictures.

    Returns:
        0.

    Raises:
        InputError: an option out of range, a checkpoint that is missing or of another kind, or an output folder with
            other content.
    """
    if columns < 2 or rows < 1:
        raise InputError(f"columns must be at least 2 and rows at least 1, got {columns} and {rows}")
    if batch_size < 1 or not 0 <= shard < shards:
        raise InputError(f"batch_size must be at least 1 and 0 ≤ shard < shards, got {batch_size}, {shard}, {shards}")
    check_truncation(truncation)
    chosen = chosen_for("sample", ckpt_path, config, needs_data="neighbors" in write)
    generator = chosen.generator().to(parse_device(device))
    say_showcase(ckpt_path, generator)
    labels = _labels(generator, classes)
    requests = requests_of(labels, samples_per_class, first_seed)
    iteration = generator.description.iteration
    folder = chosen.output(output, f"iteration_{iteration:07d}", _suffix_of(truncation, statistics))
    settings = {
        "weights_sha256": weights_hash(generator.network.state_dict()),
        "iteration": iteration,
        "truncation": truncation,
        "statistics": statistics,
        # Further settings of the images: passes of standing statistics, or the size of self-normalizing batches.
        "passes": standing_passes if statistics == "standing" else None,
        "batch_size": batch_size if statistics == "batch" else None,
    }
    claim(folder, settings)
    use_statistics(generator, statistics, truncation, standing_passes)
    write_samples(generator, requests, folder, "png" in write, "npz" in write, truncation, batch_size, shard, shards)
    if shards == 1:
        seeds = list(range(first_seed, first_seed + columns))
        for name, picture in _pictures(generator, write, labels, seeds, rows, truncation):
            write_png(folder / f"{name}.png", picture)
        if "neighbors" in write:
            # Imported here, since it imports Lightning, which nothing else needs.
            from lit_an.commands.configured_data import configured_data

            data = configured_data(chosen.config or config_beside(chosen.path))
            sheet = _neighbors(generator, data, _spread(labels, rows), first_seed, truncation)
            write_png(folder / "neighbors.png", sheet)
    print(f"The samples are in {printable(folder)}", flush=True)
    return 0


def _suffix_of(truncation: float | None, statistics: str) -> str:
    """Samples with other settings go to another folder."""
    truncated = "" if truncation is None else f"_truncation_{truncation:g}"
    return truncated + ("" if statistics == "running" else f"_{statistics}")


def _labels(generator: TrainedGenerator, classes: Sequence[str] | None) -> list[int]:
    names = generator.class_names
    unknown = [name for name in classes or [] if name not in names]
    if unknown:
        raise InputError(f"unknown class {unknown[0]!r}{nearest(unknown[0], names)} Known: {', '.join(names[:50])}")
    return [names.index(name) for name in dict.fromkeys(classes)] if classes else list(range(len(names)))


def _spread(labels: Sequence[int], rows: int) -> list[int]:
    """At most ``rows`` of the classes, evenly spread."""
    rows = min(rows, len(labels))
    return [labels[row * len(labels) // rows] for row in range(rows)]


def _pictures(
    generator: TrainedGenerator,
    write: Sequence[What],
    labels: list[int],
    seeds: list[int],
    rows: int,
    truncation: float | None,
) -> Iterator[tuple[str, Tensor]]:
    """Yields the name and pixels of each requested picture."""
    if "sheet" in write:
        pages = [labels[start : start + _ROWS_OF_A_SHEET] for start in range(0, len(labels), _ROWS_OF_A_SHEET)]
        for number, page in enumerate(pages, start=1):
            name = "sheet" if len(pages) == 1 else f"sheet_{number:02d}"
            yield name, class_sheet(generator, page, seeds, truncation)
    chosen_labels = _spread(labels, rows)
    if "latents" in write:
        yield "latents", latent_strips(generator, chosen_labels, seeds[0], len(seeds), truncation)
    if "classes" in write:
        yield "classes", class_strips(generator, chosen_labels, seeds[0], len(seeds), truncation)
    if "layouts" in write:
        panels = layout_panels(generator, chosen_labels, seeds[:2], truncation)
        if not panels:
            print("No norm of this generator has a semantic layout: there are no region maps to show", flush=True)
        yield from ((f"layouts_{name}", panel) for name, panel in panels.items())


def _neighbors(
    generator: TrainedGenerator, data: "ClassData", chosen_labels: list[int], seed: int, truncation: float | None
) -> Tensor:
    images = sample(generator, chosen_labels, [seed] * len(chosen_labels), truncation)
    found = nearest_neighbors(images, data.dataset("train"), num_workers=data.num_workers)
    names = [
        f"{generator.class_names[label]} ({distance:.2f})"
        for label, distance in zip(chosen_labels, found.distance[:, 0].tolist(), strict=True)
    ]
    return neighbor_sheet(images, found.image, names)
