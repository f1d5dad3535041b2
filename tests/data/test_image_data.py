"""What both data modules share: one stream of draws however it is loaded, mirroring, fixed validation, refusals."""

from collections.abc import Callable
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader, DistributedSampler

from lit_an.batch import Draw, collate
from lit_an.data import ClassData, InpaintingData
from lit_an.data.base import ImageData
from lit_an.data.sampler import EndlessSampler
from lit_an.data.sources import ImageFolder, Source
from lit_an.data.transforms import flips
from lit_an.errors import InputError
from tests.data.small_sources import SIZE, same
from tests.photo_folders import make_classes

Make = Callable[..., ImageData[Any]]
# Of files, of tiles in memory with regions, of shards.
CASES = [
    (ClassData, "ImageFolder"),
    (ClassData, "climates"),
    (ClassData, "Prepared"),
    (InpaintingData, "Photographs"),
    (InpaintingData, "coasts"),
    (InpaintingData, "Prepared"),
]


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0].__name__}-{case[1]}")
def make(request: pytest.FixtureRequest, made: Callable[[str], Source]) -> Make:
    """A data module of each kind, with more arguments if one likes."""
    kind, name = request.param
    return lambda **more: kind(made(name), **{"image_size": SIZE, "crop": "random", **more})


def test_training_batches_follow_the_stream(make: Make) -> None:
    """Each holds the images of a whole iteration."""
    data = make(batch_size=3, batches_per_iteration=2, num_workers=2, seed=5)
    dataset = data.dataset("train")
    stream = iter(EndlessSampler(len(dataset), 5))
    for batch in islice(data.train_dataloader(), 8):
        assert same(batch, collate([dataset[draw] for draw in islice(stream, 6)]))


@pytest.mark.parametrize(("start", "world_size"), [(0, 2), (7, 2), (12, 1), (40, 3), (8, 4)])
def test_ranks_share_out_one_stream_and_a_run_goes_on_where_it_stopped(make: Make, start: int, world_size: int) -> None:
    """Across shards and epochs, and on another number of ranks."""
    dataset = make().dataset("train")
    whole = [dataset[draw] for draw in islice(EndlessSampler(len(dataset)), start + 24)][start:]
    parts = []
    for rank in range(world_size):
        sampler = EndlessSampler(len(dataset), 0, start, rank, world_size)
        loader = DataLoader(dataset, 2, sampler=sampler, collate_fn=collate, num_workers=rank % 2)
        batches = islice(loader, 24 // world_size // 2)
        parts.append([[None if part is None else part[i] for part in batch] for batch in batches for i in range(2)])
    shared = [item for items in zip(*parts, strict=True) for item in items]
    assert len(shared) == 24
    assert all(same(tuple(mine), theirs) for mine, theirs in zip(shared, whole, strict=True))


@pytest.mark.parametrize("crop", ["center", "random"])
def test_many_items_at_once_are_those_one_by_one(make: Make, crop: str) -> None:
    dataset = make(crop=crop).dataset("train")
    other = next(seed for seed in range(1, 100) if flips(seed) != flips(0))
    wanted = [Draw(5, 0), Draw(0, 1), 7, Draw(5, other), Draw(len(dataset) - 1, 3), 0]
    together = dataset.__getitems__(wanted)
    assert all(same(item, dataset[one]) for item, one in zip(together, wanted, strict=True))
    assert not same(together[0], together[3])


@pytest.mark.parametrize("crop", ["center", "random"])
def test_half_of_all_draws_are_mirrored_regions_and_all(make: Make, crop: str) -> None:
    mirrored, still = (make(flip=flip, crop=crop).dataset("train") for flip in (True, False))
    for seed in range(10):
        ours, plain = mirrored[Draw(1, seed)], still[Draw(1, seed)]
        assert torch.equal(ours.image, plain.image.flip(-1) if flips(seed) else plain.image)
        assert not torch.equal(plain.image, plain.image.flip(-1))
        if plain.regions is not None:
            assert torch.equal(ours.regions, plain.regions.flip(-1) if flips(seed) else plain.regions)
        assert crop == "random" or torch.equal(plain.image, still[1].image)
        assert torch.equal(mirrored[1].image, still[1].image)


@pytest.mark.parametrize("split", ["val", "test"])
def test_validation_gives_every_item_once_and_never_changes(make: Make, split: str) -> None:
    one, many = make(seed=3), make(batch_size=2, num_workers=2, seed=3)
    dataset = one.dataset(split)  # type: ignore[arg-type]
    items = [dataset[index] for index in range(len(dataset))]
    for data in (one, many):
        batches = list(getattr(data, f"{split}_dataloader")())
        expected = [collate(items[i : i + data.batch_size]) for i in range(0, len(items), data.batch_size)]
        assert all(same(ours, theirs) for ours, theirs in zip(batches, expected, strict=True))
    assert not same(items[0], items[1])


def test_ranks_validate_with_the_same_items(make: Make) -> None:
    """Lightning gives each rank every second image; its hole goes with it."""
    dataset = make().dataset("val")
    for rank in (0, 1):
        sampler: DistributedSampler[Any] = DistributedSampler(dataset, 2, rank, shuffle=False)
        for index, item in zip(sampler, DataLoader(dataset, None, sampler=sampler), strict=True):
            assert same(item, dataset[index])


def test_processes_of_a_run_have_the_same_pictures(tmp_path: Path) -> None:
    """Machines may see different files: draws of one order would be other pictures there, and of other classes."""
    roots = [make_classes(tmp_path / name, ("cat", "dog"), 9) for name in ("first", "second")]
    said: list[object] = []  # by process 0

    def load(rank: int) -> None:
        data = ClassData(ImageFolder(roots[rank], 0.3), SIZE)
        data.trainer = SimpleNamespace(  # type: ignore[assignment]
            world_size=2,
            global_rank=rank,
            lightning_module=None,
            strategy=SimpleNamespace(broadcast=lambda mine: (said.append(mine), said[0])[1]),
        )
        data.train_dataloader()

    load(0)
    load(1)
    next((roots[1] / "dog").iterdir()).rename(roots[1] / "dog" / "renamed.png")
    with pytest.raises(
        InputError, match=rf"^data: process 1 .* other images of 'train' in '{roots[1]}' than process 0"
    ):
        load(1)


def test_another_seed_is_another_run(make: Make) -> None:
    first, second = (next(iter(make(seed=seed, batch_size=8).train_dataloader())) for seed in (0, 1))
    assert not same(first, second)


@pytest.mark.parametrize(("kind", "start_method"), [(ClassData, "fork"), (InpaintingData, "spawn")])
def test_an_unreadable_image_is_named_across_the_worker_process(
    kind: type[ImageData[Any]], start_method: str, tmp_path: Path
) -> None:
    for split in ("train", "val"):
        make_classes(tmp_path / split, ("cat", "dog"), 1)
    bad = tmp_path / "val" / "dog" / "00.png"
    bad.write_bytes(b"no image")
    dataset = kind(ImageFolder(tmp_path), SIZE).dataset("val")
    loader = DataLoader(dataset, num_workers=1, collate_fn=collate, multiprocessing_context=start_method)
    batches = iter(loader)
    assert next(batches).image.shape == (1, 3, SIZE, SIZE)
    with pytest.raises(InputError) as caught:
        next(batches)
    assert next(batches, None) is None  # the workers end here, not whenever the exception's traceback is collected
    last_line = str(caught.value).strip().splitlines()[-1]
    assert last_line == (
        f"lit_an.errors.InputError: the image {str(bad)!r} cannot be read "
        f"(not an image, or of an unknown format); replace or remove it"
    )


@pytest.mark.parametrize(
    ("name", "value", "least"),
    [("image_size", 0, 1), ("batch_size", 0, 1), ("batches_per_iteration", 0, 1), ("num_workers", -1, 0)],
)
def test_numbers_too_small_are_refused(make: Make, name: str, value: int, least: int) -> None:
    with pytest.raises(InputError, match=f"^data: {name} must be at least {least}, got {value}$"):
        make(**{name: value})


def test_crops_that_cannot_be_are_refused(make: Make) -> None:
    with pytest.raises(InputError, match=r"^data: crop must be one of center, random, resize, got 'middle'$"):
        make(crop="middle")
    with pytest.raises(InputError, match=r"^data: min_scale must be above 0 and at most 1, got 2$"):
        make(min_scale=2)
