"""The contract of all data modules for inpainting, each on small real files: what they give, the same each time."""

import inspect
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from jsonargparse import ArgumentParser
from torch.utils.data import DataLoader, DistributedSampler

import lit_an.data
from lit_an.batch import Draw, InpaintingBatch, collate
from lit_an.data import (
    CelebAHQ,
    EarthPhotographs,
    EarthTiles,
    MaskedImages,
    ParisStreetView,
    Photographs,
    Places365,
    PreparedPhotographs,
)
from lit_an.data.base import EndlessSampler, Split
from lit_an.data.manifest import Recipe
from lit_an.data.preparation import prepare
from lit_an.data.sources import open_source
from lit_an.data.transforms import flips
from lit_an.errors import InputError
from lit_an.masks import Rectangle
from lit_an.masks.base import HoleShape
from tests.photo_folders import make_faces, make_paris, make_photographs, make_places

SIZE = 16
SPLITS: tuple[Split, ...] = ("train", "val", "test")
ALL = [
    getattr(lit_an.data, name)
    for name in lit_an.data.__all__
    if issubclass(getattr(lit_an.data, name), MaskedImages) and name != "MaskedImages"
]
Make = Callable[..., MaskedImages]


class Corner(HoleShape):
    """A hole whose height is the index of its image, at least 1; in training, 3."""

    def paint(self, height: int, width: int, seed: int, index: int | None) -> np.ndarray:
        hole = np.zeros((height, width), dtype=bool)
        hole[: 3 if index is None else max(1, index % height), :1] = True
        return hole


@pytest.fixture(scope="module")
def arguments(tmp_path_factory: pytest.TempPathFactory, few_tiles: EarthTiles) -> dict[type, dict[str, object]]:
    """What each data module needs to find its small files."""
    pytest.importorskip("streaming")
    folder = tmp_path_factory.mktemp("photographs")
    prepare(open_source(str(make_photographs(folder / "mixed", 30)), SIZE, layout="photographs"),
            folder / "shards", Recipe(SIZE, "png"))  # fmt: skip
    return {
        CelebAHQ: {"root": make_faces(folder / "faces", 30)},
        EarthPhotographs: {"cache_dir": str(folder), "window": 64, "stride": 64},
        ParisStreetView: {"root": make_paris(folder / "paris")},
        Photographs: {"root": folder / "mixed"},
        Places365: {"root": make_places(folder / "places")},
        PreparedPhotographs: {"root": folder / "shards"},
    }


@pytest.fixture(params=ALL, ids=lambda kind: kind.__name__)
def make(request: pytest.FixtureRequest, arguments: dict[type, dict[str, object]]) -> Make:
    """A data module of each kind, with more arguments if one likes."""

    def made(**more: object) -> MaskedImages:
        return request.param(**{"image_size": SIZE, "crop": "random", **arguments[request.param], **more})

    return made


def same(first: InpaintingBatch, second: InpaintingBatch) -> bool:
    return all(
        (a is None and b is None) or (a is not None and b is not None and torch.equal(a, b))
        for a, b in zip(first, second, strict=True)
    )


def test_there_are_six() -> None:
    assert len(ALL) == 6


@pytest.mark.parametrize("kind", ALL)
def test_a_config_can_say_all_that_the_base_takes(kind: type[MaskedImages]) -> None:
    """jsonargparse reads the signature: every argument of the base stands in it, of the same kind."""
    own, base = (inspect.signature(one.__init__).parameters for one in (kind, MaskedImages))
    assert {name: own[name].annotation for name in base if name in own and name != "self"} == {
        name: parameter.annotation for name, parameter in base.items() if name != "self"
    }
    assert list(own)[-5:] == list(base)[-5:]
    documented = inspect.getdoc(kind) or ""
    assert [
        name for name in own if name != "self" and f"{name}:" not in documented and f"{name}," not in documented
    ] == []


@pytest.mark.filterwarnings("ignore:CelebA-HQ has")
@pytest.mark.parametrize("kind", ALL)
def test_a_config_names_module_and_holes(kind: type[MaskedImages], arguments: dict[type, dict[str, object]]) -> None:
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(MaskedImages, "data")
    given = {name: str(value) if isinstance(value, Path) else value for name, value in arguments[kind].items()}
    mask = {"class_path": "lit_an.masks.Rectangle", "init_args": {"height": 0.25, "width": 0.25}}
    config = {"class_path": f"lit_an.data.{kind.__name__}", "init_args": {"image_size": SIZE, "mask": mask, **given}}
    data = parser.instantiate(parser.parse_object({"data": config})).data
    assert type(data) is kind
    assert isinstance(data.mask, Rectangle)
    assert (data.mask.height, data.val_mask) == (0.25, data.mask)
    assert data.dataset("train")[0].mask.sum() <= 16


@pytest.mark.filterwarnings("ignore:CelebA-HQ has")
def test_items_are_images_masks_and_perhaps_regions(make: Make) -> None:
    data = make()
    for split in SPLITS:
        dataset = data.dataset(split)
        assert len(dataset) > 0
        for item in (dataset[0], dataset[len(dataset) - 1], dataset[Draw(0, 5)]):
            assert isinstance(item, InpaintingBatch)
            assert item.image.shape == (3, SIZE, SIZE)
            assert item.image.dtype == item.mask.dtype == torch.float32
            assert -1.0 <= item.image.min() < item.image.max() <= 1.0
            assert item.mask.shape == (1, SIZE, SIZE)
            assert set(item.mask.unique().tolist()) == {0.0, 1.0}
            if item.regions is not None:
                assert item.regions.shape == (SIZE, SIZE)
                assert item.regions.dtype == torch.int64


@pytest.mark.filterwarnings("ignore:CelebA-HQ has")
def test_names_tell_images_apart(make: Make) -> None:
    data = make()
    for split in SPLITS:
        names = [data.name(split, index) for index in range(len(data.dataset(split)))]
        assert len(set(names)) == len(names)
        assert all(names)


@pytest.mark.filterwarnings("ignore:CelebA-HQ has")
def test_batches_are_the_same_for_any_number_of_workers(make: Make) -> None:
    def batches(num_workers: int) -> list[InpaintingBatch]:
        data = make(num_workers=num_workers, batch_size=2, batches_per_iteration=2, seed=7)
        return [*islice(data.train_dataloader(), 4), *islice(data.val_dataloader(), 2)]

    alone, helped = batches(0), batches(2)
    assert [len(batch.image) for batch in alone[:4]] == [4] * 4
    assert all(same(a, b) for a, b in zip(alone, helped, strict=True))
    assert not same(alone[0], alone[1])


@pytest.mark.filterwarnings("ignore:CelebA-HQ has")
def test_validation_never_changes_whatever_the_batches(make: Make) -> None:
    one, many = make(batch_size=1).dataset("val"), make(batch_size=2, num_workers=2)
    assert same(collate([one[0], one[1]]), next(iter(many.val_dataloader())))
    assert same(one[1], one[1])
    assert not same(one[0], one[1])


@pytest.mark.filterwarnings("ignore:CelebA-HQ has")
def test_another_seed_is_another_run(make: Make) -> None:
    first, second = (next(iter(make(seed=seed, batch_size=8).train_dataloader())) for seed in (0, 1))
    assert not same(first, second)


@pytest.mark.parametrize(("start", "world_size"), [(0, 2), (7, 2), (12, 1), (5, 3)])
def test_ranks_share_out_one_stream_and_a_run_goes_on_where_it_stopped(
    arguments: dict[type, dict[str, object]], start: int, world_size: int
) -> None:
    data = Photographs(image_size=SIZE, **arguments[Photographs])  # type: ignore[arg-type]
    dataset = data.dataset("train")
    whole = [dataset[draw] for draw in islice(EndlessSampler(len(dataset)), start + 24)][start:]
    parts = []
    for rank in range(world_size):
        sampler = EndlessSampler(len(dataset), 0, start, rank, world_size)
        loader = DataLoader(dataset, 4, sampler=sampler, collate_fn=collate, num_workers=rank % 2)
        batches = list(islice(loader, 24 // world_size // 4))
        parts.append([InpaintingBatch(*fields) for b in batches for fields in zip(b.image, b.mask, strict=True)])
    shared = [item for items in zip(*parts, strict=True) for item in items]
    assert len(shared) == 24
    assert all(same(mine, theirs) for mine, theirs in zip(shared, whole, strict=True))


def test_ranks_validate_with_the_same_holes(arguments: dict[type, dict[str, object]]) -> None:
    """Lightning gives each rank every second image; its hole goes with it."""
    dataset = Photographs(image_size=SIZE, val_fraction=0.5, **arguments[Photographs]).dataset("val")  # type: ignore[arg-type]
    for rank in (0, 1):
        sampler: DistributedSampler[InpaintingBatch] = DistributedSampler(dataset, 2, rank, shuffle=False)
        for index, item in zip(sampler, DataLoader(dataset, None, sampler=sampler), strict=True):
            assert same(item, dataset[index])


def test_holes_are_those_of_the_split(arguments: dict[type, dict[str, object]]) -> None:
    """Training draws without an index, validation and test with that of the image; ``val_mask`` is theirs alone."""
    data = Photographs(image_size=SIZE, val_fraction=0.5, mask=Corner(), **arguments[Photographs])  # type: ignore[arg-type]
    assert int(data.dataset("train")[Draw(1, 9)].mask.sum()) == 3
    assert [int(data.dataset("val")[index].mask.sum()) for index in range(5)] == [1, 1, 2, 3, 4]
    other = Photographs(image_size=SIZE, val_mask=Corner(), **arguments[Photographs])  # type: ignore[arg-type]
    assert isinstance(other.mask, Rectangle)
    assert int(other.dataset("val")[0].mask.sum()) == 1
    assert int(other.dataset("train")[0].mask.sum()) > 1
    plain = Photographs(image_size=SIZE, **arguments[Photographs])  # type: ignore[arg-type]
    assert isinstance(plain.val_mask, Rectangle)
    assert not torch.equal(plain.dataset("val")[0].mask, plain.dataset("test")[0].mask)


def test_the_crop_says_nothing_about_the_hole(arguments: dict[type, dict[str, object]]) -> None:
    """Where the crop is and where the hole is are uncorrelated over many draws."""
    data = Photographs(image_size=SIZE, crop="random", flip=False, **arguments[Photographs])  # type: ignore[arg-type]
    items = [data.dataset("train")[Draw(0, seed)] for seed in range(400)]
    crop = torch.stack([torch.stack([item.image[0].mean(), item.image[1].mean()]) for item in items])
    places = [item.mask[0].nonzero().float().mean(0) for item in items]
    both = torch.cat([crop, torch.stack(places)], dim=1)
    across = torch.corrcoef(both.T)[:2, 2:]
    assert both.std(0).min() > 0.05
    assert across.abs().max() < 0.15


@pytest.mark.filterwarnings("ignore:CelebA-HQ has")
def test_draws_are_mirrored_by_their_seed_regions_and_all(make: Make) -> None:
    mirrored, still = (make(flip=flip).dataset("train") for flip in (True, False))
    for seed in range(10):
        ours, plain = mirrored[Draw(1, seed)], still[Draw(1, seed)]
        assert torch.equal(ours.image, plain.image.flip(-1) if flips(seed) else plain.image)
        assert torch.equal(ours.mask, plain.mask)
        if ours.regions is not None and plain.regions is not None:
            assert torch.equal(ours.regions, plain.regions.flip(-1) if flips(seed) else plain.regions)


def test_an_unreadable_image_is_named(tmp_path: Path) -> None:
    root = make_photographs(tmp_path / "root", 4)
    (root / "00.png").write_bytes(b"no image")
    dataset = Photographs(root, SIZE, val_fraction=1e-9).dataset("train")
    with pytest.raises(
        InputError, match=r"^the image '.*00.png' cannot be read \(not an image, or of an unknown format\)"
    ):
        dataset[0]
    with pytest.raises(IndexError):
        dataset[len(dataset)]


@pytest.mark.parametrize("name", ["image_size", "batch_size", "batches_per_iteration"])
def test_numbers_too_small_are_refused(make: Make, name: str) -> None:
    with pytest.raises(InputError, match=f"^data: {name} must be at least 1, got 0$"):
        make(**{name: 0})


def test_crops_that_cannot_be_are_refused(make: Make) -> None:
    with pytest.raises(InputError, match=r"^data: crop must be one of centre, random, resize, got 'middle'$"):
        make(crop="middle")
    with pytest.raises(InputError, match=r"^data: min_scale must be above 0 and at most 1, got 2$"):
        make(min_scale=2)
