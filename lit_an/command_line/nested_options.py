"""Options of arguments inside a class, such as ``--data.source.root``: a text stays as it was given.

jsonargparse reads the value of such an option as YAML before it knows which argument it is for, so that a folder
``Photos: 2024`` would become a mapping. Values of other arguments are read as before.
"""

import os
import types
from argparse import Action
from typing import Any, Union, get_args, get_origin

from jsonargparse._parameter_resolvers import get_signature_parameters
from jsonargparse.typing import register_type

from lit_an.command_line.parse_errors import class_of
from lit_an.command_line.parsers import GivenText


class NestedOption(Action):
    """``--data.source.root VALUE``: an argument of a class, or of a class in that.

    Args:
        found: jsonargparse's action of the outermost class.
        option: as given.
    """

    def __init__(self, found: Action, option: str) -> None:
        super().__init__([option], found.dest, found.nargs)
        self._found = found

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        option = option_string or self.option_strings[0]
        base = next((each for each in self._found.option_strings if option.startswith(f"{each}.")), None)
        if base is not None and isinstance(values, str):
            keys = [key for key in option[len(base) + 1 :].split(".") if key != "init_args"]
            if _takes_text(_type_of(namespace.get(self.dest), keys)):
                values = GivenText(values)
        self._found(parser, namespace, values, option_string)


def with_nested_text(parsed: Any, option: str) -> Any:
    """What argparse's ``_parse_optional`` found, with a ``NestedOption`` where the option is inside a class.

    Args:
        parsed: a tuple that begins with the action, a list of such, or None.
        option: as given, possibly with ``=`` and a value.
    """
    if isinstance(parsed, list):  # Python 3.12 and later
        return [with_nested_text(each, option) for each in parsed]
    name = option.partition("=")[0]
    if parsed is None or parsed[0] is None or not any(name.startswith(f"{each}.") for each in parsed[0].option_strings):
        return parsed
    return NestedOption(parsed[0], name), *parsed[1:]


def keep_text_of_paths() -> None:
    """Lets only texts be paths: jsonargparse would make one of any value, such as of a mapping that a text reads as."""
    register_type(os.PathLike, str, _path_text)


def _path_text(value: Any) -> str:
    if not isinstance(value, (str, os.PathLike)):
        raise ValueError(f"Expected a text, got {value!r}; put a path that YAML reads as something else in quotes")
    return str(value)


def _type_of(value: Any, keys: list[str]) -> Any:
    """The annotation of an argument of a parsed class; None if it is not known."""
    if not keys:  # all arguments at once
        return None
    for key in keys[:-1]:
        value = (getattr(_last(value), "init_args", None) or {}).get(key)
    try:
        kind = class_of(str(getattr(_last(value), "class_path", "")))
    except ImportError:  # what is wrong with it is said elsewhere
        return None
    parameters = get_signature_parameters(kind, "__init__") if isinstance(kind, type) else []
    return next((each.annotation for each in parameters if each.name == keys[-1]), None)


def _last(value: Any) -> Any:
    """Of a list, the one that options are for."""
    return value[-1] if isinstance(value, list) and value else value


def _takes_text(hint: Any) -> bool:
    """Whether all values of a type but None are texts."""
    kinds = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    paths = [kind for kind in kinds if (get_origin(kind) or kind) is os.PathLike]
    return str in kinds and all(kind in (str, type(None), *paths) for kind in kinds)
