"""What tells runs apart: the keys in which their configs differ."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

SEED = "seed_everything"
# Where a run writes and reads, and how it goes along, are no part of what is compared.
_WRITTEN = {"run_folder", "ckpt_path", "save_dir", "default_root_dir", "logger"}
_NOT_COMPARED = {
    *_WRITTEN,
    *("root", "folder", "cache_dir", "data_dir"),
    *("num_workers", "timeout_minutes", "grace_seconds", "enable_progress_bar", "enable_model_summary", "refresh_rate"),
}
_PARTS = {"model": 0, "data": 1}
ABSENT = "–"


class Levels(NamedTuple):
    """What tells runs apart.

    Attributes:
        of_runs: level by factor of each run, in their order; a factor is named by the last parts of its key, a level
            by its value.
        along: for factors (or all of them together) that stand for several keys, which differ between the same runs:
            the other keys.
    """

    of_runs: list[dict[str, str]]
    along: dict[str, list[str]]


def levels_of(configs: Sequence[Mapping[str, Any]]) -> Levels:
    """Finds the keys that differ among configs, without seeds, paths and loggers.

    Of keys that tell the same runs apart, such as a norm and the arguments that only one norm has, the first becomes
    the factor: one that all configs have, before others; of the model, of the data, then of the rest; fewer parts
    before more.

    Args:
        configs: contents of ``config.yaml``, nested.

    Example:
        >>> one, other = {"model": {"norm": "batch", "lr": 0.1}}, {"model": {"norm": "none", "lr": 0.1}}
        >>> levels_of([one, other]).of_runs
        [{'norm': 'batch'}, {'norm': 'none'}]
    """
    columns = _differing(configs)
    count = len(configs)
    order = sorted(columns, key=lambda key: (columns[key].count(ABSENT), _PARTS.get(key[0], 2), len(key)))
    chosen: list[tuple[str, ...]] = []
    for key in order:
        if not _follows(columns[key], _together([columns[each] for each in chosen], count)):
            chosen.append(key)
    names = short_names(chosen)
    along: dict[str, list[str]] = {}
    for key in (each for each in order if each not in names):
        alone = next((names[each] for each in chosen if _follows(columns[key], columns[each])), None)
        along.setdefault(alone or " and ".join(names.values()), []).append(".".join(key))
    spelled = {names[key]: _spelled(columns[key]) for key in chosen}
    return Levels([{name: column[row] for name, column in spelled.items()} for row in range(count)], along)


def beside(configs: Sequence[Mapping[str, Any]], of_runs: Sequence[Mapping[str, str]]) -> dict[str, list[str]]:
    """The keys in which configs differ beyond the levels that somebody gave the runs, as ``Levels.along`` has them.

    Args:
        configs: see ``levels_of``.
        of_runs: the level by factor of each.

    Returns:
        By factor the keys that follow it; under ``""`` those that differ among runs of the same levels.

    Example:
        >>> configs = [{"model": {"norm": "a"}, "lr": 1}, {"model": {"norm": "b"}, "lr": 2}]
        >>> beside(configs, [{"norm": "a"}, {"norm": "b"}])
        {'norm': ['lr']}
    """
    factors = dict.fromkeys(name for levels in of_runs for name in levels)
    given = {name: [levels.get(name, ABSENT) for levels in of_runs] for name in factors}
    found: dict[str, list[str]] = {}
    for key, column in _differing(configs).items():
        if any(_spelled(column) == levels for levels in given.values()):
            continue
        alone = next((name for name, levels in given.items() if _follows(column, levels)), None)
        all_of_them = _follows(column, _together(list(given.values()), len(column)))
        name = alone if alone is not None else " and ".join(factors) if all_of_them else ""
        found.setdefault(name, []).append(".".join(key))
    return found


def settings_text(config: Mapping[str, Any]) -> str:
    """All settings of a config as a text, without seeds and where a run writes: equal for equal trainings."""
    left_out = {SEED, "seed", *_WRITTEN}
    return repr(sorted((".".join(key), repr(value)) for key, value in _leaves((), config) if not left_out & {*key}))


def _differing(configs: Sequence[Mapping[str, Any]]) -> dict[tuple[str, ...], list[Any]]:
    """The values of each key that differs, without seeds and what follows from them, paths and loggers."""
    flat = [dict(_leaves((), config)) for config in configs]
    seeds = [config.get((SEED,)) for config in flat]
    keys = [key for key in dict.fromkeys(key for config in flat for key in config) if _is_compared(key)]
    columns = {key: [config.get(key, ABSENT) for config in flat] for key in keys}
    columns = {key: column for key, column in columns.items() if len(_codes(column)[1]) > 1}
    return {key: column for key, column in columns.items() if not (key[-1] == "seed" and _follows(column, seeds))}


def short_names(keys: Sequence[tuple[str, ...]]) -> dict[tuple[str, ...], str]:
    """The last parts of each key, as many as tell it from the others; without those that say nothing.

    Example:
        >>> keys = [("generator", "norm"), ("generator", "init_args", "width"), ("critic", "width")]
        >>> list(short_names(keys).values())
        ['norm', 'generator.width', 'critic.width']
    """
    telling = {key: tuple(part for part in key if part not in ("init_args", "class_path")) or key for key in keys}
    names: dict[tuple[str, ...], str] = {}
    for key, parts in telling.items():
        others = [telling[each] for each in keys if each != key]
        count = next((n for n in range(1, len(parts)) if all(o[-n:] != parts[-n:] for o in others)), len(parts))
        names[key] = ".".join(parts[-count:])
    # A key may be another one's but for the parts that say nothing.
    taken = list(names.values())
    return {key: name if taken.count(name) == 1 else ".".join(key) for key, name in names.items()}


def _is_compared(key: tuple[str, ...]) -> bool:
    return key[0] != SEED and not _NOT_COMPARED & {key[-1], *(part for part in key if part in ("logger", "loggers"))}


def _leaves(key: tuple[str, ...], value: Any) -> Iterable[tuple[tuple[str, ...], Any]]:
    if isinstance(value, Mapping) and (value or not key):
        return [leaf for name, inner in value.items() for leaf in _leaves((*key, str(name)), inner)]
    if isinstance(value, (list, tuple)) and any(isinstance(inner, Mapping) for inner in value):
        return [leaf for place, inner in enumerate(value) for leaf in _leaves((*key, str(place)), inner)]
    return [(key, value)]


def _codes(column: Sequence[Any]) -> tuple[list[int], dict[str, int]]:
    """A number for each value, the same for equal ones."""
    known: dict[str, int] = {}
    return [known.setdefault(repr(value), len(known)) for value in column], known


def _follows(column: Sequence[Any], others: Sequence[Any]) -> bool:
    """Whether a column is a function of another one."""
    codes, _ = _codes(column)
    parts, known = _codes(others)
    return len(set(zip(parts, codes, strict=True))) == len(known)


def _together(columns: Sequence[Sequence[Any]], count: int) -> list[tuple[Any, ...]]:
    return [tuple(column[row] for column in columns) for row in range(count)]


def _spelled(column: Sequence[Any]) -> list[str]:
    """Short texts, but for different values whose short texts are equal."""
    short = [_spell(value) for value in column]
    of_text = {
        text: {repr(value) for value, other in zip(column, short, strict=True) if other == text} for text in short
    }
    return [text if len(of_text[text]) == 1 else repr(value) for value, text in zip(column, short, strict=True)]


def _spell(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "none", True: "true", False: "false"}[value]
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:g}"
    if isinstance(value, str) and value.count(".") > 1 and value.replace(".", "").isidentifier():
        return value.rpartition(".")[2]  # a class
    return str(value)
