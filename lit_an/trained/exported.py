"""A generator alone on disk: weights as safetensors and a description as JSON, without Lightning or pickles."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lit_an.errors import InputError
from lit_an.files import json_text, replacing, sha256_of
from lit_an.trained.checkpoints import Description
from lit_an.trained.generator import TrainedGenerator, assemble

WEIGHTS, DESCRIPTION = "generator.safetensors", "generator.json"
_FORMAT = "lit_an generator 1"


def save_exported(generator: TrainedGenerator, folder: str | Path) -> Path:
    """Writes ``generator.safetensors`` and, last, ``generator.json``, which holds the hash of the first.

    Both are written before the first is renamed, so that an earlier error leaves a former pair unchanged.

    Args:
        generator: what to save; its weights are saved as they are, batch-norm statistics included.
        folder: where to; made if missing.

    Returns:
        The path of the JSON file.

    Raises:
        InputError: safetensors is not installed, arguments of the network that JSON cannot hold, or a folder that
            cannot be written to.
    """
    safetensors = _safetensors()
    folder = Path(folder)
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in generator.network.state_dict().items()}
    # The same weights give the same bytes: no time stamp is written.
    # Serialized to memory first: safetensors has its own error for a full disk.
    content: bytes = safetensors.save(weights, metadata={"format": "pt"})
    facts = {
        "format": _FORMAT,
        **asdict(generator.description),
        "class_names": generator.class_names,
        "num_classes": generator.num_classes,
        "latent_dim": generator.latent_dim,
        "image_size": generator.image_size,
        "image_range": [-1, 1],
        "lit_an_version": _version(),
        "torch_version": str(torch.__version__),
        "weights": WEIGHTS,
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    try:
        text = json_text(facts)
    except TypeError as error:
        raise InputError(
            f"the arguments of {generator.description.class_path} do not fit into JSON: {error}"
        ) from error
    with replacing(folder / DESCRIPTION) as description, replacing(folder / WEIGHTS) as temporary:
        description.write_text(text, encoding="utf-8")
        temporary.write_bytes(content)
    return folder / DESCRIPTION


def load_exported(path: str | Path) -> TrainedGenerator:
    """A generator from its two files; imports neither Lightning nor the data set.

    Args:
        path: the folder or its JSON file.

    Raises:
        InputError: a file that is missing, damaged or of another kind, or safetensors is not installed.
    """
    path = Path(path)
    path = path / DESCRIPTION if path.is_dir() else path
    facts = _read_json(path)
    weights = path.with_name(WEIGHTS)
    if not weights.is_file():
        raise InputError(f"{path}: the weights {WEIGHTS} are not beside it; keep both files in one folder")
    if sha256_of(weights) != facts.get("sha256"):
        raise InputError(f"{weights}: its SHA-256 is not the one in {path.name}; export the generator again")
    known = {field.name: facts[field.name] for field in fields(Description) if field.name in facts}
    return assemble(Description(**known), read_weights(weights), str(weights))


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file.

    Raises:
        InputError: safetensors is not installed.
    """
    weights: dict[str, Tensor] = _safetensors().load_file(path)
    return weights


def needs_extra(what: str, package: str) -> InputError:
    """The error for a missing package."""
    return InputError(f"{what} needs the package {package}; pip install '.[export]'")


def _read_json(path: Path) -> Mapping[str, Any]:
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: it cannot be read ({error.strerror}); give the folder of an export") from error
    except ValueError as error:
        raise InputError(f"{path}: it is not JSON ({error})") from error
    if not isinstance(facts, dict) or facts.get("format") != _FORMAT:
        raise InputError(f"{path}: it describes no generator ({_FORMAT!r}); give the folder of an export")
    return facts


def _safetensors() -> Any:
    try:
        import safetensors.torch
    except ImportError as error:
        raise needs_extra("a generator as safetensors", "safetensors") from error
    return safetensors.torch


def _version() -> str:
    try:
        return version("lit_an")
    except PackageNotFoundError:  # used from a source folder
        return "unknown"
