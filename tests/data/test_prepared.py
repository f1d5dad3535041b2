"""Reading shards: in place of the folder, the same draws for any workers and after a resume, and what is refused."""

import json
from itertools import islice
from pathlib import Path

import pytest
import torch
from torch.utils.data import DataLoader

import lit_an.data.manifest as manifests
from lit_an.batch import Draw, collate
from lit_an.data import EarthTiles, ImageNet, Prepared
from lit_an.data.base import EndlessSampler
from lit_an.data.manifest import Recipe
from lit_an.data.preparation import prepare
from lit_an.data.sources import open_source
from lit_an.data.transforms import dequantize, flips
from lit_an.errors import InputError
from tests.photographs import make_imagenet

pytest.importorskip("streaming")


@pytest.fixture(scope="module")
def imagenet(few_tiles: EarthTiles, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_imagenet(tmp_path_factory.mktemp("made") / "imagenet", few_tiles)


@pytest.fixture
def shards(imagenet: Path, tmp_path: Path) -> Path:
    prepare(open_source(str(imagenet), 16), tmp_path / "shards", Recipe(16, "raw", 95, images_per_shard=5))
    return tmp_path / "shards"


def test_training_sees_what_it_sees_of_the_folder(imagenet: Path, shards: Path) -> None:
    """The same seed gives the same images in the same order, mirrored alike."""
    both = (ImageNet(imagenet, 16, batch_size=6, seed=3), Prepared(shards, 16, batch_size=6, seed=3))
    assert both[0].class_names == both[1].class_names
    for ours, theirs in islice(zip(*(data.train_dataloader() for data in both), strict=True), 12):
        assert torch.equal(ours.image, theirs.image)
        assert torch.equal(ours.label, theirs.label)


@pytest.mark.parametrize("num_workers", [1, 2])
def test_workers_change_nothing(shards: Path, num_workers: int) -> None:
    alone, helped = (Prepared(shards, 16, batch_size=8, num_workers=number) for number in (0, num_workers))
    batches = islice(zip(alone.train_dataloader(), helped.train_dataloader(), strict=True), 10)
    assert all(torch.equal(a.image, b.image) and torch.equal(a.label, b.label) for a, b in batches)


@pytest.mark.parametrize(("start", "world_size"), [(12, 1), (40, 1), (12, 2), (8, 4)])
def test_a_run_goes_on_exactly_where_it_stopped(shards: Path, start: int, world_size: int) -> None:
    """Across shards and epochs, and on another number of ranks."""
    dataset = Prepared(shards, 16).dataset("train")
    whole = [dataset[draw] for draw in islice(EndlessSampler(len(dataset)), start + 48)][start:]  # type: ignore[arg-type]
    parts = []
    for rank in range(world_size):
        sampler = EndlessSampler(len(dataset), 0, start, rank, world_size)  # type: ignore[arg-type]
        loader = DataLoader(dataset, 4, sampler=sampler, collate_fn=collate, num_workers=rank % 2)
        parts.append([image for batch in islice(loader, 12 // world_size) for image in batch.image])
    resumed = [image for images in zip(*parts, strict=True) for image in images]
    assert len(resumed) == len(whole) == 48
    assert all(torch.equal(image, item.image) for image, item in zip(resumed, whole, strict=True))


def test_half_of_all_draws_are_mirrored_in_training_only(shards: Path) -> None:
    dataset, still = (Prepared(shards, 16, flip=flip).dataset("train") for flip in (True, False))
    plain = dataset[7].image
    for seed in range(20):
        expected = plain.flip(-1) if flips(seed) else plain
        assert torch.equal(dataset[Draw(7, seed)].image, expected)
        assert torch.equal(still[Draw(7, seed)].image, plain)


def test_noise_is_added_in_training_only_and_as_to_the_folder(imagenet: Path, shards: Path) -> None:
    plain = Prepared(shards, 16, flip=False).dataset("train")[7].image
    for data in (ImageNet(imagenet, 16, dequantize=True), Prepared(shards, 16, dequantize=True)):
        dataset = data.dataset("train")
        assert torch.equal(dataset[7].image, plain)
        for seed in range(6):
            expected = dequantize(plain.flip(-1) if flips(seed) else plain, seed)
            assert torch.equal(dataset[Draw(7, seed)].image, expected)  # type: ignore[index]


def test_test_is_val_without_one_of_its_own(shards: Path) -> None:
    data = Prepared(shards, 16)
    assert len(data.dataset("test")) == len(data.dataset("val")) == 12  # type: ignore[arg-type]


@pytest.mark.parametrize("index", [-1, 36])
def test_there_is_nothing_before_the_first_or_after_the_last(shards: Path, index: int) -> None:
    with pytest.raises(IndexError):
        Prepared(shards, 16).dataset("train")[index]


def test_another_size_is_refused(shards: Path) -> None:
    with pytest.raises(InputError) as caught:
        Prepared(shards, 32)
    assert str(caught.value) == (
        f"data: the shards in {str(shards)!r} hold images of 16 px, but image_size is 32; "
        f"set it to 16, or prepare shards of 32 px"
    )


def test_shards_are_fetched_once_and_checked(shards: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    data = Prepared(shards, 16, cache_dir=str(cache))
    data.prepare_data()
    expected = Prepared(shards, 16).dataset("train")
    for path in shards.rglob("*.mds"):
        path.rename(path.with_suffix(".away"))
    again = Prepared(shards, 16, cache_dir=str(cache))
    dataset = again.dataset("train")
    assert again.folder.parent == cache
    assert len(dataset) == len(expected)  # type: ignore[arg-type]
    assert dataset[3].image.shape == (3, 16, 16)
    assert not [path for path in cache.rglob(".*") if path.is_file()]


def test_a_damaged_shard_does_not_arrive(shards: Path, tmp_path: Path) -> None:
    damaged = bytearray((shards / "val" / "shard.00001.mds").read_bytes())
    damaged[-1] ^= 1
    (shards / "val" / "shard.00001.mds").write_bytes(damaged)
    data = Prepared(shards, 16, cache_dir=str(tmp_path / "cache"))
    with pytest.raises(InputError, match=r"val/shard.00001.mds is not what its manifest says"):
        data.prepare_data()
    assert not (data.folder / "val" / "shard.00001.mds").exists()


def test_a_source_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no manifest.json; make it with 'python cli.py prepare'"):
        Prepared(tmp_path, 16)
    with pytest.raises(InputError, match=r"manifest.json cannot be fetched"):
        Prepared(tmp_path / "nowhere", 16, cache_dir=str(tmp_path / "cache"))


def test_missing_and_incomplete_shards_are_named(shards: Path) -> None:
    shard = shards / "train" / "shard.00002.mds"
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"shard.00002.mds' is incomplete"):
        Prepared(shards, 16).dataset("train")
    shard.unlink()
    with pytest.raises(InputError, match=r"shard.00002.mds' is missing"):
        Prepared(shards, 16).dataset("train")


def rewrite(shards: Path, **changes: object) -> None:
    manifest = json.loads((shards / "manifest.json").read_text())
    (shards / "manifest.json").write_text(json.dumps({**manifest, **changes}))


def test_a_manifest_changed_by_hand_is_refused(shards: Path) -> None:
    rewrite(shards, class_names=["a", "b", "c"])
    with pytest.raises(InputError, match="was changed after prepare wrote it"):
        Prepared(shards, 16)
    (shards / "manifest.json").write_text("{}")
    with pytest.raises(InputError, match="is not one that prepare wrote"):
        Prepared(shards, 16)


@pytest.mark.parametrize("attack", ["path", "pickle"])
def test_a_foreign_manifest_can_do_nothing(shards: Path, attack: str) -> None:
    """A path that leads out of the folder, or a column that would run code, with a hash that fits."""
    manifest = json.loads((shards / "manifest.json").read_text())
    shard = manifest["splits"]["train"]["shards"][0]
    if attack == "path":
        shard["raw_data"]["basename"] = "../../evil.mds"
    else:
        shard["column_encodings"] = ["pkl" if name == "bytes" else name for name in shard["column_encodings"]]
    manifests.write(shards, manifest)
    with pytest.raises(InputError, match=r"was changed after prepare wrote it|not as prepare writes them"):
        Prepared(shards, 16).dataset("train")


def test_without_the_engine_the_command_is_named(shards: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "streaming.base.format", None)
    with pytest.raises(InputError, match=r"need the package mosaicml-streaming \(.*\); pip install '.\[data\]'"):
        Prepared(shards, 16).dataset("train")
