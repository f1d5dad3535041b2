"""How one image is kept in a shard: prepared, encoded, decoded again. Pure functions."""

import io
import os

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from lit_an.data.transforms import to_tensor
from lit_an.errors import InputError
from lit_an.images.color_profiles import profile_of
from lit_an.images.samples import bits_of, eight_bits, has_alpha, has_more_frames, orientation_of

FORMATS = ("jpeg", "png", "raw")


def encode(image: Image.Image, stored_as: str, quality: int) -> bytes:
    """An RGB image as bytes.

    Args:
        image: S × S.
        stored_as: ``raw`` (its pixels, channels first), ``png`` (the same pixels, smaller) or ``jpeg`` (much smaller,
            not quite the same).
        quality: of ``jpeg``, 1 … 100; color is kept at full resolution.

    Example:
        >>> len(encode(Image.new("RGB", (4, 4)), "raw", 0))
        48
    """
    if stored_as == "raw":
        return to_tensor(image).numpy().tobytes()
    buffer = io.BytesIO()
    options = {"quality": quality, "subsampling": 0} if stored_as == "jpeg" else {}
    image.save(buffer, stored_as, **options)
    return buffer.getvalue()


def decode(data: bytes | memoryview, stored_as: str, image_size: int) -> Tensor:
    """(3, image_size, image_size), uint8: what ``encode`` was given, save what ``jpeg`` loses.

    Raises:
        InputError: the bytes are not such an image.
    """
    try:
        if stored_as == "raw":
            # bytearray: torch wants memory that may be written to.
            return torch.frombuffer(bytearray(data), dtype=torch.uint8).view(3, image_size, image_size)
        with Image.open(io.BytesIO(data), formats=[stored_as]) as image:
            pixels = np.asarray(image)
        return torch.from_numpy(pixels.transpose(2, 0, 1).copy()).view(3, image_size, image_size)
    except Exception as error:  # Pillow's decoders raise nearly anything
        raise InputError(
            f"an image in a shard is damaged ({type(error).__name__}: {error}); prepare the shards again"
        ) from error


def encode_regions(regions: np.ndarray) -> bytes:
    """A region map, (S, S), uint8, as PNG: maps are flat, so this is small."""
    buffer = io.BytesIO()
    Image.fromarray(regions).save(buffer, "png")
    return buffer.getvalue()


def decode_regions(data: bytes | memoryview) -> Tensor:
    """(S, S), int64: what ``encode_regions`` was given.

    Raises:
        InputError: the bytes are not such a map.
    """
    try:
        with Image.open(io.BytesIO(data), formats=["png"]) as image:
            return torch.from_numpy(np.array(image)).long()
    except Exception as error:  # Pillow's decoders raise nearly anything
        raise InputError(
            f"a region map in a shard is damaged ({type(error).__name__}: {error}); prepare the shards again"
        ) from error


def conversions(path: str | os.PathLike[str]) -> list[str]:
    """What ``lit_an.data.transforms.read_image`` has to change of a readable file, for the report.

    Example:
        >>> import tempfile
        >>> path = os.path.join(tempfile.mkdtemp(), "a.png")
        >>> Image.new("L", (2, 2)).save(path)
        >>> conversions(path)
        ['gray to RGB']
    """
    with Image.open(path) as file:
        found, bits = [], bits_of(file)
        if bits > 8:
            found.append(f"{bits} bits to 8")
        if has_alpha(file):
            found.append("transparency over white")
        elif bits == 8 and file.mode != "RGB":
            found.append({"L": "gray to RGB", "P": "palette to RGB"}.get(file.mode, f"{file.mode} to RGB"))
        icc = file.info.get("icc_profile")
        if icc and profile_of(icc, eight_bits(file).mode.removesuffix("A")) is not None:
            found.append("color profile to sRGB")
        if orientation_of(file) != 1:
            found.append("turned by EXIF")
        if has_more_frames(file):
            found.append("first frame of several")
        return found
