"""One sentence out of what jsonargparse says of a wrong key or value, which is a tree over many lines."""

import importlib
import inspect
import re
import sys
from collections.abc import Iterable
from typing import Any

from lit_an.registry import nearest

_KEY = re.compile(r'Parser key "([^"]+)"')
_CLASS = re.compile(r"Problem with given class_path '([\w.]+)'")
_STRUCTURE = re.compile(
    r"^(Does not validate against|Subtypes|Errors:|Given value|- Expected a <class 'NoneType'>(\. Got value: .*)?$"
    r"|- Expected a path |(- )?Not of type Path_)"
)
_GOT = ". Got value: "
_JARGON = re.compile(r"^Not of type \w+: ")
_IMPORT_PATH = re.compile(r"a dot import path string: .*")
_NO_ATTRIBUTE = re.compile(r"module '([\w.]+)' has no attribute '(\w+)'")
_NO_VALUE = re.compile(r"argument (\S+): expected one argument")
_REQUIRED = re.compile(r"the following arguments are required: (.+)")
# What a type expects, for people who do not program; other types keep their names.
_IN_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "a text",
    "dict": "a mapping",
    "tuple": "a list",
    "list": "a list",
    "collections.abc.Iterable": "a list",
}
_TYPE = re.compile(r"an? (?:<class ')?([\w.]+)(?:'>)?")
_CHOICE = re.compile(r"a typing\.Literal\[(.*?)\]")
_UNKNOWN = re.compile(r"(?:Option '([\w.]+)' is not accepted|Key '([\w.]+)' is not expected)")


def one_sentence(message: str) -> str:
    """The innermost complaint of an error message of jsonargparse, with the key that it is about.

    Args:
        message: as given to ``ArgumentParser.error``; one that is no such tree is returned on one line.

    Example:
        >>> one_sentence('''Parser key "iterations":
        ...   Does not validate against any of the Union subtypes
        ...   Subtypes: [<class 'int'>, <class 'NoneType'>]
        ...   Errors:
        ...     - Expected a <class 'int'>
        ...     - Expected a <class 'NoneType'>
        ...   Given value type: <class 'str'>
        ...   Given value: abc''')
        "iterations: expected a whole number, got 'abc'"
    """
    if no_value := _NO_VALUE.fullmatch(message.strip()):
        return f"{no_value[1]}: its value is missing"
    if required := _REQUIRED.fullmatch(message.strip()):
        names = [f"--{name}" for name in required[1].split(", ")]
        return f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} required; see --help"
    keys: list[str] = []
    leaves: list[str] = []
    class_path = ""
    for line in (line.strip() for line in message.splitlines()):
        keys += _KEY.findall(line)
        if found := _CLASS.findall(line):
            # What the class that was given says is nearer than what other types of a union miss before it.
            class_path, leaves = found[0], leaves if class_path else []
        rest = _CLASS.sub("", _KEY.sub("", line)).lstrip("-").strip(": ")
        if rest and not _STRUCTURE.match(rest) and not _STRUCTURE.match(line):
            leaves.append(_JARGON.sub("", rest))
    key = ".".join(keys)
    given = re.search(r"^\s*Given value: (?!NestedArg|Namespace)(.+)$", message, re.MULTILINE)
    if not leaves:
        return " ".join(message.split())
    # Of a union's options the first complaint stands for all, unless each only names what it expected.
    leaf = leaves[0]
    if leaf.startswith("Expected"):
        expected = [each.partition(_GOT) for each in leaves if each.startswith("Expected")]
        kinds = dict.fromkeys(_IMPORT_PATH.sub("a class", what) for what, _, _ in expected)
        leaf = " or ".join(kinds) + next((_GOT + value for _, _, value in expected if value), "")
    unknown = _UNKNOWN.search(leaf)
    if unknown:
        return unknown_argument(key, class_path, unknown.group(1) or unknown.group(2))
    if missing := _NO_ATTRIBUTE.search(leaf):
        return f"{f'{key}: ' if key else ''}{_no_class(*missing.groups())}"
    leaf = leaf.replace(_GOT, ", got ").replace(" or Expected a", " or a")
    if leaf.startswith("Expected"):
        expected_part, got, rest = leaf.partition(", got ")
        expected_part = _CHOICE.sub(lambda found: f"one of {found[1]}", expected_part)
        expected_part = _TYPE.sub(lambda found: _IN_WORDS.get(found[1], found[0]), expected_part)
        leaf = expected_part[0].lower() + expected_part[1:] + (f"{got}{_quoted(rest)}" if got else "")
    leaf = re.sub(r"<class '([\w.]+)'>", r"\1", leaf)
    if given and "got" not in leaf and len(given.group(1)) < 80:
        leaf += f", got {_quoted(given.group(1))}"
    place = key or class_path  # what is wrong inside a constructor comes without its key
    return f"{place}: {leaf}" if place else leaf


def unknown_option(name: str, known: Iterable[str]) -> str:
    """The sentence for an option that a command does not have.

    Args:
        name: as given, possibly with ``=`` and a value.
        known: the options that there are.
    """
    name = name.partition("=")[0]
    if not name.startswith("-"):
        return f"{name!r} belongs to no option; see --help"
    known = list(known)
    below = [each for each in known if each.endswith(f".{name.lstrip('-')}")]  # such as --data.batch_size
    return f"there is no option {name}{nearest(below[0], below) if below else nearest(name, known)} See --help"


def unknown_key(name: str, known: Iterable[str]) -> str:
    """The sentence for a key of a config that the command does not have.

    Args:
        name: with the keys above it.
        known: the options that there are.
    """
    return f"a config has no key {name!r}{nearest(name, [each.lstrip('-') for each in known])} See --help"


def _no_class(module: str, name: str) -> str:
    known = [each for each in dir(sys.modules.get(module)) if each[:1].isupper()]
    return f"{module} has no class {name!r}{nearest(name, known)}".rstrip(".")


def _quoted(value: str) -> str:
    """A text in quotes; a number as it is."""
    return value if re.fullmatch(r"[-+\d.e]+|['\"{\[(].*|None|True|False|true|false|null", value) else f"'{value}'"


def unknown_argument(key: str, class_path: str, name: str) -> str:
    """A sentence that says which arguments there are, if the class is known."""
    accepted = arguments_of(class_path)
    place = f"{key}: " if key else ""
    if not accepted:
        return f"{place}there is no key {name!r} here; options go behind --config, see --help"
    return f"{place}{class_path} has no argument {name!r}{nearest(name, accepted)} It accepts: {', '.join(accepted)}"


def class_of(path: str) -> Any:
    """What a class path names, imported; None if there is no such thing."""
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name, None) if module else None


def arguments_of(class_path: str) -> list[str]:
    """Arguments of a class that the parser has imported already, with those that it hands on to its bases."""
    module, _, name = class_path.rpartition(".")
    try:
        kind = getattr(importlib.import_module(module), name)
        names: list[str] = []
        for each in inspect.getmro(kind) if inspect.isclass(kind) else [kind]:
            parameters = inspect.signature(each).parameters.values()
            names += [one.name for one in parameters if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)]
            if not any(one.kind is one.VAR_KEYWORD for one in parameters):
                break
    except (ImportError, AttributeError, ValueError):
        return []
    return list(dict.fromkeys(names))
