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

from lit_an.errors import InputError, needs_package
from lit_an.files import json_text, replacing, sha256_of
from lit_an.trained.checkpoints import Description, Trained
from lit_an.trained.generator import TrainedGenerator, assemble
from lit_an.trained.inpainter import TrainedInpainter
from lit_an.trained.network import Task, TrainedNetwork, build_network

WEIGHTS, DESCRIPTION = "generator.safetensors", "generator.json"
_FORMAT = "lit_an generator 1"
# The function of this package that reads an export, by its task.
READERS: dict[Task, str] = {"class_conditional": "load_exported", "inpainting": "load_exported_inpainter"}
_KINDS: dict[Task, str] = {
    "class_conditional": "a class-conditional generator",
    "inpainting": "an inpainting generator",
}


def save_exported(generator: TrainedNetwork, folder: str | Path, half: bool = False) -> Path:
    """Writes ``generator.safetensors`` and, last, ``generator.json``, which holds the hash of the first.

    Both are written before the first is renamed, so that an earlier error leaves a former pair unchanged.

    Args:
        generator: what to save; its weights are saved as they are, batch-norm statistics included.
        folder: where to; made if missing.
        half: store weights of two or more dimensions in float16, which halves the file. They are float32 again when
            they are loaded, rounded to 11 bits. Vectors, such as statistics and biases, stay as they are.

    Returns:
        The path of the JSON file.

    Raises:
        InputError: safetensors is not installed, arguments of the network that JSON cannot hold, weights beyond the
            range of float16, or a folder that cannot be written to.
    """
    safetensors = _safetensors("export")
    folder = Path(folder)
    # Copies, since safetensors refuses tensors that share memory, as a part that is used in several places has them.
    state = generator.network.state_dict()
    weights = {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in state.items()}
    if half:
        weights = {name: _halved(name, tensor) for name, tensor in weights.items()}
    # The same weights give the same bytes: no time stamp is written.
    # Serialized to memory first: safetensors has its own error for a full disk.
    content: bytes = safetensors.save(weights, metadata={"format": "pt"})
    facts = {
        "format": _FORMAT,
        "task": generator.task,
        **asdict(generator.description),
        **generator.facts(),
        "image_range": [-1, 1],
        "precision": "float16" if half else "float32",
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
    """A class-conditional generator from its two files; imports neither Lightning nor the data set.

    Args:
        path: the folder or its JSON file.

    Raises:
        InputError: a file that is missing, damaged or of another kind, or safetensors is not installed.
    """
    trained, origin = _read(path, "class_conditional")
    return assemble(*trained, origin)


def load_exported_inpainter(path: str | Path) -> TrainedInpainter:
    """An inpainting generator from its two files.

    Takes and raises the same as ``load_exported``.
    """
    trained, origin = _read(path, "inpainting")
    return TrainedInpainter(build_network(trained, origin), trained.description)


def exported_task(path: str | Path) -> Task:
    """What an export is for; its weights are not read.

    Args:
        path: the folder or its JSON file.

    Raises:
        InputError: a file that is missing or of another kind.
    """
    path = _description_at(path)
    return _task_in(_read_json(path), path)


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file.

    Raises:
        InputError: safetensors is not installed.
    """
    weights: dict[str, Tensor] = _safetensors("showcase").load_file(path)
    return weights


def _read(path: str | Path, task: Task) -> tuple[Trained, str]:
    """What an export for this task holds, and the file of its weights, for sentences."""
    path = _description_at(path)
    facts = _read_json(path)
    found = _task_in(facts, path)
    if found != task:
        raise InputError(f"{path}: it describes {_KINDS[found]}; load it with {READERS[found]}")
    weights = path.with_name(WEIGHTS)
    if not weights.is_file():
        raise InputError(f"{path}: the weights {WEIGHTS} are not beside it; keep both files in one folder")
    if sha256_of(weights) != facts.get("sha256"):
        raise InputError(f"{weights}: its SHA-256 is not the one in {path.name}; export the generator again")
    known = {field.name: facts[field.name] for field in fields(Description) if field.name in facts}
    return Trained(Description(**known), read_weights(weights)), str(weights)


def _description_at(path: str | Path) -> Path:
    path = Path(path)
    return path / DESCRIPTION if path.is_dir() else path


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


def _task_in(facts: Mapping[str, Any], path: Path) -> Task:
    # Exports of versions that knew one task do not name it.
    found = facts.get("task", "class_conditional")
    for task in _KINDS:
        if found == task:
            return task
    raise InputError(f"{path}: it is for the task {found!r}, but this version of lit_an knows {' and '.join(_KINDS)}")


def _halved(name: str, tensor: Tensor) -> Tensor:
    if tensor.dim() < 2 or not tensor.is_floating_point():
        return tensor
    half = tensor.half()
    if not bool(half.isfinite().all()):
        largest = float(tensor.abs().max())
        raise InputError(f"the weights {name} reach {largest:.3g}, more than float16 holds; export them without half")
    return half


def _safetensors(extra: str) -> Any:
    try:
        import safetensors.torch
    except ImportError as error:
        raise needs_package("a generator as safetensors needs", "safetensors", extra, error) from error
    return safetensors.torch


def _version() -> str:
    try:
        return version("lit_an")
    except PackageNotFoundError:  # used from a source folder
        return "unknown"
