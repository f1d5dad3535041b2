"""Fills a painted picture for the page, independent of Gradio's page."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from lit_an.errors import InputError
from lit_an.inpainting.picture import Picture, filled, read_picture, to_model
from lit_an.inpainting.picture_writing import ENDINGS, format_of, write_picture
from lit_an.inpainting.tiling import Tiling, inpaint
from lit_an.masks.from_files import resized
from lit_an.norms.recording import recorded_layouts
from lit_an.trained.inpainter import TrainedInpainter

# Longest side in px of the picture to paint on, which does not limit the result; a small one is enlarged to half of it.
CANVAS = 1024


class PaintedFill(NamedTuple):
    """What the page shows and gives back.

    Attributes:
        before, composite, coarse, fine: (1, 3, H, W), in [-1, 1], upright.
        layouts: (1, N, h, w) of each norm with regions, by name; empty if the picture was filled in tiles.
        file: the composite at its own depth, in the picture's format or, where that cannot hold it, as PNG; its ending
            is one of its format.
        lossless: the same as PNG, where ``file`` is a JPEG; else None.
        share: of the picture that was filled, 0 … 1.
        notes: sentences for the page.
    """

    before: Tensor
    composite: Tensor
    coarse: Tensor
    fine: Tensor
    layouts: dict[str, Tensor]
    file: Path
    lossless: Path | None
    share: float
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
    if not Path(path).is_file():
        raise InputError("the picture is no longer on the server; choose it again")
    try:
        with Image.open(path) as file:
            width, height = file.size
    except Exception as error:  # Pillow's decoders raise nearly anything
        raise InputError(
            f"{Path(path).name}: it cannot be read as a picture; choose a file such as a PNG or a JPEG"
        ) from error
    if width * height > largest:
        raise InputError(f"{Path(path).name} has {width}×{height} px; this page takes up to {largest / 1e6:g} million")
    try:
        return read_picture(path)
    except InputError as error:
        raise InputError(f"{Path(path).name}: {error}") from error


def canvas_of(picture: Picture) -> Tensor:
    """(1, 3, h, w), in [-1, 1]: the picture to paint on, upright, its longer side between 512 and 1024 px."""
    image = to_model(picture)
    longest = max(image.shape[-2:])
    scale = min(CANVAS / longest, max(1.0, CANVAS / 2 / longest))
    size = [max(1, round(side * scale)) for side in image.shape[-2:]]
    if scale < 1:
        return F.interpolate(image, size=size, mode="area")
    return F.interpolate(image, size=size, mode="bicubic").clamp(-1, 1) if scale > 1 else image


def mask_of(painted: np.ndarray | None, size: tuple[int, int]) -> Tensor:
    """(1, 1, H, W), float32: 1 where anything was painted.

    Args:
        painted: (h, w), bool, on the canvas; None for nothing.
        size: height and width of the picture.

    Raises:
        InputError: nothing was painted, or everything.
    """
    hole = np.zeros(size, dtype=np.bool_) if painted is None else resized(painted, *size)
    if not hole.any():
        raise InputError("paint over the part to fill, then press the button")
    if hole.all():
        raise InputError("the whole picture is painted over; leave some of it unpainted")
    return torch.from_numpy(hole).float()[None, None]


def fill(
    inpainter: TrainedInpainter,
    path: str | None,
    painted: np.ndarray | None,
    folder: Path,
    tiling: Tiling,
    largest: int,
    tick: Callable[[], None] = lambda: None,
) -> PaintedFill:
    """Fills the painted area.

    Args:
        inpainter: what fills it.
        path: of the uploaded file.
        painted: see ``mask_of``.
        folder: for the files to give back.
        tiling: when to cut the image into tiles.
        largest: see ``picture_of``.
        tick: called after each tile.

    Raises:
        InputError: see ``picture_of``, ``mask_of`` and ``inpaint``.
    """
    picture = picture_of(path, largest)
    assert path is not None
    mask = mask_of(painted, picture.size)
    image = to_model(picture)
    with recorded_layouts(inpainter.network) as recorded:
        made = inpaint(inpainter, image, mask, tiling, tick)
    composite = filled(picture, made.inpainted.fine, mask)
    file_format = _format_to_give_back(picture)
    file = folder / _name_for(path, file_format)
    deviation = write_picture(file, composite, mask, picture, "keep" if file_format == picture.format else "png")
    notes, lossless = list(picture.notes), None
    if deviation.largest > 0:
        lossless = file.with_suffix(ENDINGS["PNG"])
        write_picture(lossless, composite, mask, picture, "png")
        notes.append(
            f"a JPEG is compressed anew when it is saved, so that outside the hole too its colors are off by up to "
            f"{deviation.largest:.0f} of 255; the PNG keeps every pixel outside the hole as it was"
        )
    if made.tiles > 1:
        notes.append(f"the picture is large and was filled in {made.tiles} tiles, each with regions of its own")
        recorded.clear()
    return PaintedFill(
        before=image,
        composite=to_model(composite),
        coarse=made.inpainted.coarse,
        fine=made.inpainted.fine,
        layouts={name: layout for name, (_, layout) in recorded.items()},
        file=file,
        lossless=lossless,
        share=float(mask.mean()),
        notes=notes,
    )


def _format_to_give_back(picture: Picture) -> str:
    """Pillow's name of the picture's own format, or PNG where that cannot be written so that known pixels stay."""
    try:
        return format_of(picture, "keep")
    except InputError:
        return "PNG"


def _name_for(path: str, file_format: str) -> str:
    """The name of an upload, whose ending may be missing or that of another format."""
    name = Path(path)
    is_right = Image.registered_extensions().get(name.suffix.lower()) == file_format
    return name.name if is_right else name.stem + ENDINGS[file_format]
