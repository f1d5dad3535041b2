"""The configs that come with the project: what there is, and which one a mistyped path means."""

import difflib
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

from lit_an.errors import InputError
from lit_an.files.configs import config_folders

_KINDS = ("class_conditional", "inpainting")
_SOURCES = (
    "--config",
    "-c",
    "--model",
    "--print_config",
    "--help",
    "-h",
    "--model.help",
    "--data.help",
    "--trainer.help",
)


def require_config(command: str, options: list[str]) -> None:
    """Refuses a command line without a config, and says which there are.

    Args:
        command: name of it.
        options: after the command.

    Raises:
        InputError: there is none.
    """
    if any(option.partition("=")[0] in _SOURCES for option in options):
        return
    listed = "\n".join(_listed())
    if listed:
        print(listed, file=sys.stderr)
    raise InputError(f"{command} needs --config FILE" + (", such as one of those above" if listed else ""))


def check_config(path: Path) -> None:
    """Refuses a config file that does not exist, and names the most similar one.

    Raises:
        InputError: there is no such file.
    """
    if path.is_file():
        return
    known = [each.as_posix() for folder in config_folders() for each in sorted(folder.rglob("*.yaml"))]
    near = [each for each in known if Path(each).stem == path.stem]
    near = near or difflib.get_close_matches(path.as_posix(), known, n=1)
    what = "that is a folder" if path.is_dir() else "there is no such file"
    raise InputError(f"--config {path}: {what}" + (f", did you mean {near[0]}?" if near else ""))


def _listed() -> Iterator[str]:
    """The configs that a run can start from, each with its first line."""
    found = [[path for kind in _KINDS for path in sorted((each / kind).glob("*.yaml"))] for each in config_folders()]
    for path in next(filter(None, found), []):
        first = path.read_text(encoding="utf-8").partition("\n")[0].removeprefix("#").strip()
        yield f"{path.as_posix()}\n{textwrap.indent(textwrap.fill(first, 76), '    ')}"
