"""Base of all results: their JSON file, and a comparison that rejects results with different settings."""

import dataclasses
import json
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from lit_an.errors import InputError
from lit_an.files import replacing

R = TypeVar("R", bound="Result")


@dataclasses.dataclass(frozen=True)
class Result:
    """Base of results: a subclass adds JSON-serializable fields, one of them ``figures``, from name to value.

    Attributes:
        title: what is measured, for error sentences.
        basis: names of the fields that must be equal in compared results.
    """

    title: ClassVar[str]
    basis: ClassVar[tuple[str, ...]]

    def write(self, path: Path, **more: Any) -> None:
        """Writes a JSON file atomically, with ``more`` fields in addition to the result's."""
        with replacing(path) as temporary:
            temporary.write_text(json.dumps({**more, **dataclasses.asdict(self)}, indent=2) + "\n", encoding="utf-8")

    def table(self) -> str:
        """A short readable summary."""
        raise NotImplementedError

    @classmethod
    def read(cls: type[R], path: Path) -> R:
        """Reads a file of ``write``.

        Raises:
            InputError: the file is missing or holds no such result.
        """
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
            # Fields with a default may be missing in older files.
            young = {f.name for f in dataclasses.fields(cls) if f.default_factory is not dataclasses.MISSING}
            names = [field.name for field in dataclasses.fields(cls) if field.name in stored or field.name not in young]
            return cls(**{name: stored[name] for name in names})
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{str(path)!r} holds no {cls.title} ({type(error).__name__}: {error})") from error


def compare_results(before: R, after: R) -> dict[str, float]:
    """Difference of each figure, after minus before.

    Raises:
        InputError: the two have different settings, such as extractors, images, masks or counts.
    """
    for name in before.basis:
        mine, other = getattr(before, name) or {}, getattr(after, name) or {}
        different = [
            f"{key} {mine.get(key)!r} against {other.get(key)!r}"
            for key in {**mine, **other}
            if mine.get(key) != other.get(key)
        ]
        if different:
            raise InputError(f"two results of a different {name} cannot be compared: {', '.join(different)}")
    figures: dict[str, float] = before.figures  # type: ignore[attr-defined]
    grown: dict[str, float] = after.figures  # type: ignore[attr-defined]
    return {name: grown[name] - value for name, value in figures.items() if name in grown}
