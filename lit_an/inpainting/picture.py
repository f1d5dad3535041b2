"""Pictures as stored in their files: samples at their own depth, and options for writing them again."""

import os
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from lit_an.errors import InputError
from lit_an.images.color_profiles import Profile, profile_of, samples_from_srgb, samples_to_srgb
from lit_an.images.samples import (
    bits_of,
    deep_gray,
    eight_bits,
    has_more_frames,
    is_deep,
    orientation_of,
    reason_of,
    transparent_gray,
)
from lit_an.inpainting.picture_options import options_of

# Pillow's weights of gray (ITU-R 601), in which a gray picture is filled.
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
# Compared at once.
_ROWS = 64
_PLAIN = ("L", "LA", "RGB", "RGBA")


@dataclass(frozen=True)
class Picture:
    """The pixels and metadata of a file.

    Attributes:
        color: (H, W, 1) gray or (H, W, 3), uint8 or uint16, as stored: not yet turned by ``orientation``.
        alpha: (H, W), uint8, 0 = transparent, or None.
        orientation: EXIF's, 1 … 8; see ``upright``.
        format: Pillow's name of the file's format.
        options: what Pillow's ``save`` is told: EXIF, ICC profile, resolution, compression.
        notes: what is not as it was in the file.
    """

    color: np.ndarray
    alpha: np.ndarray | None
    orientation: int
    format: str
    options: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the upright picture, px."""
        height, width = self.color.shape[:2]
        return (width, height) if self.orientation >= 5 else (height, width)


def read_picture(path: str | os.PathLike[str]) -> Picture:
    """Every sample of a picture with all its bits.

    Palettes and 1-bit pictures become the colors or grays that they mean; in a 16-bit TIFF that stores white as 0, 0
    becomes black.

    Raises:
        InputError: no picture, a broken one, or one whose samples cannot all be kept: several frames, floating point,
            12 bits, 16 bits a channel in color, CMYK and other color spaces. The sentence says which.
    """
    try:
        with Image.open(path) as file:
            _refuse_what_would_lose_samples(file)
            return _taken_apart(file)
    except InputError:
        raise
    except Exception as error:  # Pillow's decoders raise nearly anything when a file is broken
        raise InputError(f"it cannot be read ({reason_of(error)})") from error


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
    """(1, 3, H, W), float32 in [-1, 1]: the network's input, upright, in color, as sRGB, over white."""
    # In place where possible, since a large picture is held several times.
    profile = _profile(picture)
    color = picture.color if profile is None else samples_to_srgb(picture.color, profile)
    planes = np.ascontiguousarray(upright(color, picture.orientation).transpose(2, 0, 1), dtype=np.float32)
    if profile is None:
        planes /= _white(picture)
    if picture.alpha is not None:
        alpha = upright(picture.alpha, picture.orientation).astype(np.float32) / 255
        planes *= alpha
        planes += 1 - alpha
    return torch.from_numpy(planes).mul_(2).sub_(1).expand(3, -1, -1)[None].contiguous()


def filled(picture: Picture, prediction: Tensor, mask: Tensor) -> Picture:
    """The picture with new colors in the hole; all other samples and the alpha are unchanged.

    Args:
        picture: the original.
        prediction: (1, 3, H, W), in [-1, 1], upright, sRGB; it becomes what the picture's ICC profile says.
        mask: (1, 1, H, W), upright; nonzero = hole.
    """
    hole = as_stored(mask[0, 0].cpu().numpy() > 0, picture.orientation)
    made = as_stored(prediction[0].detach().float().cpu().permute(1, 2, 0).numpy(), picture.orientation)[hole]
    made = (made.clip(-1, 1) + 1) / 2
    if picture.color.shape[2] == 1:
        made = (made @ _LUMA)[:, None]
    profile = _profile(picture)
    if profile is not None:
        made = samples_from_srgb(made, profile)
    color = picture.color.copy()
    color[hole] = np.rint(made * np.float32(_white(picture))).clip(0, _white(picture)).astype(color.dtype)
    return replace(picture, color=color)


class Deviation(NamedTuple):
    """How known samples differ between two pictures.

    Attributes:
        largest: difference, in 8-bit levels; 0: they are the same bit for bit.
        share: of the known pixels that differ at all.
    """

    largest: float = 0.0
    share: float = 0.0


def known_deviation(original: Picture, written: Picture, mask: Tensor) -> Deviation:
    """Differences of color outside the hole, and of the alpha everywhere, as viewers show them; infinite for
    another size.

    Args:
        original, written: the pictures.
        mask: (1, 1, H, W), upright; 1 = hole.
    """
    if original.size != written.size:
        return Deviation(float("inf"), 1.0)
    known = mask[0, 0].cpu().numpy() == 0
    largest, changed = 0.0, 0
    for start in range(0, len(known), _ROWS):
        rows = slice(start, start + _ROWS)
        ours, theirs = (_with_alpha(picture, rows) for picture in (original, written))
        difference = np.abs(theirs - ours)
        # The alpha, the last of them, is the same in the hole too.
        of_color = difference[..., :-1].max(axis=-1) * known[rows]
        largest = max(largest, float(of_color.max(initial=0)), float(difference[..., -1].max(initial=0)))
        changed += int(np.count_nonzero(of_color))
    return Deviation(largest * 255, changed / max(1, int(known.sum())))


def _with_alpha(picture: Picture, rows: slice) -> np.ndarray:
    """(rows, W, 4), float64, 0 … 1: some formats hold no gray and some no alpha, so that both are always there."""
    color = upright(picture.color, picture.orientation)[rows] / _white(picture)
    alpha = np.ones(color.shape[:2])
    if picture.alpha is not None:
        alpha = upright(picture.alpha, picture.orientation)[rows] / 255
    return np.dstack([np.broadcast_to(color, (*alpha.shape, 3)), alpha])


def _white(picture: Picture) -> int:
    return int(np.iinfo(picture.color.dtype).max)


def _profile(picture: Picture) -> Profile | None:
    return profile_of(picture.options.get("icc_profile"), "L" if picture.color.shape[2] == 1 else "RGB")


def _refuse_what_would_lose_samples(file: Image.Image) -> None:
    # A JPEG of several pictures (MPO) is how cameras and phones keep a depth map or a gain map beside the picture.
    if file.format != "MPO" and has_more_frames(file):
        raise InputError(f"it has {_frames(file)} frames or pages; give each as a picture of its own")
    try:
        bits = bits_of(file)
    except ValueError as error:
        raise InputError(str(error)) from error
    if bits not in (8, 16):
        raise InputError(f"it has {bits} bits a sample, which cannot be written again; give it with 8 or 16")
    if file.mode in _PLAIN and is_deep(file):
        raise InputError(
            "it has 16 bits a channel in color, of which 8 would be lost; give it with 8 bits a channel, or in gray"
        )
    if file.mode not in (*_PLAIN, "1", "P", "PA") and bits == 8:
        raise InputError(f"its colors are {file.mode}; give it in RGB or gray")
    if transparent_gray(file) is not None:
        raise InputError("it has 16 bits a channel and a transparent color; give it with one of the two")


def _frames(file: Image.Image) -> str:
    try:
        return str(getattr(file, "n_frames", 1))
    except Exception:  # the count ends at a broken one
        return "several"


def _taken_apart(file: Image.Image) -> Picture:
    notes = []
    # Its own name: a phone's MPO is written as the JPEG that its first picture is.
    file_format = "JPEG" if file.format == "MPO" else str(file.format)
    if has_more_frames(file):
        notes.append("only the first of its pictures was kept")
    alpha, samples = None, deep_gray(file)
    if samples is None:
        picture = eight_bits(file)
        if picture.mode != file.mode:
            notes.append(f"its {'palette' if file.mode in ('P', 'PA') else 'pixels'} became {picture.mode}")
        samples = np.asarray(picture)
        if picture.mode in ("LA", "RGBA"):
            samples, alpha = samples[..., :-1], np.ascontiguousarray(samples[..., -1])
    orientation = orientation_of(file)
    options, more = options_of(file)
    return Picture(
        color=np.ascontiguousarray(samples[..., None] if samples.ndim == 2 else samples),
        alpha=alpha,
        orientation=orientation,
        format=file_format,
        options=options,
        notes=(*notes, *more),
    )
