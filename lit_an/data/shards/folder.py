"""A folder or object store of prepared shards: its manifest, what is fetched of it, its samples by their number."""

import os
import tempfile
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

import lit_an.data.shards.manifest as manifests
from lit_an.data.shards.format import Sample, Shard, engine, fetch
from lit_an.errors import InputError
from lit_an.files import TEMPORARY, cache_folder, explain_write_errors, replacing, sha256_of


class Samples(Sequence[Sample]):
    """The samples of several shards as one sequence.

    Args:
        shards: of a split, in their order.
    """

    def __init__(self, shards: Sequence[Shard]) -> None:
        self.shards = shards
        self._ends = list(accumulate(map(len, shards)))

    def __len__(self) -> int:
        return self._ends[-1]

    def __getitem__(self, index: int) -> Sample:  # type: ignore[override]
        """A sample as it is stored."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        shard = bisect_right(self._ends, index)
        return self.shards[shard][index - (self._ends[shard - 1] if shard else 0)]


class ShardFolder:
    """Shards that ``python cli.py prepare`` made.

    Args:
        root: the folder of ``manifest.json``, or its URL.
        cache_dir: where fetched shards are kept; None takes the usual folder for a URL, and reads a folder in place.

    Attributes:
        root: as given, without a slash at its end.
        folder: where the shards are or will be read.
        manifest: what is in them.

    Raises:
        InputError: there is no manifest, or it was changed.
    """

    def __init__(self, root: str | os.PathLike[str], cache_dir: str | os.PathLike[str] | None = None) -> None:
        self.root = str(root).rstrip("/") if "://" in str(root) else str(Path(root).expanduser())
        self.folder, self.manifest = _find(self.root, cache_dir)

    @property
    def image_size(self) -> int:
        """Side of the stored images in pixels."""
        return int(self.manifest["preprocessing"]["image_size"])

    @property
    def stored_as(self) -> str:
        """Format of the stored images, see ``lit_an.data.shards.encoding``."""
        return str(self.manifest["preprocessing"]["format"])

    @property
    def has_test(self) -> bool:
        """Whether there is a split ``test``."""
        return "test" in self.manifest["splits"]

    def fetch_missing(self) -> None:
        """Fetches the shards that are not there yet, or not whole."""
        if self.folder == Path(self.root):
            return
        missing = [
            (split, shard) for split, shard in self._entries() if _size(self._path(split, shard)) != shard["bytes"]
        ]
        # disable=None: a bar on a terminal, nothing in a log file.
        for split, shard in tqdm(missing, "fetching shards", disable=None):
            self._fetch(split, shard)

    def damaged(self) -> list[str]:
        """The shards, of all splits, whose bytes are not what the manifest says; those that are missing too."""
        shards = [(self._path(split, shard), shard["sha256"]) for split, shard in self._entries()]
        # disable=None: a bar on a terminal, nothing in a log file.
        return [
            str(path)
            for path, digest in tqdm(shards, "verifying shards", disable=None)
            if not path.is_file() or sha256_of(path) != digest
        ]

    def labels(self, split: str) -> np.ndarray | None:
        """(N,), int64, the class of each image of a split, or None where they have none."""
        shards = self.manifest["splits"][split]["shards"]
        if self.manifest["class_names"] is None or any(shard["labels"] is None for shard in shards):
            return None
        runs = [run for shard in shards for run in shard["labels"]]
        labels, counts = np.array(runs, dtype=np.int64).reshape(-1, 2).T
        return np.repeat(labels, counts)

    def samples(self, split: str) -> Samples:
        """The samples of a split.

        Raises:
            InputError: the split is not there, or a shard is missing or incomplete, or the format's package is.
        """
        engine()
        splits = self.manifest["splits"]
        if split not in splits or not splits[split]["images"]:
            raise InputError(f"data: the shards in {self.root!r} have no split {split!r}")
        self.fetch_missing()
        shards = splits[split]["shards"]
        for shard in shards:
            _check_whole(self._path(split, shard), shard["bytes"])
        return Samples([Shard(self._path(split, shard), shard["images"]) for shard in shards])

    def _entries(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for split, content in self.manifest["splits"].items():
            for shard in content["shards"]:
                yield split, shard

    def _path(self, split: str, shard: dict[str, Any]) -> Path:
        return self.folder / split / str(shard["file"])

    def _fetch(self, split: str, shard: dict[str, Any]) -> None:
        target = self._path(split, shard)
        with _written(self.folder), replacing(target) as arriving:
            fetch(f"{self.root}/{split}/{shard['file']}", arriving)
            if sha256_of(arriving) != shard["sha256"]:
                raise InputError(f"data: {self.root}/{split}/{shard['file']} is not what its manifest says")


def _find(root: str, cache_dir: str | os.PathLike[str] | None) -> tuple[Path, dict[str, Any]]:
    """Where the shards are or will be read, and their manifest."""
    if "://" not in root and cache_dir is None:
        return Path(root), manifests.read(Path(root) / manifests.FILE, root)
    cache = cache_folder() if cache_dir is None else Path(cache_dir).expanduser()
    with _written(cache):
        cache.mkdir(parents=True, exist_ok=True)
        # A folder of its own: other machines may share the cache, and have processes of the same number.
        with tempfile.TemporaryDirectory(prefix=TEMPORARY, dir=cache) as folder:
            arriving = Path(folder) / manifests.FILE
            fetch(f"{root}/{manifests.FILE}", arriving)
            manifest = manifests.read(arriving, root)
    # By content: shards that were prepared again never mix with those fetched before.
    return cache / f"prepared-{manifest['content_hash'][:16]}", manifest


def _written(cache: Path) -> AbstractContextManager[None]:
    return explain_write_errors(cache, "data", "make room or name another folder with cache_dir")


def _size(path: Path) -> int | None:
    """Bytes of a file, or None if it is not there."""
    return path.stat().st_size if path.is_file() else None


def _check_whole(path: Path, size: int) -> None:
    found = _size(path)
    if found is None:
        raise InputError(f"data: the shard {str(path)!r} is missing; prepare again, which makes only what is missing")
    if found != size:
        raise InputError(f"data: the shard {str(path)!r} is incomplete; prepare again, which makes only such ones")
