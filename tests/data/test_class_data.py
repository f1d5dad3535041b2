"""Labeled images: noise in training only, a split without labels; ``test_image_data.py`` asks the rest."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from lit_an.batch import Draw
from lit_an.data import ClassData
from lit_an.data.sources import Places365, Source
from lit_an.data.transforms import dequantize, flips
from lit_an.errors import InputError
from tests.data.small_sources import SIZE
from tests.photo_folders import make_places, write


@pytest.mark.parametrize("name", ["ImageFolder", "climates", "Prepared"])
def test_noise_is_added_in_training_only(made: Callable[[str], Source], name: str) -> None:
    dataset = ClassData(made(name), SIZE, dequantize=True).dataset("train")
    plain = ClassData(made(name), SIZE).dataset("train")[3].image
    assert torch.equal(dataset[3].image, plain)
    for seed in range(6):
        expected = dequantize(plain.flip(-1) if flips(seed) else plain, seed)
        assert torch.equal(dataset[Draw(3, seed)].image, expected)


def test_a_split_without_labels_is_named(tmp_path: Path) -> None:
    """As of Places365's test images, whose labels are not public."""
    write(make_places(tmp_path) / "test_256" / "Places365_test_00000001.jpg")
    data = ClassData(Places365(tmp_path), SIZE)
    assert len(data.dataset("val")) == 4
    with pytest.raises(InputError, match=r"^data: the images of the split 'test' of Places365 have no labels; add the"):
        data.dataset("test")
