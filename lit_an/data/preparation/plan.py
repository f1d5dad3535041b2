"""What there is to prepare: the pictures of each split, the shards that they become, and whose part they are."""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from lit_an.data.shards.manifest import Recipe
from lit_an.data.sources.base import SPLITS, Pictures, Source, Split
from lit_an.data.sources.walking import LeftOut
from lit_an.errors import InputError
from lit_an.files import replacing

# Says in the output folder what is made there.
FILE = "plan.json"

# Of this file and of the records of finished shards: they are not understood by those who write others.
VERSION = 3


class Plan(NamedTuple):
    """What there is to prepare.

    Attributes:
        class_names: in the order of their labels, or None where there are no classes.
        splits: the pictures of each split.
    """

    class_names: list[str] | None
    splits: Mapping[Split, Pictures]

    def left_out(self) -> dict[Path, LeftOut]:
        """What lies in the folders of the splits and is not taken."""
        found: dict[Path, LeftOut] = {}
        for pictures in self.splits.values():
            # Beside lists only the split that is not listed has any.
            if pictures.folder is not None and (pictures.folder not in found or str(pictures.left_out)):
                found[pictures.folder] = pictures.left_out
        return found


class Part(NamedTuple):
    """Which part of the shards one machine makes: ``number`` of ``total``, from 1."""

    number: int = 1
    total: int = 1


class Job(NamedTuple):
    """The pictures of one shard: ``start`` ≤ number < ``stop`` of a split."""

    split: Split
    number: int
    start: int
    stop: int


def part_called(text: str) -> Part:
    """A part as one writes it.

    Raises:
        InputError: it is none.

    Example:
        >>> part_called("2/8")
        Part(number=2, total=8)
    """
    found = re.fullmatch(r"(\d+)/(\d+)", text.strip())
    part = Part(*map(int, found.groups())) if found else Part(0, 0)
    if not 1 <= part.number <= part.total:
        raise InputError(f"prepare: part must be K/N with 1 ≤ K ≤ N, such as 2/8, got {text!r}")
    return part


def plan_of(source: Source, image_size: int) -> Plan:
    """What there is to prepare of a source.

    Raises:
        InputError: a split is missing or empty.
    """
    source.fetch(image_size)
    splits = {split: source.pictures(split, image_size) for split in SPLITS if split != "test" or source.has_test}
    labeled = splits["train"].labels is not None
    return Plan(source.class_names if labeled else None, splits)


def jobs_of(plan: Plan, recipe: Recipe) -> list[Job]:
    """The shards to make, in the order of splits and numbers."""
    size = recipe.images_per_shard
    return [
        Job(name, number, start, min(start + size, len(pictures)))
        for name, pictures in plan.splits.items()
        for number, start in enumerate(range(0, len(pictures), size))
    ]


def claim_folder(folder: Path, plan: Plan, recipe: Recipe) -> str:
    """Says in the folder what is made there; returns its key. What was made of another source stays as it is."""
    claim: dict[str, Any] = {"recipe": list(recipe), "class_names": plan.class_names, "source": _listing_hash(plan)}
    claim["version"] = VERSION
    key = hashlib.sha256(json.dumps(claim, sort_keys=True).encode()).hexdigest()
    path = folder / FILE
    # Listed before: another part may write the plan, and then shards, at any moment.
    there = os.listdir(folder) if folder.is_dir() else []
    if path.is_file():
        earlier = _read_claim(path)
        if earlier.get("key") != key:
            what = (
                "of the same pictures with other options" if earlier.get("source") == claim["source"] else "of others"
            )
            what = what if earlier.get("version") == VERSION else "made by another version"
            raise InputError(f"prepare: {str(folder)!r} holds shards {what}; choose another folder or remove it")
        return key
    if any(not name.startswith(".lit_an-") for name in there):
        raise InputError(f"prepare: the folder {str(folder)!r} holds other files; choose an empty or a new one")
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(claim | {"key": key}, sort_keys=True), encoding="utf-8")
    return key


def _read_claim(path: Path) -> dict[str, Any]:
    try:
        claim = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        claim = None
    if not isinstance(claim, dict):
        raise InputError(
            f"prepare: {str(path)!r} is not one that prepare wrote, perhaps damaged when the machine stopped; remove "
            f"the folder {str(path.parent)!r} or choose another"
        )
    return claim


def _listing_hash(plan: Plan) -> str:
    digest = hashlib.sha256()
    for split, pictures in plan.splits.items():
        digest.update(f"[{split}]\n".encode())
        for line in pictures.listed():
            digest.update(line)
    return digest.hexdigest()
