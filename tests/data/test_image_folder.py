"""Folders of images as users have them: layouts, hold-out, odd files, and every error sentence."""

from functools import partial
from pathlib import Path
from unicodedata import normalize

import pytest

from lit_an.data.sources.image_folder import ImageFolder, list_images
from lit_an.data.sources.listing import ImageFile, hold_out, spell
from lit_an.images.files import ENDINGS
from tests.data.small_sources import names_of, refusal
from tests.photo_folders import make_classes, write

sentence_of = partial(refusal, ImageFolder)


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    """Two classes of 30 images each."""
    return make_classes(tmp_path, ("cat", "dog"), 30)


@pytest.fixture
def splits(tmp_path: Path) -> Path:
    """A root with train and val folders, of 3 and 1 images a class."""
    for split, number in (("train", 3), ("val", 1)):
        make_classes(tmp_path / split, ("cat", "dog"), number)
    return tmp_path


def test_classes_are_the_sorted_folders(classes: Path) -> None:
    write(classes / "Ant" / "a.png")
    source = ImageFolder(str(classes))
    assert source.class_names == ["Ant", "cat", "dog"]
    files, _ = list_images(classes, source.class_names)
    assert {(file.path.split("/")[0], file.label) for file in files} == {("Ant", 0), ("cat", 1), ("dog", 2)}


def test_the_hold_out_parts_the_images_and_is_the_same_each_time(classes: Path) -> None:
    source = ImageFolder(classes, val_fraction=0.3)
    train, val = names_of(source, "train"), names_of(source, "val")
    assert sorted(train + val) == sorted(f"{name}/{i:02d}.png" for name in ("cat", "dog") for i in range(30))
    assert 8 <= len(val) <= 28
    assert names_of(source, "test") == val
    assert names_of(ImageFolder(classes, val_fraction=0.3), "val") == val


def test_an_added_image_moves_no_other(classes: Path) -> None:
    before = names_of(ImageFolder(classes), "val")
    for i in range(100, 120):
        write(classes / "cat" / f"{i}.png")
    after = names_of(ImageFolder(classes), "val")
    assert [path for path in after if int(Path(path).stem) < 100] == before


def test_a_known_hold_out() -> None:
    """Fixed for good: a change would mix the training and held-out images of a run that is resumed."""
    files = [ImageFile(f"cat/{i}.png", 0) for i in range(40)]
    _, held_out = hold_out(files, 0.1)
    assert [file.path for file in held_out] == [f"cat/{i}.png" for i in (0, 15, 31, 32, 37)]


def test_a_class_keeps_its_last_image() -> None:
    files = [ImageFile(f"{label}/{i}.png", label) for label in range(20) for i in range(2)]
    train, held_out = hold_out(files, 0.9)
    assert {file.label for file in train} == set(range(20))
    assert len(train) + len(held_out) == 40


def test_files_are_found_at_any_depth_by_their_ending(tmp_path: Path) -> None:
    wanted = {f"cat/{i}{ending}" for i, ending in enumerate(ENDINGS)}
    wanted |= {"cat/UPPER.JPG", "cat/deep/er/x.png", "cat/ü ñ.png", "dog/a.png"}
    for name in wanted:
        write(tmp_path / name)
    for name in ("cat/notes.txt", "cat/.hidden.png", "cat/.cache/x.png", ".git/x.png", "stray.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"no image")
    source = ImageFolder(tmp_path, val_fraction=1e-12)
    assert source.class_names == ["cat", "dog"]
    pictures = source.open("train", 8)
    assert set(pictures.paths) == wanted
    assert {pictures.picture(i).image.size for i in range(len(wanted))} == {(48, 36)}  # type: ignore[union-attr]


def test_linked_folders_are_followed(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere" / "inner" / "a.png")
    write(tmp_path / "root" / "dog" / "b.png")
    (tmp_path / "root" / "cat").symlink_to(tmp_path / "elsewhere")
    assert names_of(ImageFolder(tmp_path / "root"), "train") == ["cat/inner/a.png", "dog/b.png"]


def test_split_folders_are_the_splits(splits: Path) -> None:
    source = ImageFolder(splits)
    assert source.class_names == ["cat", "dog"]
    assert len(names_of(source, "train")) == 6
    assert names_of(source, "val") == names_of(source, "test") == ["cat/00.png", "dog/00.png"]
    for name in ("cat", "dog"):
        write(splits / "test" / name / "t.png")
    assert names_of(ImageFolder(splits), "test") == ["cat/t.png", "dog/t.png"]


def test_classes_may_be_called_train(tmp_path: Path) -> None:
    for name in ("train", "bus", "tram"):
        write(tmp_path / name / "a.png")
    assert ImageFolder(tmp_path).class_names == ["bus", "train", "tram"]


def test_root_must_exist_and_be_a_folder(tmp_path: Path) -> None:
    assert sentence_of(tmp_path / "nowhere") == (
        f"data: the folder root={str(tmp_path / 'nowhere')!r} does not exist; give one with one sub-folder of images "
        f"per class"
    )
    file = write(tmp_path / "a.png")
    assert sentence_of(file) == (
        f"data: root={str(file)!r} is a file; give a folder with one sub-folder of images per class"
    )


def test_class_folders_are_needed(tmp_path: Path) -> None:
    where = f"data: the folder {str(tmp_path)!r}"
    assert sentence_of(tmp_path) == f"{where} has no class folders; it must hold one sub-folder of images per class"
    write(tmp_path / "a.png")
    assert sentence_of(tmp_path) == (
        f"{where} holds images but no class folders; it must hold one sub-folder of images per class"
    )
    write(tmp_path / "cat" / "a.png")
    assert sentence_of(tmp_path) == (
        f"{where} has only one class folder, 'cat', and images beside it; move them into it"
    )


def test_images_without_classes_are_one_class(tmp_path: Path) -> None:
    for number in range(20):
        write(tmp_path / "all" / f"{number}.png")
    source = ImageFolder(tmp_path)
    assert source.class_names == ["all"]
    assert len(source.pictures("train", 8)) + len(source.pictures("val", 8)) == 20


def test_the_folder_below_is_suggested(classes: Path, tmp_path: Path) -> None:
    root = classes.rename(tmp_path.parent / f"{tmp_path.name}-moved")
    (tmp_path / "above").mkdir(parents=True)
    root.rename(tmp_path / "above" / "Dataset")
    assert sentence_of(tmp_path / "above").endswith(
        f"has only one class folder, 'Dataset'; did you mean {str(tmp_path / 'above' / 'Dataset')!r}?"
    )


def test_an_empty_class_is_named(classes: Path) -> None:
    (classes / "emu").mkdir()
    (classes / "emu" / "notes.txt").write_text("none yet")
    assert sentence_of(classes) == (
        f"data: the class folder {str(classes / 'emu')!r} holds no images ({spell(ENDINGS)}); "
        f"add some or remove it; 1 file is no image by its ending (1 .txt)"
    )


def test_val_must_have_the_classes_of_train(splits: Path) -> None:
    (splits / "val" / "dog").rename(splits / "val" / "dgo")
    assert names_of(ImageFolder(splits), "train")
    assert sentence_of(splits, "val") == (
        f"data: the class folders of {str(splits / 'val')!r} must be those of {str(splits / 'train')!r}; "
        f"only one of the two has dgo, dog"
    )


def test_train_without_val_is_no_class(splits: Path) -> None:
    (splits / "val").rename(splits / "test")
    sentence = sentence_of(splits)
    assert sentence.startswith(f"data: root={str(splits)!r} is split into ")
    assert "must be called train, val and, if you like, test" in sentence


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.5])
def test_val_fraction_is_a_fraction(classes: Path, fraction: float) -> None:
    assert sentence_of(classes, val_fraction=fraction) == (
        f"data: val_fraction must be between 0 and 1, both excluded, got {fraction}"
    )


def test_an_empty_hold_out_is_refused(classes: Path) -> None:
    assert sentence_of(classes, "val", val_fraction=1e-9) == (
        f"data: val_fraction=1e-09 of the images in {str(classes)!r} leaves none for validation; raise it or add images"
    )


def test_where_no_share_helps_none_is_advised(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path / name / "0.png")
    assert sentence_of(tmp_path, "val", val_fraction=0.5).endswith(
        "leaves none for validation; add images: at least one class needs two"
    )


def test_many_different_classes_are_not_all_listed(splits: Path) -> None:
    for i in range(30):
        write(splits / "val" / f"extra{i:02d}" / "a.png")
    assert sentence_of(splits, "val").endswith("extra07 and 22 more")


def test_composed_and_decomposed_names_are_held_out_alike(tmp_path: Path) -> None:
    """As one system writes them, and another."""
    for form in ("NFC", "NFD"):
        for name in ("z\u00e9bu", "zoo", "\u00e9cole"):
            for i in range(12):
                touched = tmp_path / form / normalize(form, name) / normalize(form, f"{i}\u00e8\u00e9{i % 3}.png")
                touched.parent.mkdir(parents=True, exist_ok=True)
                touched.touch()
    composed, decomposed = (ImageFolder(tmp_path / form, val_fraction=0.4) for form in ("NFC", "NFD"))
    assert composed.class_names == [normalize("NFC", name) for name in decomposed.class_names]
    for split in ("train", "val"):
        names = names_of(composed, split)
        assert names == [normalize("NFC", name) for name in names_of(decomposed, split)]
        assert len(names) > 8
