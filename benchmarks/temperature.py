"""How sharp a fresh semantic layout is, by width and temperature.

    python benchmarks/temperature.py

Features are independent N(0, 1), the map is 32×32, the layout is in evaluation mode. Printed: the effective number of
regions per position, exp of the mean entropy: 16 is uniform, 1 is hard. Rows "N(0, 1)" are entity filters as they
start, "orthonormal" as the orthogonality penalty would have them.
"""

import torch

from lit_an.metrics.layout import layout_statistics
from lit_an.norms.attentive import SemanticLayout

WIDTHS = (16, 32, 64, 128, 256)
TEMPERATURES = (0.1, 0.2, 0.4, 1.0, 2.0, 4.0)


@torch.no_grad()
def effective_regions(channels: int, temperature: float, orthonormal: bool) -> float:
    """Per position, for 16 regions."""
    torch.manual_seed(0)
    layout = SemanticLayout(channels, temperature=temperature).eval()
    if orthonormal:
        torch.nn.init.orthogonal_(layout.entities)
    features = torch.randn(8, channels, 32, 32)
    return layout_statistics(layout(features), features).effective_regions_per_position.item()


def main() -> None:
    for orthonormal in (False, True):
        print(f"\nrows of W: {'orthonormal' if orthonormal else 'N(0, 1)'}")
        print("temperature" + "".join(f"{f'C = {channels}':>10}" for channels in WIDTHS))
        for temperature in TEMPERATURES:
            values = (effective_regions(channels, temperature, orthonormal) for channels in WIDTHS)
            print(f"{temperature:11}" + "".join(f"{value:10.1f}" for value in values))


if __name__ == "__main__":
    main()
