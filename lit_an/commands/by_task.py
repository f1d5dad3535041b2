"""Which of a tool's modules a checkpoint is for: the task that its run was made with."""

import importlib
from collections.abc import Sequence

from lit_an.errors import InputError
from lit_an.files import user_path
from lit_an.trained.checkpoints import config_beside, existing, read_config


def choose(modules: dict[str, str], arguments: Sequence[str]) -> str | None:
    """The module for the checkpoint on a command line.

    Args:
        modules: from a task's class name to a module.
        arguments: of the command line, in any order; ``--ckpt_path`` and ``--config`` are looked at.

    Returns:
        One of the modules; None without a checkpoint.

    Raises:
        InputError: the checkpoint or its config is missing, or the run is of another task.
    """
    checkpoint = _value_of("--ckpt_path", arguments)
    if checkpoint is None:
        return None
    path = user_path(checkpoint)
    if path.is_dir() or path.suffix == ".json":  # an export, which only class-conditional generators have
        return modules["ClassConditionalGAN"]
    existing(path)
    given = _value_of("--config", arguments)
    config = user_path(given) if given else config_beside(path)
    class_path = str(read_config(config, "model")["class_path"])
    for name in _names_of(class_path):
        if name in modules:
            return modules[name]
    raise InputError(f"{config}: the run is of {class_path}; this command is for {' and '.join(modules)}")


def _value_of(option: str, arguments: Sequence[str]) -> str | None:
    """The last value given to an option, as the parser will take it."""
    value = None
    for argument, following in zip(arguments, [*arguments[1:], None], strict=True):
        name, equals, rest = argument.partition("=")
        if name == option:
            value = rest if equals else following
    return value


def _names_of(class_path: str) -> list[str]:
    """The class's name and, where it can be imported, those of the classes that it is made from."""
    module, _, name = class_path.rpartition(".")
    try:
        return [kind.__name__ for kind in getattr(importlib.import_module(module), name).__mro__]
    except (ImportError, AttributeError, ValueError):
        return [name]
