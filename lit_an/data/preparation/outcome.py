"""What is written when all shards are there: the report and the manifest; or why there is none."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import lit_an.data.shards.manifest as manifests
from lit_an.data.preparation.plan import Plan
from lit_an.data.shards.manifest import Recipe
from lit_an.data.sources.base import Split
from lit_an.files import replacing

REPORT = "report.json"


class Outcome(NamedTuple):
    """What came of a preparation.

    Attributes:
        manifest: what was written, or None where too much failed or other parts are not finished.
        complaint: why there is none, in one sentence, if too much failed.
        unfinished: shards that other parts have yet to make.
        failed: how many pictures could not be read.
    """

    manifest: dict[str, Any] | None
    complaint: str
    unfinished: int
    failed: int


def outcome_of(
    plan: Plan, records: Sequence[dict[str, Any]], folder: Path, recipe: Recipe, max_failed: float
) -> Outcome:
    """Writes the report, and the manifest unless too much failed: then there is none."""
    failed = sum(len(record["failed"]) for record in records)
    _write_report(folder, plan, records)
    complaint = _complaint_about(plan, records, failed, max_failed, folder)
    if complaint:
        # An earlier one may be there, of a call that allowed more failures.
        (folder / manifests.FILE).unlink(missing_ok=True)
        return Outcome(None, complaint, 0, failed)
    return Outcome(_write_manifest(folder, plan, recipe, records), "", 0, failed)


def _complaint_about(
    plan: Plan, records: Sequence[dict[str, Any]], failed: int, max_failed: float, folder: Path
) -> str:
    pictures = sum(map(len, plan.splits.values()))
    if failed > max_failed * pictures:
        return (
            f"{failed} of {pictures} images cannot be read, more than max_failed={max_failed} allows; they are listed "
            f"in {str(folder / REPORT)!r}: mend or remove them, or raise max_failed"
        )
    for split in plan.splits:
        if not sum(shard["images"] for shard in _shards(records, split)):
            return f"no readable image is left in {split!r}; see {str(folder / REPORT)!r}"
    for name, count in zip(plan.class_names or [], _of_class(plan, _shards(records, "train")) or [], strict=True):
        if not count:
            return f"no readable image of the class {name!r} is left in 'train'; see {str(folder / REPORT)!r}"
    return ""


def _shards(records: Sequence[dict[str, Any]], split: Split) -> list[dict[str, Any]]:
    return [record["entry"] for record in records if record["split"] == split and record["entry"]]


def _of_class(plan: Plan, shards: Sequence[dict[str, Any]]) -> list[int] | None:
    """Images of each class in some shards, or None where they have no labels."""
    if plan.class_names is None or any(shard["labels"] is None for shard in shards):
        return None
    counts = [0] * len(plan.class_names)
    for shard in shards:
        for label, count in shard["labels"]:
            counts[label] += count
    return counts


def _write_report(folder: Path, plan: Plan, records: Sequence[dict[str, Any]]) -> None:
    converted: Counter[str] = Counter()
    for record in records:
        converted.update(record["conversions"])
    failed = [
        {"split": record["split"], "file": name, "reason": reason}
        for record in records
        for name, reason in record["failed"]
    ]
    report = {"failed": failed, "passed_over": passed_over(plan), "converted": dict(sorted(converted.items()))}
    with replacing(folder / REPORT) as temporary:
        temporary.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def passed_over(plan: Plan) -> list[str]:
    """The paths of the files and links that are not taken."""
    left_out = plan.left_out().items()
    return sorted(str(folder / path) for folder, kinds in left_out for kind in kinds for path in kind)


def _write_manifest(folder: Path, plan: Plan, recipe: Recipe, records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    splits = {}
    for split in plan.splits:
        shards = _shards(records, split)
        images = sum(shard["images"] for shard in shards)
        splits[split] = {"images": images, "images_of_class": _of_class(plan, shards), "shards": shards}
    manifest = {
        "version": manifests.VERSION,
        "preprocessing": manifests.preprocessing(recipe),
        "class_names": plan.class_names,
        "splits": splits,
        "in_two_splits": _in_two_splits(records),
        "failed": sum(len(record["failed"]) for record in records),
    }
    return manifests.write(folder, manifest)


def _in_two_splits(records: Sequence[dict[str, Any]]) -> dict[str, int]:
    """How many images of a later split are in an earlier one too, pixel for pixel."""
    digests: dict[str, list[str]] = {}
    for record in records:
        digests.setdefault(record["split"], []).extend(record["digests"])
    names = list(digests)
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    seen = {name: set(found) for name, found in digests.items()}
    return {f"{a} and {b}": sum(digest in seen[a] for digest in digests[b]) for a, b in pairs}
