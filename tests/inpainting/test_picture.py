"""Pictures of every kind: read with all their samples, filled in the hole alone, written in their own format."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import ExifTags, Image, ImageOps

from lit_an.errors import InputError
from lit_an.inpainting.picture import as_stored, filled, read_picture, to_model, upright
from lit_an.inpainting.picture_writing import write_picture

HEIGHT, WIDTH = 24, 40
SAMPLES = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 4), dtype=np.uint8)
COLOR = Image.fromarray(np.ascontiguousarray(SAMPLES[..., :3]))
CLEAR = Image.fromarray(SAMPLES)
DEEP = Image.fromarray((SAMPLES[..., 0].astype(np.uint16) << 8) + SAMPLES[..., 1])

LOSSLESS = {
    "png": (COLOR, "a.png", {}),
    "png, gray": (COLOR.convert("L"), "a.png", {}),
    "png, gray with alpha": (CLEAR.convert("LA"), "a.png", {}),
    "png, alpha": (CLEAR, "a.png", {}),
    "png, palette": (COLOR.quantize(16), "a.png", {}),
    "png, palette with a transparent color": (COLOR.quantize(16), "a.png", {"transparency": 3}),
    "png, transparent color": (COLOR, "a.png", {"transparency": tuple(SAMPLES[3, 3, :3].tolist())}),
    "png, 1 bit": (COLOR.convert("1"), "a.png", {}),
    "png, 16 bits": (DEEP, "a.png", {}),
    "tiff": (COLOR, "a.tif", {}),
    "tiff, 16 bits, lzw": (DEEP, "a.tiff", {"compression": "tiff_lzw"}),
    "tiff, alpha": (CLEAR, "a.tif", {"compression": "tiff_adobe_deflate"}),
    "tiff, as jpeg": (COLOR, "a.tif", {"compression": "jpeg"}),
    "webp, lossless": (CLEAR, "a.webp", {"lossless": True, "exact": True}),
    "webp, lossy": (COLOR, "a.webp", {"quality": 50}),
    "bmp": (COLOR, "a.bmp", {}),
}


def hole(height: int = HEIGHT, width: int = WIDTH) -> torch.Tensor:
    mask = torch.zeros(1, 1, height, width)
    mask[..., 5:15, 3:12] = 1
    return mask


def decoded(path: Path) -> np.ndarray:
    """What any reader sees, in the widest mode that a picture needs."""
    with Image.open(path) as file:
        return np.asarray(file if file.mode.startswith("I") else file.convert("RGBA"))


@pytest.mark.parametrize("kind", LOSSLESS)
def test_known_pixels_stay_bit_for_bit_in_the_file(kind: str, tmp_path: Path) -> None:
    image, name, options = LOSSLESS[kind]
    image.save(tmp_path / name, **options)
    picture, mask = read_picture(tmp_path / name), hole()
    made = torch.linspace(-1, 1, HEIGHT * WIDTH).view(1, 1, HEIGHT, WIDTH).repeat(1, 3, 1, 1)
    (tmp_path / "out").mkdir()
    assert write_picture(tmp_path / "out" / name, filled(picture, made, mask), mask, picture) == (0, 0)
    before, after = decoded(tmp_path / name), decoded(tmp_path / "out" / name)
    known = mask[0, 0].numpy() == 0
    assert after.dtype == before.dtype
    assert np.array_equal(after[known], before[known])
    inside = after[~known] if after.ndim == 2 else after[~known][:, 0]
    white = 65535 if "16" in kind else 255
    expected = (made[0, 0].numpy()[~known] + 1) / 2 * white
    assert np.abs(inside - expected).max() <= 0.51
    if before.ndim == 3:
        assert np.array_equal(after[..., 3], before[..., 3]), "the alpha is as it was in the hole too"
    with Image.open(tmp_path / name) as first, Image.open(tmp_path / "out" / name) as second:
        assert (second.format, second.size) == (first.format, first.size)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif"])
def test_a_turned_picture_is_filled_as_a_viewer_shows_it(orientation: int, name: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[int(ExifTags.Base.Orientation)] = orientation
    exif[int(ExifTags.Base.Make)] = "a camera"
    COLOR.save(tmp_path / name, exif=exif)
    picture = read_picture(tmp_path / name)
    with Image.open(tmp_path / name) as file:
        shown = np.asarray(ImageOps.exif_transpose(file))
    assert picture.size == shown.shape[:2]
    seen = (to_model(picture)[0].permute(1, 2, 0).numpy() + 1) * 127.5
    assert np.abs(seen - shown).max() < 1e-3
    mask = hole(*picture.size)
    (tmp_path / "out").mkdir()
    deviation = write_picture(
        tmp_path / "out" / name, filled(picture, -torch.ones(1, 3, *picture.size), mask), mask, picture
    )
    with Image.open(tmp_path / "out" / name) as file:
        result = np.asarray(ImageOps.exif_transpose(file)).astype(int)
        assert file.getexif()[int(ExifTags.Base.Make)] == "a camera"
    inside = mask[0, 0].numpy() > 0
    assert result[inside].mean() < 40
    assert np.abs(result[~inside] - shown[~inside]).max() == (round(deviation.largest) if name == "a.jpg" else 0)
    assert deviation.largest > 0 or name != "a.jpg"


def test_orientations_agree_with_pillow() -> None:
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[int(ExifTags.Base.Orientation)] = orientation
        image = COLOR.copy()
        image.info["exif"] = exif.tobytes()
        assert np.array_equal(upright(np.asarray(COLOR), orientation), np.asarray(ImageOps.exif_transpose(image)))
        assert np.array_equal(as_stored(upright(SAMPLES, orientation), orientation), SAMPLES)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "a.webp"])
def test_what_a_camera_wrote_is_kept_but_its_preview(name: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[int(ExifTags.Base.Make)] = "a camera"
    exif.get_ifd(ExifTags.IFD.Exif)[int(ExifTags.Base.DateTimeOriginal)] = "2020:02:02 20:20:20"
    exif.get_ifd(ExifTags.IFD.GPSInfo)[1] = "N"
    COLOR.save(tmp_path / name, exif=exif.tobytes(), dpi=(200, 200), icc_profile=b"a profile" * 20)
    picture, mask = read_picture(tmp_path / name), hole()
    (tmp_path / "out").mkdir()
    write_picture(tmp_path / "out" / name, filled(picture, torch.zeros(1, 3, HEIGHT, WIDTH), mask), mask, picture)
    with Image.open(tmp_path / "out" / name) as file:
        kept = file.getexif()
        assert kept[int(ExifTags.Base.Make)] == "a camera"
        assert kept.get_ifd(ExifTags.IFD.Exif)[int(ExifTags.Base.DateTimeOriginal)] == "2020:02:02 20:20:20"
        assert kept.get_ifd(ExifTags.IFD.GPSInfo)[1] == "N"
        assert file.info["icc_profile"] == b"a profile" * 20
        assert name == "a.webp" or round(file.info["dpi"][0]) == 200, "WebP has no resolution of its own"


def with_preview(path: Path) -> bytes:
    """A JPEG whose EXIF holds a preview picture, as cameras write it; returns the preview's bytes."""
    buffer = io.BytesIO()
    COLOR.resize((8, 8)).save(buffer, "JPEG")
    preview = buffer.getvalue()
    # Little-endian TIFF: an empty first directory at 8, then one with the preview's place (513) and length (514).
    first = struct.pack("<H", 1) + struct.pack("<HHI4sI", 0x010F, 2, 4, b"Cam\0", 26)
    second = struct.pack("<HHHIIHHIII", 2, 513, 4, 1, 56, 514, 4, 1, len(preview), 0)
    exif = b"Exif\0\0II*\0" + struct.pack("<I", 8) + first + second + preview
    COLOR.save(path, exif=exif, quality=90)
    return preview


def test_the_preview_that_would_still_show_what_was_taken_out_is_dropped(tmp_path: Path) -> None:
    preview = with_preview(tmp_path / "a.jpg")
    assert preview in (tmp_path / "a.jpg").read_bytes()
    picture, mask = read_picture(tmp_path / "a.jpg"), hole()
    write_picture(tmp_path / "b.jpg", filled(picture, torch.zeros(1, 3, HEIGHT, WIDTH), mask), mask, picture)
    assert preview not in (tmp_path / "b.jpg").read_bytes()
    assert Image.open(tmp_path / "b.jpg").getexif()[0x010F] == "Cam"


def smooth() -> Image.Image:
    y, x = np.mgrid[:64, :96]
    return Image.fromarray(np.stack([x * 2, y * 3, 255 - x - y], -1).astype(np.uint8))


@pytest.mark.parametrize("subsampling", [0, 2])
def test_a_jpeg_keeps_its_tables_and_subsampling_and_says_what_changed(subsampling: int, tmp_path: Path) -> None:
    smooth().save(tmp_path / "a.jpg", quality=83, subsampling=subsampling, progressive=True)
    picture, mask = read_picture(tmp_path / "a.jpg"), hole(64, 96)
    composite = filled(picture, torch.zeros(1, 3, 64, 96), mask)
    (tmp_path / "out").mkdir()
    deviation = write_picture(tmp_path / "out" / "a.jpg", composite, mask, picture)
    with Image.open(tmp_path / "a.jpg") as first, Image.open(tmp_path / "out" / "a.jpg") as second:
        assert second.quantization == first.quantization  # type: ignore[attr-defined]
        assert second.layer == first.layer, "the same subsampling"  # type: ignore[attr-defined]
        assert second.info["progressive"]
        difference = np.abs(np.asarray(first).astype(int) - np.asarray(second))[mask[0, 0].numpy() == 0]
    assert deviation.largest == pytest.approx(difference.max())
    assert deviation.share == pytest.approx((difference.max(-1) > 0).mean())
    assert deviation.share < 0.5
    smaller = write_picture(tmp_path / "low.jpg", composite, mask, picture, quality=20)
    assert (tmp_path / "low.jpg").stat().st_size < (tmp_path / "out" / "a.jpg").stat().st_size
    assert smaller.largest > deviation.largest


def test_as_png_the_pixels_of_a_jpeg_stay_too(tmp_path: Path) -> None:
    COLOR.save(tmp_path / "a.jpg", quality=70)
    picture, mask = read_picture(tmp_path / "a.jpg"), hole()
    assert write_picture(
        tmp_path / "a.png", filled(picture, torch.zeros(1, 3, HEIGHT, WIDTH), mask), mask, picture, "png"
    ) == (0, 0)
    known = mask[0, 0].numpy() == 0
    assert np.array_equal(decoded(tmp_path / "a.png")[known], decoded(tmp_path / "a.jpg")[known])


def test_of_a_phone_s_picture_with_a_depth_map_the_picture_is_kept(tmp_path: Path) -> None:
    COLOR.save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[COLOR.rotate(180)])
    picture = read_picture(tmp_path / "a.jpg")
    assert (picture.format, picture.notes) == ("JPEG", ("only the first of its pictures was kept",))


def deep_color_png(path: Path) -> None:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", 8, 8, 16, 2, 0, 0, 0)
    rows = (b"\0" + bytes(range(48))) * 8
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    )


REFUSED = {
    "several frames": ("a.gif", {"save_all": True, "append_images": [COLOR.rotate(90)]}, COLOR, "2 frames or pages"),
    "pages": ("a.tif", {"save_all": True, "append_images": [COLOR]}, COLOR, "2 frames or pages"),
    "CMYK": ("a.jpg", {}, COLOR.convert("CMYK"), "its colors are CMYK; give it in RGB or gray"),
    "float": ("a.tif", {}, Image.fromarray(np.ones((9, 9), np.float32)), "its samples are floating-point"),
    "32 bits": ("a.tif", {}, Image.fromarray(np.ones((9, 9), np.int32)), "its samples are 32-bit integers"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_would_lose_samples_is_refused_by_name(kind: str, tmp_path: Path) -> None:
    name, options, image, sentence = REFUSED[kind]
    image.save(tmp_path / name, **options)
    with pytest.raises(InputError, match=sentence):
        read_picture(tmp_path / name)


def test_sixteen_bits_in_color_are_not_cut_to_eight_in_silence(tmp_path: Path) -> None:
    deep_color_png(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as file:
        assert file.mode == "RGB", "Pillow reads it, with 8 bits"
    with pytest.raises(InputError, match="16 bits a channel in color"):
        read_picture(tmp_path / "a.png")


@pytest.mark.parametrize("content", [b"", b"<html>404</html>", "half"])
def test_broken_files_get_a_sentence(content: bytes | str, tmp_path: Path) -> None:
    COLOR.save(tmp_path / "whole.png")
    whole = (tmp_path / "whole.png").read_bytes()
    (tmp_path / "a.png").write_bytes(whole[: len(whole) // 2] if isinstance(content, str) else content)
    with pytest.raises(InputError, match="it cannot be read"):
        read_picture(tmp_path / "a.png")


@pytest.mark.parametrize(
    ("image", "name", "chosen", "sentence"),
    [
        (COLOR.quantize(8), "a.gif", "keep", "GIF cannot be written so that known pixels stay"),
        (CLEAR, "a.png", "jpeg", "JPEG holds no transparency"),
        (DEEP, "a.png", "webp", "WEBP holds 8 bits a channel, and this picture has 16"),
    ],
)
def test_formats_that_cannot_hold_a_picture(
    image: Image.Image, name: str, chosen: str, sentence: str, tmp_path: Path
) -> None:
    image.save(tmp_path / name)
    picture, mask = read_picture(tmp_path / name), hole()
    with pytest.raises(InputError, match=sentence):
        write_picture(tmp_path / f"out.{chosen}", picture, mask, picture, chosen)  # type: ignore[arg-type]
    assert [path.name for path in tmp_path.iterdir()] == [name], "nothing is left"


def test_gray_is_filled_by_brightness(tmp_path: Path) -> None:
    COLOR.convert("L").save(tmp_path / "a.png")
    green = torch.tensor([-1.0, 1.0, -1.0]).view(1, 3, 1, 1).expand(1, 3, HEIGHT, WIDTH)
    composite = filled(read_picture(tmp_path / "a.png"), green, hole())
    assert set(composite.color[5:15, 3:12].ravel()) == {150}  # 0.587 · 255


def test_what_is_transparent_is_seen_over_white(tmp_path: Path) -> None:
    Image.new("RGBA", (9, 9), (0, 0, 0, 0)).save(tmp_path / "a.png")
    assert (to_model(read_picture(tmp_path / "a.png")) == 1).all()
