"""What the configs of runs say that a reader must know to compare them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from lit_an.ablation.analysis.levels import beside, settings_text
from lit_an.ablation.analysis.runs import Run
from lit_an.errors import InputError
from lit_an.files.configs import load_config, on_one_line

CONFIG = "config.yaml"
_KEYS = 8  # named of those that differ along with a factor
_FOLDERS = ("root", "folder", "data_dir")  # of data


def along(factor: str, keys: Sequence[str]) -> str:
    """That runs differ in more than a factor; without a factor, that runs of the same variant differ."""
    more = len(keys) - _KEYS
    told = f"{', '.join(keys[:_KEYS])} and {more} more" if more > 0 else ", ".join(keys)
    if not factor:
        return f"Runs of the same variant differ in {told}."
    return f"Runs that differ in {factor} also differ in {told}."


def notes_on_configs(runs: Sequence[Run], records: Sequence[Mapping[str, Any]]) -> list[str]:
    """In what the configs of runs differ beside their levels, and beside what a bench set.

    Args:
        runs: of benches, and others beside them.
        records: of the bench, in the same order; empty ones of the others.

    Raises:
        InputError: a config cannot be read.
    """
    configs = [config_of(run.folder) for run in runs]
    varied = _varied(records)
    found = {
        factor: [key for key in keys if not _is_set(key, varied)]
        for factor, keys in beside(configs, [run.levels for run in runs]).items()
    }
    return [along(factor, keys) for factor, keys in found.items() if keys]


def notes_on_folders(runs: Sequence[Run]) -> list[str]:
    """That runs read their data in different folders, unless their results say that the images were the same.

    Raises:
        InputError: a config cannot be read.
    """
    seen = {hash_ for run in runs if (hash_ := _images_of(run)) is not None}
    if len(seen) == 1 and all(_images_of(run) for run in runs):
        return []
    folders = dict.fromkeys(folder for run in runs for folder in _folders((), config_of(run.folder).get("data")))
    if len(folders) < 2:
        return []
    shown = [*list(folders)[:_KEYS], *(["…"] if len(folders) > _KEYS else [])]
    return [f"The runs read their data in different folders: {', '.join(shown)}."]


def notes_on_equal_configs(runs: Sequence[Run]) -> list[str]:
    """That variants are one and the same training, such as where an option of a plan stands over its levels' overlays.

    Raises:
        InputError: a config cannot be read.
    """
    alike: dict[tuple[int, str], dict[str, None]] = {}
    for run in runs:
        if (run.folder / CONFIG).is_file():
            alike.setdefault((run.seed, settings_text(config_of(run.folder))), {})[run.variant] = None
    groups = dict.fromkeys(tuple(variants) for variants in alike.values() if len(variants) > 1)
    return [
        f"{'; '.join(group)}: these variants have one and the same config, so nothing is compared." for group in groups
    ]


def config_of(folder: Path) -> Mapping[str, Any]:
    """The content of a run's ``config.yaml``, nested.

    Raises:
        InputError: it cannot be read.
    """
    path = folder / CONFIG
    try:
        content = OmegaConf.to_container(load_config(path), resolve=True)
    except (OmegaConfBaseException, YAMLError) as error:
        raise InputError(f"{path} is no valid config ({on_one_line(error)})") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} is no valid config: it holds no keys")
    return {str(key): value for key, value in content.items()}


def _varied(records: Iterable[Mapping[str, Any]]) -> list[str]:
    """The options that a bench gave its runs different values of; other runs have no record."""
    given = [
        dict(str(each).removeprefix("--").partition("=")[::2] for each in record["arguments"])
        for record in records
        if record.get("arguments")
    ]
    names = dict.fromkeys(name for options in given for name in options)
    return [name for name in names if name and len({options.get(name) for options in given}) > 1]


def _is_set(key: str, varied: Sequence[str]) -> bool:
    """Whether an option is that of a key, which has more parts: those that name classes and their arguments."""
    told = ".".join(part for part in key.split(".") if part not in ("init_args", "class_path"))
    return any(told == name or told.startswith(f"{name}.") for name in varied if name != "config")


def _images_of(run: Run) -> str | None:
    """The hash of the real images that its results were made with."""
    for field in ("reference", "images"):
        told = run.newest_result.get(field)
        if isinstance(told, Mapping) and told.get("content_sha256"):
            return str(told["content_sha256"])
    return None


def _folders(key: tuple[str, ...], value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _folders((*key, str(name)), inner)
    elif key and key[-1] in _FOLDERS and isinstance(value, str):
        yield value
