"""Fills a painted picture for the page, independent of Gradio's page."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from lit_an.errors import InputError
from lit_an.inpainting.picture import Picture, filled, read_picture, to_model
from lit_an.inpainting.picture_writing import ENDINGS, write_picture
from lit_an.inpainting.tiling import Tiling, inpaint
from lit_an.masks.from_files import resized
from lit_an.norms.recording import recorded_layouts
from lit_an.panels import region_palette, to_uint8
from lit_an.trained.inpainter import TrainedInpainter

# Longest side in px of the picture to paint on; it does not limit the result.
CANVAS = 1024
_MAP_SIDE = 256


class PaintedFill(NamedTuple):
    """Pictures and notes for the page.

    Attributes:
        composite, coarse, fine: (H, W, 3), uint8, upright.
        regions: picture and title of the strongest region at each position, then of each region's soft map, for each
            norm with regions.
        file: the composite at its own depth, in the picture's format or as PNG.
        notes: sentences for the page.
    """

    composite: np.ndarray
    coarse: np.ndarray
    fine: np.ndarray
    regions: list[tuple[np.ndarray, str]]
    file: Path
    notes: list[str]


def picture_of(path: str | None, largest: int) -> Picture:
    """The picture in an uploaded file.

    Args:
        path: of the file; None before anything is chosen.
        largest: largest number of pixels, checked before decoding.

    Raises:
        InputError: no picture, a broken one or one that is too large.
    """
    if path is None:
        raise InputError("choose a picture first")
    try:
        with Image.open(path) as file:
            width, height = file.size
    except Exception as error:  # Pillow's decoders raise nearly anything
        raise InputError(f"{Path(path).name}: it cannot be read as a picture") from error
    if width * height > largest:
        raise InputError(f"{Path(path).name} has {width}×{height} px; this page takes up to {largest / 1e6:g} million")
    try:
        return read_picture(path)
    except InputError as error:
        raise InputError(f"{Path(path).name}: {error}") from error


def canvas_of(picture: Picture) -> np.ndarray:
    """(h, w, 3), uint8: the picture to paint on, upright, its longer side at most 1024 px."""
    image = to_model(picture)
    scale = CANVAS / max(image.shape[-2:])
    if scale < 1:
        size = [max(1, round(side * scale)) for side in image.shape[-2:]]
        image = F.interpolate(image, size=size, mode="area")
    return _shown(image)


def mask_of(layers: Sequence[np.ndarray], size: tuple[int, int]) -> Tensor:
    """(1, 1, H, W), float32: 1 where anything was painted.

    Args:
        layers: (h, w, 4), uint8, what was painted; 0 in the last channel is nothing.
        size: height and width of the picture.

    Raises:
        InputError: nothing was painted, or everything.
    """
    hole = np.zeros(size, dtype=np.bool_)
    for layer in layers:
        hole |= resized(layer[..., 3] > 0, *size)
    if not hole.any():
        raise InputError("paint over the part to fill, then press the button")
    if hole.all():
        raise InputError("the whole picture is painted over; leave some of it unpainted")
    return torch.from_numpy(hole).float()[None, None]


def fill(
    inpainter: TrainedInpainter,
    path: str | None,
    layers: Sequence[np.ndarray],
    folder: Path,
    tiling: Tiling,
    largest: int,
) -> PaintedFill:
    """Fills the painted area.

    Args:
        inpainter: what fills it.
        path: of the uploaded file.
        layers: see ``mask_of``.
        folder: for the file to give back.
        tiling: when to cut the image into tiles.
        largest: see ``picture_of``.

    Raises:
        InputError: see ``picture_of``, ``mask_of`` and ``inpaint``.
    """
    picture = picture_of(path, largest)
    assert path is not None
    mask = mask_of(layers, picture.size)
    image = to_model(picture)
    with recorded_layouts(inpainter.network) as recorded:
        made = inpaint(inpainter, image, mask, tiling)
    composite = filled(picture, made.inpainted.fine, mask)
    kept = picture.format in ENDINGS
    file = folder / (Path(path).name if kept else f"{Path(path).stem}.png")
    deviation = write_picture(file, composite, mask, picture, "keep" if kept else "png")
    notes = list(picture.notes)
    if deviation.largest > 0:
        notes.append(f"in the JPEG file known pixels differ by up to {deviation.largest:.0f} of 255, here by nothing")
    if made.tiles > 1:
        notes.append(f"made in {made.tiles} tiles, each with regions of its own")
        recorded.clear()
    return PaintedFill(
        _shown(to_model(composite)),
        _shown(made.inpainted.coarse),
        _shown(made.inpainted.fine),
        [each for name, (_, layout) in recorded.items() for each in region_maps(layout, picture.size, name)],
        file,
        notes,
    )


def _shown(image: Tensor) -> np.ndarray:
    return _channels_last(to_uint8(image[0]))


def _channels_last(image: Tensor) -> np.ndarray:
    return np.ascontiguousarray(image.permute(1, 2, 0).numpy())


def region_maps(layout: Tensor, size: tuple[int, int], name: str) -> list[tuple[np.ndarray, str]]:
    """Pictures of the regions of one norm, with titles.

    Args:
        layout: (1, N, h, w), ≥ 0, sums to 1 over N.
        size: height and width of the image; the pictures have its proportions, and 256 px at most.
        name: of the norm.

    Returns:
        (height, width, 3), uint8: the strongest region at each position in its color; then for each region how far a
        position belongs to it, from black (not at all) to white (to it alone).
    """
    layout = layout.float().cpu()
    scale = min(1.0, _MAP_SIDE / max(size))
    shown = [max(1, round(side * scale)) for side in size]
    strongest = region_palette(layout.shape[1])[layout.argmax(1)].permute(0, 3, 1, 2)
    soft = (layout * 255).round().to(torch.uint8)
    maps = [F.interpolate(part, size=shown, mode="nearest")[0] for part in (strongest, soft)]
    regions = [
        (_channels_last(region.expand(3, -1, -1)), f"{name}, region {i}") for i, region in enumerate(maps[1][:, None])
    ]
    return [(_channels_last(maps[0]), f"{name}, strongest region"), *regions]


def layers_in(painting: dict[str, Any] | None) -> list[np.ndarray]:
    """The painted layers of an image editor's value."""
    return [np.asarray(layer) for layer in (painting or {}).get("layers") or []]
