"""Colors of regions that people with color blindness can tell apart too."""

import numpy as np

# Okabe and Ito's palette without black, https://jfly.uni-koeln.de/color/.
_OKABE_ITO = np.array(
    [
        [230, 159, 0],
        [86, 180, 233],
        [0, 158, 115],
        [240, 228, 66],
        [0, 114, 178],
        [213, 94, 0],
        [204, 121, 167],
    ]
)


def region_palette(count: int) -> np.ndarray:
    """(count, 3), uint8: a color for each region; after seven they come again, darker and then lighter.

    Example:
        >>> region_palette(16).shape, len(np.unique(region_palette(16), axis=0))
        ((16, 3), 16)
    """
    rounds = [_OKABE_ITO, _OKABE_ITO * 0.55, 255 - (255 - _OKABE_ITO) * 0.45]
    colors = [rounds[index // len(_OKABE_ITO) % 3][index % len(_OKABE_ITO)] for index in range(count)]
    return np.rint(np.array(colors).reshape(count, 3)).astype(np.uint8)
