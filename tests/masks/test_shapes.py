"""What every hole shape keeps: values, sizes, seeds, workers, sentences."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

import lit_an.masks as masks
from lit_an.batch import InpaintingBatch, collate
from lit_an.errors import InputError
from lit_an.masks import Border, Center, FreeForm, Half, HoleShape, MaskFiles, Mixture, Rectangle, Strokes
from lit_an.masks.strokes import PUBLISHED

SIZES = [(256, 256), (64, 64), (37, 53), (53, 37), (8, 8), (16, 300)]

# Every shape with a random one's arguments at their ends, by name; those of files and mixtures need what a test makes.
VARIANTS: dict[str, Callable[[], HoleShape]] = {
    "Rectangle": Rectangle,
    "Rectangle full width": lambda: Rectangle(height=0.9, width=1.0, max_shrink=0.0),
    "Rectangle tiny": lambda: Rectangle(height=0.001, width=0.001, max_shrink=0.001, margin=0.4),
    "Center": Center,
    "Center large": lambda: Center(height=0.99, width=1.0),
    "FreeForm": FreeForm,
    "FreeForm one part": lambda: FreeForm(parts=1, max_vertices=1),
    **{f"Strokes {kind}": lambda kind=kind: Strokes(kind) for kind in PUBLISHED},
    **{f"Strokes {kind} any share": lambda kind=kind: Strokes(kind, max_share=1.0) for kind in PUBLISHED},
    "Border": Border,
    "Border some sides": lambda: Border(min_width=0.0, max_width=0.49, side_probability=0.5),
    "Half": Half,
    "Half left": lambda: Half(side="left"),
    "Mixture": lambda: Mixture([Rectangle(), Mixture([Half(), FreeForm()], weights=[1, 2])]),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Five mask files."""
    root = tmp_path_factory.mktemp("masks")
    for number in range(5):
        pixels = FreeForm(parts=3).draw(60, 70, seed=number)[0].numpy() * 255
        Image.fromarray(pixels.astype(np.uint8)).save(root / f"{number}.png")
    return str(root)


@pytest.fixture(params=[*VARIANTS, "MaskFiles", "MaskFiles changed"])
def shape(request: pytest.FixtureRequest, folder: str) -> HoleShape:
    if request.param == "MaskFiles":
        return MaskFiles(folder)
    if request.param == "MaskFiles changed":
        return MaskFiles(folder, flip=True, max_rotation=180, max_dilation=5)
    return VARIANTS[request.param]()


def test_every_exported_shape_is_tried(folder: str) -> None:
    tried = {type(make()).__name__ for make in VARIANTS.values()} | {"MaskFiles"}
    assert tried == {*masks.__all__} - {"HoleShape"}


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_a_mask_has_holes_and_known_pixels_and_nothing_else(shape: HoleShape, height: int, width: int) -> None:
    for seed in (0, 1, 2, 2**62, -5):
        mask = shape.draw(height, width, seed)
        assert mask.shape == (1, height, width)
        assert mask.dtype == torch.float32
        assert mask.unique().tolist() == [0.0, 1.0]


def test_a_mask_is_a_function_of_the_seed_alone(shape: HoleShape) -> None:
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1]
    first = [shape.draw(32, 40, seed) for seed in range(6)]
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert (np.random.get_state()[1] == numpy_state).all()  # type: ignore[index]
    torch.manual_seed(99)
    np.random.seed(99)
    again = [shape.draw(32, 40, seed) for seed in reversed(range(6))]
    assert all(torch.equal(one, other) for one, other in zip(first, reversed(again), strict=True))


def test_only_files_care_for_an_index(shape: HoleShape) -> None:
    same = all(torch.equal(shape.draw(20, 20, 1, index), shape.draw(20, 20, 1)) for index in range(5))
    assert same != isinstance(shape, MaskFiles)


def test_a_mixture_hands_the_index_on(folder: str) -> None:
    files = MaskFiles(folder)
    mixture = Mixture([files, Mixture([files])])
    for index in range(7):
        assert torch.equal(mixture.draw(20, 20, seed=index, index=index), files.draw(20, 20, seed=9, index=index))


def test_other_seeds_give_other_masks(shape: HoleShape) -> None:
    if isinstance(shape, Center) or (isinstance(shape, Half) and shape.side != "random"):
        pytest.skip("always the same")
    assert len({shape.draw(64, 64, seed).numpy().tobytes() for seed in range(20)}) > 2


def test_the_result_is_its_own(shape: HoleShape) -> None:
    """Whoever changes a mask in place changes no other."""
    first = shape.draw(16, 16, 3)
    kept = first.clone()
    first.fill_(7.0)
    assert torch.equal(shape.draw(16, 16, 3), kept)


def test_the_description_says_what_it_was_made_of(shape: HoleShape) -> None:
    described = json.loads(json.dumps(shape.description()))
    assert described.pop("class") == f"{type(shape).__module__}.{type(shape).__name__}"
    assert described
    assert type(shape).__name__ in repr(shape)
    if not isinstance(shape, Mixture):
        same = type(shape)(**described)
        assert torch.equal(same.draw(20, 20, 4), shape.draw(20, 20, 4))


class Masked(Dataset[InpaintingBatch]):
    """Images with a mask each."""

    def __init__(self, shape: HoleShape) -> None:
        self.shape = shape

    def __len__(self) -> int:
        return 12

    def __getitem__(self, index: int) -> InpaintingBatch:
        return InpaintingBatch(torch.zeros(3, 24, 24), self.shape.draw(24, 24, seed=100 + index))


def test_workers_draw_what_one_process_draws(folder: str) -> None:
    shape = Mixture([FreeForm(), Strokes("thick"), Rectangle(), MaskFiles(folder, flip=True, max_rotation=30)])
    one, two = (
        torch.cat([batch.mask for batch in DataLoader(Masked(shape), 4, num_workers=workers, collate_fn=collate)])
        for workers in (0, 2)
    )
    assert torch.equal(one, two)
    assert len(one.flatten(1).unique(dim=0)) > 8


class Fickle(HoleShape):
    """Empty or full but for one seed in eight."""

    def paint(self, height: int, width: int, seed: int, index: int | None) -> np.ndarray:
        hole = np.full((height, width), seed % 2 == 0)
        hole[0, 0] ^= seed % 8 == 0  # seeds that draw hands out are mixed: any remainder is as likely
        return hole


class Empty(HoleShape):
    """Never a hole."""

    def paint(self, height: int, width: int, seed: int, index: int | None) -> np.ndarray:
        return np.zeros((height, width), dtype=bool)


def test_empty_and_full_masks_are_drawn_again() -> None:
    drawn_again = [Fickle().draw(4, 4, seed) for seed in range(1, 30)]
    assert all(mask.sum() == 15 for mask in drawn_again)
    with pytest.raises(InputError, match=r"Empty\(\) gave a hole of nothing, of everything 100 times at 4×5 px"):
        Empty().draw(4, 5, 0)
    with pytest.raises(InputError, match=r"nothing, of everything or of more than 50% 100 times at 1×1 px"):
        Strokes("thin").draw(1, 1, 0)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Rectangle(height=0.0), "Rectangle: height must be above 0 and at most 1, got 0.0"),
        (lambda: Rectangle(width=128), "Rectangle: width must be above 0 and at most 1, got 128"),
        (lambda: Rectangle(height=1, width=1), "height and width are both 1, so that nothing would be known"),
        (lambda: Rectangle(max_shrink=0.6), "Rectangle: max_shrink must be from 0 to 0.5, got 0.6"),
        (lambda: Rectangle(margin=0.3), "Rectangle: margin must be from 0 to 0.25, got 0.3"),
        (lambda: Center(height=float("nan")), "Center: height must be above 0 and at most 1, got nan"),
        (lambda: FreeForm(parts=0), "FreeForm: parts must be at least 1, got 0"),
        (lambda: FreeForm(min_width=30), "FreeForm: min_width must be at most max_width, got 30 and 20.0"),
        (lambda: FreeForm(max_length=-1), "FreeForm: max_length must be at least 0, got -1"),
        (lambda: Strokes("fat"), "Strokes: thickness must be thin, medium, thick, got 'fat'"),
        (lambda: Strokes(max_share=0.0), "Strokes: max_share must be above 0, got 0.0"),
        (lambda: Strokes(max_share=1.5), "Strokes: max_share must be from 0 to 1, got 1.5"),
        (lambda: Strokes("thick", box_probability=1.2), "Strokes: box_probability must be from 0 to 1, got 1.2"),
        (lambda: Strokes("thin", box_probability=0.5), "Strokes: box_probability must be from 0 to 0, got 0.5"),
        (lambda: Border(max_width=0.5), "Border: max_width must be above 0 and below 0.5, got 0.5"),
        (lambda: Border(min_width=0.3), "Border: min_width must be at most max_width, got 0.3 and 0.25"),
        (lambda: Border(side_probability=2), "Border: side_probability must be from 0 to 1, got 2"),
        (lambda: Half("up"), "Half: side must be left, right, top, bottom or random, got 'up'"),
    ],
)
def test_what_cannot_be_is_said(make: Callable[[], Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        make()
