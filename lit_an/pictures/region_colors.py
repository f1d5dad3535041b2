"""Colors of regions: a fixed color for each number, which people of all kinds of color vision can tell apart."""

import torch
import torch.nn.functional as F
from torch import Tensor

# The first seven are Okabe and Ito's (without black), https://jfly.uni-koeln.de/color/. Each further one is the color
# of a grid of sRGB, of a lightness L* of 22 to 90 and a chroma of more than 18, whose least distance (CIEDE2000) from
# all before it is largest, where that distance is the least of those seen with normal vision, without red cones
# (protanopia) and without green cones (deuteranopia), as Machado et al., "A physiologically-based model for simulation
# of color vision deficiency", 2009, simulate them. The least distance of sixteen is 11.5, of thirty-two 8.2.
_COLORS = (
    0xE69F00, 0x56B4E9, 0x009E73, 0xF0E442, 0x0072B2, 0xD55E00, 0xCC79A7, 0x770011,
    0xAAEECC, 0x664455, 0x112299, 0x99EEFF, 0xAA4433, 0x3388FF, 0x00CC88, 0x4400EE,
    0x885555, 0xCCEE99, 0x333355, 0x337777, 0x770033, 0x77CCBB, 0xBB6655, 0x115588,
    0xBB5588, 0x77BBCC, 0xBB9955, 0x991100, 0x883333, 0xCC11BB, 0x6655FF, 0xCC8899,
)  # fmt: skip
_LUMINANCE = (0.299, 0.587, 0.114)


def region_palette(count: int) -> Tensor:
    """(count, 3), uint8: a fixed color for each region, whatever their number.

    After 32 the colors come again.

    Args:
        count: ≥ 0.

    Source: the first seven: Okabe and Ito, "Color universal design", 2008.

    Example:
        >>> region_palette(3).tolist()
        [[230, 159, 0], [86, 180, 233], [0, 158, 115]]
        >>> bool((region_palette(16)[:3] == region_palette(3)).all())
        True
    """
    chosen = [_COLORS[index % len(_COLORS)] for index in range(count)]
    parts = [[color >> 16, color >> 8 & 255, color & 255] for color in chosen]
    return torch.tensor(parts, dtype=torch.uint8).reshape(count, 3)


def overlay(image: Tensor, layout: Tensor, strength: float = 0.65) -> Tensor:
    """Each image in gray under the color of its strongest region at each position.

    Args:
        image: (B, 3, H, W), in [-1, 1].
        layout: (B, N, h, w), membership in each region; any resolution.
        strength: share of the color, 0 (gray image) to 1 (colors alone).

    Returns:
        (B, 3, H, W), uint8, on the CPU.

    Example:
        >>> layout = torch.tensor([0.2, 0.8]).view(1, 2, 1, 1)
        >>> overlay(torch.zeros(1, 3, 4, 4), layout, strength=1.0)[0, :, 0, 0].tolist()
        [86, 180, 233]
    """
    image, strongest = image.cpu().float().clamp(-1, 1), layout.cpu().argmax(1)
    colors = region_palette(layout.shape[1])[strongest].permute(0, 3, 1, 2)
    colors = F.interpolate(colors, size=image.shape[-2:], mode="nearest").float()
    gray = (image + 1) * 127.5 * torch.tensor(_LUMINANCE)[:, None, None]
    return torch.lerp(gray.sum(1, keepdim=True).expand_as(colors), colors, strength).round().to(torch.uint8)
