"""Shards that were damaged after they were made: no wrong pixel is trained on without a word, and nothing crashes."""

import json
from pathlib import Path

import numpy as np
import pytest

from lit_an.data import ClassData
from lit_an.data.preparation import plan_of, prepare
from lit_an.data.shards.folder import ShardFolder
from lit_an.data.shards.format import BATCH, Sample, Shard, write_shard
from lit_an.data.shards.manifest import Recipe
from lit_an.data.sources import ImageFolder, Prepared
from lit_an.errors import InputError
from tests.photo_folders import make_classes

pytest.importorskip("pyarrow")
NUMBER = BATCH + 3


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    source = ImageFolder(make_classes(tmp_path / "root", ("cat", "dog"), 12))
    prepare(plan_of(source, 16), tmp_path / "out", Recipe(16))
    return tmp_path / "out"


@pytest.fixture(scope="module")
def written() -> list[Sample]:
    random = np.random.default_rng(0)
    return [Sample(random.bytes(48), f"cat/{i}.png", i % 3, random.bytes(20)) for i in range(NUMBER)]


def outcome(path: Path, written: list[Sample], chosen: range = range(NUMBER)) -> int:
    """How many samples are said to be damaged, in one line each; the others are what was written."""
    shard, said = Shard(path, NUMBER), {}
    for index in chosen:
        try:
            sample = shard[index]
        except InputError as error:
            said[index] = str(error)
        else:
            found = (bytes(sample.image), sample.label, bytes(sample.regions or b""))
            assert found == (written[index].image, written[index].label, written[index].regions)
    for index, sentence in said.items():
        assert sentence.startswith(f"data: sample {index} of the shard {str(path)!r} is damaged (")
        assert "; prepare again" in sentence
        assert "\n" not in sentence
    return len(said)


@pytest.mark.parametrize("flip", [0x01, 0x80, 0xFF])
def test_whatever_bit_is_flipped_no_sample_is_wrong(tmp_path: Path, written: list[Sample], flip: int) -> None:
    """Pixels, positions, names, labels, checksums, and all that says how the file is built."""
    path = tmp_path / "a.arrow"
    write_shard(path, written)
    whole, harmed = path.read_bytes(), []
    for position in range(flip % 17, len(whole), 17):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ flip]) + whole[position + 1 :])
        harmed.append(outcome(path, written))
    assert max(harmed) == NUMBER
    assert 0 < np.median(harmed) < 3, "most flips harm one sample"
    path.write_bytes(whole)
    assert outcome(path, written) == 0


@pytest.mark.parametrize("seed", range(3))
def test_whatever_is_written_over_the_structure_is_said(tmp_path: Path, written: list[Sample], seed: int) -> None:
    """Counts and positions in the file's own metadata: a library that trusts them would end the process."""
    path, random = tmp_path / "a.arrow", np.random.default_rng(seed)
    write_shard(path, written)
    whole = path.read_bytes()
    metadata = [*range(1500), *range(len(whole) - 1500, len(whole))]
    for _ in range(400):
        position, width = int(random.choice(metadata)), int(random.choice([1, 4, 8, 16]))
        content = [random.bytes(width), b"\xff" * width, bytes(width), b"\1" + bytes(width - 1)][random.integers(4)]
        path.write_bytes((whole[:position] + content + whole[position + width :])[: len(whole)])
        outcome(path, written, range(0, NUMBER, 9))


@pytest.mark.parametrize("content", [b"", b"ARROW1", b"no arrow"])
def test_a_shard_that_is_cut_is_said(tmp_path: Path, written: list[Sample], content: bytes) -> None:
    path = tmp_path / "a.arrow"
    write_shard(path, written)
    whole = path.read_bytes()
    for cut in (content, whole + content + b"x", *(whole[:length] for length in range(0, len(whole), 211))):
        path.write_bytes(cut)
        assert outcome(path, written, range(3)) == 3


def test_training_says_which_sample_of_which_shard(shards: Path) -> None:
    path = shards / "train" / "00000.arrow"
    pixels = np.asarray(Prepared(shards).open("train", 16).picture(4).image).tobytes()
    whole = path.read_bytes()
    position = whole.index(pixels) + 100
    path.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
    dataset = ClassData(Prepared(shards), 16).dataset("train")
    assert dataset[3].image.shape == (3, 16, 16)
    with pytest.raises(InputError) as caught:
        dataset[4]
    assert str(caught.value) == (
        f"data: sample 4 of the shard {str(path)!r} is damaged (wrong checksum); prepare again, which makes only "
        f"damaged shards, or remove the file if it was fetched"
    )


def test_all_shards_are_verified_when_asked(shards: Path) -> None:
    folder = ShardFolder(shards)
    assert folder.damaged() == []
    path = shards / "train" / "00000.arrow"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert folder.damaged() == [str(path)]
    path.unlink()
    assert folder.damaged() == [str(path)]


def test_missing_and_incomplete_shards_are_named(shards: Path) -> None:
    shard = shards / "train" / "00000.arrow"
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"00000.arrow' is incomplete; prepare again, which makes only such ones$"):
        Prepared(shards).open("train", 16)
    shard.unlink()
    with pytest.raises(InputError, match=r"00000.arrow' is missing; prepare again, which makes only what is missing$"):
        Prepared(shards).open("train", 16)


@pytest.mark.parametrize("content", ["", "[]", "{}", "\udcff", '{"version": 2}'])
def test_a_damaged_manifest_is_said(shards: Path, content: str) -> None:
    (shards / "manifest.json").write_text(content, errors="surrogateescape")
    with pytest.raises(InputError, match=r"manifest.json in '.*out' is not one that prepare wrote .*; prepare again$"):
        Prepared(shards)


def test_a_manifest_changed_by_hand_is_refused(shards: Path) -> None:
    manifest = json.loads((shards / "manifest.json").read_text())
    (shards / "manifest.json").write_text(json.dumps({**manifest, "class_names": ["a", "b"]}))
    with pytest.raises(InputError, match="was changed after prepare wrote it"):
        Prepared(shards)
