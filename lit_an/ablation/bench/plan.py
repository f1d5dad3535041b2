"""A plan of runs: base configs, what is varied, and the cells that follow from it."""

import dataclasses
import hashlib
import itertools
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from yaml import safe_dump

from lit_an.errors import InputError
from lit_an.files.configs import chain_of

Design = Literal["grid", "one_at_a_time"]
SEED = "seed_everything"
_REFERENCE = "reference"  # the first level of every factor
_LONGEST = 255  # bytes of the name of a folder


@dataclass(frozen=True)
class Level:
    """One value of a factor.

    Args:
        name: for tables.
        configs: overlays that it adds to the command line.
        options: option to value; null is None.
    """

    name: str
    configs: tuple[Path, ...] = ()
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True)
class Variant:
    """One choice of a level for each factor; its runs differ in their seeds alone.

    Attributes:
        levels: name of the level by factor.
        shown: what tables call it, by factor: its levels, or of a plan that changes one factor at a time the change.
        configs: of the plan, and of the levels after them.
        options: of the plan, and of the levels over them.
    """

    levels: Mapping[str, str]
    shown: Mapping[str, str]
    configs: tuple[Path, ...]
    options: Mapping[str, Any]

    @property
    def name(self) -> str:
        """For tables and lines."""
        return ", ".join(self.shown.values()) or "all"

    @property
    def folder(self) -> str:
        """Name of its folder: as in tables, without what file systems do not like."""
        return _shortened("__".join(_file_name(level) for level in self.shown.values())) or "all"


@dataclass(frozen=True)
class Plan:
    """What is compared.

    Args:
        name: of the folder of its runs.
        configs: base configs, in order.
        options: for all cells.
        factors: levels by name of the factor, in order.
        seeds: of each variant, ≥ 1 of them, different.
        design: ``grid``, all combinations; or ``one_at_a_time``, the first level of every factor, and each other level
            of one factor with the first ones of the others.
        only: combinations to keep, each a level by factor; a factor that it does not name may have any level. Empty
            keeps all.
        baseline: level by factor of the variant that differences are taken to; a factor that it does not name has its
            first level.
        figures: to show, in order; empty for those that there are.

    Raises:
        InputError: a name or a level that does not exist, or nothing to run.
    """

    name: str
    configs: tuple[Path, ...]
    options: Mapping[str, Any]
    factors: Mapping[str, tuple[Level, ...]]
    seeds: tuple[int, ...] = (0,)
    design: Design = "grid"
    only: tuple[Mapping[str, str], ...] = ()
    baseline: Mapping[str, str] = dataclasses.field(default_factory=dict)
    figures: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.configs:
            raise InputError(f"plan {self.name}: there is no config to start from; give one with config, or --config")
        if self.design not in get_args(Design):
            raise InputError(f"plan {self.name}: design must be grid or one_at_a_time, got {self.design!r}")
        if len(set(self.seeds)) != len(self.seeds) or not self.seeds:
            raise InputError(f"plan {self.name}: seeds must be different numbers, at least one, got {list(self.seeds)}")
        for factor, levels in self.factors.items():
            names = [level.name for level in levels]
            if not names or len(set(names)) != len(names):
                raise InputError(f"plan {self.name}: {factor} must have different levels, at least one, got {names}")
        for chosen in (*self.only, self.baseline):
            self._check(chosen)
        folders = [variant.folder for variant in self.variants()]
        if not folders:
            raise InputError(f"plan {self.name}: `only` leaves nothing to run")
        if self.baseline and self.baseline_variant() is None:
            wanted = ", ".join(f"{factor}: {level}" for factor, level in self.baseline.items())
            raise InputError(
                f"plan {self.name}: its baseline ({wanted}) is no variant that runs, with the first levels of other "
                "factors; name one that `design` and `only` keep"
            )
        if len(set(folders)) != len(folders):
            raise InputError(f"plan {self.name}: two variants would share a folder ({', '.join(sorted(folders))})")

    def variants(self) -> list[Variant]:
        """The combinations that the design asks for and ``only`` keeps, in the order of the plan."""
        names = list(self.factors)
        combinations: Iterable[tuple[Level, ...]] = itertools.product(*self.factors.values())
        if self.design == "one_at_a_time":
            first = tuple(levels[0] for levels in self.factors.values())
            changed = ((place, level) for place, levels in enumerate(self.factors.values()) for level in levels[1:])
            combinations = [first, *((*first[:place], level, *first[place + 1 :]) for place, level in changed)]
        found = [self._variant(dict(zip(names, each, strict=True))) for each in combinations]
        return [each for each in found if not self.only or any(_matches(each, one) for one in self.only)]

    def varied_options(self) -> list[str]:
        """The options that levels set."""
        return list(dict.fromkeys(name for levels in self.factors.values() for each in levels for name in each.options))

    def baseline_variant(self) -> Variant | None:
        """The variant that differences are taken to; None if it is not among those that run."""
        wanted = {factor: self.baseline.get(factor, levels[0].name) for factor, levels in self.factors.items()}
        return next((each for each in self.variants() if each.levels == wanted), None)

    def text(self, place: Path) -> str:
        """The plan as YAML that says the same in a file of another folder.

        Args:
            place: the folder, to which paths are relative.
        """
        vary = {
            factor: {
                level.name: {**({"config": _from(place, level.configs)} if level.configs else {}), **level.options}
                for level in levels
            }
            for factor, levels in self.factors.items()
        }
        content = {
            "name": self.name,
            "config": _from(place, self.configs),
            "options": dict(self.options),
            "vary": vary,
            "seeds": list(self.seeds),
            "design": self.design,
            "only": [dict(each) for each in self.only],
            "baseline": dict(self.baseline),
            "figures": list(self.figures),
        }
        return str(safe_dump({key: value for key, value in content.items() if value}, sort_keys=False))

    def _variant(self, levels: Mapping[str, Level]) -> Variant:
        configs, options = list(self.configs), dict(self.options)
        for level in levels.values():
            configs += level.configs
            options |= level.options
        names = {factor: level.name for factor, level in levels.items()}
        shown = names
        if self.design == "one_at_a_time":
            changed = [name for factor, name in names.items() if name != self.factors[factor][0].name]
            shown = {"change": changed[0] if changed else _REFERENCE}
        return Variant(names, shown, tuple(configs), options)

    def _check(self, chosen: Mapping[str, str]) -> None:
        for factor, level in chosen.items():
            if factor not in self.factors:
                raise InputError(f"plan {self.name}: {factor!r} is not varied; varied are {', '.join(self.factors)}")
            names = [each.name for each in self.factors[factor]]
            if level not in names:
                raise InputError(f"plan {self.name}: {factor} has no level {level!r}; it has {', '.join(names)}")


def arguments_of(variant: Variant, seed: int) -> list[str]:
    """Arguments of ``fit`` for a variant and a seed, without those that say where the run is."""
    options = [f"--{key}={spell(value)}" for key, value in variant.options.items()]
    return [*(f"--config={path}" for path in variant.configs), *options, f"--{SEED}={seed}"]


def config_hash(variant: Variant, seed: int) -> str:
    """Hash of all that a plan says of a cell: the text of its configs and of their bases, its options, its seed.

    Raises:
        InputError: a config cannot be read.
    """
    texts = [file.text for path in variant.configs for file in chain_of(path)]
    told = "\0".join([*texts, *arguments_of(dataclasses.replace(variant, configs=()), seed)])
    return hashlib.sha256(told.encode()).hexdigest()


def spell(value: Any) -> str:
    """A value as YAML and the command line write it.

    Example:
        >>> spell(None), spell(True), spell(1), spell({"finest": 2})
        ('null', 'true', '1', '{finest: 2}')
    """
    if isinstance(value, (dict, list)):
        return str(safe_dump(value, default_flow_style=True, width=10**6)).strip()
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


def _from(place: Path, paths: Iterable[Path]) -> list[str]:
    return [os.path.relpath(path, place) for path in paths]


def _file_name(level: str) -> str:
    return re.sub(r"[^\w.+-]+", "_", level).strip("._") or "_"


def _shortened(name: str) -> str:
    """A name that file systems take; of a longer one the beginning, and a hash that tells it from others."""
    if len(name.encode()) <= _LONGEST:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name.encode()[: _LONGEST - 10].decode(errors='ignore')}__{digest}"


def _matches(variant: Variant, wanted: Mapping[str, str]) -> bool:
    return all(variant.levels[factor] == level for factor, level in wanted.items())
