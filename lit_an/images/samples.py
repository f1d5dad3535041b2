"""Properties that an image file declares about its samples: depth, polarity, transparency, orientation.

Pillow ignores some of them. All readers of images use this module, so that a file has the same meaning in training, as
a mask and in predictions.
"""

from typing import Any

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

ALPHA_MODES = ("RGBA", "RGBa", "LA", "La", "PA")

_ORIENTATION = int(ExifTags.Base.Orientation)
_BITS, _PHOTOMETRIC, _SAMPLE_FORMAT = 258, 262, 339
_WHITE_IS_ZERO = 0
# Formats whose modes of more than 8 bits hold samples from 0 to 65535 for any depth in the file.
_SCALED_BY_PILLOW = ("PNG", "PPM", "JPEG2000")
# A PNG of fewer bits than 8 names its transparent gray in its own levels; Pillow's are 0 … 255.
_LEVEL = {"1": 255, "L;1": 255, "L;2": 85, "L;4": 17}
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def bits_of(file: Image.Image) -> int:
    """Bits of a gray sample, if Pillow hands out more than 8 of them; else 8.

    Raises:
        ValueError: floating point, signed or 32-bit samples, whose black and white the file does not say.
    """
    if file.mode == "F":
        raise ValueError(
            "its samples are floating-point numbers, of unknown range; give it with 8 or 16 bits a channel"
        )
    if not file.mode.startswith("I"):
        return 8
    if file.format in _SCALED_BY_PILLOW:
        return 16
    bits, signed = int(_tag(file, _BITS, 16)), int(_tag(file, _SAMPLE_FORMAT, 1)) != 1
    if file.mode == "I" and (file.format != "TIFF" or signed or bits > 16):
        kind = "signed" if signed and bits <= 16 else "32-bit integers"
        raise ValueError(f"its samples are {kind}, of unknown range; give it with 8 or 16 bits a channel")
    return bits


def deep_gray(file: Image.Image) -> np.ndarray | None:
    """(H, W), uint16, 0 = black and 65535 = white: the samples of a gray file of more than 8 bits; None for others.

    Raises:
        ValueError: see ``bits_of``, or samples beyond the declared depth.
    """
    bits = bits_of(file)
    if not file.mode.startswith("I"):
        return None
    samples = np.asarray(file).astype(np.int64)
    white = (1 << bits) - 1
    if samples.min(initial=0) < 0 or samples.max(initial=0) > white:
        raise ValueError(f"its samples leave the range 0 … {white} of {bits} bits; give it with 8 or 16 bits")
    if _tag(file, _PHOTOMETRIC, 1) == _WHITE_IS_ZERO:
        samples = white - samples
    return samples.astype(np.uint16) if bits == 16 else np.rint(samples * (65535 / white)).astype(np.uint16)


def transparent_gray(file: Image.Image) -> int | None:
    """The level of 0 … 65535 that a gray file of 16 bits declares transparent."""
    value = file.info.get("transparency")
    return value if isinstance(value, int) and file.mode.startswith("I") else None


def has_alpha(file: Image.Image) -> bool:
    """Whether a file may have transparent pixels."""
    return file.mode in ALPHA_MODES or "transparency" in file.info


def eight_bits(file: Image.Image) -> Image.Image:
    """The image in a mode of 8 bits a channel: RGBA or LA if it may have transparent pixels, no palette.

    Args:
        file: opened and not loaded yet: a loaded one no longer says how deep its samples are. It may come back as it
            is.

    Raises:
        ValueError: samples of unknown range, or a transparent color that Pillow cannot tell from others.
    """
    gray = deep_gray(file)
    if gray is not None:
        image = Image.fromarray(np.rint(gray / 257.0).astype(np.uint8))  # 65535 / 257 = 255
        clear = transparent_gray(file)
        if clear is not None:
            image.putalpha(Image.fromarray(np.where(gray == clear, 0, 255).astype(np.uint8)))
        return image
    if "transparency" in file.info and file.mode == "RGB" and is_deep(file):
        raise ValueError("it has 16 bits a channel and a transparent color; give it with one of the two")
    if "transparency" in file.info and file.mode in ("1", "L"):
        return _with_clear_gray(file)
    if has_alpha(file):
        return file.convert("LA" if file.mode in ("LA", "La") else "RGBA")
    return file.convert({"1": "L", "P": "RGB"}[file.mode]) if file.mode in ("1", "P") else file


def is_deep(file: Image.Image) -> bool:
    """Whether the file holds more than the 8 bits a channel that Pillow reads of it."""
    told = [each for tile in getattr(file, "tile", []) for each in np.ravel(tile[3]).tolist()]
    bits = np.ravel(getattr(file, "tag_v2", {}).get(_BITS, 8)).tolist()
    if file.format == "PPM":  # told its largest value
        return any(str(each).isdigit() and int(each) > 255 for each in told)
    return max(bits) > 8 or any(";16" in str(each) for each in told)


def orientation_of(file: Image.Image) -> int:
    """EXIF orientation, 1 … 8; 1 if it is missing or unreadable."""
    try:
        value: Any = file.getexif().get(_ORIENTATION, 1)
    except Exception:  # the pixels are valid even if the EXIF is not
        return 1
    return value if isinstance(value, int) and value in _TURNS else 1


def turned(image: Image.Image, orientation: int) -> Image.Image:
    """The image turned and mirrored as viewers show it."""
    return image.transpose(_TURNS[orientation]) if orientation in _TURNS else image


def has_more_frames(file: Image.Image) -> bool:
    """Whether a file has several frames or pages, including unreadable ones."""
    try:
        return int(getattr(file, "n_frames", 1)) > 1
    except Exception:  # Pillow counts by reading, and a broken frame ends the count
        return True


def reason_of(error: Exception) -> str:
    """Why a file cannot be read, in one line."""
    if isinstance(error, UnidentifiedImageError):
        return "not an image, or of an unknown format"
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(text.split())[:200] or type(error).__name__


def _with_clear_gray(file: Image.Image) -> Image.Image:
    level = file.info["transparency"]
    if isinstance(level, int):
        rawmode = str(file.tile[0][3]) if getattr(file, "tile", None) else ""  # type: ignore[attr-defined]
        # Pillow 12 scales that of black and white itself, older ones do not.
        level = 255 * bool(level) if file.mode == "1" else level * _LEVEL.get(rawmode, 1)
    image = file.convert("L")
    alpha = image.point([0 if value == level else 255 for value in range(256)])
    image.info.pop("transparency", None)
    image.putalpha(alpha)
    return image


def _tag(file: Image.Image, tag: int, default: int) -> int:
    """The first value of a TIFF's tag."""
    values = np.ravel(getattr(file, "tag_v2", {}).get(tag, default)).tolist()
    return int(values[0]) if values else default
