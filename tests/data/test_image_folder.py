"""Folders of images as users have them: layouts, hold-out, odd files, and every error sentence."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from lit_an.batch import Draw, collate
from lit_an.data.image_folder import ImageFolder, list_images
from lit_an.data.listing import ImageFile, hold_out, spell
from lit_an.data.transforms import dequantize, flips
from lit_an.errors import InputError
from lit_an.image_files import ENDINGS


def write(path: Path, colour: tuple[int, int, int] = (255, 0, 0), size: tuple[int, int] = (12, 10)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)
    return path


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    """Two classes of 30 images each, cats red and dogs green."""
    for i in range(30):
        write(tmp_path / "cat" / f"{i}.png", (255, 0, i))
        write(tmp_path / "dog" / f"{i}.png", (0, 255, i))
    return tmp_path


@pytest.fixture
def splits(tmp_path: Path) -> Path:
    """A root with train and val folders, of 3 and 1 images a class."""
    for split, number in (("train", 3), ("val", 1)):
        for name in ("cat", "dog"):
            for i in range(number):
                write(tmp_path / split / name / f"{split}{i}.png")
    return tmp_path


def paths_of(data: ImageFolder, split: str) -> list[str]:
    return list(data.dataset(split).paths)  # type: ignore[arg-type, attr-defined]


def sentence_of(root: Path, split: str = "train", **arguments: float) -> str:
    with pytest.raises(InputError) as caught:
        ImageFolder(root, image_size=8, **arguments).dataset(split)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_classes_are_the_sorted_folders(classes: Path) -> None:
    write(classes / "Ant" / "a.png")
    data = ImageFolder(str(classes), image_size=8)
    assert data.class_names == ["Ant", "cat", "dog"]
    files, _ = list_images(classes, data.class_names)
    assert {(file.path.split("/")[0], file.label) for file in files} == {("Ant", 0), ("cat", 1), ("dog", 2)}


def test_items_are_floats_and_labels(classes: Path) -> None:
    dataset = ImageFolder(classes, image_size=8).dataset("train")
    first, last = dataset[0], dataset[len(dataset) - 1]  # type: ignore[arg-type]
    assert first.image.shape == (3, 8, 8)
    assert first.image.dtype == torch.float32
    assert first.image[:2, 0, 0].tolist() == [1.0, -1.0]
    assert last.image[:2, 0, 0].tolist() == [-1.0, 1.0]
    assert (int(first.label), int(last.label)) == (0, 1)
    assert first.label.dtype == torch.int64
    assert first.regions is None
    with pytest.raises(IndexError):
        dataset[len(dataset)]  # type: ignore[arg-type]


def test_the_hold_out_parts_the_images_and_is_the_same_each_time(classes: Path) -> None:
    data = ImageFolder(classes, image_size=8, val_fraction=0.3)
    train, val = paths_of(data, "train"), paths_of(data, "val")
    assert sorted(train + val) == sorted(f"{name}/{i}.png" for name in ("cat", "dog") for i in range(30))
    assert 8 <= len(val) <= 28
    assert paths_of(data, "test") == val
    assert paths_of(ImageFolder(classes, image_size=8, val_fraction=0.3, seed=9), "val") == val


def test_an_added_image_moves_no_other(classes: Path) -> None:
    before = paths_of(ImageFolder(classes, image_size=8), "val")
    for i in range(100, 120):
        write(classes / "cat" / f"{i}.png")
    after = paths_of(ImageFolder(classes, image_size=8), "val")
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
    data = ImageFolder(tmp_path, image_size=8, val_fraction=1e-12)
    assert data.class_names == ["cat", "dog"]
    dataset = data.dataset("train")
    assert set(dataset.paths) == wanted  # type: ignore[attr-defined]
    assert len([dataset[i] for i in range(len(wanted))]) == len(wanted)


def test_linked_folders_are_followed(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere" / "inner" / "a.png")
    write(tmp_path / "root" / "dog" / "b.png")
    (tmp_path / "root" / "cat").symlink_to(tmp_path / "elsewhere")
    assert paths_of(ImageFolder(tmp_path / "root", image_size=8), "train") == ["cat/inner/a.png", "dog/b.png"]


def test_split_folders_are_the_splits(splits: Path) -> None:
    data = ImageFolder(splits, image_size=8)
    assert data.class_names == ["cat", "dog"]
    assert len(paths_of(data, "train")) == 6
    assert paths_of(data, "val") == paths_of(data, "test") == ["cat/val0.png", "dog/val0.png"]
    for name in ("cat", "dog"):
        write(splits / "test" / name / "t.png")
    assert paths_of(ImageFolder(splits, image_size=8), "test") == ["cat/t.png", "dog/t.png"]


def test_classes_may_be_called_train(tmp_path: Path) -> None:
    for name in ("train", "bus", "tram"):
        write(tmp_path / name / "a.png")
    assert ImageFolder(tmp_path, image_size=8).class_names == ["bus", "train", "tram"]


def test_draws_are_mirrored_by_their_seed(tmp_path: Path) -> None:
    half = np.zeros((8, 8, 3), dtype=np.uint8)
    half[:, :4] = 255
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Image.fromarray(half).save(tmp_path / name / "x.png")
    dataset = ImageFolder(tmp_path, image_size=8).dataset("train")
    seeds = range(20)
    left_is_white = [bool(dataset[Draw(0, seed)].image[0, 0, 0] == 1) for seed in seeds]  # type: ignore[index]
    assert left_is_white == [not flips(seed) for seed in seeds]
    assert bool(dataset[0].image[0, 0, 0] == 1)
    still = ImageFolder(tmp_path, image_size=8, flip=False).dataset("train")
    assert all(bool(still[Draw(0, seed)].image[0, 0, 0] == 1) for seed in seeds)  # type: ignore[index]


def test_training_batches_are_the_same_for_any_number_of_workers(classes: Path) -> None:
    def batches(num_workers: int) -> list[torch.Tensor]:
        data = ImageFolder(classes, image_size=8, batch_size=16, num_workers=num_workers)
        return [torch.cat([batch.image.flatten(), batch.label]) for batch in islice(data.train_dataloader(), 5)]

    alone, shared = batches(0), batches(2)
    assert all(torch.equal(a, b) for a, b in zip(alone, shared, strict=True))


@pytest.mark.parametrize("start_method", ["fork", "spawn"])
def test_an_unreadable_image_is_named_across_the_worker_process(splits: Path, start_method: str) -> None:
    bad = splits / "val" / "dog" / "val0.png"
    bad.write_bytes(b"no image")
    dataset = ImageFolder(splits, image_size=8).dataset("val")
    loader = DataLoader(dataset, num_workers=1, collate_fn=collate, multiprocessing_context=start_method)
    batches = iter(loader)
    assert next(batches).image.shape == (1, 3, 8, 8)
    with pytest.raises(InputError) as caught:
        next(batches)
    assert next(batches, None) is None  # the workers end here, not whenever the exception's traceback is collected
    last_line = str(caught.value).strip().splitlines()[-1]
    assert last_line == (
        f"lit_an.errors.InputError: the image {str(bad)!r} cannot be read "
        f"(not an image, or of an unknown format); replace or remove it"
    )


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
    assert sentence_of(tmp_path) == f"{where} has only one class folder, 'cat'; at least two are needed"


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
    assert ImageFolder(splits, image_size=8).dataset("train")
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


def test_noise_is_added_in_training_only(classes: Path) -> None:
    dataset = ImageFolder(classes, image_size=8, flip=False, dequantize=True).dataset("train")
    plain = dataset[3].image
    assert torch.equal(dataset[Draw(3, 5)].image, dequantize(plain, 5))  # type: ignore[index]
    assert torch.equal(plain, ImageFolder(classes, image_size=8).dataset("train")[3].image)
