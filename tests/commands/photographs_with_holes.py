"""Pictures of random colors and a mask of one rectangle."""

import numpy as np
from PIL import Image

RANDOM = np.random.default_rng(3)


def photograph(height: int = 40, width: int = 56) -> Image.Image:
    return Image.fromarray(RANDOM.integers(0, 256, (height, width, 3), dtype=np.uint8))


def mask_of(height: int = 40, width: int = 56) -> Image.Image:
    mask = Image.new("L", (width, height))
    mask.paste(255, (10, 8, 30, 20))
    return mask
