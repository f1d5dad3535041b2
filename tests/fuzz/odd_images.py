"""Image files as they should not be: cut, with other bytes, of another size than they say, of odd kinds."""

import io
import struct
import zlib

import numpy as np
from hypothesis import strategies as st
from PIL import Image

SIDE = 12
MODES = {
    "png": ("1", "L", "LA", "P", "RGB", "RGBA", "I", "I;16"),
    "jpg": ("L", "RGB", "CMYK"),
    "tif": ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "I", "I;16", "F"),
    "webp": ("RGB", "RGBA"),
    "gif": ("1", "L", "P"),
    "bmp": ("1", "L", "P", "RGB"),
    "ppm": ("1", "L", "RGB", "I"),
    "jp2": ("L", "RGB", "RGBA"),
}
FORMATS = {"png": "PNG", "jpg": "JPEG", "tif": "TIFF", "webp": "WEBP", "gif": "GIF", "bmp": "BMP", "ppm": "PPM"}
FORMATS["jp2"] = "JPEG2000"


def whole(ending: str, mode: str, side: int = SIDE) -> bytes:
    """A good file of that format and mode."""
    levels = np.linspace(0, 255, side * side * 3, dtype=np.uint8).reshape(side, side, 3)
    image = Image.fromarray(levels)
    if mode in ("I", "F", "I;16"):
        image = Image.fromarray(levels[..., 0].astype({"I": np.int32, "F": np.float32, "I;16": np.uint16}[mode]))
    elif mode == "LAB":
        image = Image.frombytes("LAB", image.size, image.tobytes())
    else:
        image = image.convert("L").convert(mode) if mode in ("LA", "1") else image.convert(mode)
    file = io.BytesIO()
    image.save(file, FORMATS[ending])
    return file.getvalue()


WHOLE = [(ending, whole(ending, mode)) for ending, modes in MODES.items() for mode in modes]


def _png_of_size(width: int, height: int) -> bytes:
    """A PNG whose header alone says how large it is; nothing is wrong with its check sums."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(1 << 16))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def _bmp_of_size(width: int, height: int) -> bytes:
    head = struct.pack("<2sIHHI", b"BM", 54, 0, 0, 54)
    return head + struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 2835, 2835, 0, 0) + bytes(64)


def _mutated(data: bytes, changes: list[tuple[int, int]], end: int | None) -> bytes:
    changed = bytearray(data)
    for place, value in changes:
        changed[place % len(changed)] = value
    return bytes(changed if end is None else changed[: end % (len(changed) + 1)])


def _spliced(data: bytes, more: bytes, place: int) -> bytes:
    at = place % (len(data) + 1)
    return data[:at] + more + data[at:]


_bytes = st.integers(0, 255)
_places = st.integers(0, 10_000)
_sizes = st.sampled_from([0, 1, 7, 4_000, 20_000, 65_535, 100_000, 2**31 - 1])
# The ending that a file is called by need not be that of its content.
CONTENTS = st.one_of(
    st.builds(
        lambda file, changes, end: (file[0], _mutated(file[1], changes, end)),
        st.sampled_from(WHOLE),
        st.lists(st.tuples(_places, _bytes), max_size=8),
        st.none() | _places,
    ),
    st.builds(
        lambda file, more, place: (file[0], _spliced(file[1], more, place)),
        st.sampled_from(WHOLE),
        st.binary(min_size=1, max_size=64),
        _places,
    ),
    st.tuples(st.sampled_from(list(MODES)), st.binary(max_size=256)),
    st.builds(lambda width, height: ("png", _png_of_size(width, height)), _sizes, _sizes),
    st.builds(lambda width, height: ("bmp", _bmp_of_size(width, height)), _sizes, _sizes),
    st.builds(lambda file, ending: (ending, file[1]), st.sampled_from(WHOLE), st.sampled_from(list(MODES))),
)
# Names in any bytes that a file system takes.
NAMES = st.binary(min_size=1, max_size=40).map(lambda name: name.replace(b"/", b"_").replace(b"\0", b"_"))
