"""One sentence out of what jsonargparse says of a wrong key or value, which is a tree over many lines."""

import importlib
import inspect
import re

from lit_an.registry import nearest

_KEY = re.compile(r'Parser key "([^"]+)"')
_CLASS = re.compile(r"Problem with given class_path '([\w.]+)'")
_STRUCTURE = re.compile(
    r"^(Does not validate against|Subtypes|Errors:|Given value|- Expected a <class 'NoneType'>$|- Expected a path "
    r"|(- )?Not of type Path_)"
)
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
        'iterations: expected an int, got abc'
    """
    keys: list[str] = []
    class_path, leaves = "", []
    for line in (line.strip() for line in message.splitlines()):
        keys += _KEY.findall(line)
        class_path = next(iter(_CLASS.findall(line)), class_path)
        rest = _CLASS.sub("", _KEY.sub("", line)).lstrip("-").strip(": ")
        if rest and not _STRUCTURE.match(rest) and not _STRUCTURE.match(line):
            leaves.append(rest)
    key = ".".join(keys)
    given = re.search(r"^\s*Given value: (?!NestedArg|Namespace)(.+)$", message, re.MULTILINE)
    if not leaves:
        return " ".join(message.split())
    # Of a union's options the first complaint stands for all, unless each only names what it expected.
    expected = [each for each in leaves if each.startswith("Expected")]
    leaf = " or ".join(dict.fromkeys(expected)) if leaves[0].startswith("Expected") else leaves[0]
    unknown = _UNKNOWN.search(leaf)
    if unknown:
        return unknown_argument(key, class_path, unknown.group(1) or unknown.group(2))
    leaf = re.sub(r"<class '([\w.]+)'>", r"\1", leaf).replace(". Got value: ", ", got ")
    leaf = leaf.replace(" or Expected a", " or a").replace("Expected a int", "Expected an int")
    leaf = leaf[0].lower() + leaf[1:] if leaf.startswith("Expected") else leaf
    if given and "got" not in leaf and len(given.group(1)) < 80:
        leaf += f", got {given.group(1)}"
    place = key or class_path  # what is wrong inside a constructor comes without its key
    return f"{place}: {leaf}" if place else leaf


def unknown_argument(key: str, class_path: str, name: str) -> str:
    """A sentence that says which arguments there are, if the class is known."""
    accepted = arguments_of(class_path)
    place = f"{key}: " if key else ""
    if not accepted:
        return f"{place}there is no key {name!r} here; see --help"
    return f"{place}{class_path} has no argument {name!r}{nearest(name, accepted)} It accepts: {', '.join(accepted)}"


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
