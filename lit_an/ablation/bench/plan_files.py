"""Reads plans: YAML files, and the options ``--vary KEY=a,b,c``."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from lit_an.ablation.bench.plan import SEED, Level, Plan, spell
from lit_an.errors import InputError
from lit_an.files.configs import chain_of, load_config, on_one_line

_KEYS = ("base", "name", "config", "options", "vary", "seeds", "design", "only", "baseline", "figures")
# Options that the bench gives to each cell.
_OURS = ("run_folder", "ckpt_path", SEED, "config", "print_config", "help")


def read_plan(path: Path) -> Plan:
    """Reads a plan; paths in it are relative to its folder. A factor takes the place of its base's of the same name.

    Raises:
        InputError: the file cannot be read or is no plan.
    """
    try:
        content = OmegaConf.to_container(load_config(path))
        varied = [OmegaConf.to_container(OmegaConf.create(file.text)) for file in chain_of(path)]
    except (OmegaConfBaseException, YAMLError) as error:
        raise InputError(f"{path} is no YAML: {on_one_line(error)}") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} is no plan; a plan has the keys {', '.join(_KEYS[1:])}")
    unknown = [str(key) for key in content if key not in _KEYS]
    if unknown:
        raise InputError(f"{path}: a plan has no key {unknown[0]!r}; its keys are {', '.join(_KEYS[1:])}")
    place = path.parent
    vary: dict[str, Any] = {}
    for given in (each.get("vary") or {} for each in varied if isinstance(each, dict)):
        if not isinstance(given, dict):
            raise InputError(f"{path}: vary must name factors, each with its levels, got {given!r}")
        vary |= {str(name): levels for name, levels in given.items()}
    names = {key: short for key, short in short_names(vary).items() if isinstance(vary[key], list)}
    only = _list(content.get("only"), f"{path}: only", "levels by factor")
    return Plan(
        str(content.get("name") or path.stem),
        _paths(content.get("config"), place, f"{path}: config"),
        _options(content.get("options") or {}, f"{path}: options"),
        {names.get(key, key): _levels(key, given, place, path) for key, given in vary.items()},
        whole_numbers(content.get("seeds") or [0], f"{path}: seeds"),
        content.get("design") or "grid",
        tuple(_names(each, path, names) for each in only),
        _names(content.get("baseline") or {}, path, names),
        _texts(content.get("figures"), f"{path}: figures", "names of figures"),
    )


def whole_numbers(values: Any, where: str) -> tuple[int, ...]:
    """Seeds.

    Args:
        values: a list.
        where: it stands, for the sentence.

    Raises:
        InputError: one of them is no whole number.
    """
    if not isinstance(values, (list, tuple)) or not all(type(value) is int for value in values):
        raise InputError(f"{where} must be whole numbers, got {values}")
    return tuple(values)


def parse_vary(text: str) -> tuple[str, tuple[Any, ...]]:
    """An option ``KEY=a,b,c``, and its values as YAML has them.

    Raises:
        InputError: it has no values.

    Example:
        >>> parse_vary("model.generator.long_range=attentive,none")
        ('model.generator.long_range', ('attentive', 'none'))
        >>> parse_vary("iterations=[100, 200]")
        ('iterations', (100, 200))
    """
    key, equals, values = text.partition("=")
    if not equals or not values.strip():
        raise InputError(f"--vary {text}: give KEY=a,b,c, such as model.generator.long_range=attentive,none")
    listed = values if values.strip().startswith("[") else f"[{values}]"
    try:
        found = OmegaConf.to_container(OmegaConf.create(f"values: {listed}"))
    except (OmegaConfBaseException, YAMLError) as error:
        raise InputError(f"--vary {text}: the values are no YAML ({on_one_line(error)})") from error
    return key.lstrip("-"), tuple(found["values"])  # type: ignore[index, call-overload]


def short_names(keys: Iterable[str]) -> dict[str, str]:
    """The last parts of option names, as many as tell them apart.

    Example:
        >>> short_names(["model.generator.norm", "model.discriminator.norm", "iterations"])
        {'model.generator.norm': 'generator.norm', 'model.discriminator.norm': 'discriminator.norm', \
'iterations': 'iterations'}
    """
    keys = list(keys)

    def tail(key: str, count: int) -> str:
        return ".".join(key.split(".")[-count:])

    def shortest(key: str) -> str:
        lengths = range(1, key.count(".") + 2)
        return next(
            tail(key, count)
            for count in lengths
            if count == lengths[-1] or sum(tail(other, count) == tail(key, count) for other in keys) == 1
        )

    return {key: shortest(key) for key in keys}


def values_as_levels(key: str, values: Iterable[Any]) -> tuple[Level, ...]:
    """Levels that set one option."""
    return tuple(Level(spell(value), options=_options({key: value}, "vary")) for value in values)


def _levels(name: str, given: Any, place: Path, path: Path) -> tuple[Level, ...]:
    if isinstance(given, list):
        return values_as_levels(name, given)
    if not isinstance(given, dict):
        raise InputError(f"{path}: vary.{name} must be a list of values or name its levels, got {given!r}")
    levels = []
    for level, content in given.items():
        content = {} if content is None else content
        if not isinstance(content, dict):
            raise InputError(f"{path}: vary.{name}.{level} must hold options and config, got {content!r}")
        options = {key: value for key, value in content.items() if key != "config"}
        where = f"{path}: vary.{name}.{level}"
        configs = _paths(content.get("config"), place, f"{where}.config")
        levels.append(Level(spell(level), configs, _options(options, where)))
    return tuple(levels)


def _options(given: Any, where: str) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        raise InputError(f"{where} must be values by option, got {given!r}")
    options = {str(key).lstrip("-"): value for key, value in given.items()}
    taken = [key for key in options if key in _OURS]
    if taken:
        remedy = "list them under seeds" if taken[0] == SEED else "the bench sets it for each cell"
        raise InputError(f"{where} may not set {taken[0]}: {remedy}")
    return options


def _paths(given: Any, place: Path, where: str) -> tuple[Path, ...]:
    return tuple(Path(os.path.normpath(place / path)) for path in _texts(given, where, "files"))


def _texts(given: Any, where: str, what: str) -> tuple[str, ...]:
    """A text or a list of texts."""
    listed = _list([given] if isinstance(given, str) else given, where, what)
    if not all(isinstance(each, str) for each in listed):
        raise InputError(f"{where} must be a list of {what}, got {given!r}")
    return tuple(listed)


def _list(given: Any, where: str, what: str) -> list[Any]:
    if given is not None and not isinstance(given, list):
        raise InputError(f"{where} must be a list of {what}, got {given!r}")
    return given or []


def _names(given: Any, path: Path, names: Mapping[str, str]) -> dict[str, str]:
    if not isinstance(given, dict):
        raise InputError(f"{path}: baseline and each of only name a level by factor, got {given!r}")
    return {names.get(str(factor), str(factor)): spell(level) for factor, level in given.items()}
