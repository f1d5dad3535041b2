"""What is written when the shards are there: the report and the manifest; or why there is none."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lit_an.data.manifest as manifests
from lit_an.data.manifest import Recipe
from lit_an.data.shards import write_index
from lit_an.data.sources import Source
from lit_an.files import replacing

REPORT = "report.json"


def complaint_about(
    source: Source, records: Sequence[dict[str, Any]], pictures: int, failed: int, max_failed: float, folder: Path
) -> str:
    if failed > max_failed * pictures:
        return (
            f"{failed} of {pictures} images cannot be read, more than max_failed={max_failed} allows; they are listed "
            f"in {str(folder / REPORT)!r}: mend or remove them, or raise max_failed"
        )
    counts = _counts(source, records)
    for split, of_class in counts.items():
        for name, count in zip(source.class_names, of_class, strict=True):
            if split == "train" and not count:
                return f"no readable image of the class {name!r} is left in 'train'; see {str(folder / REPORT)!r}"
        if not any(of_class):
            return f"no readable image is left in {split!r}; see {str(folder / REPORT)!r}"
    return ""


def _counts(source: Source, records: Sequence[dict[str, Any]]) -> dict[str, list[int]]:
    """Images of each class in each split."""
    counts = {name: [0] * len(source.class_names) for name in source.splits}
    for record in records:
        for label in record["labels"]:
            counts[record["split"]][label] += 1
    return counts


def write_report(folder: Path, source: Source, records: Sequence[dict[str, Any]]) -> None:
    converted: Counter[str] = Counter()
    for record in records:
        converted.update(record["conversions"])
    failed = [
        {"split": record["split"], "file": name, "reason": reason}
        for record in records
        for name, reason in record["failed"]
    ]
    report = {"failed": failed, "passed_over": source.passed_over, "converted": dict(sorted(converted.items()))}
    with replacing(folder / REPORT) as temporary:
        temporary.write_text(json.dumps(report, indent=1) + "\n")


def write_manifest(folder: Path, source: Source, recipe: Recipe, records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    counts = _counts(source, records)
    splits = {}
    for name in source.splits:
        shards = [record["entry"] for record in records if record["split"] == name and record["entry"]]
        write_index(folder / name, shards)
        splits[name] = {"images": sum(counts[name]), "images_of_class": counts[name], "shards": shards}
    manifest = {
        "version": manifests.VERSION,
        "preprocessing": manifests.preprocessing(recipe),
        "class_names": source.class_names,
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
