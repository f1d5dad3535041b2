"""Every reader takes an image file for what it declares: training, masks and predictions agree, or refuse by name."""

import struct
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from lit_an.data.shards.encoding import conversions
from lit_an.data.transforms import read_image
from lit_an.errors import InputError
from lit_an.inpainting.picture import read_picture, to_model
from lit_an.masks.from_files import read_levels

SIDE = 8
# Black on the left, white on the right.
HALVES = np.zeros((SIDE, SIDE), dtype=np.uint8)
HALVES[:, SIDE // 2 :] = 255
READERS: dict[str, Callable[[Path], np.ndarray]] = {
    "training": lambda path: np.asarray(read_image(path)),
    "mask": lambda path: np.dstack([read_levels(path).pixels] * 3),
    "inpaint": lambda path: ((to_model(read_picture(path))[0].permute(1, 2, 0).numpy() + 1) * 127.5).round(),
}


def tiff(path: Path, samples: bytes, bits: int, photometric: int, sample_format: int = 1, order: str = "<") -> None:
    """A plain TIFF of 8×8 px, one strip, one sample a pixel."""
    values = {256: SIDE, 257: SIDE, 258: bits, 259: 1, 262: photometric, 273: 8, 277: 1, 278: SIDE, 279: len(samples)}
    values[339] = sample_format
    rows = b"".join(struct.pack(order + "HHI", tag, 4, 1) + struct.pack(order + "I", values[tag]) for tag in values)
    start = struct.pack(order + "2sHI", b"II" if order == "<" else b"MM", 42, 8 + len(samples))
    path.write_bytes(start + samples + struct.pack(order + "H", len(values)) + rows + struct.pack(order + "I", 0))


def twelve_bits(samples: np.ndarray) -> bytes:
    bits = np.unpackbits(samples.astype(">u2").view(np.uint8).reshape(-1, 2), axis=1)[:, 4:]
    return np.packbits(bits).tobytes()


def png(path: Path, bits: int, color_type: int, rows: list[bytes], clear: bytes = b"") -> None:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", SIDE, SIDE, bits, color_type, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    chunks = [
        chunk(b"IHDR", header),
        chunk(b"tRNS", clear) if clear else b"",
        chunk(b"IDAT", data),
        chunk(b"IEND", b""),
    ]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))


SIXTEEN = HALVES.astype(np.uint16) * 257
# Files that show black on the left and white on the right, and the readers that refuse them.
SHOW_HALVES: dict[str, tuple[Callable[[Path], None], set[str]]] = {
    "8 bits": (lambda path: tiff(path, HALVES.tobytes(), 8, 1), set()),
    "8 bits, white is 0": (lambda path: tiff(path, (255 - HALVES).tobytes(), 8, 0), set()),
    "12 bits": (lambda path: tiff(path, twelve_bits(SIXTEEN >> 4), 12, 1), {"inpaint"}),
    "16 bits": (lambda path: tiff(path, SIXTEEN.tobytes(), 16, 1), set()),
    "16 bits, large end first": (lambda path: tiff(path, SIXTEEN.astype(">u2").tobytes(), 16, 1, order=">"), set()),
    "16 bits, white is 0": (lambda path: tiff(path, (65535 - SIXTEEN).tobytes(), 16, 0), set()),
    "2 bits": (lambda path: png(path, 2, 0, [b"\x00\xff"] * SIDE), set()),
    "PGM of 10 bits": (
        lambda path: path.write_bytes(b"P5 8 8 1023\n" + (SIXTEEN >> 6).astype(">u2").tobytes()),
        set(),
    ),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("kind", SHOW_HALVES)
def test_black_is_black_and_white_is_white(kind: str, reader: str, tmp_path: Path) -> None:
    write, refused = SHOW_HALVES[kind]
    path = tmp_path / "a.tif"
    write(path)
    if reader in refused:
        with pytest.raises(InputError, match="it has 12 bits a sample, which cannot be written again"):
            READERS[reader](path)
        return
    assert (READERS[reader](path) == HALVES[..., None]).all()


def test_a_level_of_twelve_bits_is_that_share_of_white(tmp_path: Path) -> None:
    tiff(tmp_path / "a.tif", twelve_bits(np.full((SIDE, SIDE), 2048)), 12, 1)
    assert (READERS["training"](tmp_path / "a.tif") == 128).all()
    assert conversions(tmp_path / "a.tif") == ["12 bits to 8"]


REFUSED: dict[str, tuple[Callable[[Path], None], str]] = {
    "signed": (lambda path: tiff(path, (SIXTEEN >> 1).tobytes(), 16, 1, 2), "its samples are signed"),
    "32 bits": (lambda path: tiff(path, SIXTEEN.astype(np.uint32).tobytes(), 32, 1), "its samples are 32-bit integers"),
    "floating point": (
        lambda path: tiff(path, HALVES.astype("<f4").tobytes(), 32, 1, 3),
        "its samples are floating-point",
    ),
    "16 bits in color, with a transparent one": (
        lambda path: png(path, 16, 2, [bytes(6 * SIDE)] * SIDE, bytes(6)),
        "it has 16 bits a channel",
    ),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("kind", REFUSED)
def test_samples_of_unknown_meaning_are_refused_by_name(kind: str, reader: str, tmp_path: Path) -> None:
    write, sentence = REFUSED[kind]
    write(tmp_path / "a.tif")
    with pytest.raises(InputError, match=sentence):
        READERS[reader](tmp_path / "a.tif")


# PNGs whose left half is declared transparent, by its gray level.
CLEAR_LEFT: dict[str, Callable[[Path], None]] = {
    "16 bits": lambda path: png(path, 16, 0, [row.astype(">u2").tobytes() for row in SIXTEEN], b"\0\0"),
    "8 bits": lambda path: png(path, 8, 0, [row.tobytes() for row in HALVES], b"\0\0"),
    "2 bits": lambda path: png(path, 2, 0, [b"\x55\xff"] * SIDE, b"\0\1"),
    "1 bit": lambda path: png(path, 1, 0, [b"\xf0"] * SIDE, b"\0\1"),
}


@pytest.mark.parametrize("kind", CLEAR_LEFT)
def test_a_transparent_gray_is_laid_over_white_or_refused(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    CLEAR_LEFT[kind](path)
    assert (READERS["training"](path)[:, : SIDE // 2] == 255).all()
    assert "transparency over white" in conversions(path)
    with pytest.raises(InputError, match="has transparent pixels"):
        READERS["mask"](path)
    if kind == "16 bits":
        with pytest.raises(InputError, match="16 bits a channel and a transparent colo"):
            READERS["inpaint"](path)
        return
    assert (READERS["inpaint"](path)[:, : SIDE // 2] == 255).all()


def exif(tag: int, kind: int, count: int, value: bytes, rest: bytes = b"", orientation: bool = False) -> bytes:
    """An EXIF of one entry, after orientation 6 if said."""
    turned = struct.pack("<HHIHH", 0x112, 3, 1, 6, 0) if orientation else b""
    head = b"II*\0\x08\0\0\0" + struct.pack("<H", 1 + orientation) + turned
    return b"Exif\0\0" + head + struct.pack("<HHI", tag, kind, count) + value + struct.pack("<I", 0) + rest


BROKEN_EXIF = {
    "orientation as text": exif(0x112, 2, 2, b"6\0\0\0"),
    "orientation 9": exif(0x112, 3, 1, b"\x09\0\0\0"),
    "negative resolution": exif(0x11A, 10, 1, struct.pack("<I", 26), struct.pack("<ii", -1, 1)),
    "no resolution": exif(0x11A, 5, 1, struct.pack("<I", 26), struct.pack("<II", 0, 0)),
    "an offset beyond the end": exif(0x10F, 2, 99, struct.pack("<I", 9999)),
    "no directory": b"Exif\0\0not a directory",
}


@pytest.mark.parametrize("ending", ["jpg", "png", "webp"])
@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("kind", BROKEN_EXIF)
def test_broken_exif_around_whole_pixels_is_left_out(kind: str, reader: str, ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{ending}"
    image = Image.fromarray(np.dstack([HALVES] * 3))
    image.save(path, exif=BROKEN_EXIF[kind], **({"lossless": True} if ending == "webp" else {"quality": 100}))
    assert (READERS[reader](path) == HALVES[..., None]).all()
    conversions(path)


@pytest.mark.parametrize("reader", READERS)
def test_an_orientation_beside_broken_entries_counts(reader: str, tmp_path: Path) -> None:
    data = exif(0x829A, 10, 1, struct.pack("<I", 38), struct.pack("<ii", -1, 0), orientation=True)
    Image.fromarray(HALVES).save(tmp_path / "a.jpg", exif=data, quality=100)
    assert (READERS[reader](tmp_path / "a.jpg") == HALVES.T[..., None]).all()
    assert conversions(tmp_path / "a.jpg") == ["gray to RGB", "turned by EXIF"]


@pytest.mark.filterwarnings("ignore::UserWarning:PIL.TiffImagePlugin")
def test_of_pages_the_first_counts_even_if_the_second_is_broken(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    Image.fromarray(HALVES).save(path, save_all=True, append_images=[Image.fromarray(HALVES.T)])
    whole = path.read_bytes()
    uncounted = 0
    for end in range(len(whole) // 2 + 8, len(whole), 16):
        path.write_bytes(whole[:end])
        assert (READERS["training"](path) == HALVES[..., None]).all()
        assert (READERS["mask"](path) == HALVES[..., None]).all()
        assert conversions(path) == ["gray to RGB", "first frame of several"]
        with pytest.raises(InputError, match=r"it has (several|2) frames or pages"):
            READERS["inpaint"](path)
        try:
            assert getattr(Image.open(path), "n_frames", 1) == 2
        except (TypeError, SyntaxError):
            uncounted += 1
    assert uncounted, "of some files Pillow cannot say how many pages they have"


ENDINGS = {
    "png": {},
    "jpg": {},
    "bmp": {},
    "tif": {},
    "lzw.tif": {"compression": "tiff_lzw"},
    "webp": {},
    "gif": {},
    "ppm": {},
}
# Their last bytes are an end mark and what checks it.
MARKED = {"png": 12, "gif": 2}


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_file_that_ends_before_its_pixels_is_refused_by_all(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{ending}"
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path, **ENDINGS[ending])  # type: ignore[arg-type]
    whole = path.read_bytes()
    for missing in (1, 2, 30, len(whole) // 3):
        path.write_bytes(whole[:-missing])
        for reader in (*READERS.values(), partial(read_image, smallest_side=4)):
            if missing <= MARKED.get(ending, 0):
                reader(path)
                continue
            with pytest.raises(InputError, match="cannot be read"):
                reader(path)


def swapped() -> bytes:
    """sRGB with red and blue exchanged, and the name of sRGB."""
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return icc.replace(b"rXYZ", b"????").replace(b"bXYZ", b"rXYZ").replace(b"????", b"bXYZ")


@pytest.mark.parametrize("ending", ["png", "jpg", "tif", "webp"])
@pytest.mark.parametrize("reader", ["training", "inpaint"])
def test_colors_are_those_of_the_profile(reader: str, ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{ending}"
    Image.new("RGB", (SIDE, SIDE), (255, 0, 0)).save(path, icc_profile=swapped())
    assert np.abs(READERS[reader](path) - [0, 0, 255]).max() <= 2
    assert conversions(path) == ["color profile to sRGB"]


def test_transparent_colors_too(tmp_path: Path) -> None:
    image = Image.new("RGBA", (SIDE, SIDE), (255, 0, 0, 255))
    image.paste((255, 0, 0, 0), (0, 0, SIDE // 2, SIDE))
    image.save(tmp_path / "a.png", icc_profile=swapped())
    for reader in ("training", "inpaint"):
        pixels = READERS[reader](tmp_path / "a.png")
        assert (pixels[:, : SIDE // 2] == 255).all()
        assert np.abs(pixels[:, SIDE // 2 :] - [0, 0, 255]).max() <= 2


@pytest.mark.parametrize("icc", [b"broken", ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()])
def test_profiles_that_do_not_belong_to_the_image_are_left_out_of_account(icc: bytes, tmp_path: Path) -> None:
    Image.new("RGB", (SIDE, SIDE), (200, 10, 30)).save(tmp_path / "a.png", icc_profile=icc)
    for reader in ("training", "inpaint"):
        assert (READERS[reader](tmp_path / "a.png") == [200, 10, 30]).all()
    Image.new("L", (SIDE, SIDE), 90).save(tmp_path / "gray.png", icc_profile=swapped())
    for reader in ("training", "inpaint"):
        assert (READERS[reader](tmp_path / "gray.png") == 90).all()


def test_pixels_of_srgb_stay_to_the_bit(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(noise).save(tmp_path / "a.png", icc_profile=icc)
    assert (READERS["training"](tmp_path / "a.png") == noise).all()
    assert conversions(tmp_path / "a.png") == []


def test_masks_are_numbers_whatever_their_profile(tmp_path: Path) -> None:
    Image.fromarray(np.dstack([HALVES, HALVES * 0, HALVES * 0])).save(tmp_path / "a.png", icc_profile=swapped())
    assert read_levels(tmp_path / "a.png").pixels.max() == 76, "the luma of red, not of blue"
