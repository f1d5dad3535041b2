"""Saves the config of a run without its paths, so that the run can be repeated anywhere."""

import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import Namespace
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.cli import SaveConfigCallback
from pytorch_lightning.utilities.rank_zero import rank_zero_warn

from lit_an.files import link_or_copy, replacing

# Arguments of a single call, which a new run from the saved config must not repeat.
_OF_THE_CALL = ("ckpt_path", "run_folder")
_REPLACED = re.compile(r"config_before_resume_(\d+)\.yaml")
_SETTINGS = ("seed_everything", "iterations", "model", "data")
_LENGTH = "iterations"
_AS_LONG = f"${{{_LENGTH}}}"


class SaveConfig(SaveConfigCallback):
    """Writes the full config to ``<run folder>/config.yaml`` after the first iteration; keeps the one it replaces.

    It is not written in ``setup``, so that a run that fails for bad input leaves no file. Before each checkpoint it is
    written again if it is missing, since nothing can be done with a checkpoint without its config.
    """

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Does nothing: the config is written after the first iteration."""

    def on_train_batch_end(self, trainer: Trainer, *args: Any) -> None:
        if not self.already_saved:
            self.already_saved = True
            self._write(trainer)

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        if self.already_saved and trainer.is_global_zero and not _path(trainer).exists():
            self._write(trainer)

    def _write(self, trainer: Trainer) -> None:
        """Writes the config; a disk that is full does not end the run."""
        if not trainer.is_global_zero:
            return
        path = _path(trainer)
        config = self.config.clone()
        for name in _OF_THE_CALL:
            config.pop(name, None)
        text = as_long_as_the_run(self.parser.dump(config, skip_none=False), self.parser.places_as_long)  # type: ignore[attr-defined]
        try:
            if path.exists() and path.read_bytes() != text.encode():
                link_or_copy(path, path.with_name(f"config_before_resume_{_newest_number(path.parent) + 1}.yaml"))
            with replacing(path, durable=True) as temporary:
                temporary.write_bytes(text.encode())
        except OSError as error:
            rank_zero_warn(f"{error}; the next checkpoint tries it again", category=UserWarning)


def places_as_long(text: str) -> set[tuple[str, ...]]:
    """The keys that a config gives the length of the run, as ``${iterations}``; of each those above it first.

    Example:
        >>> places_as_long("model: {T_max: '${iterations}', lr: 0.1}")
        {('model', 'T_max')}
    """
    return set(_places_as_long(yaml.safe_load(text))) if _AS_LONG in text else set()


def as_long_as_the_run(text: str, places: Collection[tuple[str, ...]]) -> str:
    """Writes ``${iterations}`` again where a config had it, so that a longer run has longer schedules.

    Args:
        text: the config with all values.
        places: see ``places_as_long``.
    """
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    length = _node_at(root, (_LENGTH,))
    found = (_node_at(root, place) for place in places)
    # Another value is of an option.
    marks = {(node.start_mark.index, node.end_mark.index) for node in found if node and node.value == length.value}
    for start, end in sorted(marks, reverse=True):
        text = text[:start] + _AS_LONG + text[end:]
    return text


def _places_as_long(value: Any, place: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _places_as_long(inner, (*place, str(key)))
    elif value == _AS_LONG:
        yield place


def _node_at(node: Any, place: Sequence[str]) -> Any:
    """The part of a YAML tree; None if there is no such part."""
    for name in place:
        pairs = node.value if isinstance(node, yaml.MappingNode) else []
        node = next((value for key, value in pairs if key.value == name), None)
    return node


def settings_of(config: Any, *more: str) -> dict[str, bool | int | float | str]:
    """The plain values of a config that say what is trained, by option; a class is the value of its option.

    Args:
        config: of one command, parsed.
        more: further parts of it, such as ``trainer``.

    Example:
        >>> settings_of({"model": {"class_path": "a.GAN", "init_args": {"lr": 0.1}}, "trainer": {"devices": 1}})
        {'model': 'a.GAN', 'model.lr': 0.1}
    """
    found: dict[str, bool | int | float | str] = {}

    def walk(key: str, value: Any) -> None:
        content = value.as_dict() if isinstance(value, Namespace) else value
        if isinstance(content, dict):
            for name, each in content.items():
                inner = key if name in ("class_path", "init_args", "dict_kwargs") else f"{key}.{name}"
                walk(inner, each)
        elif isinstance(content, (bool, int, float, str)):
            found[key] = content

    for name in (*_SETTINGS, *more):
        walk(name, config.get(name))
    return found


def _newest_number(folder: Path) -> int:
    """The number of the newest config that another has replaced; 0 without one."""
    names = (_REPLACED.fullmatch(path.name) for path in folder.iterdir())
    return max((int(name[1]) for name in names if name is not None), default=0)


def _path(trainer: Trainer) -> Path:
    return Path(trainer.default_root_dir, "config.yaml")
