"""One list of image files for all readers: links, hidden files, what is left out."""

import os
from pathlib import Path

import pytest
from PIL import Image

from lit_an.data.sources.listing import ENDINGS as OF_TRAINING
from lit_an.errors import InputError
from lit_an.images.files import ENDINGS, find_images, is_image, is_same_file
from lit_an.masks.from_files import ENDINGS as OF_MASKS


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    return path


def names(root: Path, *without: Path) -> list[str]:
    return [path.as_posix() for path in find_images(root, without).images]


def test_training_masks_and_predictions_know_the_same_endings() -> None:
    assert OF_TRAINING == OF_MASKS == ENDINGS
    assert {".gif", ".jfif", ".pgm", ".png", ".jpeg", ".webp"} <= set(ENDINGS)
    assert set(ENDINGS) <= set(Image.registered_extensions()), "what Pillow does not read is no image"


def test_what_is_no_image_is_counted_by_its_ending(tmp_path: Path) -> None:
    for name in ("b.JPG", "sub/a.jfif", "c.HEIC", "sub/d.heic", "notes.txt", "README", ".hidden.png", ".git/e.png"):
        touch(tmp_path / name)
    found = find_images(tmp_path)
    assert [path.as_posix() for path in found.images] == ["b.JPG", "sub/a.jfif"]
    assert found.left_out == {"": 1, ".heic": 2, ".txt": 1}
    assert is_image("a.Tif")
    assert not is_image(".a.tif")


def test_what_is_said_to_be_outside_is_passed_over(tmp_path: Path) -> None:
    for name in ("a.png", "out/b.png", "mask.png"):
        touch(tmp_path / name)
    assert names(tmp_path, tmp_path / "out", tmp_path / "mask.png") == ["a.png"]


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    touch(tmp_path / "other" / "b.png")
    touch(tmp_path / "images" / "a.png")
    (tmp_path / "images" / "linked").symlink_to(tmp_path / "other")
    (tmp_path / "images" / "again").symlink_to(tmp_path / "other")
    (tmp_path / "other" / "back").symlink_to(tmp_path / "images")
    assert names(tmp_path / "images") == ["a.png", "again/b.png", "linked/b.png"]


def test_a_link_to_nothing_is_listed_and_a_pipe_is_not(tmp_path: Path) -> None:
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere.png")
    os.mkfifo(tmp_path / "pipe.png")
    assert names(tmp_path) == ["gone.png"]


def test_a_folder_that_cannot_be_read_gets_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.scandir", refuse)
    with pytest.raises(
        InputError, match=r"the folder '.*' cannot be read \(Permission denied\); make it readable, or remove it"
    ):
        find_images(tmp_path)


def test_one_file_by_any_path(tmp_path: Path) -> None:
    path = touch(tmp_path / "a.png")
    (tmp_path / "soft.png").symlink_to(path)
    os.link(path, tmp_path / "hard.png")
    assert is_same_file(path, tmp_path / "soft.png")
    assert is_same_file(path, tmp_path / "hard.png")
    assert not is_same_file(path, touch(tmp_path / "b.png"))
    assert not is_same_file(path, tmp_path / "nowhere.png")


def test_a_link_that_leads_to_itself_ends(tmp_path: Path) -> None:
    touch(tmp_path / "a.png")
    for name in ("loop", "loop.png", "sub/deep"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).symlink_to((tmp_path / name).name)
    assert names(tmp_path) == names(tmp_path, tmp_path / "loop") == ["a.png", "loop.png"]


def test_accents_have_one_place_however_they_are_written(tmp_path: Path) -> None:
    for name in ("e\u0301.png", "f.png", "\u00e8.png"):
        touch(tmp_path / name)
    assert names(tmp_path) == ["f.png", "\u00e8.png", "e\u0301.png"]
