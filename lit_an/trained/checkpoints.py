"""A training checkpoint and the config beside it: what was trained, with which weights. Nothing in it is executed."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import torch
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from torch import Tensor
from yaml import YAMLError

from lit_an.checkpoints.files import load_checkpoint
from lit_an.checkpoints.format import read_entries
from lit_an.errors import InputError
from lit_an.files.configs import load_config, on_one_line


@dataclass(frozen=True)
class Description:
    """Facts about a trained generator besides its weights; numbers and names only.

    Attributes:
        class_path: its class, such as ``lit_an.networks.ResNetGenerator``.
        init_args: the arguments of its constructor.
        class_names: names of the classes in the order of their labels.
        iteration: generator iterations that it was trained for.
        averaged: whether the weights are the moving average of training (EMA) or those of the last iteration.
        statistics: where its batch-norm statistics come from; see ``lit_an.sampling.statistics``.
    """

    class_path: str
    init_args: dict[str, Any]
    class_names: list[str] = field(default_factory=list)
    iteration: int = 0
    averaged: bool = False
    statistics: str = "running"


class Trained(NamedTuple):
    """A generator read from a checkpoint.

    Attributes:
        description: facts about it.
        weights: its state, averaged if the run kept an average.
    """

    description: Description
    weights: dict[str, Tensor]


def read_trained(checkpoint: str | Path, config: str | Path | None = None) -> Trained:
    """Reads the generator of a checkpoint, without the data or Lightning.

    Args:
        checkpoint: a ``.ckpt`` file of a run.
        config: the config it was trained with; None takes ``config.yaml`` of its run folder.

    Raises:
        InputError: a file that is missing or of another kind.
    """
    path = Path(checkpoint)
    stored = load_checkpoint(path)
    chosen = read_config(config or config_beside(path), "model.init_args.generator")
    entries = read_entries(stored, str(path))
    live = _below(stored["state_dict"], "generator.")
    if not live:
        raise InputError(f"{path}: it holds no generator; give a checkpoint that `fit` wrote")
    description = Description(
        str(chosen.get("class_path")),
        dict(chosen.get("init_args") or {}),
        list(entries.class_names),
        entries.iteration or 0,
        averaged=bool(entries.average),
    )
    return Trained(description, dict(entries.average) or live)


def task_of(checkpoint: str | Path, config: str | Path | None = None) -> str:
    """The class path of the task that a checkpoint was trained with.

    Args:
        checkpoint: a ``.ckpt`` file of a run.
        config: the config it was trained with; None takes ``config.yaml`` of its run folder.

    Raises:
        InputError: the checkpoint or its config is missing or of another kind.
    """
    path = Path(checkpoint)
    written = read_entries(load_checkpoint(path), str(path)).task
    if written is not None and config is None:
        return written
    return str(read_config(config or config_beside(path), "model")["class_path"])


def config_beside(checkpoint: Path) -> Path:
    """``config.yaml`` of the run folder that a checkpoint lies in.

    Raises:
        InputError: there is none.
    """
    folder = checkpoint.absolute().parent
    places = [folder.parent / "config.yaml", folder / "config.yaml"]
    for place in places if folder.name == "checkpoints" else reversed(places):
        if place.is_file():
            return place
    raise InputError(f"{checkpoint}: there is no config.yaml in its run folder; name the run's config with --config")


def run_folder_of(path: Path) -> Path:
    """The run folder that a checkpoint or an export lies in.

    Example:
        >>> run_folder_of(Path("runs/faces/checkpoints/last.ckpt")).as_posix()
        'runs/faces'
    """
    folder = path if path.is_dir() else path.parent
    return folder.parent if folder.name in ("checkpoints", "export") else folder


def parse_device(name: str) -> torch.device:
    """The device of an option: ``cpu``, ``cuda:1``, …, or ``auto`` for a GPU if there is one.

    Raises:
        InputError: it is not available on this machine.
    """
    try:
        device = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise InputError(
            f"--device {name} is not available on this machine; choose cpu, or cuda where there is a GPU"
        ) from error
    return device


def read_config(path: str | Path, key: str) -> dict[str, Any]:
    """A part of a config file, its references to other keys resolved.

    Args:
        path: a YAML file.
        key: the part, such as ``model.init_args.generator``.

    Raises:
        InputError: no such file, no such part, or no YAML.
    """
    try:
        part = OmegaConf.select(load_config(Path(path)), key)
        if not OmegaConf.is_dict(part) or "class_path" not in part:
            raise InputError(f"{path}: it has no {key} with a class_path; give the config that the run was made with")
        resolved = OmegaConf.to_container(part, resolve=True)
    except (YAMLError, OmegaConfBaseException) as error:
        raise InputError(f"{path}: the config cannot be read ({on_one_line(error)})") from error
    assert isinstance(resolved, dict)
    return {str(name): value for name, value in resolved.items()}


def weights_hash(weights: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, types, shapes and bytes of a state.

    Example:
        >>> weights_hash({"a": torch.zeros(2)}) == weights_hash({"a": torch.zeros(2)}) != weights_hash({})
        True
    """
    digest = hashlib.sha256()
    for name, tensor in sorted(weights.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)};".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _below(state: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
