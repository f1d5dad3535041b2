"""The help of a command that is a function: what one types for a value, and defaults in words."""

import textwrap
import types
from argparse import SUPPRESS, Action
from collections.abc import Iterable
from typing import Any, Literal, Union, get_args, get_origin

from jsonargparse import DefaultHelpFormatter

from lit_an.command_line.short_help import WIDTH

_NAMES = 28  # columns of the options


class CommandHelp(DefaultHelpFormatter):
    """Formats the help of a command for people who do not program: jsonargparse's names types as Python does."""

    def __init__(self, prog: str, **options: Any) -> None:
        super().__init__(prog, **{**options, "max_help_position": _NAMES, "width": WIDTH})

    def add_usage(self, usage: str | None, actions: Iterable[Action], *args: Any, **kwargs: Any) -> None:
        """Names the options that are required, and no others."""
        required = [f"{each.option_strings[0]} {value_of(each)}" for each in actions if each.required]
        line = textwrap.fill(" ".join([self._prog, *required, "[options]"]), WIDTH - 7, subsequent_indent=" " * 7)
        super().add_usage(line, actions, *args, **kwargs)

    def _format_args(self, action: Action, default_metavar: str) -> str:
        return value_of(action)

    def _format_action_invocation(self, action: Action) -> str:
        names = [name for name in action.option_strings if not name.endswith("+")]  # that one adds to a list
        return ", ".join(names) + f" {value_of(action)}".rstrip()

    def _get_help_string(self, action: Action) -> str:
        text = (action.help or "").replace("``", "").strip()
        extra = action.extra_help() if hasattr(action, "extra_help") else ""
        if known := extra.partition("known subclasses: ")[2]:
            text = f"{text.rstrip('.')}. Known: {known}."
        default = _default_of(action)
        return f"{text.rstrip('.')}. Default: {default}." if default and "Default:" not in text else text


def value_of(action: Action) -> str:
    """What stands for the value of an option; empty for one that stands alone."""
    name, hint = action.dest.rpartition(".")[2].upper(), getattr(action, "_typehint", None)
    if get_origin(hint) in (Union, types.UnionType):
        kinds = [kind for kind in get_args(hint) if kind is not type(None)]
        hint = kinds[0] if len(kinds) == 1 else None
    if action.nargs == 0 or (hint is bool and not action.default):
        return ""
    if action.option_strings[0].endswith(".help"):
        return "CLASS"
    if get_origin(hint) is Literal:
        return "|".join(map(str, get_args(hint)))
    if get_origin(hint) is tuple:
        return f"{name},…"
    words: dict[Any, str] = {int: "N", float: "X", bool: "true|false"}
    return words.get(hint, name)


def _default_of(action: Action) -> str:
    """A default in words; empty where there is none to tell."""
    default = action.default
    if action.required or default is None or default is False or default in ("", SUPPRESS):
        return ""
    if isinstance(default, (list, tuple)):
        return ",".join(map(str, default))
    if isinstance(default, float):
        return f"{default:g}"
    return "true" if default is True else str(default)
