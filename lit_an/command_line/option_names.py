"""Options that take names, kept as they are spelled: a class may be called 10, 007, no or 1e3."""

import inspect
import json
from collections.abc import Callable, Sequence
from typing import Any, get_args

import yaml


def with_quoted_names(arguments: Sequence[str], run: Callable[..., Any]) -> list[str]:
    """A command line whose lists of names are quoted, so that a parser takes none of them for a number.

    Args:
        arguments: of the command line.
        run: whose arguments the options are; those of type ``list[str]`` or ``list[str] | None`` take names. One name
            alone is a list of one.

    Example:
        >>> def run(classes: list[str] | None, count: int) -> None: ...
        >>> with_quoted_names(["--classes", "[007, no]", "--count", "3", "--classes=10"], run)
        ['--classes', '["007", "no"]', '--count', '3', '--classes=["10"]']
    """
    options = {f"--{name}" for name, each in inspect.signature(run, eval_str=True).parameters.items() if _names(each)}
    quoted, previous = [], ""
    for argument in arguments:
        option, equals, value = argument.partition("=")
        if previous in options and not argument.startswith("--"):
            argument = _quoted(argument)
        elif option in options and equals:
            argument = f"{option}={_quoted(value)}"
        quoted.append(argument)
        previous = "" if previous in options else argument
    return quoted


def _names(parameter: inspect.Parameter) -> bool:
    kinds = {kind for kind in get_args(parameter.annotation) if kind is not type(None)}
    return parameter.annotation == list[str] or kinds == {list[str]}


def _quoted(value: str) -> str:
    if value in ("null", "None"):
        return value
    try:
        # The base loader knows strings alone.
        names = yaml.load(value, Loader=yaml.BaseLoader) if value[:1] in ("[", "'", '"') else value
    except yaml.YAMLError:
        return value
    return json.dumps([names] if isinstance(names, str) else names, ensure_ascii=False)
