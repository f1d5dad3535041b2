"""Config files with inheritance: the key ``base`` names the config that a file overrides."""

import re
from pathlib import Path
from typing import Any, NamedTuple

from lit_an.errors import InputError

_BASE = re.compile(r"^base:[ \t]*([^\s#].*?)[ \t]*(?:#.*)?$", re.MULTILINE)


class ConfigFile(NamedTuple):
    """One file.

    Attributes:
        path: of it.
        text: YAML; the line of the key ``base`` is blanked, so that line numbers stay the same.
    """

    path: Path
    text: str


def config_folders() -> list[Path]:
    """Where configs are: ``configs`` in the working folder and in a checkout, and what the package has installed.

    That is in ``share`` of an environment, of a user's own installation or of a folder of packages: beside or above the
    package.
    """
    above = Path(__file__).resolve().parents[2:6]
    checkout = [above[0] / "configs"] if (above[0] / "setup.cfg").is_file() else []
    found = [Path("configs"), *checkout, *(each / "share" / "lit_an" / "configs" for each in above)]
    return [each for each in found if each.is_dir()]


def own_config(name: str) -> Path:
    """Where a config of the project is, such as ``trainer/bf16.yaml``; where a checkout has it if it is nowhere."""
    return next((each / name for each in config_folders() if (each / name).is_file()), Path("configs", name))


def chain_of(path: Path) -> list[ConfigFile]:
    """A config and its bases, the bases first; each file overrides those before it.

    Args:
        path: of a YAML file; ``base`` in it is relative to its folder.

    Raises:
        InputError: a base is missing or circular, or a file cannot be read.
    """
    chain: list[ConfigFile] = []
    while True:
        try:
            text = path.read_text(encoding="utf-8-sig")  # some editors begin a file with a mark
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
            above = f", the base of {chain[0].path}," if chain else ""
            raise InputError(f"the config {path}{above} cannot be read ({reason})") from error
        found = _BASE.search(text)
        chain.insert(0, ConfigFile(path, _BASE.sub("", text, count=1)))
        if found is None:
            return chain
        path = path.parent / found[1].strip("'\"")
        if any(path.resolve() == each.path.resolve() for each in chain):
            raise InputError(f"{chain[0].path}: its base {path} builds on it; a config cannot build on itself")


def load_config(path: Path) -> Any:
    """Merges a config with its bases into an ``omegaconf.DictConfig``; references are not resolved.

    Raises:
        InputError: as ``chain_of``.
        OmegaConfBaseException, YAMLError: a file is not valid YAML.
    """
    from omegaconf import OmegaConf  # here, since the list of commands needs the folders alone

    return OmegaConf.merge(*(OmegaConf.create(file.text) for file in chain_of(path)))


def on_one_line(error: Exception) -> str:
    """What a reader of YAML says of a text, without the name that it gives to texts."""
    return " ".join(str(error).replace('in "<unicode string>", ', "in ").split())
