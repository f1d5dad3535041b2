"""Any convolutional network of torchvision by its name."""

import importlib
import pickle
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.error import URLError

import torch
from torch import Tensor, nn

from lit_an.backbones.base import BACKBONES, STRIDES, Backbone
from lit_an.errors import InputError, needs_package

MEAN, STANDARD_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, for values in [0, 1]
_PROBE = 64  # pixels


@BACKBONES.register("torchvision")
class TorchvisionNetwork(Backbone):
    """The last map that a network of torchvision has at each stride.

    Args:
        network: a classification network of ``torchvision.models`` with maps at these strides, such as ``resnet18``,
            ``efficientnet_b0``, ``convnext_tiny``, ``regnet_y_400mf`` or ``vgg16_bn``.
        weights: a file with its state dict, read as tensors only; None takes torchvision's default ones, from
            PyTorch's cache or downloaded into it at first use.
        finest: the smallest stride of a map, 2 or 4.

    Raises:
        InputError: torchvision is missing, or the network is unknown or has no map at one of the strides; at first
            use: the weights are not found, cannot be downloaded or do not fit.

    Source: torchvision.
    """

    def __init__(self, network: str = "resnet18", weights: str | None = None, finest: int = 4) -> None:
        self.network, self.weights = network, weights
        nodes, channels = _last_maps(network)
        super().__init__(finest, channels)
        self._nodes = nodes[-len(self.strides) :]

    def read(self) -> nn.Module:
        made = _torchvision("models").get_model(self.network, weights=None, **_quietly(self.network))
        made.load_state_dict(self._state(made.state_dict()))
        # In-place activations would overwrite the maps that are returned.
        for part in made.modules():
            if getattr(part, "inplace", False):
                part.inplace = False
        return _Normalized(_extractor(made.eval(), self._nodes[: len(self.strides)]))

    def _state(self, expected: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        if self.weights is None:
            weights = _torchvision("models").get_model_weights(self.network).DEFAULT
            try:
                state: Mapping[str, Tensor] = weights.get_state_dict(progress=False, check_hash=True)
            except (URLError, OSError, RuntimeError) as error:
                raise InputError(
                    f"torchvision's weights of {self.network} cannot be downloaded ({error}); on a machine with a "
                    f"connection download {weights.url}, and set weights to the file's path"
                ) from error
            return state
        path = Path(self.weights).expanduser()
        if not path.is_file():
            raise InputError(f"backbone 'torchvision': weights={str(path)!r} is no file")
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            if not isinstance(state, Mapping):
                raise TypeError(type(state).__name__)
        except (RuntimeError, pickle.UnpicklingError, TypeError, AttributeError, IndexError, EOFError) as error:
            raise InputError(f"backbone 'torchvision': {str(path)!r} does not hold a state dict of tensors") from error
        for name, tensor in expected.items():
            if name not in state or state[name].shape != tensor.shape:
                found = f"the shape {tuple(state[name].shape)}" if name in state else "no such tensor"
                raise InputError(
                    f"backbone 'torchvision': {str(path)!r} does not hold the weights of {self.network}: {name} is of "
                    f"shape {tuple(tensor.shape)} there, and the file has {found}"
                )
        return {name: state[name] for name in expected}


class _Normalized(nn.Module):
    """A network for images in [-1, 1].

    Args:
        network: for images with ImageNet's mean and standard deviation taken out; from an image to named maps.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        # Buffers, since a new tensor in each pass would be a copy that waits for the device.
        self.register_buffer("mean", torch.tensor(MEAN).view(3, 1, 1))
        self.register_buffer("deviation", torch.tensor(STANDARD_DEVIATION).view(3, 1, 1))

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        mean, deviation = (buffer.to(image.dtype) for buffer in self.buffers(recurse=False))
        return tuple(self.network(((image + 1) / 2 - mean) / deviation).values())


def _last_maps(name: str) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Names and channels of the last map at each of ``STRIDES``, empty and 0 without one; no weights are read."""
    models, extraction = _torchvision("models"), _torchvision("models.feature_extraction")
    known = models.list_models(module=models)
    if name not in known:
        raise InputError(f"backbone 'torchvision': unknown network {name!r}; torchvision has {', '.join(known)}")
    network = models.get_model(name, weights=None, **_quietly(name)).eval()
    try:
        with torch.no_grad():
            nodes = _extractor(network, extraction.get_graph_node_names(network)[1])(torch.zeros(1, 3, _PROBE, _PROBE))
    except (RuntimeError, AssertionError, ValueError, TypeError) as error:
        raise InputError(
            f"backbone 'torchvision': {name} does not take images of any size; choose a convolutional network"
        ) from error
    widths = {
        node: (_PROBE // value.shape[-1], value.shape[1])
        for node, value in nodes.items()
        if node != "x" and isinstance(value, Tensor) and value.dim() == 4 and value.shape[-1] == value.shape[-2] > 1
    }
    chosen = []
    for stride in STRIDES:
        at_stride = [node for node, (found, _) in widths.items() if found == stride]
        after = next((node for node, (found, _) in widths.items() if found > stride), "")
        # A block that halves the map has a map of its own before that, which is no result of a block.
        ends = [node for node in at_stride if node.split(".")[:2] != after.split(".")[:2]] or at_stride
        chosen.append(ends[-1] if ends else "")
    return tuple(chosen), tuple(widths[node][1] if node else 0 for node in chosen)


def _extractor(network: nn.Module, nodes: Sequence[str]) -> nn.Module:
    with warnings.catch_warnings():  # that the network has other nodes in training mode
        warnings.simplefilter("ignore", UserWarning)
        made: nn.Module = _torchvision("models.feature_extraction").create_feature_extractor(
            network, return_nodes=list(nodes)
        )
        return made


def _quietly(name: str) -> dict[str, Any]:
    """Arguments without which two networks announce that their initialization will change."""
    return {"init_weights": False} if name in ("googlenet", "inception_v3") else {}


def _torchvision(module: str) -> Any:
    try:
        return importlib.import_module(f"torchvision.{module}")
    except ImportError as error:
        raise needs_package("backbone 'torchvision' needs", "torchvision", "inpainting", error) from error
