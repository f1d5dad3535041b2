"""What all results of measurements share: their file, and the refusal to compare what cannot be compared."""

import dataclasses
import json
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from lit_an.errors import InputError
from lit_an.files import replacing

R = TypeVar("R", bound="Result")


@dataclasses.dataclass(frozen=True)
class Result:
    """Base of results: a subclass adds fields that JSON knows, one of them ``figures``, from name to value.

    Attributes:
        title: what is measured, for sentences.
        basis: names of the fields that two results must share to be compared.
    """

    title: ClassVar[str]
    basis: ClassVar[tuple[str, ...]]

    def write(self, path: Path, **more: Any) -> None:
        """Writes a JSON file, whole or not at all, with ``more`` fields beside those of the result."""
        with replacing(path) as temporary:
            temporary.write_text(json.dumps({**more, **dataclasses.asdict(self)}, indent=2) + "\n")

    def table(self) -> str:
        """A few lines for a person."""
        raise NotImplementedError

    @classmethod
    def read(cls: type[R], path: Path) -> R:
        """Reads what ``write`` wrote.

        Raises:
            InputError: no such file, or none of such a result.
        """
        try:
            stored = json.loads(path.read_text())
            # Fields with a default are younger than some files.
            young = {f.name for f in dataclasses.fields(cls) if f.default_factory is not dataclasses.MISSING}
            names = [field.name for field in dataclasses.fields(cls) if field.name in stored or field.name not in young]
            return cls(**{name: stored[name] for name in names})
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{str(path)!r} holds no {cls.title} ({type(error).__name__}: {error})") from error


def compare_results(before: R, after: R) -> dict[str, float]:
    """How much each figure grew.

    Raises:
        InputError: the two rest on different things, such as extractors, images, masks or counts.
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
