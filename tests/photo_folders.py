"""Small folders of pictures, laid out as people have them, for the tests of data."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

WNIDS = ("n01440764", "n01443537", "n01484850")
PLACES_CLASSES = ("a/airfield", "s/swimming_pool/indoor")


def gradient(width: int, height: int, blue: int = 0) -> Image.Image:
    """A picture that says where one is: red grows to the right, green downward; blue is the same everywhere."""
    across, down = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    pixels = np.stack([across, down, np.full_like(across, blue)], axis=-1)
    return Image.fromarray(np.rint(pixels).astype(np.uint8))


def write(path: Path, number: int = 0, size: tuple[int, int] = (48, 36)) -> Path:
    """A gradient whose blue is 10 times its number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    gradient(*size, blue=10 * number % 256).save(path)
    return path


def write_list(path: Path, *lines: str) -> Path:
    """A list of files, a line each."""
    path.write_text("\n".join(lines) + "\n")
    return path


def make_classes(root: Path, names: Sequence[str], number: int, ending: str = "png") -> Path:
    """Class folders of so many images each."""
    for label, name in enumerate(names):
        for i in range(number):
            write(root / name / f"{i:02d}.{ending}", number * label + i)
    return root


def make_uneven_classes(root: Path, counts: Sequence[int]) -> Path:
    """Class folders 0, 1, … of so many images."""
    for label, count in enumerate(counts):
        for i in range(count):
            write(root / str(label) / f"{i:02d}.png", sum(counts[:label]) + i)
    return root


def make_photographs(root: Path, number: int = 30) -> Path:
    """PNGs at different depths."""
    for i in range(number):
        write(root / ("", "deep", "deep/er")[i % 3] / f"{i:02d}.png", i)
    return root


def make_places(root: Path, train: str = "data_256", size: str = "256", lists: bool = True) -> Path:
    """Three images each of two classes to train on, four to validate with, in the published layout."""
    lines = [f"/{name}/{i:08d}.jpg {label}" for label, name in enumerate(PLACES_CLASSES) for i in (3, 1, 2)]
    for number, line in enumerate(lines):
        write(root / train / line.split()[0].lstrip("/"), number)
    names = [f"Places365_val_{i:08d}.jpg" for i in (2, 1, 4, 3)]
    for number, name in enumerate(names):
        write(root / f"val_{size}" / name, number)
    if lists:
        (root / "places365_train_standard.txt").write_text("\n".join(lines) + "\n")
        (root / "places365_val.txt").write_text("".join(f"{name} {i % 2}\n" for i, name in enumerate(names)))
    return root


def make_faces(root: Path, number: int = 30, name: str = "{}.jpg") -> Path:
    """Numbered square images."""
    for i in range(number):
        write(root / name.format(i), i, (40, 40))
    return root


def make_paris(root: Path, evaluation: str = "paris_eval_gt") -> Path:
    """Six wide views and three small squares."""
    for i in range(6):
        write(root / "paris_train_original" / f"48.84_2.34_{i}_-004.JPG", i, (94, 54))
    for i in range(3):
        write(root / evaluation / f"{i + 1:03d}_im.png", i, (23, 23))
    return root
