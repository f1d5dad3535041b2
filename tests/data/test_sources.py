"""The contract of all sources, each on small real files: what they say of pictures, to whom, the same each time."""

import multiprocessing
import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from jsonargparse import ArgumentParser
from PIL import Image
from torch import Tensor

import lit_an.data.sources as sources
from lit_an.batch import ClassBatch, Draw, InpaintingBatch
from lit_an.data import ClassData, InpaintingData
from lit_an.data.base import ImageData
from lit_an.data.cropping import Cropping
from lit_an.data.preparation import plan_of, prepare
from lit_an.data.shards.manifest import Recipe
from lit_an.data.sources import Pictures, Prepared, Source
from lit_an.data.sources.base import SPLITS, Split
from lit_an.data.transforms import to_tensor
from lit_an.errors import InputError
from tests.data.small_sources import SIZE, SOURCES, same

pytestmark = pytest.mark.filterwarnings("ignore:CelebA-HQ has")


@pytest.fixture(params=SOURCES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def source(name: str, made: Callable[[str], Source]) -> Source:
    return made(name)


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[ProcessPoolExecutor]:
    """A process that shares nothing with this one, not even the seed of ``hash``."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        yield pool


def splits_of(source: Source) -> list[tuple[Split, Pictures]]:
    return [(split, source.pictures(split, SIZE)) for split in SPLITS]


def chosen(pictures: Pictures) -> list[int]:
    return [0, len(pictures) // 2, len(pictures) - 1]


def pixels(pictures: Pictures, index: int) -> Tensor:
    image = pictures.picture(index).image
    return image if isinstance(image, Tensor) else to_tensor(image)


def listing(source: Source, split: Split) -> list[tuple[object, ...]]:
    """All that a split says of its pictures; it runs in another process too."""
    pictures = source.pictures(split, SIZE)
    labels = [None] * len(pictures) if pictures.labels is None else pictures.labels.tolist()
    numbers = range(len(pictures))
    return [(pictures.name(i), pictures.file(i), pictures.digest(i), labels[i]) for i in numbers]


def test_every_source_is_asked() -> None:
    kinds = {getattr(sources, name) for name in sources.__all__}
    assert {small.kind for small in SOURCES.values()} == {
        kind for kind in kinds if issubclass(kind, Source) and kind is not Source
    }


def test_splits_have_their_lengths_and_test_is_val_without_its_own(name: str, source: Source) -> None:
    assert tuple(len(pictures) for _, pictures in splits_of(source)) == SOURCES[name].lengths
    assert (listing(source, "test") == listing(source, "val")) != source.has_test


def test_names_tell_pictures_apart_and_files_are_theirs(source: Source) -> None:
    for _, pictures in splits_of(source):
        names = [pictures.name(index) for index in range(len(pictures))]
        assert len(set(names)) == len(names)
        assert all(names)
        for index, name in enumerate(names):
            file = pictures.file(index)
            assert file is None or (file.is_file() and file.as_posix().endswith(f"/{name}"))
            assert (file is None) == (pictures.folder is None or isinstance(source, Prepared))


def test_pictures_are_rgb_with_a_region_for_each_pixel_if_any(source: Source) -> None:
    for _, pictures in splits_of(source):
        for index in range(0, len(pictures), 3):
            image, regions = pictures.picture(index)
            assert isinstance(image, Tensor) or image.mode == "RGB"
            shape = pixels(pictures, index).shape
            assert shape[0] == 3
            assert pixels(pictures, index).dtype == torch.uint8
            assert regions is None or (regions.shape == shape[1:] and regions.dtype.kind in "iu")
            shrunk = pictures.picture(index, SIZE).image
            assert min(shrunk.shape[1:] if isinstance(shrunk, Tensor) else shrunk.size) >= min(SIZE, *shape[1:])
        with pytest.raises(IndexError):
            pictures.picture(len(pictures))


def test_many_pictures_at_once_are_those_one_by_one(source: Source) -> None:
    for _, pictures in splits_of(source):
        if pictures.side is not None:
            indices = [*chosen(pictures), 0]
            images, regions = pictures.gather(indices)
            assert images.shape == (4, 3, pictures.side, pictures.side)
            for position, index in enumerate(indices):
                one = pictures.picture(index)
                assert torch.equal(images[position], pixels(pictures, index))
                assert (regions is None) == (one.regions is None)
                assert regions is None or np.array_equal(regions[position].numpy(), one.regions)


def test_labels_are_those_of_the_classes(source: Source) -> None:
    for split, pictures in splits_of(source):
        labels = pictures.labels
        assert (labels is None) == (source.class_names is None)
        if labels is not None and source.class_names is not None:
            assert (labels.shape, labels.dtype) == ((len(pictures),), np.int64)
            present = set(labels.tolist())
            assert present <= set(range(len(source.class_names)))
            assert split != "train" or len(present) == len(source.class_names) > 1


def test_all_processes_see_the_same(source: Source, elsewhere: ProcessPoolExecutor) -> None:
    for split, pictures in splits_of(source):
        assert elsewhere.submit(listing, source, split).result() == listing(source, split)
        copy = pickle.loads(pickle.dumps(pictures))
        assert all(torch.equal(pixels(copy, index), pixels(pictures, index)) for index in chosen(pictures))


def test_a_digest_is_that_of_the_picture(source: Source) -> None:
    pictures = source.pictures("train", SIZE)
    digests = [pictures.digest(index) for index in range(len(pictures))]
    assert len(set(digests)) == len({pixels(pictures, index).numpy().tobytes() for index in range(len(pictures))})
    file = pictures.file(0)
    if file is not None:
        content = file.read_bytes()
        Image.new("RGB", (40, 40), "red").save(file)
        changed = [pictures.digest(index) for index in range(len(pictures))]
        file.write_bytes(content)
        assert [mine != before for mine, before in zip(changed, digests, strict=True)] == [True] + [False] * (
            len(digests) - 1
        )


def test_items_for_inpainting_need_nothing(source: Source) -> None:
    data = InpaintingData(source, SIZE)
    for split in SPLITS:
        dataset, pictures = data.dataset(split), source.pictures(split, SIZE)
        assert (data.name(split, 1), dataset.file(1)) == (pictures.name(1), pictures.file(1))
        for item in (dataset[0], dataset[len(dataset) - 1], dataset[Draw(0, 5)]):
            assert isinstance(item, InpaintingBatch)
            check_image(item)
            assert (item.mask.shape, item.mask.dtype) == ((1, SIZE, SIZE), torch.float32)
            assert set(item.mask.unique().tolist()) == {0.0, 1.0}


def test_items_for_generation_need_classes(source: Source) -> None:
    if source.class_names is None:
        with pytest.raises(InputError, match=rf"^data: {type(source).__name__} has no classes, which ClassData needs"):
            ClassData(source, SIZE)
        return
    data = ClassData(source, SIZE)
    assert data.class_names == source.class_names
    for split in SPLITS:
        dataset, labels = data.dataset(split), source.pictures(split, SIZE).labels
        for index, item in ((0, dataset[0]), (1, dataset[1]), (1, dataset[Draw(1, 5)])):
            assert isinstance(item, ClassBatch)
            check_image(item)
            assert (item.label.shape, item.label.dtype) == ((), torch.int64)
            assert labels is not None
            assert item.label == labels[index]


def modules_of(source: Source) -> list[type[ImageData[Any]]]:
    return [InpaintingData] if source.class_names is None else [InpaintingData, ClassData]


def check_image(item: ClassBatch | InpaintingBatch) -> None:
    assert (item.image.shape, item.image.dtype) == ((3, SIZE, SIZE), torch.float32)
    assert -1.0 <= item.image.min() < item.image.max() <= 1.0
    assert item.regions is None or (item.regions.shape, item.regions.dtype) == ((SIZE, SIZE), torch.int64)


def test_batches_are_the_same_for_any_number_of_workers(source: Source) -> None:
    for kind in modules_of(source):
        alone, helped = (
            kind(source, SIZE, crop="random", num_workers=workers, batch_size=2, batches_per_iteration=2, seed=7)
            for workers in (0, 2)
        )
        for loader, number in (("train_dataloader", 4), ("val_dataloader", 1)):
            batches = [list(islice(getattr(data, loader)(), number)) for data in (alone, helped)]
            assert all(same(ours, theirs) for ours, theirs in zip(*batches, strict=True))
            assert len({batch.image.numpy().tobytes() for batch in batches[0]}) == number


def test_shards_hold_what_the_source_holds(source: Source, tmp_path: Path) -> None:
    """Pixel for pixel, regions and all, with the same names and labels."""
    outcome = prepare(plan_of(source, SIZE), tmp_path / "out", Recipe(SIZE, images_per_shard=9))
    assert outcome.manifest is not None, outcome.complaint
    shards = Prepared(tmp_path / "out")
    assert (shards.class_names, shards.has_test) == (source.class_names, source.has_test)
    assert set(outcome.manifest["splits"]) == set(SPLITS if source.has_test else SPLITS[:2])
    for (_, ours), (_, theirs) in zip(splits_of(source), splits_of(shards), strict=True):
        assert len(ours) == len(theirs)
        assert ours.labels is theirs.labels is None or np.array_equal(ours.labels, theirs.labels)
        for index in range(len(ours)):
            assert ours.name(index) == theirs.name(index)
            expected, found = (Cropping(SIZE).cut(*one.picture(index), None) for one in (ours, theirs))
            assert same(expected, found)
    for kind in modules_of(source):
        both = [kind(one, SIZE, crop="center", batch_size=5, seed=3).train_dataloader() for one in (source, shards)]
        assert all(same(ours, theirs) for ours, theirs in islice(zip(*both, strict=True), 4))


def test_a_config_names_a_source_and_its_module(
    name: str, source: Source, arguments: Callable[[str], dict[str, Any]]
) -> None:
    given = {key: str(value) if isinstance(value, Path) else value for key, value in arguments(name).items()}
    chosen = {"class_path": f"lit_an.data.sources.{type(source).__name__}", "init_args": given}
    for kind in modules_of(source):
        init = {"source": chosen, "image_size": SIZE, "batch_size": 3, "crop": "resize", "seed": 4}
        if kind is InpaintingData:
            init["mask"] = {"class_path": "lit_an.masks.Rectangle", "init_args": {"height": 0.25, "width": 0.25}}
        parser = ArgumentParser(exit_on_error=False)
        parser.add_subclass_arguments(ImageData, "data")
        config = {"class_path": f"lit_an.data.{kind.__name__}", "init_args": init}
        data = parser.instantiate(parser.parse_object({"data": config})).data
        assert (type(data), type(data.source)) == (kind, type(source))
        assert (data.batch_size, data.cropping.crop, data.seed) == (3, "resize", 4)
        assert listing(data.source, "val") == listing(source, "val")
        assert kind is ClassData or data.mask.height == data.val_mask.height == 0.25
