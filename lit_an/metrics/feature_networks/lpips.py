"""LPIPS, the perceptual distance of two images, for whole images and for their holes."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lit_an.metrics.feature_networks.lpips_weights import BACKBONES, load_lpips_weights
from lit_an.metrics.pixel_errors import hole_mean
from lit_an.tensors.precision import without_autocast

# Mean and standard deviation of ImageNet's colors, for images in [-1, 1].
_SHIFT = (-0.030, -0.088, -0.188)
_SCALE = (0.458, 0.448, 0.450)

# The smallest side, in pixels, for which the last stage has one position.
_SMALLEST = {"alex": 31, "vgg": 16}


class PerceptualDistance(NamedTuple):
    """LPIPS of each image, ≥ 0; smaller is better, 0 for identical images. Both (B,), float64.

    Attributes:
        lpips: mean over positions.
        hole_lpips: mean, over the hole, of the map of distances that LPIPS averages; NaN where there is no hole. Each
            stage's map is scaled up to the image's size, so each value depends on a wide neighborhood.
    """

    lpips: Tensor
    hole_lpips: Tensor


class Lpips(nn.Module):
    """LPIPS v0.1 with linear heads, frozen, in evaluation mode.

    Args:
        network: ``alex`` (as papers report it) or ``vgg``.
        weights: the file of weights; see ``load_lpips_weights``.

    Raises:
        InputError: what ``load_lpips_weights`` raises.

    Source: Zhang et al., "The unreasonable effectiveness of deep features as a perceptual metric", CVPR 2018, and its
    code; the map is that code's ``spatial=True``.
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, network: str = "alex", weights: str | None = None) -> None:
        super().__init__()
        loaded = load_lpips_weights(network, weights)
        self.network, self.smallest = network, _SMALLEST[network]
        self.weights_hash = loaded.sha256()
        self.stages = nn.ModuleList(_stages(network))
        convolutions = [module for module in self.stages.modules() if isinstance(module, nn.Conv2d)]
        for convolution, (weight, bias) in zip(convolutions, loaded.convolutions, strict=True):
            convolution.weight.data, convolution.bias.data = weight, bias  # type: ignore[union-attr]
        self.heads = nn.ParameterList(head[None, :, None, None] for head in loaded.heads)
        self.register_buffer("shift", torch.tensor(_SHIFT)[None, :, None, None])
        self.register_buffer("scale", torch.tensor(_SCALE)[None, :, None, None])
        self.requires_grad_(False).eval()

    def description(self) -> dict[str, str]:
        """The settings that figures depend on; the hash is of the weights' values, not of their file."""
        return {"network": self.network, "weights_sha256": self.weights_hash}

    @torch.no_grad()
    def forward(self, image: Tensor, other: Tensor, mask: Tensor) -> PerceptualDistance:
        """Distances of (B, 3, H, W) images in [-1, 1], in float32 regardless of autocast.

        Args:
            image, other: of at least ``smallest`` px a side.
            mask: (B, 1, H, W), 1 = hole, 0 = known.
        """
        size = image.shape[-2:]
        total = torch.zeros(len(image), dtype=torch.float64, device=image.device)
        in_hole = torch.zeros_like(total)
        with without_autocast(image):
            features = (torch.cat([image, other]).float() - self.shift) / self.scale
            for stage, head in zip(self.stages, self.heads, strict=True):
                features = stage(features)
                first, second = F.normalize(features, dim=1, eps=1e-10).chunk(2)
                distance = ((first - second).square() * head).sum(1, keepdim=True)
                total += distance.double().mean(dim=(1, 2, 3))
                scaled = F.interpolate(distance, size, mode="bilinear", align_corners=False)
                in_hole += hole_mean(scaled, mask)
        return PerceptualDistance(total, in_hole)

    def train(self, mode: bool = True) -> "Lpips":
        """Stays in evaluation mode."""
        return super().train(False)


def _stages(network: str) -> list[nn.Sequential]:
    """Poolings and convolutions up to each of the five places where LPIPS looks."""
    alex, stages, width = network == "alex", [], 3
    for number, widths in enumerate(BACKBONES[network].stages):
        layers: list[nn.Module] = []
        if number in ((1, 2) if alex else (1, 2, 3, 4)):
            layers.append(nn.MaxPool2d(3 if alex else 2, 2))
        for out in widths:
            layers += [_convolution(width, out, number if alex else 2), nn.ReLU()]
            width = out
        stages.append(nn.Sequential(*layers))
    return stages


def _convolution(width: int, out: int, number: int) -> nn.Conv2d:
    """AlexNet's of that number; all but its first two are VGG's 3 × 3, too."""
    kernel, stride, padding = {0: (11, 4, 2), 1: (5, 1, 2)}.get(number, (3, 1, 1))
    return nn.Conv2d(width, out, kernel, stride, padding)
