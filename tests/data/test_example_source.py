"""The example of a data set in CONTRIBUTING works as it is written there."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from lit_an.data import ClassData, InpaintingData
from lit_an.errors import InputError
from tests.photo_folders import write

CONTRIBUTING = Path(__file__).parents[2] / "CONTRIBUTING.md"


@pytest.fixture(scope="module")
def birds() -> Any:
    """The class that the example defines."""
    (code,) = re.findall(r"^```python\n(.*?)^```", CONTRIBUTING.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert len(code.splitlines()) < 60
    space: dict[str, Any] = {}
    exec(compile(code, CONTRIBUTING.name, "exec"), space)
    return space["Birds"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    names = [f"{label:03d}.Bird/{number}.jpg" for label in (1, 2) for number in range(4)]
    for name in names:
        write(tmp_path / "images" / name)
    lists = {
        "classes.txt": ["1 001.Bird", "2 002.Bird"],
        "images.txt": [f"{n} {name}" for n, name in enumerate(names, 1)],
        "image_class_labels.txt": [f"{n} {1 + (n > 4)}" for n in range(1, 9)],
        "train_test_split.txt": [f"{n} {n % 2}" for n in range(1, 9)],
    }
    for file, lines in lists.items():
        (tmp_path / file).write_text("\n".join(lines) + "\n")
    return tmp_path


def test_it_serves_both_tasks(birds: Any, root: Path) -> None:
    train, val = (ClassData(birds(root), 8).dataset(split) for split in ("train", "val"))
    assert [train.pictures.name(index) for index in range(len(train))] == [
        "001.Bird/0.jpg", "001.Bird/2.jpg", "002.Bird/0.jpg", "002.Bird/2.jpg",
    ]  # fmt: skip
    assert torch.stack([val[index].label for index in range(4)]).tolist() == [0, 0, 1, 1]
    assert InpaintingData(birds(root), 8).dataset("test")[3].mask.shape == (1, 8, 8)


def test_a_list_that_is_missing_is_named(birds: Any, root: Path) -> None:
    (root / "images.txt").unlink()
    with pytest.raises(InputError, match=r"has no images\.txt; give the folder CUB_200_2011"):
        birds(root).open("train", 8)
