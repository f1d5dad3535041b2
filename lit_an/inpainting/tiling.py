"""Runs the network on images of any size: whole if they fit, else in overlapping tiles, blended in the holes."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from lit_an.batch import Inpainted
from lit_an.errors import InputError
from lit_an.tensors.holes import is_hole
from lit_an.trained.inpainter import TrainedInpainter

# Least side that the generators take.
SMALLEST = 8
# A tile with a smaller share of known pixels has almost no context.
_LITTLE_KNOWN = 0.05


class Tiling(NamedTuple):
    """When an image is cut into tiles, and how.

    Attributes:
        max_pixels: an image of more pixels is cut; the memory that is needed grows with it.
        tile: side of a tile, px; None for the largest multiple of 8 with at most ``max_pixels`` pixels.
        overlap: least overlap of neighboring tiles, as a share of their side.
    """

    max_pixels: int = 1024 * 1024
    tile: int | None = None
    overlap: float = 0.25

    @property
    def side(self) -> int:
        """Side of a tile, px."""
        return self.tile if self.tile is not None else max(SMALLEST, int(self.max_pixels**0.5) // 8 * 8)


class TiledInpainting(NamedTuple):
    """The network's output for one image.

    Attributes:
        inpainted: both stages, (1, 3, H, W), on the CPU; the input image where no tile was processed.
        tiles: passes through the network.
        blind: number of tiles with almost no known pixels, for a hole larger than a tile.
    """

    inpainted: Inpainted
    tiles: int
    blind: int


def check_tiling(tiling: Tiling) -> None:
    """Checks the numbers.

    Raises:
        InputError: one is out of range.
    """
    if tiling.max_pixels < SMALLEST**2:
        raise InputError(f"max_pixels must be at least {SMALLEST**2}, got {tiling.max_pixels}")
    if tiling.side < SMALLEST:
        raise InputError(f"tile must be at least {SMALLEST}, got {tiling.side}")
    if tiling.side**2 > tiling.max_pixels:
        raise InputError(f"a tile of {tiling.side}×{tiling.side} px is more than max_pixels={tiling.max_pixels}")


@torch.inference_mode()
def inpaint(
    inpainter: TrainedInpainter,
    image: Tensor,
    mask: Tensor,
    tiling: Tiling | None = None,
    tick: Callable[[], object] = lambda: None,
) -> TiledInpainting:
    """Both stages' images, not composited; in tiles if the image is large.

    Tiles without a hole are skipped. Where tiles overlap, their images are mixed with weights that fall to zero at the
    tiles' edges, so that no edge shows in a hole.

    Args:
        inpainter: from ``load_inpainter``.
        image: (1, 3, H, W), in [-1, 1].
        mask: (1, 1, H, W), of any type, above 0.5 = hole.
        tiling: when to cut the image, and how.
        tick: called after each tile.

    Raises:
        InputError: an image with a side below 8 px, not enough memory, or an output that is not finite.
    """
    tiling, mask = tiling or Tiling(), is_hole(mask).to(image.dtype)
    height, width = image.shape[-2:]
    if min(height, width) < SMALLEST:
        raise InputError(f"it is {width}×{height} px; the generator takes {SMALLEST} px a side and more")
    if height * width <= tiling.max_pixels:
        made = _made(inpainter, image, mask)
        tick()
        return TiledInpainting(Inpainted(*(stage.float().cpu() for stage in made)), tiles=1, blind=0)
    side_y, side_x = min(tiling.side, height), min(tiling.side, width)
    window = _window(side_y, tiling.overlap)[:, None] * _window(side_x, tiling.overlap)
    sums = [torch.zeros_like(image) for _ in Inpainted._fields]
    weights = torch.zeros_like(mask)
    tiles = blind = 0
    for rows, columns in tiles_with_holes(mask, tiling):
        part = mask[..., rows, columns]
        made = _made(inpainter, image[..., rows, columns], part)
        for total, stage in zip(sums, made, strict=True):
            total[..., rows, columns] += stage.float().cpu() * window
        weights[..., rows, columns] += window
        tiles, blind = tiles + 1, blind + int(part.mean() > 1 - _LITTLE_KNOWN)
        tick()
    covered = weights > 0
    for total in sums:
        torch.where(covered, total.div_(weights), image, out=total)
    return TiledInpainting(Inpainted(*sums), tiles, blind)


def tiles_with_holes(mask: Tensor, tiling: Tiling) -> Iterator[tuple[slice, slice]]:
    """Rows and columns of each tile that has a hole; the whole image where it fits."""
    height, width = mask.shape[-2:]
    if height * width <= tiling.max_pixels:
        yield slice(0, height), slice(0, width)
        return
    for rows in _spans(height, tiling.side, tiling.overlap):
        for columns in _spans(width, tiling.side, tiling.overlap):
            if mask[..., rows, columns].any():
                yield rows, columns


def _spans(length: int, side: int, overlap: float) -> list[slice]:
    """Spans of one side, spread evenly over a length, that overlap by at least a share of it.

    Example:
        >>> [(span.start, span.stop) for span in _spans(100, 40, 0.25)]
        [(0, 40), (30, 70), (60, 100)]
    """
    side = min(side, length)
    step = max(1, side - round(side * overlap))
    number = -(-(length - side) // step)
    starts = [round(index * (length - side) / max(1, number)) for index in range(number + 1)]
    return [slice(start, start + side) for start in starts]


def _window(side: int, overlap: float) -> Tensor:
    """(side,): 1 in the middle, falling over the overlap toward both ends; never 0."""
    ramp = max(1, round(side * overlap))
    distance = torch.minimum(torch.arange(side) + 1, torch.arange(side, 0, -1)) / (ramp + 1)
    return torch.sin(distance.clamp(max=1) * (torch.pi / 2)) ** 2


def _made(inpainter: TrainedInpainter, image: Tensor, mask: Tensor) -> Inpainted:
    try:
        made: Inpainted = inpainter(image.to(inpainter.device), mask.to(inpainter.device))
    except RuntimeError as error:  # torch.OutOfMemoryError is one; the CPU's has no class of its own
        if "memory" not in str(error):
            raise
        raise InputError(
            f"there was not enough memory for {image.shape[-1]}×{image.shape[-2]} px at once; "
            f"choose a smaller --max_pixels"
        ) from error
    if not made.fine.isfinite().all():
        raise InputError(
            "the network fills it with values that are not finite numbers: its training diverges; give an earlier "
            "checkpoint"
        )
    return made
