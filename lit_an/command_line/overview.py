"""The list of commands, for ``lit-an`` alone, ``--help`` and a name that does not exist; imports nothing heavy."""

import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path

from lit_an.files.configs import own_config
from lit_an.registry import nearest

_NAME = 14
_FIRST_CONFIG = "class_conditional/earth_quickstart.yaml"


def program() -> str:
    """What one types for the command line: ``lit-an`` or ``python cli.py``."""
    name = Path(sys.argv[0]).name
    return f"python {name}" if name.endswith(".py") else name


def overview(groups: Mapping[str, Sequence[str]], helps: Mapping[str, str]) -> str:
    """All commands with a line each, in groups.

    Args:
        groups: names of commands by the name of the group.
        helps: what a command does, by its name.
    """
    lines = [
        f"usage: {program()} COMMAND [options]",
        "",
        "Trains and runs networks with attentive normalization.",
    ]
    for group, names in groups.items():
        lines += ["", f"{group}:"]
        lines += [f"  {name:{_NAME}} {helps[name]}" for name in names]
    lines += [
        "",
        f"  {'COMMAND --help':{_NAME}} its options",
        f"  {'--version':{_NAME}} versions of lit_an and of what it runs on",
        "",
        "A first run:",
        f"  {program()} fit --config {own_config(_FIRST_CONFIG)}",
    ]
    return "\n".join(lines)


def versions() -> str:
    """The versions that a report of a fault needs, on one line."""
    told = [f"lit_an {sys.modules['lit_an'].__version__}"]
    told += [f"{name} {metadata.version(name)}" for name in ("torch", "pytorch-lightning")]
    return ", ".join([*told, f"Python {sys.version.split()[0]}"])


def unknown_command(name: str, known: Sequence[str], following: Sequence[str] = ()) -> str:
    """The sentence for a command that does not exist.

    Args:
        name: what is in its place.
        known: all commands.
        following: the rest of the command line.
    """
    command = next((word for word in following if word in known), None)
    if name.startswith("-") and command is not None:
        return f"the command comes first, then its options: {program()} {command} {name} …"
    what = f"there is no option {name} before the command" if name.startswith("-") else f"there is no command {name!r}"
    return f"{what}{nearest(name, (*known, '--help', '--version'))} All are listed above"
