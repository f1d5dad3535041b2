"""Decoding and geometry, on small files of every kind that Pillow writes."""

import struct
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lit_an.data.cropping import Cropping
from lit_an.data.transforms import (
    dequantize,
    flips,
    mirror,
    read_image,
    to_tensor,
    to_unit_range,
)
from lit_an.errors import InputError

RED_BLUE = np.zeros((6, 8, 3), dtype=np.uint8)  # left half red, right half blue
RED_BLUE[:, :4, 0] = 255
RED_BLUE[:, 4:, 2] = 255


def pixels(path: Path) -> np.ndarray:
    image = read_image(path)
    assert image.mode == "RGB"
    return np.asarray(image).astype(int)


@pytest.mark.parametrize("ending", ["png", "bmp", "tif", "ppm"])
def test_lossless_files_come_back_as_they_are(tmp_path: Path, ending: str) -> None:
    Image.fromarray(RED_BLUE).save(tmp_path / f"a.{ending}")
    assert (pixels(tmp_path / f"a.{ending}") == RED_BLUE).all()


@pytest.mark.parametrize(("ending", "mode"), [("jpg", "RGB"), ("jpg", "CMYK"), ("tif", "CMYK"), ("webp", "RGB")])
def test_colors_survive_other_encodings(tmp_path: Path, ending: str, mode: str) -> None:
    flat = Image.new("RGB", (16, 16), (200, 60, 30)).convert(mode)
    flat.save(tmp_path / f"a.{ending}")
    assert np.abs(pixels(tmp_path / f"a.{ending}") - [200, 60, 30]).max() <= 6


def test_gray_and_palette_become_rgb(tmp_path: Path) -> None:
    Image.new("L", (4, 4), 90).save(tmp_path / "gray.png")
    assert (pixels(tmp_path / "gray.png") == 90).all()
    Image.fromarray(RED_BLUE).convert("P", palette=Image.Palette.ADAPTIVE, colors=2).save(tmp_path / "palette.png")
    assert (pixels(tmp_path / "palette.png") == RED_BLUE).all()
    Image.new("1", (4, 4), 1).save(tmp_path / "bits.png")
    assert (pixels(tmp_path / "bits.png") == 255).all()


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_is_laid_over_white(tmp_path: Path, mode: str) -> None:
    image = Image.new("RGBA", (3, 1))
    for x, alpha in enumerate((0, 255, 128)):
        image.putpixel((x, 0), (0, 0, 0, alpha))
    image.convert(mode).save(tmp_path / "a.png")
    assert pixels(tmp_path / "a.png")[0, :, 0].tolist() == [255, 0, 127]


def test_a_transparent_palette_color_is_laid_over_white(tmp_path: Path) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([0, 0, 0, 255, 0, 0])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "a.png", transparency=0)
    assert pixels(tmp_path / "a.png")[0].tolist() == [[255, 255, 255], [255, 0, 0]]


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_16_bit_gray_is_scaled_not_clipped(tmp_path: Path, ending: str) -> None:
    values = np.array([[0, 257, 32896, 65535]], dtype=np.uint16)
    Image.fromarray(values).save(tmp_path / f"a.{ending}")
    assert pixels(tmp_path / f"a.{ending}")[0, :, 0].tolist() == [0, 1, 128, 255]


def test_the_exif_orientation_is_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: rotate by 90° clockwise to view
    Image.fromarray(RED_BLUE).save(tmp_path / "a.png", exif=exif)
    shown = pixels(tmp_path / "a.png")
    assert shown.shape == (8, 6, 3)
    assert (shown[:4, :, 0] == 255).all()  # left is up
    assert (shown[4:, :, 2] == 255).all()


def test_a_large_jpeg_is_decoded_small_and_looks_the_same(tmp_path: Path) -> None:
    rows, columns = np.mgrid[0:512, 0:768]
    smooth = np.stack([127 + 120 * np.sin(columns / 60), 127 + 120 * np.cos(rows / 50), 0.3 * rows], 2)
    Image.fromarray(smooth.astype(np.uint8)).save(tmp_path / "a.jpg", quality=95)
    assert read_image(tmp_path / "a.jpg").size == (768, 512)
    small = read_image(tmp_path / "a.jpg", smallest_side=32)
    assert 64 <= min(small.size) < 512
    whole, shrunk = (
        np.asarray(Cropping(32).square(image)).astype(int) for image in (read_image(tmp_path / "a.jpg"), small)
    )
    assert np.abs(shrunk - whole).mean() < 2


def test_tensors_are_channels_first_in_the_unit_range(tmp_path: Path) -> None:
    Image.fromarray(RED_BLUE).save(tmp_path / "a.png")
    image = to_unit_range(to_tensor(read_image(tmp_path / "a.png")))
    assert image.dtype == torch.float32
    assert image.shape == (3, 6, 8)
    assert image[:, 0, 0].tolist() == [1.0, -1.0, -1.0]
    assert image[:, 0, -1].tolist() == [-1.0, -1.0, 1.0]


def test_all_bytes_map_evenly_to_the_unit_range() -> None:
    values = to_unit_range(torch.arange(256, dtype=torch.uint8))
    torch.testing.assert_close(values, torch.linspace(-1, 1, 256))
    assert values.min() == -1.0
    assert values.max() == 1.0


def test_noise_fills_the_steps_of_8_bits_evenly() -> None:
    """The loader of SNGAN-projection: x / 128 - 1 + U(0, 1/128)."""
    values = torch.arange(256, dtype=torch.uint8).repeat(400, 1)
    noisy = dequantize(to_unit_range(values), seed=3)
    noise = (noisy.double() - (values.double() / 128 - 1)) * 128
    assert -1e-4 < noise.min() < 1e-3
    assert 1 - 1e-3 < noise.max() < 1 + 1e-4
    assert abs(noise.mean() - 0.5) < 0.005
    assert abs(noise.var() - 1 / 12) < 0.002
    assert noisy.abs().max() <= 1
    assert torch.equal(noisy, dequantize(to_unit_range(values), seed=3))
    assert not torch.equal(noisy, dequantize(to_unit_range(values), seed=4))


def test_half_of_all_seeds_flip_in_no_pattern() -> None:
    flipped = [flips(seed) for seed in range(2000)]
    assert 900 < sum(flipped) < 1100
    changes = sum(a != b for a, b in pairwise(flipped))
    assert 900 < changes < 1100
    assert flipped == [flips(seed) for seed in range(2000)]


def test_mirroring_swaps_left_and_right_only() -> None:
    assert mirror(torch.tensor([[1, 2], [3, 4]])).tolist() == [[2, 1], [4, 3]]


def png(tmp_path: Path) -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "whole.png")
    return (tmp_path / "whole.png").read_bytes()


@pytest.mark.parametrize(
    "kind", ["no image", "empty", "truncated", "broken chunk", "missing", "folder", "float", "bomb"]
)
def test_a_file_that_cannot_be_read_is_named_in_one_line(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "bad\nname.png"
    whole = png(tmp_path)
    contents = {
        "no image": b"<html>404</html>",
        "empty": b"",
        "truncated": whole[: len(whole) // 2],
        "broken chunk": whole[:40] + b"\0\0\0\0" + whole[44:],
        "bomb": whole[:16] + struct.pack(">II", 60000, 60000) + whole[24:],
    }
    if kind in contents:
        path.write_bytes(contents[kind])
    elif kind == "folder":
        path.mkdir()
    elif kind == "float":
        Image.fromarray(np.zeros((2, 2), dtype=np.float32)).save(path, format="TIFF")
    with pytest.raises(InputError) as caught:
        read_image(path, 8)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert sentence.startswith(f"the image {str(path)!r} cannot be read (")
    assert sentence.endswith("; replace or remove it")
    assert "()" not in sentence


def test_a_reason_of_several_lines_becomes_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise SyntaxError("broken\n  PNG file")

    monkeypatch.setattr(Image, "open", fail)
    with pytest.raises(InputError, match=r"cannot be read \(broken PNG file\); replace or remove it$"):
        read_image(tmp_path / "a.png")
