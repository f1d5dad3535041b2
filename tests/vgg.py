"""A real file of VGG-19's weights, random ones: for tests and timings on machines that cannot download the trained."""

from pathlib import Path

import torch
from torchvision.models import vgg19

from lit_an.losses.features import LAYERS


def make_vgg19(path: Path, deepest: str = "relu4_2") -> Path:
    """Writes the state dict of the convolutions up to ``deepest``, seeded, scaled so that no map fades away."""
    with torch.device("meta"):
        network = vgg19().features[: 1 + LAYERS.index(deepest)]
    random = torch.Generator().manual_seed(0)
    state = {}
    for name, tensor in network.state_dict().items():
        scale = (2 / tensor[0].numel()) ** 0.5 if tensor.dim() == 4 else 0.1
        state[f"features.{name}"] = torch.randn(tensor.shape, generator=random) * scale
    torch.save(state, path)
    return path
