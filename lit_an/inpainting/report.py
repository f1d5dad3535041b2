"""The outcome of each picture, saved after each one, so that an interrupted run can be continued."""

import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from lit_an.files import explain_write_errors, json_text, replacing

REPORT = "report.json"
_JOURNAL = ".journal.jsonl"


@dataclass
class Entry:
    """The outcome of one picture.

    Attributes:
        image: its path, relative to the folder of pictures.
        status: ``made``; ``copied``, for a mask without a hole; ``failed``.
        key: hash of the picture, the mask and the name; results with the same key are not made again.
        kinds: requested results: ``composite``, ``coarse``, ….
        mask: where the hole came from.
        files: what was written, relative to the output folder.
        size: width and height, px.
        hole_share: share of the picture that is hole.
        tiles: passes through the network.
        known_deviation: largest difference of a known sample in the written file, in 8-bit levels; 0 is bit for bit.
        known_changed: share of the known pixels that differ in it at all.
        notes: remarks on the result.
        reason: why it failed.
        by: ``this run``, or ``an earlier run`` for what was found finished.
    """

    image: str
    status: Literal["made", "copied", "failed"]
    key: str = ""
    kinds: list[str] = field(default_factory=list)
    mask: str = ""
    files: list[str] = field(default_factory=list)
    size: tuple[int, int] | None = None
    hole_share: float = 0.0
    tiles: int = 0
    known_deviation: float = 0.0
    known_changed: float = 0.0
    notes: list[str] = field(default_factory=list)
    reason: str = ""
    by: str = "this run"


class Report:
    """The entries of a folder of results: former ones at the beginning, a JSON file at the end.

    Args:
        folder: of the results.
        left_out: numbers of other files in the folder of pictures, by their endings.
    """

    def __init__(self, folder: Path, left_out: dict[str, int] | None = None) -> None:
        self.folder, self.left_out = folder, left_out or {}
        self.entries: list[Entry] = []
        self._former = {entry.image: entry for entry in [*_in_report(folder), *_in_journal(folder)]}
        # The last line of a killed run may be incomplete, so a new line is started.
        self._journal("\n")

    def finished(self, image: str, key: str, kinds: Iterable[str]) -> Entry | None:
        """The entry of a picture that an earlier run made of the same content, if all of its files are there."""
        entry = self._former.get(image)
        if entry is None or entry.key != key or entry.status == "failed" or not set(kinds) <= set(entry.kinds):
            return None
        return entry if self._is_there(entry) else None

    def add(self, entry: Entry) -> None:
        """Adds an entry and writes it to the journal, with what an earlier run made of the same content."""
        former = self._former.get(entry.image)
        if former is not None and former.key == entry.key and self._is_there(former):
            entry = _joined(former, entry)
        self.entries.append(entry)
        self._journal(json.dumps(asdict(entry)) + "\n")

    def close(self) -> None:
        """Writes ``report.json``: the entries of this run, and those of earlier ones whose files are still there."""
        now = {entry.image for entry in self.entries}
        earlier = [entry for entry in self._former.values() if entry.image not in now and self._is_there(entry)]
        entries = [asdict(entry) for entry in [*self.entries, *earlier]]
        with replacing(self.folder / REPORT) as temporary:
            temporary.write_text(json_text({"left_out": self.left_out, "images": entries}), encoding="utf-8")
        (self.folder / _JOURNAL).unlink(missing_ok=True)

    def _is_there(self, entry: Entry) -> bool:
        return entry.status != "failed" and all((self.folder / file).is_file() for file in entry.files)

    def _journal(self, line: str) -> None:
        path = self.folder / _JOURNAL
        with explain_write_errors(path), path.open("a", encoding="utf-8") as journal:
            journal.write(line)


def _joined(former: Entry, entry: Entry) -> Entry:
    """An entry with the results of a former one that are of other kinds."""
    of_composite = entry if "composite" in entry.kinds else former
    return replace(
        entry,
        kinds=list(dict.fromkeys([*former.kinds, *entry.kinds])),
        files=list(dict.fromkeys([*former.files, *entry.files])),
        known_deviation=of_composite.known_deviation,
        known_changed=of_composite.known_changed,
        notes=list(dict.fromkeys([*former.notes, *entry.notes])),
    )


def _in_report(folder: Path) -> list[Entry]:
    try:
        return [_entry(facts) for facts in json.loads((folder / REPORT).read_text(encoding="utf-8"))["images"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _in_journal(folder: Path) -> list[Entry]:
    path = folder / _JOURNAL
    entries = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []:
        with suppress(ValueError, TypeError):
            entries.append(_entry(json.loads(line)))
    return entries


def _entry(facts: dict[str, Any]) -> Entry:
    return Entry(**{**facts, "by": "an earlier run"})
