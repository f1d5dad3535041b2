"""ImageNet's layouts: classes by WordNet id, subsets, every way a flat validation folder gets its labels."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lit_an.data.sources.base import Split
from lit_an.data.sources.imagenet import ImageNet, choose_classes, is_imagenet
from lit_an.data.sources.imagenet_labels import GROUND_TRUTH, devkit_synsets
from lit_an.errors import InputError
from tests.data.small_sources import refusal
from tests.photo_folders import WNIDS

COLORS = [(250, 0, 0), (0, 250, 0), (0, 0, 250)]
# What the flat validation images show, in the order of their names.
SHOWN = [2, 0, 1, 0]


sentence_of = partial(refusal, ImageNet, split="val")


def write(path: Path, label: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (12, 10), COLORS[label]).save(path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two training images a class; a flat validation folder without labels."""
    for label, wnid in enumerate(WNIDS):
        for number in range(2):
            write(tmp_path / "train" / wnid / f"{wnid}_{number}.JPEG", label)
    for number, label in enumerate(SHOWN, start=1):
        write(tmp_path / "val" / f"ILSVRC2012_val_{number:08d}.JPEG", label)
    return tmp_path


def names(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "val").glob("*.JPEG"))


def labels_are_those_of_the_colors(source: ImageNet, number: int, split: Split = "val") -> None:
    pictures = source.pictures(split, 8)
    assert pictures.labels is not None
    shown = [np.asarray(pictures.picture(index).image)[4, 4].argmax() for index in range(len(pictures))]
    assert (pictures.labels.tolist(), len(shown)) == (shown, number)


def test_the_label_is_the_place_among_the_sorted_wordnet_ids(root: Path) -> None:
    source = ImageNet(root)
    assert source.class_names == list(WNIDS)
    labels_are_those_of_the_colors(source, 6, "train")


def test_val_in_class_folders(root: Path) -> None:
    for name, label in zip(names(root), SHOWN, strict=True):
        (root / "val" / WNIDS[label]).mkdir(exist_ok=True)
        (root / "val" / name).rename(root / "val" / WNIDS[label] / name)
    labels_are_those_of_the_colors(ImageNet(root), 4)
    labels_are_those_of_the_colors(ImageNet(root), 4, "test")


def kaggle(root: Path) -> None:
    lines = [f"{Path(name).stem},{WNIDS[label]} 1 2 3 4" for name, label in zip(names(root), SHOWN, strict=True)]
    (root / "LOC_val_solution.csv").write_text("\n".join(["ImageId,PredictionString", *reversed(lines)]))


def plain(root: Path) -> None:
    lines = [f"{name} {WNIDS[label]}" for name, label in zip(names(root), SHOWN, strict=True)]
    (root / "val" / "val_labels.txt").write_text("\n".join(lines))


def devkit(root: Path) -> Path:
    """The kit's numbers are not in the order of the WordNet ids: 1 is the last, 2 the first, 3 the second."""
    folder = root / "ILSVRC2012_devkit_t12" / "data"
    folder.mkdir(parents=True)
    (folder / GROUND_TRUTH).write_text("".join(f"{[2, 3, 1][label]}\n" for label in SHOWN))
    return folder


def devkit_with_text(root: Path) -> None:
    (devkit(root) / "meta.txt").write_text(f"1 {WNIDS[2]}\n2 {WNIDS[0]}\n3 {WNIDS[1]}\n")


@pytest.mark.parametrize("labels", [kaggle, plain, devkit_with_text])
@pytest.mark.parametrize("classes", [None, 2, ["n01443537", "n01440764"]])
def test_flat_val(root: Path, labels: object, classes: object) -> None:
    labels(root)  # type: ignore[operator]
    source = ImageNet(root, classes)  # type: ignore[arg-type]
    assert source.class_names == list(WNIDS if classes is None else WNIDS[:2])
    labels_are_those_of_the_colors(source, 4 if classes is None else 3)


def test_the_kits_own_synset_list(root: Path) -> None:
    io = pytest.importorskip("scipy.io")
    folder = devkit(root)
    synsets = np.array([(1, WNIDS[2]), (2, WNIDS[0]), (3, WNIDS[1])], [("ILSVRC2012_ID", "i4"), ("WNID", "O")])
    io.savemat(folder / "meta.mat", {"synsets": synsets})
    labels_are_those_of_the_colors(ImageNet(root), 4)


def test_the_kits_numbers_alone_are_refused(root: Path) -> None:
    devkit(root)
    assert "they are not in the order of the WordNet ids" in sentence_of(root)


def test_the_kits_synset_list_without_scipy(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "meta.mat").write_bytes(b"")
    monkeypatch.setitem(__import__("sys").modules, "scipy.io", None)
    with pytest.raises(InputError, match=r"needs SciPy; pip install scipy, or write a meta.txt"):
        devkit_synsets(root)


def test_every_line_of_the_kit_stands_for_an_image(root: Path) -> None:
    devkit_with_text(root)
    (root / "val" / names(root)[1]).unlink()
    assert "has 4 lines, but there are 3 images" in sentence_of(root)


def test_a_label_file_elsewhere(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    plain(root)
    elsewhere = (root / "val" / "val_labels.txt").rename(tmp_path_factory.mktemp("labels") / "mine.txt")
    labels_are_those_of_the_colors(ImageNet(root, val_labels=str(elsewhere)), 4)
    assert "does not exist" in sentence_of(root, val_labels="nowhere.txt")


def test_names_are_ids_with_a_word(root: Path) -> None:
    (root / "LOC_synset_mapping.txt").write_text("n01440764 tench, Tinca tinca\nn01484850 great white/shark, jaws\n")
    assert ImageNet(root).class_names == ["n01440764_tench", "n01443537", "n01484850_great_white_shark"]


def test_what_can_be_wrong(root: Path) -> None:
    assert "nothing says which classes the images" in sentence_of(root)
    kaggle(root)
    write(root / "val" / "extra.JPEG", 0)
    assert sentence_of(root).endswith("has no line for the image 'extra.JPEG'; add it or remove the image")
    assert "classes names 'n09999999', which is no folder" in sentence_of(root, classes=["n01440764", "n09999999"])
    assert "classes must be between 2 and 3" in sentence_of(root, classes=1)
    (root / "train" / "cats").mkdir()
    assert "'cats' is none; for folders of other names take lit_an.data.sources.ImageFolder" in sentence_of(root)
    assert "there is no folder" in sentence_of(root / "nowhere")


def test_a_class_without_validation_images_is_named(root: Path) -> None:
    plain(root)
    for name, label in zip(names(root), SHOWN, strict=True):
        if label == 2:
            (root / "val" / name).unlink()
    assert sentence_of(root).endswith("is of the class n01484850")


def test_classes_are_sorted_and_different() -> None:
    assert choose_classes([*WNIDS], [*WNIDS[::-1]]) == [*WNIDS]
    with pytest.raises(InputError, match="two different"):
        choose_classes([*WNIDS], [WNIDS[0], WNIDS[0]])


@pytest.mark.parametrize("names", [("training", "validation"), ("Train", "Val")])
def test_the_folders_of_the_splits_may_be_called_otherwise(root: Path, names: tuple[str, str]) -> None:
    plain(root)
    for old, new in zip(("train", "val"), names, strict=True):
        (root / old).rename(root / new)
    assert is_imagenet(root)
    labels_are_those_of_the_colors(ImageNet(root), 6, "train")
    labels_are_those_of_the_colors(ImageNet(root), 4)
    (root / names[1] / "val_labels.txt").unlink()
    assert f"the images in {str(root / names[1])!r} have" in sentence_of(root)


def test_the_layout_is_recognized(root: Path, image_folder: Path) -> None:
    assert is_imagenet(root)
    assert not is_imagenet(image_folder)


def test_tiny_imagenet_has_its_validation_images_in_a_folder_of_their_own(root: Path) -> None:
    (root / "val" / "images").mkdir()
    lines = [f"{name}\t{WNIDS[label]}\t0\t0\t62\t62" for name, label in zip(names(root), SHOWN, strict=True)]
    (root / "val" / "val_annotations.txt").write_text("\n".join(lines))
    for name in names(root):
        (root / "val" / name).rename(root / "val" / "images" / name)
    labels_are_those_of_the_colors(ImageNet(root), 4)
    assert ImageNet(root).open("val", 8).name(0) == "images/ILSVRC2012_val_00000002.JPEG"


def test_labels_that_are_numbers_are_no_labels(root: Path) -> None:
    """Such as those of Caffe's val.txt."""
    (root / "val.txt").write_text("\n".join(f"{name} {label}" for name, label in zip(names(root), SHOWN, strict=True)))
    assert f"{str(root / 'val.txt')!r} has no line 'file wnid', such as 'ILSVRC2012_val_0" in sentence_of(root)


def test_a_validation_folder_that_is_not_whole_is_said(root: Path) -> None:
    for label, wnid in enumerate(WNIDS[:2]):
        write(root / "val" / wnid / "0.JPEG", label)
    assert sentence_of(root).endswith("val' has no folder of the class n01484850; unpack all of it")
    labels_are_those_of_the_colors(ImageNet(root, classes=[*WNIDS[:2]]), 2)
