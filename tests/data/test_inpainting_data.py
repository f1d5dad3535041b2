"""Images with holes: which hole an image has, that its crop says nothing about it, and what a source suggests."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from lit_an.batch import Draw
from lit_an.data import InpaintingData
from lit_an.data.sources import Photographs, Source
from lit_an.masks import Rectangle
from lit_an.masks.base import HoleShape
from tests.data.small_sources import SIZE, SOURCES
from tests.photo_folders import make_photographs


class Corner(HoleShape):
    """A hole whose height is the index of its image, at least 1; in training, 3."""

    def paint(self, height: int, width: int, seed: int, index: int | None) -> np.ndarray:
        hole = np.zeros((height, width), dtype=bool)
        hole[: 3 if index is None else max(1, index % height), :1] = True
        return hole


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Photographs:
    return Photographs(make_photographs(tmp_path_factory.mktemp("mixed"), 30), val_fraction=0.5)


def test_holes_are_those_of_the_split(photographs: Photographs) -> None:
    """Training draws without an index, validation and test with that of the image; ``val_mask`` is theirs alone."""
    data = InpaintingData(photographs, SIZE, mask=Corner())
    assert int(data.dataset("train")[Draw(1, 9)].mask.sum()) == 3
    assert [int(data.dataset("val")[index].mask.sum()) for index in range(5)] == [1, 1, 2, 3, 4]
    other = InpaintingData(photographs, SIZE, val_mask=Corner())
    assert isinstance(other.mask, Rectangle)
    assert int(other.dataset("val")[0].mask.sum()) == 1
    assert int(other.dataset("train")[0].mask.sum()) > 1
    plain = InpaintingData(photographs, SIZE)
    assert plain.val_mask is plain.mask
    assert not torch.equal(plain.dataset("val")[0].mask, plain.dataset("test")[0].mask)


def test_a_hole_is_chosen_by_the_seed_and_never_mirrored(photographs: Photographs) -> None:
    mirrored, still, other = (
        InpaintingData(photographs, SIZE, flip=flip, seed=seed) for flip, seed in ((True, 0), (False, 0), (True, 1))
    )
    draws = [Draw(1, seed) for seed in range(10)]
    holes = [[data.dataset("train")[draw].mask for draw in draws] for data in (mirrored, still)]
    assert all(torch.equal(a, b) for a, b in zip(*holes, strict=True))
    assert len({hole.numpy().tobytes() for hole in holes[0]}) > 5
    fixed, moved = ([data.dataset("val")[i].mask for i in range(10)] for data in (mirrored, other))
    assert len({hole.numpy().tobytes() for hole in fixed}) > 5
    assert not all(torch.equal(a, b) for a, b in zip(fixed, moved, strict=True))


def test_the_crop_says_nothing_about_the_hole(photographs: Photographs) -> None:
    """Where the crop is and where the hole is are uncorrelated over many draws."""
    dataset = InpaintingData(photographs, SIZE, crop="random", flip=False).dataset("train")
    items = [dataset[Draw(0, seed)] for seed in range(400)]
    crop = torch.stack([torch.stack([item.image[0].mean(), item.image[1].mean()]) for item in items])
    places = [item.mask[0].nonzero().float().mean(0) for item in items]
    both = torch.cat([crop, torch.stack(places)], dim=1)
    across = torch.corrcoef(both.T)[:2, 2:]
    assert both.std(0).min() > 0.05
    assert across.abs().max() < 0.15


@pytest.mark.parametrize("name", SOURCES)
def test_a_crop_is_what_suits_the_source_unless_one_says_otherwise(made: Callable[[str], Source], name: str) -> None:
    crop = "center" if name in ("CelebAHQ", "climates", "coasts", "Prepared") else "random"
    assert InpaintingData(made(name), SIZE).cropping == (SIZE, crop, 1.0 if name == "ParisStreetView" else 0.5)
    assert InpaintingData(made(name), SIZE, crop="resize", min_scale=0.25).cropping == (SIZE, "resize", 0.25)
