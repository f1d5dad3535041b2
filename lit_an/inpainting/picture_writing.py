"""Writes pictures in their own format with unchanged known pixels, and verifies the written file."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image
from torch import Tensor

from lit_an.errors import InputError
from lit_an.files import replacing
from lit_an.images.color_profiles import profile_of
from lit_an.images.samples import reason_of
from lit_an.inpainting.picture import Deviation, Picture, known_deviation, read_picture, upright
from lit_an.inpainting.picture_options import has_directories

Format = Literal["keep", "png", "tiff", "webp", "bmp", "jpeg"]

ENDINGS = {"PNG": ".png", "TIFF": ".tif", "WEBP": ".webp", "BMP": ".bmp", "JPEG": ".jpg"}
_QUALITY = 95


def format_of(picture: Picture, chosen: Format) -> str:
    """Pillow's name of the format that a picture will be written in.

    Raises:
        InputError: that format cannot hold the picture.
    """
    name = picture.format if chosen == "keep" else chosen.upper()
    if name not in ENDINGS:
        raise InputError(f"{name} cannot be written so that known pixels stay as they are; choose --format png")
    remedy = "choose --format png" + " or keep" * (chosen != "keep")
    if name in ("JPEG", "BMP") and picture.alpha is not None:
        raise InputError(f"{name} holds no transparency; {remedy}")
    mode = "L" if picture.color.shape[2] == 1 else "RGB"
    if name == "BMP" and profile_of(picture.options.get("icc_profile"), mode) is not None:
        raise InputError(f"BMP holds no color profile, and this picture has one; {remedy}")
    if name not in ("PNG", "TIFF") and picture.color.dtype == np.uint16:
        raise InputError(f"{name} holds 8 bits a channel, and this picture has 16; {remedy}")
    return name


def write_picture(
    path: Path, picture: Picture, mask: Tensor, original: Picture, chosen: Format = "keep", quality: int | None = None
) -> Deviation:
    """Writes a picture that differs from another one in its holes alone.

    All formats but JPEG lose nothing: a known pixel decodes to the value that it had, which is checked on the written
    file. WebP is always written lossless. A JPEG is encoded again, with its own quantization tables and
    subsampling unless a quality is given, so that its known pixels change a little.

    Args:
        path: where to.
        picture: what to write.
        mask: (1, 1, H, W), upright; 1 = hole.
        original: the picture before filling.
        chosen: ``keep`` or another format.
        quality: of JPEG, 1 … 100; None keeps the tables of a JPEG and is 95 for others.

    Returns:
        How known samples of the written file differ from the original's.

    Raises:
        InputError: the format cannot hold the picture.
    """
    name = format_of(picture, chosen)
    with replacing(path) as temporary:
        temporary.write_bytes(_encoded(picture, name, quality))
        deviation = known_deviation(original, read_picture(temporary), mask)
        if name != "JPEG" and deviation.largest > 0:
            raise InputError(f"{name} did not keep the known pixels of this picture; choose --format png")
    return deviation


def _encoded(picture: Picture, name: str, quality: int | None) -> bytes:
    """The bytes of the file.

    Raises:
        InputError: the format cannot hold the picture, or what else is in its file.
    """
    if name == "BMP":  # holds no orientation
        picture = replace(picture, color=upright(picture.color, picture.orientation), orientation=1)
    samples = picture.color if picture.alpha is None else np.dstack([picture.color, picture.alpha])
    image = Image.fromarray(np.ascontiguousarray(samples[..., 0] if samples.shape[2] == 1 else samples))
    buffer = io.BytesIO()
    try:
        image.save(buffer, name, **_options(picture, name, quality))
    except Exception as error:  # Pillow's encoders raise nearly anything for what they cannot write
        raise InputError(
            f"{name} cannot hold it ({reason_of(error)}); choose another --format, such as png, or reduce it"
        ) from error
    return buffer.getvalue()


def _options(picture: Picture, name: str, quality: int | None) -> dict[str, Any]:
    of_its_own = picture.options if picture.format == name else {}
    options: dict[str, Any] = {
        key: picture.options[key] for key in ("dpi", "icc_profile", "exif") if key in picture.options
    }
    if name == "JPEG":
        tables: dict[str, Any] = {
            key: of_its_own[key] for key in ("qtables", "subsampling", "progressive") if key in of_its_own
        }
        kept = tables if quality is None and tables else {"quality": quality or _QUALITY, "subsampling": 0}
        return options | kept
    if name == "PNG":
        return options | ({"pnginfo": of_its_own["pnginfo"]} if "pnginfo" in of_its_own else {})
    if name == "WEBP":
        # exact: colors under full transparency too.
        return options | {"lossless": True, "exact": True}
    if name == "TIFF":
        # libtiff, which compresses, writes no directories of EXIF.
        compression = of_its_own.get("compression", "tiff_adobe_deflate")
        return options | {"compression": "raw" if has_directories(options.get("exif")) else compression}
    return {"dpi": options["dpi"]} if "dpi" in options else {}
