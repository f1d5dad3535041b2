"""Masks from image files: published irregular masks, hand-drawn ones, fixed sets."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from lit_an.errors import InputError
from lit_an.images.files import ENDINGS, count_by_ending, find_images
from lit_an.images.samples import deep_gray, eight_bits, orientation_of, reason_of, transparent_gray, turned
from lit_an.masks.base import HoleShape, check_between, scale_of

# Number of files, evenly spread over the sorted list, that decide whether a set looks inverted.
LOOKED_AT = 32

# Formats in which compression may add a few ones to a black mask.
_LOSSY = ("JPEG", "MPO", "WEBP", "AVIF", "JPEG2000")


class MaskFiles(HoleShape):
    """Masks from the image files in a folder: white is hole, black is known.

    Files are those at any depth whose names do not begin with a dot, sorted by their paths. In a fixed order (``index``
    given) image ``index`` gets file ``index mod n``, as it is. In training the seed chooses the file, and flips,
    rotation and dilation. A file of another size is resized by nearest neighbor, each side for itself.

    A set looks inverted if the holes of 32 of its files, spread evenly over the list, are more than ``max_mean_share``
    of their pixels on average: such a set is refused, as are gray files, each by name. In a file of 0 and 1 alone, 1 is
    white.

    Args:
        folder: the folder; ``~`` is expanded.
        threshold: what is brighter than this share of white, 0 ≤ threshold < 1, is hole; None refuses files with
            other values than black and white, such as JPEGs and antialiased ones.
        inverted: black is hole and white is known.
        max_mean_share: share of hole above which a set is taken for inverted; 1 never does.
        flip: in training, mirror masks left to right and upside down at random.
        max_rotation: in training, turn masks by up to so many degrees, 0 to 180; corners are then known.
        max_dilation: in training, let holes grow by up to so many pixels on each side, in pixels of an image whose
            shorter side is 256; as Liu et al. (arXiv 1804.07723, section 4.1) train.

    Raises:
        InputError: a folder that is missing, empty or looks inverted, a file that is gray, transparent or unreadable,
            or values out of their range; when a mask is drawn, a file with such a fault, or one for ``index``
            that is all hole or all known.
    """

    def __init__(
        self,
        folder: str,
        threshold: float | None = None,
        inverted: bool = False,
        max_mean_share: float = 0.6,
        flip: bool = False,
        max_rotation: float = 0.0,
        max_dilation: float = 0.0,
    ) -> None:
        self.folder, self.threshold, self.inverted, self.max_mean_share = folder, threshold, inverted, max_mean_share
        self.flip, self.max_rotation, self.max_dilation = flip, max_rotation, max_dilation
        if threshold is not None and not 0 <= threshold < 1:
            raise InputError(f"MaskFiles: threshold must be at least 0 and below 1, got {threshold}")
        check_between(self, 0, 1, max_mean_share=max_mean_share)
        check_between(self, 0, 180, max_rotation=max_rotation)
        check_between(self, 0, float("inf"), max_dilation=max_dilation)
        self._root = Path(folder).expanduser()
        self.files = _listed(self._root)
        self._check_polarity()

    def __len__(self) -> int:
        return len(self.files)

    def paint(self, height: int, width: int, seed: int, index: int | None) -> np.ndarray:
        if index is not None:
            return self._whole(height, width, index)
        random = np.random.default_rng(seed)
        hole = self._turned(self._read(int(random.integers(len(self.files)))), random)
        radius = round(scale_of(height, width) * random.uniform(0, self.max_dilation))
        return dilated(resized(hole, height, width), radius)

    def _whole(self, height: int, width: int, index: int) -> np.ndarray:
        number = index % len(self.files)
        hole = resized(self._read(number), height, width)
        if hole.all() or not hole.any():
            kind = "all hole" if hole.any() else "without a hole"
            raise InputError(
                f"the mask {str(self._root / self.files[number])!r} is {kind} at {height}×{width} px; replace or "
                f"remove it"
            )
        return hole

    def _turned(self, hole: np.ndarray, random: np.random.Generator) -> np.ndarray:
        mirrored, upside_down = random.random(2) < 0.5
        degrees = random.uniform(-self.max_rotation, self.max_rotation)
        if self.flip:
            hole = hole[:: -1 if upside_down else 1, :: -1 if mirrored else 1]
        if not degrees:
            return hole
        return np.asarray(Image.fromarray(hole.astype(np.uint8)).rotate(degrees, Image.Resampling.NEAREST)) > 0

    def _read(self, number: int) -> np.ndarray:
        return read_mask(self._root / self.files[number], self.threshold, self.inverted)

    def _check_polarity(self) -> None:
        """Raises InputError if the set looks inverted."""
        count = min(LOOKED_AT, len(self.files))
        numbers = (position * len(self.files) // count for position in range(count))
        mean = float(np.mean([self._read(number).mean() for number in numbers]))
        if mean > self.max_mean_share:
            color, other = ("black", "false") if self.inverted else ("white", "true")
            raise InputError(
                f"the masks in {self.folder!r} look inverted: {color}, which means hole, is {mean:.1%} of {count} of "
                f"them on average, more than max_mean_share={self.max_mean_share}; set inverted={other}, or raise "
                f"max_mean_share if holes are that large"
            )


class MaskLevels(NamedTuple):
    """What a mask file holds.

    Attributes:
        pixels: (H, W), uint8: 0 = black, 255 = white; what is neither stays between.
        binary: whether the file's samples are 0 and 1 alone, which stand for black and white.
    """

    pixels: np.ndarray
    binary: bool = False

    def hole(self, threshold: float = 0.5, inverted: bool = False) -> np.ndarray:
        """(H, W), bool: what is brighter than a share of white; with ``inverted`` what is not."""
        bright = self.pixels > int(255 * threshold)
        return ~bright if inverted else bright


def read_levels(path: Path) -> MaskLevels:
    """The levels in a mask file, in the file's own size, upright; of several frames those of the first.

    They are the values in the file; an ICC profile is ignored.

    Raises:
        InputError: the file cannot be read, is transparent, or has samples of 16 bits that use 8 of them alone.
    """
    try:
        with Image.open(path) as file:
            levels, clear, used = _levels_in(file)
            pixels = np.asarray(turned(Image.fromarray(levels), orientation_of(file)))
    except Exception as error:  # Pillow's decoders raise nearly anything when a file is broken
        raise InputError(f"the mask {str(path)!r} cannot be read ({reason_of(error)}); replace or remove it") from error
    if clear:
        raise InputError(
            f"the mask {str(path)!r} has transparent pixels, which say neither hole nor known; save it in black and "
            f"white"
        )
    if used == 1:
        return MaskLevels(pixels * np.uint8(255), binary=True)
    if used:
        raise InputError(
            f"the mask {str(path)!r} has 16 bits, of which its samples, {used} at most, use 8; save it with 8 bits"
        )
    return MaskLevels(pixels)


def read_mask(path: Path, threshold: float | None = None, inverted: bool = False) -> np.ndarray:
    """(H, W), bool: the hole in a mask file, in the file's own size.

    Args:
        path: see ``read_levels``.
        threshold: what is brighter than this share of white is hole; None refuses grays.
        inverted: what is not, is hole.

    Raises:
        InputError: see ``read_levels``, or it is gray and there is no threshold; one line that names it.
    """
    levels = read_levels(path)
    # One comparison for 1 to 254: 0 - 1 is 255 in 8 bits.
    if threshold is None and ((levels.pixels - np.uint8(1)) < 254).any():
        raise InputError(_gray(path, np.unique(levels.pixels).tolist()))
    return levels.hole(0.5 if threshold is None else threshold, inverted)


def resized(hole: np.ndarray, height: int, width: int) -> np.ndarray:
    """(height, width), bool: the nearest pixel of the hole, each side for itself.

    Example:
        >>> resized(np.array([[True, False, False]]), 1, 6).astype(int).tolist()
        [[1, 1, 0, 0, 0, 0]]
    """
    if hole.shape == (height, width):
        return hole
    # The source pixel under the center of each new pixel.
    rows, columns = (
        (2 * np.arange(new) + 1) * old // (2 * new) for new, old in zip((height, width), hole.shape, strict=True)
    )
    return hole[rows][:, columns]


def dilated(hole: np.ndarray, radius: int) -> np.ndarray:
    """(H, W), bool: all pixels with a hole pixel in the square of side 2 · radius + 1 around them.

    Example:
        >>> dilated(np.array([[False, False, False, True]]), 1).astype(int).tolist()
        [[0, 0, 1, 1]]
    """
    # A square is a row of columns: growing along one axis, then along the other.
    along_rows = hole.copy()
    for shift in range(1, radius + 1):
        along_rows[shift:] |= hole[:-shift]
        along_rows[:-shift] |= hole[shift:]
    result = along_rows.copy()
    for shift in range(1, radius + 1):
        result[:, shift:] |= along_rows[:, :-shift]
        result[:, :-shift] |= along_rows[:, shift:]
    return result


def _gray(path: Path, values: list[int]) -> str:
    between = [value for value in values if value not in (0, 255)]
    middle = (values[0] + values[-1]) / 2 / 255
    return (
        f"the mask {str(path)!r} is not black and white: it has {len(between)} values between 0 and 255, such as "
        f"{between[len(between) // 2]}; save it with 0 and 255 only, or set threshold ({middle:.3g} is its "
        f"middle), and what is brighter is hole"
    )


def _listed(root: Path) -> list[str]:
    """The mask files at any depth, relative to the folder, sorted."""
    if not root.is_dir():
        state = "is a file" if root.exists() else "does not exist"
        raise InputError(f"MaskFiles: folder={str(root)!r} {state}; give a folder of mask images")
    images, left_out = find_images(root)
    if not images:
        others = f"; it holds {count_by_ending(left_out)}" if left_out else ""
        raise InputError(f"MaskFiles: folder={str(root)!r} holds no images ({', '.join(ENDINGS)}){others}; add masks")
    return sorted(image.as_posix() for image in images)


def _levels_in(file: Image.Image) -> tuple[np.ndarray, bool, int]:
    """Levels (H, W), 0 … 255; whether pixels are transparent; the largest sample where it is too small for the depth.

    The last is 0 for a file that uses its depth, 1 for one of 0 and 1 alone.
    """
    gray, clear = deep_gray(file), transparent_gray(file)
    if gray is None:
        image = eight_bits(file)
        opaque = image.mode not in ("LA", "RGBA") or min(image.getchannel("A").tobytes()) == 255
        levels = np.asarray(image.convert("L"))
        return levels, not opaque, int(levels.max(initial=0) == 1 and file.format not in _LOSSY)
    largest = int(gray.max(initial=0))
    if largest <= 255:
        return gray.astype(np.uint8), clear is not None and bool((gray == clear).any()), largest
    # Rounded up to the next gray, so that what is neither black nor white stays so.
    scaled = np.where(gray == 65535, 255, np.minimum(-(-gray.astype(np.int64) // 257), 254))
    return scaled.astype(np.uint8), clear is not None and bool((gray == clear).any()), 0
