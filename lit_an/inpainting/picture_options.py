"""Metadata of a picture's file that can be written again: EXIF, profile, resolution."""

import math
import struct
from typing import Any

from PIL import ExifTags, Image, JpegImagePlugin, PngImagePlugin

# Tags of a TIFF's pixel layout, which the writer sets; the ICC profile is passed separately.
_LAYOUT_TAGS = {254, 255, *range(256, 260), 262, 266, 273, *range(277, 280), 284, *range(320, 326), 330, 338, 339, 347}
_LAYOUT_TAGS |= {317, 34675, *range(512, 522), *range(529, 533)}
_DIRECTORIES = (int(ExifTags.IFD.Exif), int(ExifTags.IFD.GPSInfo))
# TIFF compressions that lose nothing and that Pillow writes.
_LOSSLESS_TIFF = {"raw", "packbits", "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "zstd"}
# JPEG keeps a resolution in 16 bits.
_FINEST = 65535


def options_of(file: Image.Image) -> tuple[dict[str, Any], list[str]]:
    """Options to write a file's metadata again.

    Returns:
        Arguments of Pillow's ``save``, and notes on broken entries that were left out.
    """
    options: dict[str, Any] = {}
    if file.info.get("icc_profile"):
        options["icc_profile"] = file.info["icc_profile"]
    notes = []
    if file.info.get("dpi"):
        if _is_resolution(file.info["dpi"]):
            options["dpi"] = file.info["dpi"]
        else:
            notes.append("its resolution is not a number of pixels per inch: left out")
    exif, whole = _exif(file)
    if exif:
        options["exif"] = exif
    if not whole:
        notes.append("EXIF entries that are broken were left out")
    if file.format in ("JPEG", "MPO"):
        options |= _jpeg_options(file)
    if file.format == "PNG":
        options["pnginfo"] = _png_chunks(file)
    if file.format == "TIFF":
        compression = file.info.get("compression", "raw")
        options["compression"] = compression if compression in _LOSSLESS_TIFF else "tiff_adobe_deflate"
    return options, notes


def has_directories(exif: bytes | None) -> bool:
    """Whether an EXIF has directories of its own beside its first entries, as a camera's has."""
    entries = Image.Exif()
    entries.load(exif or b"")
    return any(tag in entries for tag in _DIRECTORIES)


def _is_resolution(dpi: Any) -> bool:
    try:
        return all(math.isfinite(each) and 0 < each <= _FINEST for each in map(float, dpi))
    except (TypeError, ValueError, ZeroDivisionError):
        return False


def _exif(file: Image.Image) -> tuple[bytes, bool]:
    """The EXIF as bytes, empty for none, without its preview picture: that would still show what was taken out. And
    whether all of the rest is in it."""
    try:
        exif = file.getexif()
        if file.format != "TIFF":
            kept = Image.Exif()
            # Tag by tag, without the preview.
            kept.load(exif.tobytes())
            return (kept.tobytes() if len(kept) else b""), True
    except Exception:  # Pillow raises nearly anything for a broken entry
        exif = file.getexif() if _is_readable(file) else Image.Exif()
    return _whole_entries(exif, _LAYOUT_TAGS if file.format == "TIFF" else set(), file.format == "TIFF")


def _is_readable(file: Image.Image) -> bool:
    try:
        file.getexif()
    except Exception:  # see above
        return False
    return True


def _whole_entries(exif: Image.Exif, without: set[int], whole: bool) -> tuple[bytes, bool]:
    """The entries that can be written; whether these are all."""
    kept = Image.Exif()
    for tag in [tag for tag in exif if tag not in without]:
        try:
            kept[tag] = dict(exif.get_ifd(tag)) if tag in _DIRECTORIES else exif[tag]
            kept.tobytes()
        except Exception:  # see above
            kept.pop(tag, None)
            whole = False
    return (kept.tobytes() if len(kept) else b""), whole


def _jpeg_options(file: Image.Image) -> dict[str, Any]:
    """The tables and the subsampling of the original: most blocks then come out as they went in."""
    assert isinstance(file, JpegImagePlugin.JpegImageFile)
    options: dict[str, Any] = {"qtables": file.quantization, "progressive": bool(file.info.get("progressive"))}
    if file.mode == "RGB":
        options["subsampling"] = JpegImagePlugin.get_sampling(file)
    return options


def _png_chunks(file: Image.Image) -> PngImagePlugin.PngInfo:
    chunks = PngImagePlugin.PngInfo()
    if "gamma" in file.info:
        chunks.add(b"gAMA", struct.pack(">I", round(file.info["gamma"] * 100000)))
    for name, text in getattr(file, "text", {}).items():
        chunks.add_itxt(name, str(text))
    return chunks
