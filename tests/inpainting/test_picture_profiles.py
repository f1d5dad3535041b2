"""Color profiles of pictures: a hole is filled in the colors of its file, by the curve of its gray."""

import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from lit_an.inpainting.picture import Picture, filled, read_picture, to_model
from lit_an.inpainting.picture_writing import write_picture
from tests.inpainting.test_picture import HEIGHT, WIDTH, hole


@pytest.mark.parametrize("ending", ["png", "jpg", "tif", "webp"])
def test_holes_are_filled_in_the_colors_of_the_profile(ending: str, tmp_path: Path) -> None:
    """What shows blue is stored as red where a profile exchanges the two; the profile stays."""
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    icc = icc.replace(b"rXYZ", b"????").replace(b"bXYZ", b"rXYZ").replace(b"????", b"bXYZ")
    Image.new("RGB", (WIDTH, HEIGHT), (0, 128, 0)).save(tmp_path / f"a.{ending}", icc_profile=icc, quality=100)
    picture, mask = read_picture(tmp_path / f"a.{ending}"), hole()
    blue = torch.tensor([-1.0, -1.0, 1.0]).view(1, 3, 1, 1).expand(1, 3, HEIGHT, WIDTH)
    composite = filled(picture, blue, mask)
    assert np.abs(composite.color[mask[0, 0].numpy() > 0] - np.array([255, 0, 0])).max() <= 2
    assert (to_model(composite) - blue).mul(mask).abs().max() < 0.02, "and back"
    write_picture(tmp_path / f"b.{ending}", composite, mask, picture)
    assert read_picture(tmp_path / f"b.{ending}").options["icc_profile"] == icc


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_gray_is_filled_by_the_curve_of_its_profile(dtype: type) -> None:
    """A linear profile: half of the light is the sRGB level 188."""
    white = np.iinfo(dtype).max
    stored = np.full((HEIGHT, WIDTH, 1), white // 2, dtype=dtype)
    picture = Picture(stored, None, 1, "PNG", {"icc_profile": linear_gray()})
    assert to_model(picture).add(1).mul(127.5) == pytest.approx(188, abs=1)
    composite = filled(picture, to_model(picture), torch.ones(1, 1, HEIGHT, WIDTH))
    assert composite.color / white == pytest.approx(0.5, abs=0.005)


def linear_gray() -> bytes:
    """The smallest ICC profile of gray: a white point and a curve without entries, which is a straight line."""
    tags = {b"wtpt": b"XYZ \0\0\0\0" + struct.pack(">iii", 63190, 65536, 54061), b"kTRC": b"curv" + bytes(8)}
    at, table, data = 128 + 4 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for name, value in tags.items():
        table += name + struct.pack(">II", at + len(data), len(value))
        data += value
    head = struct.pack(">I4sI4s4s4s", at + len(data), b"lcms", 0x02400000, b"mntr", b"GRAY", b"XYZ ")
    head += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + struct.pack(">iii", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + table + data
