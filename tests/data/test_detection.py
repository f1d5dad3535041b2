"""Which source a folder is of: every layout is recognized, and nothing is taken for another."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lit_an.data.sources import Earth, ImageFolder, Photographs, Places365
from lit_an.data.sources.detection import source_at
from lit_an.errors import InputError
from tests.data.small_sources import SOURCES, names_of
from tests.photo_folders import make_classes, make_faces, make_photographs, make_places, write


@pytest.mark.parametrize("name", ["ImageFolder", "ImageFolder in splits", "ImageNet", "Places365", "ParisStreetView"])
def test_a_layout_is_found_out(arguments: Callable[[str], dict[str, Path]], name: str) -> None:
    root = arguments(name)["root"]
    found, expected = source_at(root), SOURCES[name].kind(root)
    assert type(found) is type(expected)
    assert found.class_names == expected.class_names
    assert names_of(found, "train") == names_of(expected, "train")
    assert type(source_at(str(root))) is type(expected)


@pytest.mark.parametrize(("train", "val"), [(".", "."), ("train", "val"), ("Training", "Validation")])
def test_photographs_lie_in_the_folder_itself_or_in_its_split_folders(tmp_path: Path, train: str, val: str) -> None:
    for split in {train, val}:
        make_faces(tmp_path / split, 3)
    assert isinstance(source_at(tmp_path), Photographs)


def test_everything_else_should_have_class_folders(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has only one class folder, 'deep'"):
        source_at(make_photographs(tmp_path / "mixed"))
    write(make_classes(tmp_path / "classes", ("cat", "dog"), 1) / "stray.png")
    assert isinstance(source_at(tmp_path / "classes"), ImageFolder)


def test_earth_is_a_word_unless_it_is_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert isinstance(source_at("earth"), Earth)
    make_faces(tmp_path / "earth", 3)
    assert not isinstance(source_at("earth"), Earth)


def test_large_places_go_before_small_ones(tmp_path: Path) -> None:
    root = make_places(tmp_path)
    for path in [*(root / "data_256").rglob("*.jpg"), *(root / "val_256").rglob("*.jpg")]:
        write(root / path.relative_to(root).as_posix().replace("_256", "_large"), 3, (60, 90))
    source = source_at(root)
    assert isinstance(source, Places365)
    assert source.open("train", 8).folder == root / "data_large"
    assert source.open("val", 8).folder == root / "val_large"


def test_a_folder_that_is_nowhere_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^data: the folder root='.*nowhere' does not exist; give one with one sub"):
        source_at(tmp_path / "nowhere")
