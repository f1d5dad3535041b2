"""Chooses the command for a checkpoint, ``sample`` or ``inpaint``, by its task."""

import importlib
import shlex
import sys
from pathlib import Path
from typing import Literal, NamedTuple, NoReturn

from lit_an.errors import InputError
from lit_an.files import user_path
from lit_an.trained.checkpoints import task_of
from lit_an.trained.exported import exported_task
from lit_an.trained.network import Task

Command = Literal["sample", "inpaint"]

_COMMAND_OF: dict[str, Command] = {"ClassConditionalGAN": "sample", "InpaintingGAN": "inpaint"}
_EXPORTS: dict[Task, tuple[str, Command]] = {
    "class_conditional": ("an export of a class-conditional generator", "sample"),
    "inpainting": ("an export of an inpainting generator", "inpaint"),
}
_FURTHER_OPTIONS: dict[Command, str] = {"sample": "", "inpaint": " --images PICTURES --masks MASKS"}


class Match(NamedTuple):
    """The kind of a checkpoint and its command.

    Attributes:
        description: for sentences, such as ``a checkpoint of InpaintingGAN``.
        command: the command for it; None for a task without one.
    """

    description: str
    command: Command | None


def is_export(path: Path) -> bool:
    """Whether a path that ``checkpoint_at`` found is the folder or the JSON file of an export."""
    return path.is_dir() or path.suffix == ".json"


def match_command(path: Path, config: Path | None = None) -> Match:
    """Finds the command for a checkpoint or an export.

    Args:
        path: a ``.ckpt`` file, or the folder or the JSON file of an export.
        config: the config it was trained with; None takes ``config.yaml`` of its run folder.

    Raises:
        InputError: the checkpoint or its config is missing or of another kind.
    """
    if is_export(path):
        return Match(*_EXPORTS[exported_task(path)])
    class_path = task_of(path, config)
    name = class_path.rpartition(".")[2]
    known = (_COMMAND_OF[base] for base in _names_of_bases(class_path) if base in _COMMAND_OF)
    return Match(f"a checkpoint of {name}", next(known, None))


def check_command(command: Command, path: Path, config: Path | None = None) -> None:
    """Rejects a checkpoint that belongs to the other command.

    Raises:
        InputError: it belongs to the other command, or is missing or of another kind.
    """
    match = match_command(path, config)
    if match.command is not None and match.command != command:
        raise InputError(
            f"{path} is {match.description}, which is for another command: type {_typed(match.command, path, config)}"
        )


def refuse_predict(path: Path | None, config: str | None) -> NoReturn:
    """Names the command that replaces ``predict`` for a checkpoint.

    Args:
        path: a ``.ckpt`` file, or the folder or the JSON file of an export; or None.
        config: from the command line, or None.

    Raises:
        InputError: always.
    """
    if path is None:
        file = Path("FILE")
        raise InputError(
            "predict is two commands now: sample generates images with a class-conditional generator "
            f"({_typed('sample', file)}), inpaint fills holes in pictures ({_typed('inpaint', file)})"
        )
    chosen = None if config is None else user_path(config)
    match = match_command(path, chosen)
    if match.command is None:
        raise InputError(f"{path} is {match.description}, which neither of sample and inpaint, once predict, is for")
    raise InputError(
        f"predict is two commands now, and {path} is {match.description}: type {_typed(match.command, path, chosen)}"
    )


def _typed(command: Command, path: Path, config: Path | None = None) -> str:
    """The command line to type."""
    program = Path(sys.argv[0]).name
    options = f"--ckpt_path {shlex.quote(str(path))}" + (f" --config {shlex.quote(str(config))}" if config else "")
    return f"{'python ' * program.endswith('.py')}{program} {command} {options}{_FURTHER_OPTIONS[command]}"


def _names_of_bases(class_path: str) -> list[str]:
    """The class's name and, unless that says enough, those of the classes that it is made from."""
    module, _, name = class_path.rpartition(".")
    if name in _COMMAND_OF:
        return [name]
    try:
        return [kind.__name__ for kind in getattr(importlib.import_module(module), name).__mro__]
    except (ImportError, AttributeError, ValueError):
        return [name]
