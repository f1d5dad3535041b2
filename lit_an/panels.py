"""Image grids for logs and reports: samples, region maps and inpainting stages, as uint8 tensors."""

import colorsys
import io
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from lit_an.files import replacing
from lit_an.holes import is_hole

_GAP = 2
_BACKGROUND = 255
_GOLDEN_RATIO = 0.618033988749895
_OUTLINE_COLOR = torch.tensor([255, 255, 255], dtype=torch.uint8)[:, None, None]


def to_uint8(image: Tensor) -> Tensor:
    """Images in [-1, 1], any shape, to uint8 in 0..255, rounded.

    Example:
        >>> to_uint8(torch.tensor([-1.0, 0.0, 1.0])).tolist()
        [0, 128, 255]
    """
    return ((image.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)


def sample_grid(images: Tensor, row_names: list[str], side: int = 64, caption: int = 72) -> Tensor:
    """Arranges images in rows, each with its name at the left.

    Args:
        images: (B, 3, H, W), in [-1, 1], row after row; B is a multiple of the number of names.
        row_names: what each row shows.
        side: least side of a picture, px: smaller images are enlarged by whole factors.
        caption: width of the names, px; a longer name is cut.

    Returns:
        (3, height, width), uint8.

    Raises:
        AssertionError: B is not a multiple of the number of rows.
    """
    assert len(images) % len(row_names) == 0, "every row of a grid has the same number of images"
    pictures = _enlarged(to_uint8(images.cpu()), side)
    rows = [_beside(list(row)) for row in pictures.chunk(len(row_names))]
    return _below([_captioned(row, name, caption) for row, name in zip(rows, row_names, strict=True)])


def layout_panel(images: Tensor, layout: Tensor, side: int = 64, mask: Tensor | None = None) -> Tensor:
    """One row for each image: the image, the strongest region at each position, and each region's soft map.

    Args:
        images: (B, 3, H, W), in [-1, 1].
        layout: (B, N, h, w), ≥ 0, sums to 1 over N; any resolution.
        side: least side of a picture, px.
        mask: (B, 1, H, W), 1 = hole: its outline is drawn on the image and on the regions; None for no hole.

    Returns:
        (3, height, width), uint8; soft maps go from black (0) to white (1). Above, the palette and each region's
        number.

    Source: the arrangement of figure 1 of Wang et al., CVPR 2020.
    """
    layout = layout.cpu().float()
    num_regions = layout.shape[1]
    pictures = _enlarged(to_uint8(images.cpu()), side)
    size = pictures.shape[-2:]
    colors = region_palette(num_regions)
    strongest = colors[layout.argmax(1)].permute(0, 3, 1, 2)  # (B, 3, h, w)
    strongest = F.interpolate(strongest, size=size, mode="nearest")
    if mask is not None:
        outline = _outline(_enlarged(mask.cpu(), side))
        pictures, strongest = (torch.where(outline, _OUTLINE_COLOR, part) for part in (pictures, strongest))
    soft = F.interpolate((layout * 255).round().to(torch.uint8), size=size, mode="nearest")
    rows = [
        _beside([picture, hard, *(region.expand(3, -1, -1) for region in regions)])
        for picture, hard, regions in zip(pictures, strongest, soft, strict=True)
    ]
    return _below([_panel_head(colors, size[1]), *rows])


def inpainting_panel(image: Tensor, mask: Tensor, coarse: Tensor, fine: Tensor, side: int = 64) -> Tensor:
    """One row for each image: ground truth, erased, coarse, fine, composite.

    Args:
        image: (B, 3, H, W), in [-1, 1], whole.
        mask: (B, 1, H, W), 1 = hole; holes are gray in the second column.
        coarse, fine: (B, 3, H, W), outputs of the two stages.
        side: least side of a picture, px.

    Returns:
        (3, height, width), uint8; the names of the columns above.
    """
    hole = is_hole(mask.cpu())
    truth, first, last = (to_uint8(part.cpu()) for part in (image, coarse, fine))
    erased = torch.where(hole, torch.tensor(128, dtype=torch.uint8), truth)
    columns = [_enlarged(part, side) for part in (truth, erased, first, last, torch.where(hole, last, truth))]
    names = ["truth", "erased", "coarse", "fine", "composite"]
    head = _beside([_text(name, columns[0].shape[-1]) for name in names])
    return _below([head, *(_beside(list(row)) for row in zip(*columns, strict=True))])


def region_palette(num_regions: int) -> Tensor:
    """(N, 3) uint8: a fixed color for each region; consecutive regions differ strongly in hue.

    Example:
        >>> region_palette(3).shape, bool((region_palette(16)[:3] == region_palette(3)).all())
        (torch.Size([3, 3]), True)
    """
    colors = [
        colorsys.hsv_to_rgb((index * _GOLDEN_RATIO) % 1, (0.85, 0.5)[index % 2], (0.95, 0.75, 0.55)[index % 3])
        for index in range(num_regions)
    ]
    return (torch.tensor(colors) * 255).round().to(torch.uint8)


def write_png(path: Path, image: Tensor) -> None:
    """Writes a (3, H, W) uint8 picture."""
    # Encoded to memory first: Pillow hides the system's error for a full disk.
    content = io.BytesIO()
    Image.fromarray(image.cpu().permute(1, 2, 0).contiguous().numpy()).save(content, format="PNG")
    with replacing(path) as temporary:
        temporary.write_bytes(content.getbuffer())


def _outline(mask: Tensor) -> Tensor:
    """(B, 1, H, W), bool: the pixels of holes that touch a known pixel."""
    hole = is_hole(mask)
    # Positions outside the image do not count: max pooling pads with -inf.
    return (F.max_pool2d((~hole).float(), 3, stride=1, padding=1) > 0.5) & hole


def _panel_head(colors: Tensor, width: int) -> Tensor:
    names = ["image", "strongest", *(str(index) for index in range(len(colors)))]
    heads = [_text(name, width) for name in names]
    for head, color in zip(heads[2:], colors, strict=True):
        head[:, -4:] = color[:, None, None]
    return _beside(heads)


def _enlarged(images: Tensor, side: int) -> Tensor:
    factor = max(1, -(-side // images.shape[-1]))
    return images.repeat_interleave(factor, dim=2).repeat_interleave(factor, dim=3)


def _captioned(row: Tensor, name: str, width: int) -> Tensor:
    caption = _text(name, width)
    space = torch.full((3, row.shape[1], caption.shape[2]), _BACKGROUND, dtype=torch.uint8)
    top = max(0, (row.shape[1] - caption.shape[1]) // 2)
    height = min(caption.shape[1], row.shape[1])
    space[:, top : top + height] = caption[:, :height]
    return _beside([space, row])


def _text(text: str, width: int) -> Tensor:
    """(3, 18, width), uint8: one line of black text on white, cut where it does not fit."""
    picture = Image.new("RGB", (width, 18), "white")
    ImageDraw.Draw(picture).text((3, 2), text, fill="black", font=ImageFont.load_default(11))
    return torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8).view(18, width, 3).permute(2, 0, 1)


def _beside(pictures: list[Tensor]) -> Tensor:
    return _joined(pictures, dim=2)


def _below(pictures: list[Tensor]) -> Tensor:
    return _joined(pictures, dim=1)


def _joined(pictures: list[Tensor], dim: int) -> Tensor:
    shape = list(pictures[0].shape)
    shape[dim] = _GAP
    gap = torch.full(shape, _BACKGROUND, dtype=torch.uint8)
    return torch.cat([part for picture in pictures for part in (picture, gap)][:-1], dim=dim)
