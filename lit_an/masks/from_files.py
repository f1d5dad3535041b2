"""Masks from image files: the irregular masks that others publish, drawn ones, fixed sets."""

import os
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from lit_an.errors import InputError
from lit_an.masks.base import HoleShape, check_between, scale_of

ENDINGS = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".pgm", ".pbm", ".tif", ".tiff", ".webp")

# So many files, spread evenly over the sorted list, say whether a set looks inverted.
LOOKED_AT = 32


class MaskFiles(HoleShape):
    """Masks from the image files in a folder: white is hole, black is known.

    Files are those at any depth whose names do not begin with a dot, sorted by their paths. In a fixed order (``index``
    given) image ``index`` gets file ``index mod n``, as it is. In training the seed chooses the file, and flips,
    rotation and dilation. A file of another size is resized by nearest neighbour, each side for itself.

    A set looks inverted if the holes of 32 of its files, spread evenly over the list, are more than ``max_mean_share``
    of their pixels on average: such a set is refused, as are grey files, each by name.

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
        InputError: a folder that is missing, empty or looks inverted, a file that is grey, transparent or unreadable,
            or values out of their range; when a mask is drawn, a file that turns out so then, or one for ``index``
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
            colour, other = ("black", "false") if self.inverted else ("white", "true")
            raise InputError(
                f"the masks in {self.folder!r} look inverted: {colour}, which means hole, is {mean:.1%} of {count} of "
                f"them on average, more than max_mean_share={self.max_mean_share}; set inverted={other}, or raise "
                f"max_mean_share if holes are that large"
            )


def read_mask(path: Path, threshold: float | None = None, inverted: bool = False) -> np.ndarray:
    """(H, W), bool: the hole in a mask file, in the file's own size.

    Args:
        path: any image file that Pillow reads; of several frames the first is taken.
        threshold: what is brighter than this share of white is hole; None refuses greys.
        inverted: what is not, is hole.

    Raises:
        InputError: the file cannot be read, is transparent, or is grey and there is no threshold; one line that names
            it.
    """
    try:
        with Image.open(path) as file:
            image = ImageOps.exif_transpose(file)
            clear = _is_transparent(image)
            pixels = np.asarray(_to_eight_bits(image).convert("L"))
    except Exception as error:  # Pillow's decoders raise nearly anything when a file is broken
        raise InputError(f"the mask {str(path)!r} cannot be read ({_reason(error)}); replace or remove it") from error
    if clear:
        raise InputError(
            f"the mask {str(path)!r} has transparent pixels, which say neither hole nor known; save it in black and "
            f"white"
        )
    # One comparison for 1 to 254: 0 - 1 is 255 in 8 bits.
    if threshold is None and ((pixels - np.uint8(1)) < 254).any():
        raise InputError(_grey(path, np.unique(pixels).tolist()))
    bright = pixels > int(255 * (0.5 if threshold is None else threshold))
    return ~bright if inverted else bright


def resized(hole: np.ndarray, height: int, width: int) -> np.ndarray:
    """(height, width), bool: the nearest pixel of the hole, each side for itself.

    Example:
        >>> resized(np.array([[True, False, False]]), 1, 6).astype(int).tolist()
        [[1, 1, 0, 0, 0, 0]]
    """
    if hole.shape == (height, width):
        return hole
    # The old pixel under each new one's centre.
    rows, columns = (
        (2 * np.arange(new) + 1) * old // (2 * new) for new, old in zip((height, width), hole.shape, strict=True)
    )
    return hole[rows][:, columns]


def dilated(hole: np.ndarray, radius: int) -> np.ndarray:
    """(H, W), bool: all pixels with a hole in the square of side 2 · radius + 1 around them.

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


def _grey(path: Path, values: list[int]) -> str:
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
    found = []
    for place, folders, files in os.walk(root, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        inside = Path(place).relative_to(root)
        found += [(inside / name).as_posix() for name in files if _is_image(name)]
    if not found:
        raise InputError(f"MaskFiles: folder={str(root)!r} holds no images ({', '.join(ENDINGS)}); add masks")
    return sorted(found)


def _is_image(name: str) -> bool:
    return name.lower().endswith(ENDINGS) and not name.startswith(".")


def _is_transparent(image: Image.Image) -> bool:
    if "transparency" not in image.info and image.mode not in ("LA", "La", "PA", "RGBA", "RGBa"):
        return False
    return min(image.convert("RGBA").getchannel("A").tobytes()) < 255


def _to_eight_bits(image: Image.Image) -> Image.Image:
    """Scales 16-bit grey to 8 bits; leaves the other modes."""
    if image.mode == "F":
        raise ValueError("its pixels are floating-point numbers of unknown range, convert it to 8 bits")
    if not image.mode.startswith("I"):
        return image
    # Rounded up to the next grey, so that what is neither black nor white stays so.
    pixels = np.asarray(image).astype(np.int64)
    scaled = np.where(pixels == 65535, 255, np.minimum(-(-pixels // 257), 254))
    return Image.fromarray(scaled.clip(0).astype(np.uint8))


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "not an image, or of an unknown format"
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(text.split()) or type(error).__name__
