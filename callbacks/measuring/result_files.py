"""Where figures go when a checkpoint is measured again: those of other settings stay."""

import dataclasses
import itertools
import json
from pathlib import Path

from lit_an.metrics.results import Result


def file_beside_others(usual: Path, result: Result) -> Path:
    """The file to write a result to: the usual one, or ``NAME_2.json``, … if that has figures of other settings.

    Args:
        usual: its file, which is replaced if its figures can be compared with the new ones.
        result: to be written.
    """
    more = (usual.with_stem(f"{usual.stem}_{number}") for number in itertools.count(2))
    return next(path for path in itertools.chain([usual], more) if not _holds_other_settings(path, result))


def _holds_other_settings(path: Path, result: Result) -> bool:
    """Whether a file holds a result that cannot be compared with this one."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # none, or none that could be read
        return False
    mine = json.loads(json.dumps(dataclasses.asdict(result)))
    return isinstance(stored, dict) and any((stored.get(name) or {}) != (mine[name] or {}) for name in result.basis)
