"""Pictures with their regions, as data for the page."""

import base64
import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from lit_an.pictures.panels import to_uint8
from lit_an.pictures.region_colors import region_palette

# Longest side in px of a picture that is only to be looked at.
_SIDE = 640
_LOSSLESS = 512


def region_views(image: Tensor, layouts: Mapping[str, Tensor]) -> list[dict[str, Any]]:
    """What ``regions.js`` draws: a picture, the strongest region at each position, and a legend, for each layout.

    Args:
        image: (1, 3, H, W), in [-1, 1].
        layouts: (1, N, h, w) each, ≥ 0, sums to 1 over N, by name.

    Returns:
        For each layout ``name``, ``picture`` and ``map`` (data URLs; the map's pixels are indices of regions),
        ``width`` and ``height`` of the picture in px, and ``regions`` of at least one position, the largest first:
        ``index``, ``share`` of the positions where it is the strongest, 0 … 1, and ``color``, #rrggbb.
    """
    picture = reduced(image, _SIDE)
    height, width = picture.shape[:2]
    shown = data_url(picture)
    return [
        {
            "name": name,
            "picture": shown,
            "map": data_url(layout[0].argmax(0).byte().cpu().numpy(), lossless=True),
            "width": width,
            "height": height,
            "regions": _legend(layout),
        }
        for name, layout in layouts.items()
    ]


def _legend(layout: Tensor) -> list[dict[str, Any]]:
    count = layout.shape[1]
    shares = np.bincount(layout[0].argmax(0).cpu().numpy().ravel(), minlength=count) / layout[0, 0].numel()
    order = sorted(range(count), key=lambda index: -shares[index])
    colors = region_palette(count).numpy()
    return [
        {"index": index, "share": float(shares[index]), "color": "#" + colors[index].tobytes().hex()}
        for index in order
        if shares[index] > 0
    ]


def reduced(image: Tensor, side: int) -> np.ndarray:
    """(h, w, 3), uint8, of an image (1, 3, H, W) in [-1, 1]: its longer side at most ``side`` px."""
    scale = side / max(image.shape[-2:])
    if scale < 1:
        size = [max(1, round(each * scale)) for each in image.shape[-2:]]
        image = F.interpolate(image.float(), size=size, mode="area")
    return np.ascontiguousarray(to_uint8(image[0].cpu()).permute(1, 2, 0).numpy())


def data_url(pixels: np.ndarray, lossless: bool = False) -> str:
    """A picture of (h, w) or (h, w, 3) uint8 pixels, for an ``img``: without loss up to 512 px a side, or if asked."""
    content = io.BytesIO()
    kind = "png" if lossless or max(pixels.shape[:2]) <= _LOSSLESS else "webp"
    Image.fromarray(pixels).save(content, format=kind, **({"quality": 92} if kind == "webp" else {}))
    return f"data:image/{kind};base64," + base64.b64encode(content.getbuffer()).decode()
