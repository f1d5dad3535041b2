"""What the page shows of a filled picture, without the page."""

from pathlib import Path

import numpy as np
import pytest
import torch

from lit_an.errors import InputError
from lit_an.inpainting.painted_fill import canvas_of, fill, mask_of, picture_of
from lit_an.inpainting.picture import read_picture, to_model
from lit_an.inpainting.tiling import Tiling
from lit_an.trained.inpainter import TrainedInpainter, load_inpainter
from tests.commands.photographs_with_holes import photograph
from tests.inpainting.small_inpainter import write_run

SIZE = (60, 90)
LARGEST = 10_000


@pytest.fixture
def inpainter(tmp_path: Path) -> TrainedInpainter:
    return load_inpainter(write_run(tmp_path / "run"))


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    photograph(*SIZE).save(tmp_path / "a.png")
    return tmp_path / "a.png"


def painted() -> np.ndarray:
    """On a canvas of another size."""
    hole = np.zeros((120, 180), np.bool_)
    hole[40:80, 60:100] = True
    return hole


def test_the_composite_is_the_networks_in_the_hole_and_the_pictures_elsewhere(
    inpainter: TrainedInpainter, picture: Path, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    made = fill(inpainter, str(picture), painted(), tmp_path / "out", Tiling(), LARGEST)
    hole = torch.zeros(1, 3, *SIZE, dtype=torch.bool)
    hole[..., 20:40, 30:50] = True
    assert made.share == pytest.approx(20 * 20 / (60 * 90))
    assert torch.equal(made.before, to_model(read_picture(picture)))
    assert torch.equal(made.composite[~hole], made.before[~hole])
    assert torch.allclose(made.composite[hole], made.fine[hole], atol=1 / 255)
    assert {name: layout.shape for name, layout in made.layouts.items()} == {"long_range": (1, 3, *SIZE)}
    assert torch.allclose(to_model(read_picture(made.file)), made.composite)
    assert made.lossless is None
    assert made.notes == []


def test_a_jpeg_by_the_name_of_a_png_gets_both_files(
    inpainter: TrainedInpainter, picture: Path, tmp_path: Path
) -> None:
    photograph(*SIZE).save(picture, "JPEG")
    (tmp_path / "out").mkdir()
    made = fill(inpainter, str(picture), painted(), tmp_path / "out", Tiling(), LARGEST)
    assert made.lossless is not None
    named = [(path.name, read_picture(path).format) for path in (made.file, made.lossless)]
    assert named == [("a.jpg", "JPEG"), ("a.png", "PNG")]


def test_a_bitmap_with_transparency_comes_back_as_png(
    inpainter: TrainedInpainter, picture: Path, tmp_path: Path
) -> None:
    """Pillow reads the alpha of such a file, and writes none."""
    image = photograph(*SIZE).convert("RGBA")
    image.putalpha(100)
    image.save(tmp_path / "plain.bmp")
    plain = (tmp_path / "plain.bmp").read_bytes()
    pixels = plain[int.from_bytes(plain[10:14], "little") :]
    masks = b"".join(bits.to_bytes(4, "little") for bits in (0xFF0000, 0xFF00, 0xFF, 0xFF000000))
    header = (108).to_bytes(4, "little") + plain[18:30] + (3).to_bytes(4, "little") + plain[34:54] + masks
    header += bytes(108 - len(header))
    start = 14 + len(header)
    sizes = (start + len(pixels)).to_bytes(4, "little") + bytes(4) + start.to_bytes(4, "little")
    (tmp_path / "a.bmp").write_bytes(b"BM" + sizes + header + pixels)
    assert read_picture(tmp_path / "a.bmp").alpha is not None
    (tmp_path / "out").mkdir()
    made = fill(inpainter, str(tmp_path / "a.bmp"), painted(), tmp_path / "out", Tiling(), LARGEST)
    assert (made.file.name, read_picture(made.file).format) == ("a.png", "PNG")
    assert torch.allclose(to_model(read_picture(made.file)), made.composite)


def test_what_is_filled_in_tiles_has_no_layouts_and_can_be_stopped(
    inpainter: TrainedInpainter, picture: Path, tmp_path: Path
) -> None:
    tiling, ticks = Tiling(max_pixels=1024), []
    made = fill(inpainter, str(picture), painted(), tmp_path, tiling, LARGEST, lambda: ticks.append(1))
    assert made.layouts == {}
    assert len(ticks) > 1
    assert made.notes == [f"the picture is large and was filled in {len(ticks)} tiles, each with regions of its own"]

    def stop() -> None:
        raise InputError("stopped")

    with pytest.raises(InputError, match="stopped"):
        fill(inpainter, str(picture), painted(), tmp_path, tiling, LARGEST, stop)


@pytest.mark.parametrize(
    ("size", "canvas"), [((30, 60), (256, 512)), ((600, 300), (600, 300)), ((100, 2048), (50, 1024))]
)
def test_the_canvas_is_neither_small_nor_large(size: tuple[int, int], canvas: tuple[int, int], tmp_path: Path) -> None:
    photograph(*size).save(tmp_path / "a.png")
    shown = canvas_of(read_picture(tmp_path / "a.png"))
    assert shown.shape == (1, 3, *canvas)
    assert float(shown.abs().max()) <= 1


def test_a_picture_that_is_gone_gets_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the picture is no longer on the server; choose it again"):
        picture_of(str(tmp_path / "gone.png"), LARGEST)
    with pytest.raises(InputError, match="choose a picture first"):
        picture_of(None, LARGEST)


def test_a_hole_that_is_smaller_than_a_pixel_is_none() -> None:
    speck = np.zeros((100, 100), np.bool_)
    speck[0, 0] = True
    with pytest.raises(InputError, match="paint over the part to fill"):
        mask_of(speck, (10, 10))
