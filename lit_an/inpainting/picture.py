"""A picture as its file holds it: every sample at its own depth, and what a writer has to be told of the rest."""

import os
import struct
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import ExifTags, Image, JpegImagePlugin, PngImagePlugin
from torch import Tensor

from lit_an.errors import InputError

# Pillow's weights of grey (ITU-R 601), in which a grey picture is filled.
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
_ORIENTATION = int(ExifTags.Base.Orientation)
# Tags that say how a TIFF lays out its pixels; its writer knows better. The ICC profile has a way of its own.
_LAYOUT_TAGS = {254, 255, *range(256, 260), 262, 266, 273, *range(277, 280), 284, *range(320, 326), 330, 338, 339, 347}
_LAYOUT_TAGS |= {317, 34675, *range(512, 522), *range(529, 533)}
_DIRECTORIES = (int(ExifTags.IFD.Exif), int(ExifTags.IFD.GPSInfo))
# TIFF compressions that lose nothing and that Pillow writes.
_LOSSLESS_TIFF = {"raw", "packbits", "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "zstd"}
_DEPTHS = {"I;16": 16, "I;16B": 16, "I;16L": 16, "I;16N": 16}
# Compared at once.
_ROWS = 64
_PLAIN = ("L", "LA", "RGB", "RGBA")


@dataclass(frozen=True)
class Picture:
    """The pixels of a file and what else is in it.

    Attributes:
        colour: (H, W, 1) grey or (H, W, 3), uint8 or uint16, as stored: not yet turned by ``orientation``.
        alpha: (H, W), uint8, 0 = transparent, or None.
        orientation: EXIF's, 1 … 8; see ``upright``.
        format: Pillow's name of the file's format.
        options: what Pillow's ``save`` is told: EXIF, ICC profile, resolution, compression.
        notes: what is not as it was in the file.
    """

    colour: np.ndarray
    alpha: np.ndarray | None
    orientation: int
    format: str
    options: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the upright picture, px."""
        height, width = self.colour.shape[:2]
        return (width, height) if self.orientation >= 5 else (height, width)


def read_picture(path: str | os.PathLike[str]) -> Picture:
    """Every sample of a picture with all its bits.

    Palettes and 1-bit pictures become the colours or greys that they mean.

    Raises:
        InputError: no picture, a broken one, or one whose samples cannot all be kept: several frames, floating point,
            16 bits a channel in colour, CMYK and other colour spaces. The sentence says which.
    """
    try:
        with Image.open(path) as file:
            _refuse_what_would_lose_samples(file)
            file.load()
            return _taken_apart(file)
    except InputError:
        raise
    except Exception as error:  # Pillow's decoders raise nearly anything when a file is broken
        reason = getattr(error, "strerror", None) or (str(error).splitlines() or [type(error).__name__])[0]
        if isinstance(error, Image.UnidentifiedImageError):
            reason = "it is no picture"
        raise InputError(f"it cannot be read ({reason[:120]})") from error


def upright(samples: np.ndarray, orientation: int) -> np.ndarray:
    """Samples (H, W, …) turned and mirrored as EXIF's orientation says: what a viewer shows.

    Example:
        >>> upright(np.array([[1, 2, 3]]), 6).tolist()
        [[1], [2], [3]]
        >>> back = [as_stored(upright(np.eye(2, 3), turn), turn) for turn in range(1, 9)]
        >>> all((each == np.eye(2, 3)).all() for each in back)
        True
    """
    if orientation in (5, 7):
        return np.swapaxes(samples if orientation == 5 else samples[::-1, ::-1], 0, 1)
    if orientation in (6, 8):
        return np.rot90(samples, -1 if orientation == 6 else 1)
    rows, columns = {2: (1, -1), 3: (-1, -1), 4: (-1, 1)}.get(orientation, (1, 1))
    return samples[::rows, ::columns]


def as_stored(samples: np.ndarray, orientation: int) -> np.ndarray:
    """The inverse of ``upright``."""
    return upright(samples, {6: 8, 8: 6}.get(orientation, orientation))


def to_model(picture: Picture) -> Tensor:
    """(1, 3, H, W), float32 in [-1, 1]: what a network is shown, upright, in colour, laid over white."""
    # In place wherever it can be: a large picture is held several times anyhow.
    planes = np.ascontiguousarray(upright(picture.colour, picture.orientation).transpose(2, 0, 1), dtype=np.float32)
    planes /= _white(picture)
    if picture.alpha is not None:
        alpha = upright(picture.alpha, picture.orientation).astype(np.float32) / 255
        planes *= alpha
        planes += 1 - alpha
    return torch.from_numpy(planes).mul_(2).sub_(1).expand(3, -1, -1)[None].contiguous()


def filled(picture: Picture, prediction: Tensor, mask: Tensor) -> Picture:
    """The picture with other colours where the mask says so; every other sample, and the alpha, as it was.

    Args:
        picture: the original.
        prediction: (1, 3, H, W), in [-1, 1], upright.
        mask: (1, 1, H, W), upright; nonzero = hole.
    """
    hole = as_stored(mask[0, 0].cpu().numpy() > 0, picture.orientation)
    made = as_stored(prediction[0].detach().float().cpu().permute(1, 2, 0).numpy(), picture.orientation)[hole]
    made = made.clip(-1, 1)
    if picture.colour.shape[2] == 1:
        made = (made @ _LUMA)[:, None]
    colour = picture.colour.copy()
    colour[hole] = np.rint((made + 1) * np.float32(_white(picture) / 2)).clip(0, _white(picture)).astype(colour.dtype)
    return replace(picture, colour=colour)


class Deviation(NamedTuple):
    """How known samples differ between two pictures.

    Attributes:
        largest: difference, in 8-bit levels; 0: they are the same bit for bit.
        share: of the known pixels that differ at all.
    """

    largest: float = 0.0
    share: float = 0.0


def known_deviation(original: Picture, written: Picture, mask: Tensor) -> Deviation:
    """Differences of colour outside the hole, and of the alpha everywhere; infinite for another size or orientation.

    Args:
        original, written: the pictures.
        mask: (1, 1, H, W), upright; 1 = hole.
    """
    if original.colour.shape[:2] != written.colour.shape[:2] or original.orientation != written.orientation:
        return Deviation(float("inf"), 1.0)
    known = as_stored(mask[0, 0].cpu().numpy() == 0, original.orientation)
    largest, changed = 0.0, 0
    for start in range(0, len(known), _ROWS):
        rows = slice(start, start + _ROWS)
        ours, theirs = (_with_alpha(picture, rows) for picture in (original, written))
        difference = np.abs(theirs - ours)
        # The alpha, the last of them, is the same in the hole too.
        of_colour = difference[..., :-1].max(axis=-1) * known[rows]
        largest = max(largest, float(of_colour.max(initial=0)), float(difference[..., -1].max(initial=0)))
        changed += int(np.count_nonzero(of_colour))
    return Deviation(largest * 255, changed / max(1, int(known.sum())))


def _with_alpha(picture: Picture, rows: slice) -> np.ndarray:
    """(rows, W, 4), float64, 0 … 1: some formats hold no grey and some no alpha, so that both are always there."""
    colour = picture.colour[rows] / _white(picture)
    alpha = np.ones(colour.shape[:2]) if picture.alpha is None else picture.alpha[rows] / 255
    return np.dstack([np.broadcast_to(colour, (*alpha.shape, 3)), alpha])


def _white(picture: Picture) -> int:
    return int(np.iinfo(picture.colour.dtype).max)


def _refuse_what_would_lose_samples(file: Image.Image) -> None:
    frames = getattr(file, "n_frames", 1)
    # A JPEG of several pictures (MPO) is how cameras and phones keep a depth map or a gain map beside the picture.
    if frames > 1 and file.format != "MPO":
        raise InputError(f"it has {frames} frames or pages; give each as a picture of its own")
    if file.mode in ("F", "I") and not (file.mode == "I" and file.format == "PNG"):
        kind = "floating point" if file.mode == "F" else "32-bit integers"
        raise InputError(f"its samples are {kind}, of unknown range; give it with 8 or 16 bits a channel")
    if file.mode in _PLAIN and _is_deep(file):
        raise InputError(
            "it has 16 bits a channel in colour, of which 8 would be lost; give it with 8 bits a channel, or in grey"
        )
    if file.mode not in (*_PLAIN, *_DEPTHS, "1", "P", "PA", "I"):
        raise InputError(f"its colours are {file.mode}; give it in RGB or grey")
    if file.mode not in _PLAIN and "transparency" in file.info and file.mode not in ("1", "P"):
        raise InputError("it has 16 bits a channel and a transparent colour; give it with one of the two")


def _is_deep(file: Image.Image) -> bool:
    """Whether the file holds more than the 8 bits a channel that Pillow reads of it."""
    told = [each for tile in getattr(file, "tile", []) for each in np.ravel(tile[3]).tolist()]
    bits = np.ravel(getattr(file, "tag_v2", {}).get(258, 8)).tolist()
    if file.format == "PPM":  # told its largest value
        return any(str(each).isdigit() and int(each) > 255 for each in told)
    return max(bits) > 8 or any(";16" in str(each) for each in told)


def _taken_apart(file: Image.Image) -> Picture:
    notes = []
    # Its own name: a phone's MPO is written as the JPEG that its first picture is.
    file_format = "JPEG" if file.format == "MPO" else str(file.format)
    if getattr(file, "n_frames", 1) > 1:
        notes.append("only the first of its pictures was kept")
    exif = file.getexif()
    orientation = exif.get(_ORIENTATION, 1)
    picture: Image.Image = file
    if "transparency" in file.info:
        picture = file.convert("LA" if file.mode in ("1", "L") else "RGBA")
    elif file.mode in ("1", "P", "PA"):
        picture = file.convert({"1": "L", "P": "RGB", "PA": "RGBA"}[file.mode])
    if picture is not file:
        notes.append(f"its {'palette' if file.mode in ('P', 'PA') else 'pixels'} became {picture.mode}")
    samples = np.asarray(picture)
    if picture.mode in _DEPTHS or picture.mode == "I":
        samples = samples.astype(np.uint16)
    samples = samples[..., None] if samples.ndim == 2 else samples
    alpha = np.ascontiguousarray(samples[..., -1]) if picture.mode in ("LA", "RGBA") else None
    return Picture(
        colour=np.ascontiguousarray(samples[..., :-1] if alpha is not None else samples),
        alpha=alpha,
        orientation=int(orientation) if orientation in range(1, 9) else 1,
        format=file_format,
        options=_options(file, exif),
        notes=tuple(notes),
    )


def _options(file: Image.Image, exif: Image.Exif) -> dict[str, Any]:
    """What of the file beside its pixels goes into the next one, as arguments of ``save``."""
    options: dict[str, Any] = {name: file.info[name] for name in ("dpi", "icc_profile") if file.info.get(name)}
    kept = Image.Exif()
    # Tag by tag, without EXIF's preview picture: it would still show what was taken out.
    kept.load(exif.tobytes() if file.format != "TIFF" else b"")
    if file.format == "TIFF":
        for tag, value in exif.items():
            if tag not in _LAYOUT_TAGS:
                kept[tag] = dict(exif.get_ifd(tag)) if tag in _DIRECTORIES else value
    if len(kept):
        options["exif"] = kept.tobytes()
    if file.format in ("JPEG", "MPO"):
        options |= _jpeg_options(file)
    if file.format == "PNG":
        options["pnginfo"] = _png_chunks(file)
    if file.format == "TIFF":
        compression = file.info.get("compression", "raw")
        options["compression"] = compression if compression in _LOSSLESS_TIFF else "tiff_adobe_deflate"
    return options


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
