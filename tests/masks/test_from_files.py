"""Masks from real files: polarity, grays, sizes, fixed order, changes in training."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter

from lit_an.errors import InputError
from lit_an.masks import FreeForm, MaskFiles
from lit_an.masks.from_files import dilated, read_mask, resized


def pixels(seed: int, height: int = 24, width: int = 24) -> np.ndarray:
    """(height, width), uint8 of 0 and 255; a fifth or so is hole."""
    return (FreeForm(parts=3).draw(height, width, seed)[0].numpy() * 255).astype(np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six PNGs in two sub-folders, a hidden one, one that is no image."""
    for number in range(6):
        path = tmp_path / f"bin{number % 2}" / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels(number)).save(path)
    (tmp_path / "manifest.json").write_text("{}")
    (tmp_path / "bin0" / ".0.png").write_bytes(b"")
    return tmp_path


def test_an_index_takes_a_file_in_sorted_order_as_it_is(folder: Path) -> None:
    shape = MaskFiles(str(folder), flip=True, max_rotation=90, max_dilation=20)
    assert shape.files == [f"bin{number % 2}/{number}.png" for number in (0, 2, 4, 1, 3, 5)]
    assert len(shape) == 6
    for index in range(14):
        number = (0, 2, 4, 1, 3, 5)[index % 6]
        expected = torch.from_numpy(pixels(number) / 255).float()[None]
        assert torch.equal(shape.draw(24, 24, seed=index * 7, index=index), expected)


def test_training_draws_every_file(folder: Path) -> None:
    shape = MaskFiles(str(folder))
    drawn = {shape.draw(24, 24, seed).numpy().astype(bool).tobytes() for seed in range(60)}
    assert drawn == {(pixels(number) > 0).tobytes() for number in range(6)}


def test_black_holes_are_read_when_said(tmp_path: Path) -> None:
    for number in range(4):
        Image.fromarray(255 - pixels(number)).save(tmp_path / f"{number}.png")
    with pytest.raises(
        InputError, match=r"look inverted: white, which means hole, is [78]\d\.\d% of 4 of them .*"
    ) as sentence:
        MaskFiles(str(tmp_path))
    assert str(sentence.value).endswith(
        "more than max_mean_share=0.6; set inverted=true, or raise max_mean_share if holes are that large"
    )
    assert "\n" not in str(sentence.value)
    mask = MaskFiles(str(tmp_path), inverted=True).draw(24, 24, 0, index=2)
    assert torch.equal(mask[0] > 0, torch.from_numpy(pixels(2) > 0))
    as_it_is = MaskFiles(str(tmp_path), max_mean_share=1.0).draw(24, 24, 0, index=2)
    assert torch.equal(as_it_is, 1 - mask)


def test_holes_said_to_be_black_look_inverted_too(folder: Path) -> None:
    with pytest.raises(InputError, match=r"look inverted: black, which means hole, .* set inverted=false, or raise"):
        MaskFiles(str(folder), inverted=True)


def test_a_set_is_looked_at_all_over(tmp_path: Path) -> None:
    """One in ten files is of large holes: the set is not inverted, wherever these stand."""
    for number in range(100):
        Image.fromarray(255 - pixels(0, 8, 8) if number < 10 else pixels(number, 8, 8)).save(
            tmp_path / f"{number:03d}.png"
        )
    MaskFiles(str(tmp_path))


def test_gray_files_are_refused_by_name_or_cut_where_said(tmp_path: Path) -> None:
    soft = np.asarray(Image.fromarray(pixels(1)).filter(ImageFilter.GaussianBlur(2)))
    Image.fromarray(soft).save(tmp_path / "soft.png")
    with pytest.raises(
        InputError, match=r"soft.png' is not black and white: it has \d+ values between 0 and 255"
    ) as sentence:
        MaskFiles(str(tmp_path))
    assert "\n" not in str(sentence.value)
    for threshold in (0.2, 0.5):
        mask = MaskFiles(str(tmp_path), threshold=threshold).draw(24, 24, 0, index=0)
        assert torch.equal(mask[0] > 0, torch.from_numpy(soft > 255 * threshold))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_zero_and_one_alone_are_black_and_white(tmp_path: Path, dtype: type) -> None:
    Image.fromarray((pixels(1) // 255).astype(dtype)).save(tmp_path / "labels.png")
    for threshold in (None, 0.00196, 0.5):
        assert (read_mask(tmp_path / "labels.png", threshold) == (pixels(1) > 0)).all()
    assert (read_mask(tmp_path / "labels.png", inverted=True) == (pixels(1) == 0)).all()
    assert MaskFiles(str(tmp_path)).draw(24, 24, 0, 0).sum() == (pixels(1) > 0).sum()


def test_ones_that_a_lossy_format_made_are_no_hole(tmp_path: Path) -> None:
    Image.new("L", (16, 16), 1).save(tmp_path / "a.jpg")
    assert not read_mask(tmp_path / "a.jpg", threshold=0.5).any()


def test_two_or_more_labels_are_gray_and_the_sentence_says_where_to_cut(tmp_path: Path) -> None:
    Image.fromarray(pixels(1) // 255 * 2).save(tmp_path / "labels.png")
    with pytest.raises(InputError, match=r"has 1 values between 0 and 255, such as 2; .* set threshold \(0.00392 is"):
        MaskFiles(str(tmp_path))


def test_eight_bits_kept_in_sixteen_are_refused(tmp_path: Path) -> None:
    Image.fromarray(pixels(1).astype(np.uint16)).save(tmp_path / "a.png")
    with pytest.raises(
        InputError, match=r"a.png' has 16 bits, of which its samples, 255 at most, use 8; save it with 8"
    ):
        read_mask(tmp_path / "a.png")


SAVED: dict[str, Callable[[Image.Image, Path], None]] = {
    "one bit": lambda image, path: image.convert("1").save(path / "a.png"),
    "palette": lambda image, path: image.convert("P").save(path / "a.png"),
    "color": lambda image, path: image.convert("RGB").save(path / "a.bmp"),
    "opaque": lambda image, path: image.convert("RGBA").save(path / "a.png"),
    "sixteen bits": lambda image, path: Image.fromarray(np.asarray(image).astype(np.uint16) * 257).save(path / "a.png"),
    "gif": lambda image, path: image.save(path / "a.GIF"),
    "tiff": lambda image, path: image.save(path / "a.tif"),
}


@pytest.mark.parametrize("kind", SAVED)
def test_black_and_white_in_any_format(kind: str, tmp_path: Path) -> None:
    SAVED[kind](Image.fromarray(pixels(3)), tmp_path)
    mask = MaskFiles(str(tmp_path)).draw(24, 24, 0, index=0)
    assert torch.equal(mask[0] > 0, torch.from_numpy(pixels(3) > 0))


def test_sixteen_bits_of_gray_are_gray(tmp_path: Path) -> None:
    for value in (1, 65534):
        deep = pixels(1).astype(np.uint16) * 257
        deep[0, 0] = value
        Image.fromarray(deep).save(tmp_path / "deep.png")
        with pytest.raises(InputError, match="is not black and white"):
            read_mask(tmp_path / "deep.png")


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda path: (path / "a.png").write_bytes(b""), "a.png' cannot be read .*; replace or remove it"),
        (lambda path: (path / "a.png").write_text("<html>"), "a.png' cannot be read .not an image"),
        (
            lambda path: Image.fromarray(pixels(0)).convert("F").save(path / "a.tif"),
            "a.tif' cannot be read .its samples are floating-point",
        ),
        (
            lambda path: Image.merge("LA", [Image.fromarray(pixels(0)), Image.new("L", (24, 24), 9)]).save(
                path / "a.png"
            ),
            "a.png' has transparent pixels, which say neither hole nor known",
        ),
        (lambda path: (path / "a.txt").write_text("1"), r"holds no images \(.jpg, .*\); it holds 1 .txt; add masks"),
        (lambda path: path.rmdir(), "does not exist; give a folder of mask images"),
    ],
)
def test_files_and_folders_that_are_none(make: Callable[[Path], None], sentence: str, tmp_path: Path) -> None:
    root = tmp_path / "masks"
    root.mkdir()
    make(root)
    with pytest.raises(InputError, match=sentence) as said:
        MaskFiles(str(root))
    assert "\n" not in str(said.value)


def test_arguments_that_cannot_be(folder: Path) -> None:
    with pytest.raises(InputError, match="MaskFiles: threshold must be at least 0 and below 1, got 127"):
        MaskFiles(str(folder), threshold=127)
    with pytest.raises(InputError, match="MaskFiles: max_rotation must be from 0 to 180, got 270"):
        MaskFiles(str(folder), max_rotation=270)
    with pytest.raises(InputError, match=r"folder='.*0.png' is a file; give a folder"):
        MaskFiles(str(folder / "bin0" / "0.png"))


def test_a_file_without_a_hole_is_named_in_a_fixed_order_and_passed_over_in_training(tmp_path: Path) -> None:
    Image.fromarray(pixels(1)).save(tmp_path / "a.png")
    Image.new("L", (24, 24)).save(tmp_path / "b.png")
    Image.new("L", (24, 24), 255).save(tmp_path / "c.png")
    shape = MaskFiles(str(tmp_path))
    with pytest.raises(InputError, match=r"b.png' is without a hole at 24×24 px; replace or remove it"):
        shape.draw(24, 24, 0, index=1)
    with pytest.raises(InputError, match=r"c.png' is all hole at 24×24 px"):
        shape.draw(24, 24, 0, index=2)
    only = torch.from_numpy(pixels(1) / 255).float()[None]
    assert all(torch.equal(shape.draw(24, 24, seed), only) for seed in range(10))


def test_another_size_is_resized_by_nearest_neighbor() -> None:
    hole = pixels(2) > 0
    # Sizes at which no center falls between two pixels: there rounding decides, and Pillow's is not exact.
    for height, width in ((48, 72), (16, 32), (64, 8)):
        expected = Image.fromarray(hole).resize((width, height), Image.Resampling.NEAREST)
        assert (resized(hole, height, width) == np.asarray(expected)).all()


def test_flips_turns_and_growth(tmp_path: Path) -> None:
    original = np.zeros((24, 24), dtype=np.uint8)
    original[2:6, 3:14] = 255
    Image.fromarray(original).save(tmp_path / "a.png")
    hole = original > 0

    def seen(**changes: float) -> set[bytes]:
        shape = MaskFiles(str(tmp_path), **changes)  # type: ignore[arg-type]
        return {shape.draw(24, 24, seed).numpy().astype(bool).tobytes() for seed in range(60)}

    flips = {hole[::up, ::left].tobytes() for up in (1, -1) for left in (1, -1)}
    assert seen() == {hole.tobytes()}
    assert seen(flip=True) == flips
    assert len(seen(max_rotation=180)) > 30
    # 24 px is 256 · 3 / 32: 21.4 there are 2 here, and a radius of 2 is drawn half as often as 1.
    assert seen(max_dilation=21.4) == {dilated(hole, radius).tobytes() for radius in (0, 1, 2)}


def test_growth_is_a_square_around_each_pixel() -> None:
    hole = np.random.default_rng(0).random((13, 17)) < 0.05
    for radius in (0, 1, 3):
        expected = np.zeros_like(hole)
        for row, column in np.argwhere(hole):
            expected[max(0, row - radius) : row + radius + 1, max(0, column - radius) : column + radius + 1] = True
        assert (dilated(hole, radius) == expected).all()
