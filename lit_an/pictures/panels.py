"""Pictures for logs and reports, as uint8 tensors: samples, region maps and inpainting stages, with captions."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from lit_an.files import replacing
from lit_an.pictures.region_colors import overlay
from lit_an.pictures.region_legend import legend, numbered
from lit_an.pictures.table import Table, composed
from lit_an.tensors.holes import is_hole

SIDE = 128  # px: smaller images are enlarged
_GAP = 2
_OUTLINE_COLOR = torch.tensor([255, 255, 255], dtype=torch.uint8)[:, None, None]


def to_uint8(image: Tensor) -> Tensor:
    """Images in [-1, 1], any shape, to uint8 in 0..255, rounded.

    Example:
        >>> to_uint8(torch.tensor([-1.0, 0.0, 1.0])).tolist()
        [0, 128, 255]
    """
    return ((image.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)


def sample_grid(
    images: Tensor,
    row_names: Sequence[str],
    column_names: Sequence[str] = (),
    footer: str = "",
    side: int = SIDE,
) -> Tensor:
    """Arranges images in rows, each with its name at the left.

    Args:
        images: (B, 3, H, W), in [-1, 1], row after row; B is a multiple of the number of names.
        row_names: what each row shows; broken into lines, never cut.
        column_names: what each column shows; nothing for no line above.
        footer: below all.
        side: least width of an image, px: narrower ones are enlarged by whole factors.

    Returns:
        (3, height, width), uint8.

    Raises:
        AssertionError: B is not a multiple of the number of rows.
    """
    assert len(images) % len(row_names) == 0, "every row of a grid has the same number of images"
    rows = [list(row) for row in _enlarged(to_uint8(images.cpu()), side).chunk(len(row_names))]
    return composed(Table(rows, row_names, column_names, footer))


def layout_panel(
    images: Tensor,
    layout: Tensor,
    row_names: Sequence[str] = (),
    footer: str = "",
    mask: Tensor | None = None,
    side: int = SIDE,
) -> Tensor:
    """One row for each image: the image, its regions in colors over it, and the soft map of each region.

    A region's soft map goes from black (0) to white (its largest membership in these images, written in the legend
    above). Regions that are strongest at no position of these images have no map, and are counted below. A map has
    its fixed place, whatever other regions there are.

    Args:
        images: (B, 3, H, W), in [-1, 1].
        layout: (B, N, h, w), ≥ 0, sums to 1 over N; any resolution.
        row_names: one for each image, or nothing.
        footer: below all.
        mask: (B, 1, H, W), 1 = hole: its outline is drawn on the image and on the colors; None for no hole.
        side: least width of an image, px: narrower ones are enlarged by whole factors.

    Returns:
        (3, height, width), uint8.

    Source: the arrangement of figure 1 of Wang et al., CVPR 2020; the overlay is ours.
    """
    layout = layout.cpu().float()
    pictures = _enlarged(to_uint8(images.cpu()), side)
    colored = _enlarged(overlay(images, layout), side)
    if mask is not None:
        outline = _outline(_enlarged(mask.cpu(), side))
        pictures, colored = (torch.where(outline, _OUTLINE_COLOR, part) for part in (pictures, colored))
    share = layout.argmax(1).flatten().bincount(minlength=layout.shape[1]) / layout[:, 0].numel()  # (N,)
    largest = layout.amax(dim=(0, 2, 3))  # (N,)
    tile = [(length - _GAP) // 2 for length in pictures.shape[-2:]]  # two rows of maps beside an image
    soft = F.interpolate(layout / largest.clamp_min(1e-12)[:, None, None], size=tile, mode="nearest")
    soft = (soft * 255).round().to(torch.uint8)
    rows = [
        [picture, colors, _tiled(numbered(maps, share > 0))]
        for picture, colors, maps in zip(pictures, colored, soft, strict=True)
    ]
    heads: list[str | Tensor] = ["image", "regions", _tiled(legend(share, largest, tile[1]))]
    absent = int((share == 0).sum())
    verb = "has" if absent == 1 else "have"
    said = f"{absent} of {len(share)} regions {verb} no position in these images" if absent else ""
    return composed(Table(rows, row_names, heads, "   ".join(filter(None, (footer, said)))))


def inpainting_panel(
    image: Tensor,
    mask: Tensor,
    coarse: Tensor,
    fine: Tensor,
    row_names: Sequence[str] = (),
    footer: str = "",
    side: int = SIDE,
) -> Tensor:
    """One row for each image: ground truth, erased, coarse, fine, composite.

    Args:
        image: (B, 3, H, W), in [-1, 1], whole.
        mask: (B, 1, H, W), 1 = hole; holes are gray in the second column.
        coarse, fine: (B, 3, H, W), outputs of the two stages.
        row_names: one for each image, or nothing.
        footer: below all.
        side: least width of an image, px: narrower ones are enlarged by whole factors.

    Returns:
        (3, height, width), uint8; the names of the columns above.
    """
    hole = is_hole(mask.cpu())
    truth, first, last = (to_uint8(part.cpu()) for part in (image, coarse, fine))
    erased = torch.where(hole, torch.tensor(128, dtype=torch.uint8), truth)
    columns = [_enlarged(part, side) for part in (truth, erased, first, last, torch.where(hole, last, truth))]
    names = ("truth", "erased", "coarse", "fine", "composite")
    return composed(Table([list(row) for row in zip(*columns, strict=True)], row_names, names, footer))


def write_png(path: Path, image: Tensor) -> None:
    """Writes a (3, H, W) uint8 picture."""
    # Encoded to memory first: Pillow hides the system's error for a full disk.
    content = io.BytesIO()
    pixels = np.ascontiguousarray(image.cpu().permute(1, 2, 0).numpy())
    # A third of the time of the default level, and 5 % more bytes.
    Image.fromarray(pixels).save(content, format="PNG", compress_level=3)
    with replacing(path) as temporary:
        temporary.write_bytes(content.getbuffer())


def _outline(mask: Tensor) -> Tensor:
    """(B, 1, H, W), bool: the pixels of holes that touch a known pixel."""
    hole = is_hole(mask)
    # Positions outside the image do not count: max pooling pads with -inf.
    return (F.max_pool2d((~hole).float(), 3, stride=1, padding=1) > 0.5) & hole


def _enlarged(images: Tensor, side: int) -> Tensor:
    factor = max(1, -(-side // images.shape[-1]))
    return images.repeat_interleave(factor, dim=2).repeat_interleave(factor, dim=3)


def _tiled(pictures: Tensor) -> Tensor:
    """(N, 3, h, w) in two rows, the second half below the first: (3, 2 h + gap, …)."""
    columns = -(-len(pictures) // 2)
    height, width = pictures.shape[-2:]
    sheet = torch.full((3, 2 * height + _GAP, columns * (width + _GAP) - _GAP), 255, dtype=torch.uint8)
    for index, picture in enumerate(pictures):
        top, left = index // columns * (height + _GAP), index % columns * (width + _GAP)
        sheet[:, top : top + height, left : left + width] = picture
    return sheet
