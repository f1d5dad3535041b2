"""ICC profiles: converts Display P3, Adobe RGB or CMYK colors to sRGB, the color space of all networks."""

import io
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageCms

# A profile that changes no color by more levels than these is sRGB up to rounding, and is ignored.
_SAME = 2
_NO_CACHE = 0x0040  # several threads may use one transformation
_FLAGS = ImageCms.Flags(ImageCms.Flags.BLACKPOINTCOMPENSATION | _NO_CACHE)
_INTENT = ImageCms.Intent.RELATIVE_COLORIMETRIC
_MODES = ("L", "RGB", "CMYK")
_RAMP = np.arange(256, dtype=np.uint8)


class Profile(NamedTuple):
    """Conversions from a file's colors to sRGB and, except for CMYK, back.

    Attributes:
        mode: of Pillow: ``L``, ``RGB`` or ``CMYK``.
        to_srgb, from_srgb: Pillow's transformations of RGB and CMYK.
        curve: (256,), float64, rising: the sRGB level of each gray.
    """

    mode: str
    to_srgb: Any = None
    from_srgb: Any = None
    curve: np.ndarray | None = None


@lru_cache(maxsize=64)
def profile_of(icc: bytes | None, mode: str) -> Profile | None:
    """The profile of an image.

    Args:
        icc: the profile's bytes.
        mode: Pillow's, of the image without its alpha.

    Returns:
        None if no conversion is needed: the profile is missing, sRGB, of another color space than the image, or
        broken (viewers then also assume sRGB).
    """
    if not icc or mode not in _MODES:
        return None
    try:
        own = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        srgb = ImageCms.createProfile("sRGB")
        to_srgb = ImageCms.buildTransform(own, srgb, mode, "RGB", _INTENT, _FLAGS)
        if mode == "L":
            levels = np.asarray(_applied(to_srgb, Image.fromarray(_RAMP[None])))[0].astype(np.float64)
            curve = np.maximum.accumulate(levels @ [0.2126, 0.7152, 0.0722])
            return None if np.abs(curve - _RAMP).max() <= _SAME else Profile(mode, curve=curve)
        if mode == "CMYK":
            return Profile(mode, to_srgb)
        colors = Image.fromarray(_probe())
        moved = np.asarray(_applied(to_srgb, colors)).astype(int) - np.asarray(colors)
        if np.abs(moved).max() <= _SAME:
            return None
        return Profile(mode, to_srgb, ImageCms.buildTransform(srgb, own, "RGB", "RGB", _INTENT, _FLAGS))
    except Exception:  # littleCMS and Pillow raise nearly anything for a broken profile, and one of another color space
        return None


def as_srgb(image: Image.Image, icc: bytes | None) -> Image.Image:
    """Converts an image to sRGB and keeps alpha; returns images without a profile, or in sRGB, unchanged.

    Args:
        image: of 8 bits a channel.
        icc: its profile.
    """
    alpha = image.getchannel("A") if image.mode in ("LA", "RGBA") else None
    mode = {"LA": "L", "RGBA": "RGB"}.get(image.mode, image.mode)
    profile = profile_of(icc, mode)
    if profile is None:
        return image
    color = image if alpha is None else image.convert(mode)
    if profile.curve is not None:
        color = color.point(np.rint(profile.curve).astype(int).tolist())
    else:
        color = _applied(profile.to_srgb, color)
    if alpha is not None:
        color.putalpha(alpha)
    return color


def samples_to_srgb(samples: np.ndarray, profile: Profile) -> np.ndarray:
    """Samples of a file as sRGB.

    Args:
        samples: (H, W, 1), uint8 or uint16, or (H, W, 3), uint8.
        profile: of gray for one channel, of RGB for three.

    Returns:
        (H, W, 1) or (H, W, 3), float32, 0 … 1.
    """
    if profile.curve is not None:
        white = np.iinfo(samples.dtype).max
        return (np.interp(samples / (white / 255), _RAMP, profile.curve) / 255).astype(np.float32)
    return np.asarray(_applied(profile.to_srgb, Image.fromarray(samples))).astype(np.float32) / 255


def samples_from_srgb(colors: np.ndarray, profile: Profile) -> np.ndarray:
    """sRGB colors as samples of a file: the inverse of ``samples_to_srgb``.

    Args:
        colors: (N, 1) or (N, 3), float, 0 … 1.
        profile: of gray for one channel, of RGB for three.

    Returns:
        (N, 1) or (N, 3), float32, 0 … 1.
    """
    if profile.curve is not None:
        return (np.interp(colors * 255, profile.curve, _RAMP) / 255).astype(np.float32)
    levels = np.rint(np.asarray(colors) * 255).clip(0, 255).astype(np.uint8)
    return np.asarray(_applied(profile.from_srgb, Image.fromarray(levels[None])))[0].astype(np.float32) / 255


def _applied(transform: Any, image: Image.Image) -> Image.Image:
    found = ImageCms.applyTransform(image, transform)
    assert found is not None, "only a transformation in place gives nothing back"
    found.info.pop("icc_profile", None)
    return found


def _probe() -> np.ndarray:
    """(27, 27, 3), uint8: colors all over the cube, grays among them."""
    levels = np.array([0, 32, 64, 96, 128, 160, 192, 224, 255], dtype=np.uint8)
    red, green, blue = np.meshgrid(levels, levels, levels, indexing="ij")
    return np.stack([red, green, blue], -1).reshape(27, 27, 3)
