"""Features of a frozen VGG-19 for perceptual losses."""

import importlib
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.error import URLError

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from lit_an.errors import InputError, needs_package
from lit_an.registry import nearest
from lit_an.tensors.precision import in_type_of

Features = Mapping[str, Tensor]

MEAN, STANDARD_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, for values in [0, 1]
STAGES = (2, 2, 4, 4, 4)  # convolutions between poolings
LAYERS = tuple(
    name
    for stage, depth in enumerate(STAGES, 1)
    for name in (*(f"{kind}{stage}_{i}" for i in range(1, depth + 1) for kind in ("conv", "relu")), f"pool{stage}")
)


class VGG19Features:
    """Named feature maps of torchvision's VGG-19, trained on ImageNet; frozen.

    It is deliberately not an ``nn.Module``: a task that holds it has none of its weights in its parameters, in its
    checkpoints or in pickles. It moves to the device of its input. The weights are read at first use, so that a
    trained generator can be loaded without them; ``load`` reads them immediately.

    It computes in float32, or under autocast in autocast's type, and only up to the deepest requested layer.

    Args:
        weights: a file with VGG-19's state dict (``vgg19-dcbb9e9d.pth``, or one with its ``features.…`` alone), read
            as tensors only; None takes torchvision's, from PyTorch's cache or downloaded into it at first use.
        layers: names of the maps to return: ``conv3_2`` before and ``relu3_2`` after its ReLU, ``pool3`` after the
            third pooling. What GMCNN's paper calls conv3_2 is, in its codes, ``relu3_2``.
        recompute: computes each of the stages between poolings once more in the backward pass rather than keeping
            its maps: 65 rather than 107 MiB for an image of 256 pixels, in about a third more time
            (``benchmarks/inpainting_losses.py``, float32 on one thread of a CPU).

    Raises:
        InputError: an unknown layer, or none.

    Source: Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition", ICLR 2015.

    Differs: images are normalized by mean and standard deviation, as torchvision's weights were trained. GMCNN's
        PyTorch code forgets the latter; the TensorFlow codes of GMCNN and attentive normalization have other weights
        (MatConvNet's, for values up to 255) and average where VGG takes maxima.

    Example:
        >>> VGG19Features(layers=["relu3_3", "konv4_2"])
        Traceback (most recent call last):
        ...
        lit_an.errors.InputError: VGG19Features: unknown layer 'konv4_2', did you mean 'conv4_2'?
    """

    def __init__(
        self,
        weights: str | None = None,
        layers: Sequence[str] = ("relu3_2", "relu4_2"),
        recompute: bool = False,
    ) -> None:
        if not layers:
            raise InputError("VGG19Features: name at least one layer, such as relu3_2")
        for layer in layers:
            if layer not in LAYERS:
                raise InputError(f"VGG19Features: unknown layer {layer!r}{nearest(layer, LAYERS)}")
        self.weights, self.layers, self.recompute = weights, tuple(layers), recompute
        self._stages: nn.ModuleList | None = None
        self._moments = torch.tensor([MEAN, STANDARD_DEVIATION]).view(2, 3, 1, 1)

    def load(self) -> "VGG19Features":
        """Reads the weights if they have not been read.

        Returns:
            Itself.

        Raises:
            InputError: torchvision is missing, or the weights are not found, cannot be downloaded or do not fit.
        """
        if self._stages is None:
            with torch.inference_mode(False):  # weights read in a validation must be usable in training
                self._stages = _stages(self.layers, self.weights)
        return self

    def load_shapes(self) -> "VGG19Features":
        """Makes the network on the meta device, without weights, unless they have been read: to count its costs.

        Returns:
            Itself.

        Raises:
            InputError: torchvision is missing.
        """
        if self._stages is None:
            self._stages = _cut(_network(self.layers), self.layers)
        return self

    def __call__(self, image: Tensor) -> dict[str, Tensor]:
        """The maps of images, by name, in the order of ``layers``, of the image's type, or autocast's.

        Args:
            image: (B, 3, H, W), in [-1, 1]; gradients reach it. Sides of at least 2 pixels for each pooling on the way.

        Raises:
            InputError: as ``load``.
        """
        stages = self.load()._stages
        assert stages is not None
        with torch.inference_mode(False):
            stages.to(image.device)
            # Kept there, since a new tensor in each pass would be a copy that waits for the device.
            self._moments = self._moments.to(image.device)
        given = in_type_of(image, next(stages.parameters()))
        mean, deviation = self._moments.to(given.dtype)
        x, maps = ((given + 1) / 2 - mean) / deviation, {}
        for stage in stages:
            if self.recompute and torch.is_grad_enabled():
                x, found = checkpoint(stage, x, use_reentrant=False, preserve_rng_state=False)
            else:
                x, found = stage(x)
            maps.update(found)
        return {name: maps[name] if given is image else maps[name].to(image.dtype) for name in self.layers}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_stages": None}  # the receiving process reads the weights again


class _Stage(nn.Module):
    """The layers up to one pooling; gives its output and the maps wanted."""

    def __init__(self, layers: Mapping[str, nn.Module], wanted: Sequence[str]) -> None:
        super().__init__()
        self.layers, self.wanted = nn.ModuleDict(layers), frozenset(wanted)
        for name, layer in layers.items():
            if isinstance(layer, nn.ReLU):  # in place, unless that would overwrite what is wanted
                layer.inplace = name.replace("relu", "conv") not in self.wanted

    def forward(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        maps = {}
        for name, layer in self.layers.items():
            x = layer(x)
            if name in self.wanted:
                maps[name] = x
        return x, maps


def _stages(wanted: Sequence[str], weights: str | None) -> nn.ModuleList:
    """VGG-19 up to the deepest layer wanted, frozen, with its weights, cut after the poolings."""
    network = _network(wanted)
    url = _torchvision_models().VGG19_Weights.IMAGENET1K_V1.url
    path = _downloaded(url) if weights is None else Path(weights).expanduser()
    network.load_state_dict(_read(path, network.state_dict()), assign=True)
    return _cut(network, wanted)


def _network(wanted: Sequence[str]) -> nn.Sequential:
    """VGG-19 up to the deepest layer wanted, without weights."""
    with torch.device("meta"):  # no memory for the classifier, which is six times as large
        network: nn.Sequential = _torchvision_models().vgg19().features[: 1 + max(map(LAYERS.index, wanted))]
    return network


def _cut(network: nn.Sequential, wanted: Sequence[str]) -> nn.ModuleList:
    """The frozen network, cut after the poolings."""
    network.eval().requires_grad_(False)
    names = LAYERS[: len(network)]
    numbers = dict.fromkeys(name[4] for name in names)
    layers = dict(zip(names, network, strict=True))
    return nn.ModuleList(
        _Stage({name: layer for name, layer in layers.items() if name[4] == number}, wanted) for number in numbers
    )


def _read(path: Path, expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What of a state dict is ``expected``, in float32."""
    if not path.is_file():
        raise InputError(f"VGG19Features: weights={str(path)!r} is no file")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        if not isinstance(state, Mapping):
            raise TypeError(type(state).__name__)
        found = {name: state[f"features.{name}"].float() for name in expected}
    except (RuntimeError, pickle.UnpicklingError, TypeError, AttributeError, KeyError, IndexError, EOFError) as error:
        raise InputError(
            f"VGG19Features: {str(path)!r} does not hold torchvision's VGG-19 as a state dict ({_short(error)})"
        ) from error
    for name, tensor in expected.items():
        if found[name].shape != tensor.shape:
            raise InputError(
                f"VGG19Features: features.{name} in {str(path)!r} has the shape {tuple(found[name].shape)}; in VGG-19 "
                f"it has {tuple(tensor.shape)}"
            )
    return found


def _downloaded(url: str) -> Path:
    """torchvision's path of the weights; downloads them if they are missing."""
    path = Path(torch.hub.get_dir(), "checkpoints", url.rsplit("/", 1)[1])
    if path.is_file():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        torch.hub.download_url_to_file(url, str(path), hash_prefix=path.stem.rsplit("-", 1)[1], progress=False)
    except (URLError, OSError, RuntimeError) as error:
        raise InputError(
            f"VGG19Features: the weights are not at {str(path)!r} and cannot be downloaded ({error}); on a machine "
            f"with a connection download {url}, and put the file there or set weights to its path"
        ) from error
    return path


def _torchvision_models() -> Any:
    try:
        return importlib.import_module("torchvision.models")
    except ImportError as error:
        raise needs_package("VGG19Features needs", "torchvision", "inpainting", error) from error


def _short(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"[:120]
