"""Writes the results of one picture: the composite in its own format, stages and region maps as PNG."""

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from lit_an.files import replacing
from lit_an.inpainting.picture import Deviation, Picture, filled
from lit_an.inpainting.picture_writing import Format, format_of, write_picture
from lit_an.inpainting.tiling import Tiling, inpaint
from lit_an.norms.recording import recorded_layouts
from lit_an.pictures.panels import layout_panel, to_uint8, write_png
from lit_an.tensors.holes import erase
from lit_an.trained.inpainter import TrainedInpainter

Kind = Literal["composite", "coarse", "fine", "erased", "layouts"]

# Side of the pictures in a panel of region maps, px, at most: it holds one for each region.
_PANEL_SIDE = 192


class Request(NamedTuple):
    """What to write of a picture.

    Attributes:
        kinds: which files.
        folder: where to; each kind has a folder in it.
        composite: name of the composite, relative to the folder of its kind.
        other: name of the others.
        file_format, quality: of the composite; see ``write_picture``.
    """

    kinds: Sequence[Kind]
    folder: Path
    composite: Path
    other: Path
    file_format: Format = "keep"
    quality: int | None = None


class WrittenFiles(NamedTuple):
    """What was written.

    Attributes:
        files: paths relative to the folder.
        tiles: passes through the network.
        deviation: of known samples, in the composite as it was written.
        notes: remarks on the result.
    """

    files: list[str]
    tiles: int = 0
    deviation: Deviation = Deviation()
    notes: tuple[str, ...] = ()


def key_of(path: Path, mask: Tensor, request: Request) -> str:
    """A hash of everything that a picture's results depend on, except the settings of the run."""
    digest = hashlib.sha256(path.read_bytes())
    digest.update(np.packbits(mask.numpy() > 0).tobytes())
    names = f"{request.composite.as_posix()} {request.other.as_posix()}"
    digest.update(os.fsencode(f"{tuple(mask.shape)} {names}"))
    return digest.hexdigest()


def write_results(
    inpainter: TrainedInpainter,
    picture: Picture,
    image: Tensor,
    mask: Tensor,
    request: Request,
    tiling: Tiling,
    tick: Callable[[], object] = lambda: None,
) -> WrittenFiles:
    """Fills the hole of a picture and writes the requested results, the composite last.

    Args:
        inpainter: what fills it.
        picture: as its file holds it.
        image: (1, 3, H, W), in [-1, 1]: the network's input.
        mask: (1, 1, H, W), upright; 1 = hole.
        request: what to write.
        tiling: when to cut the image into tiles.
        tick: called after each tile.

    Raises:
        InputError: the format cannot hold the picture, it is too small, or memory is short.
    """
    if "composite" in request.kinds:
        format_of(picture, request.file_format)  # checked before the work
    with recorded_layouts(inpainter.network) as recorded:
        made = inpaint(inpainter, image, mask, tiling, tick)
    notes = [f"{made.blind} of {made.tiles} tiles have almost no known pixels: the hole is larger than a tile"] * (
        made.blind > 0
    )
    files = []
    stages = {"coarse": made.inpainted.coarse, "fine": made.inpainted.fine}
    if "erased" in request.kinds:
        stages["erased"] = erase(image, mask)
    for kind, stage in stages.items():
        if kind in request.kinds:
            files.append(f"{kind}/{request.other.as_posix()}")
            write_png(request.folder / files[-1], to_uint8(stage[0]))
    if "layouts" in request.kinds:
        panels = region_panels(image, mask, {name: layout for name, (_, layout) in recorded.items()})
        if made.tiles > 1:
            notes.append("no region maps: it was made in tiles, each with its own")
            panels = {}
        elif not panels:
            notes.append("no region maps: no norm of this generator has a semantic layout")
        for name, panel in panels.items():
            files.append(f"layouts/{request.other.with_suffix('').as_posix()}.{name}.png")
            write_png(request.folder / files[-1], panel)
    deviation = Deviation()
    if "composite" in request.kinds:
        files.append(f"composite/{request.composite.as_posix()}")
        composite = filled(picture, made.inpainted.fine, mask)
        path = request.folder / files[-1]
        deviation = write_picture(path, composite, mask, picture, request.file_format, request.quality)
    return WrittenFiles(files, made.tiles, deviation, tuple(notes))


def write_copy(path: Path, picture: Picture, mask: Tensor, request: Request) -> WrittenFiles:
    """Writes the composite of a picture without a hole: a copy of the file, if it keeps its format."""
    if "composite" not in request.kinds:
        return WrittenFiles([])
    name = f"composite/{request.composite.as_posix()}"
    if request.file_format == "keep":
        content = path.read_bytes()
        with replacing(request.folder / name) as temporary:
            temporary.write_bytes(content)
        return WrittenFiles([name])
    args = (request.file_format, request.quality)
    deviation = write_picture(request.folder / name, picture, mask, picture, *args)
    return WrittenFiles([name], deviation=deviation)


def region_panels(image: Tensor, mask: Tensor, layouts: dict[str, Tensor]) -> dict[str, Tensor]:
    """The image beside the regions of each layout, as ``lit_an.pictures.panels.layout_panel`` arranges them.

    Args:
        image: (1, 3, H, W), in [-1, 1]; shrunk if it is large.
        mask: (1, 1, H, W), 1 = hole; outlined.
        layouts: (1, N, h, w) each.

    Returns:
        (3, height, width), uint8, for each.
    """
    height, width = image.shape[-2:]
    scale = min(1.0, _PANEL_SIDE / max(height, width))
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    if scale < 1:
        image, mask = F.interpolate(image, size=size, mode="area"), F.adaptive_max_pool2d(mask, size)
    return {name: layout_panel(image, layout, mask=mask) for name, layout in layouts.items()}
