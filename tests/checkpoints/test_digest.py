"""The digest of a checkpoint file: whatever is changed in it is noticed, by every reader."""

import random
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch

from lit_an.checkpoints.digest import check_content, seal
from lit_an.checkpoints.files import load_checkpoint, write_file
from lit_an.checkpoints.format import write_entries
from lit_an.errors import InputError


def content(value: float = 1.0) -> dict[str, Any]:
    stored: dict[str, Any] = {"state_dict": {"a": torch.full((40,), value), "b": torch.arange(9)}, "lr": value}
    write_entries(stored, iteration=3)
    return stored


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_file(content(), tmp_path / "a.ckpt")
    return tmp_path / "a.ckpt"


def records(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_equal_content_has_an_equal_digest_and_other_content_another(tmp_path: Path) -> None:
    digests = []
    for number, value in enumerate((1.0, 1.0, 1.0000001)):
        path = tmp_path / f"{number}.ckpt"
        write_file(content(value), path)
        digests.append(check_content(path))
    assert digests[0] == digests[1] != digests[2]
    assert digests[0] is not None


def test_no_byte_of_a_record_can_change_unnoticed(path: Path) -> None:
    """Every byte of tensors, numbers and the digest, and every length of the file."""
    whole = path.read_bytes()
    stored = records(path)
    for name, data in stored.items():
        start = whole.index(data, whole.index(name.encode()))
        for place in range(start, start + len(data)):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 64]) + whole[place + 1 :])
            with pytest.raises(InputError, match="damaged"):
                check_content(path)
    for end in range(0, len(whole), 7):
        path.write_bytes(whole[:end])
        with pytest.raises(InputError, match=r"damaged|no digest|empty"):
            load_checkpoint(path)


@pytest.mark.parametrize("change", ["another tensor", "a record less", "a record more", "saved again"])
def test_a_valid_archive_of_other_content_is_noticed(change: str, path: Path, tmp_path: Path) -> None:
    stored = records(path)
    write_file(content(2.0), tmp_path / "other.ckpt")
    name = next(name for name in stored if name.endswith("data/0"))
    if change == "another tensor":
        stored[name] = next(data for key, data in records(tmp_path / "other.ckpt").items() if key.endswith("data/0"))
    elif change == "a record less":
        del stored[name.replace("data/0", ".data/serialization_id")]
    elif change == "a record more":
        stored[name.replace("data/0", "data/9")] = b"more"
    if change == "saved again":
        torch.save(torch.load(path, weights_only=True), path)
    else:
        with zipfile.ZipFile(path, "w") as archive:
            for key, data in stored.items():
                archive.writestr(key, data)
    with pytest.raises(InputError, match="it was changed after it was written"):
        load_checkpoint(path)


def test_what_is_changed_on_purpose_can_be_sealed_again(path: Path) -> None:
    stored = torch.load(path, weights_only=True)
    stored["state_dict"]["a"] *= 2
    torch.save(stored, path)
    assert seal(path) == check_content(path)
    assert float(load_checkpoint(path)["state_dict"]["a"][0]) == 2


def test_files_of_earlier_formats_have_none(tmp_path: Path) -> None:
    torch.save(content(), tmp_path / "a.ckpt")
    assert check_content(tmp_path / "a.ckpt") is None
    assert load_checkpoint(tmp_path / "a.ckpt")["lr"] == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "it is empty"),
        (b"\xff\xd8\xff\xe0", "it is a JPEG image, not a checkpoint"),
        (b"\x80\x02}q\x00.", "it is a pickle, which would have to be executed"),
        (b"a: b", "of another kind or damaged"),
        (b"PK\x03\x04", "cut short or damaged"),
    ],
)
def test_other_files_are_named(content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "a.ckpt").write_bytes(content)
    with pytest.raises(InputError, match=said):
        load_checkpoint(tmp_path / "a.ckpt")


def test_another_writer_needs_no_digest(tmp_path: Path) -> None:
    """As a ``ModelCheckpoint`` of Lightning, which saves the same entries."""
    torch.save(content(), tmp_path / "a.ckpt")
    assert load_checkpoint(tmp_path / "a.ckpt")["lit_an"] == {"format": 1, "iteration": 3}


@pytest.mark.parametrize("flips", [500, pytest.param(None, marks=pytest.mark.slow)])
def test_a_flipped_bit_is_noticed_or_changes_nothing(flips: int | None, path: Path) -> None:
    """Any bit: of tensors, numbers, names and the archive's own tables."""
    expected = load_checkpoint(path, mapped=False)
    whole, refused = path.read_bytes(), 0
    bits = range(8 * len(whole))
    for bit in bits if flips is None else random.Random(0).sample(bits, flips):
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        try:
            loaded = load_checkpoint(path, mapped=False)
        except InputError:
            refused += 1
            continue
        torch.testing.assert_close(loaded["state_dict"], expected["state_dict"], rtol=0, atol=0)
        assert (loaded["lr"], loaded["lit_an"]) == (expected["lr"], expected["lit_an"]), bit
    assert refused > 50


def test_the_mark_of_a_folder_is_refused(path: Path) -> None:
    """No checksum covers it, and PyTorch would leave the tensor as it finds the memory."""
    with zipfile.ZipFile(path, "a") as archive:
        next(each for each in archive.infolist() if each.filename.endswith("data/0")).external_attr |= 0x10
        archive._didModify = True  # type: ignore[attr-defined]
    with pytest.raises(InputError, match="it is a zip archive, but not a checkpoint"):
        load_checkpoint(path)
