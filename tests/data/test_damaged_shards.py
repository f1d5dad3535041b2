"""Shards that were damaged after they were made: no wrong pixel is trained on without a word."""

from pathlib import Path

import numpy as np
import pytest

from lit_an.data import Prepared, PreparedPhotographs
from lit_an.data.manifest import Recipe
from lit_an.data.preparation import prepare
from lit_an.data.shards import CheckedShard, open_shards
from lit_an.data.sources import open_source
from lit_an.errors import InputError

pytest.importorskip("streaming")


@pytest.fixture
def shards(imagenet: Path, tmp_path: Path) -> Path:
    prepare(open_source(str(imagenet), 16), tmp_path / "out", Recipe(16, "raw", 95, images_per_shard=50))
    return tmp_path / "out"


def damage(shards: Path, position: int, content: bytes | None = None) -> Path:
    """Flips a bit, or writes other bytes, in the shard of the training images."""
    path = shards / "train" / "shard.00000.mds"
    whole = bytearray(path.read_bytes())
    whole[position : position + len(content or b"x")] = content or bytes([whole[position] ^ 1])
    path.write_bytes(whole)
    return path


def test_every_bit_of_the_samples_counts(shards: Path) -> None:
    """Pixels, labels and checksums: whichever is flipped, some image is said to be damaged, by shard and number."""
    path = shards / "train" / "shard.00000.mds"
    whole = path.read_bytes()
    positions = np.frombuffer(whole[4 : 4 + 4 * 37], np.uint32)
    for position in range(int(positions[0]), int(positions[1]), 31):
        damage(shards, position)
        with pytest.raises(InputError, match=rf"sample 0 of the shard {str(path)!r} is damaged \(.*\); prepare again"):
            Prepared(shards, 16).dataset("train")[0]
        path.write_bytes(whole)
    assert Prepared(shards, 16).dataset("train")[0].image.shape == (3, 16, 16)


@pytest.mark.parametrize("header", [b"\0" * 40, b"\xff" * 40, b"\x01\0\0\0" * 10])
@pytest.mark.parametrize("kind", [Prepared, PreparedPhotographs])
def test_a_damaged_header_is_said(shards: Path, header: bytes, kind: type[Prepared | PreparedPhotographs]) -> None:
    damage(shards, 4, header)
    dataset = kind(shards, 16).dataset("train")
    with pytest.raises(InputError, match=r"sample 3 of the shard '.*00000.mds' is damaged"):
        dataset[3]


def test_all_shards_are_verified_when_asked(shards: Path) -> None:
    data = Prepared(shards, 16)
    assert data.shards.damaged() == []
    path = damage(shards, -1)
    assert data.shards.damaged() == [str(path)]
    path.unlink()
    assert data.shards.damaged() == [str(path)]


def test_shards_without_checksums_are_read(shards: Path) -> None:
    """As they were made before there were any."""
    (reader,) = open_shards(shards / "train", Prepared(shards, 16).manifest["splits"]["train"]["shards"])
    sample = reader[0]
    assert sample.pop("crc32") > 0
    assert CheckedShard([sample], Path("old.mds"))[0] is sample


@pytest.mark.parametrize("content", ["", "[]", "{}", "\udcff"])
def test_a_damaged_manifest_is_said(shards: Path, content: str) -> None:
    (shards / "manifest.json").write_text(content, errors="surrogateescape")
    with pytest.raises(InputError, match=r"manifest.json in '.*out' is not one that prepare wrote .*; prepare again$"):
        Prepared(shards, 16)


def test_a_cache_that_cannot_be_written_is_said(shards: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for cache in ("file", "file/cache"):
        with pytest.raises(InputError, match=r"file.* cannot be written \(.*\); .*another folder"):
            Prepared(shards, 16, cache_dir=str(tmp_path / cache))
