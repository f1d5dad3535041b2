"""A folder or object store of prepared shards: its manifest, what is fetched of it, its samples by their number."""

import os
from bisect import bisect_right
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from itertools import accumulate
from pathlib import Path
from typing import Any

from tqdm import tqdm

import lit_an.data.manifest as manifests
from lit_an.data.base import Split
from lit_an.data.shards import DIGEST, Sample, fetch, open_shards
from lit_an.errors import InputError
from lit_an.files import cache_folder, sha256_of
from lit_an.write_errors import write_errors_said


class Samples:
    """The samples of several shards as one sequence.

    Args:
        shards: each a sequence of samples, with ``len``.
    """

    def __init__(self, shards: Sequence[Sequence[Sample]]) -> None:
        self.shards = shards
        self._ends = list(accumulate(map(len, shards)))

    def __len__(self) -> int:
        return self._ends[-1]

    def __getitem__(self, index: int) -> Sample:
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

    def __init__(self, root: str | os.PathLike[str], cache_dir: str | None) -> None:
        self.root = str(root).rstrip("/") if "://" in str(root) else str(Path(root).expanduser())
        self.folder, self.manifest = _find(self.root, cache_dir)

    @property
    def image_size(self) -> int:
        """Side of the stored images in pixels."""
        return int(self.manifest["preprocessing"]["image_size"])

    @property
    def stored_as(self) -> str:
        """Format of the stored images, see ``lit_an.data.image_decoding``."""
        return str(self.manifest["preprocessing"]["format"])

    def fetch_missing(self) -> None:
        """Fetches the shards that are not there yet."""
        if self.folder == Path(self.root):
            return
        missing = [
            (split, shard["raw_data"])
            for split, content in self.manifest["splits"].items()
            for shard in content["shards"]
            if not (self.folder / split / shard["raw_data"]["basename"]).is_file()
        ]
        # disable=None: a bar on a terminal, nothing in a log file.
        for split, data in tqdm(missing, "fetching shards", disable=None):
            self._fetch(split, data)

    def damaged(self) -> list[str]:
        """The shards, of all splits, whose bytes are not what the manifest says; those that are missing too."""
        shards = [
            (self.folder / split / shard["raw_data"]["basename"], shard["raw_data"]["hashes"][DIGEST])
            for split, content in self.manifest["splits"].items()
            for shard in content["shards"]
        ]
        # disable=None: a bar on a terminal, nothing in a log file.
        return [
            str(path)
            for path, digest in tqdm(shards, "verifying shards", disable=None)
            if not path.is_file() or sha256_of(path) != digest
        ]

    def split_of(self, split: Split) -> str:
        """What a split is called here: ``test`` is ``val`` without one of its own."""
        return "val" if split == "test" and "test" not in self.manifest["splits"] else split

    def samples(self, split: Split) -> Samples:
        """The samples of a split.

        Raises:
            InputError: the split is not there, or a shard is missing or incomplete.
        """
        splits, name = self.manifest["splits"], self.split_of(split)
        if name not in splits or not splits[name]["images"]:
            raise InputError(f"data: the shards in {self.root!r} have no split {name!r}")
        self.fetch_missing()
        entries = splits[name]["shards"]
        for entry in entries:
            _check_whole(self.folder / name / entry["raw_data"]["basename"], entry["raw_data"]["bytes"])
        return Samples(open_shards(self.folder / name, entries))

    def _fetch(self, split: str, data: dict[str, Any]) -> None:
        target = self.folder / split / data["basename"]
        arriving = target.with_name(f".{target.name}.{os.getpid()}")
        with _written(self.folder):
            try:
                fetch(f"{self.root}/{split}/{data['basename']}", arriving)
                if sha256_of(arriving) != data["hashes"][DIGEST]:
                    raise InputError(f"data: {self.root}/{split}/{data['basename']} is not what its manifest says")
                os.replace(arriving, target)
            finally:
                _remove(arriving)


def _find(root: str, cache_dir: str | None) -> tuple[Path, dict[str, Any]]:
    """Where the shards are or will be read, and their manifest."""
    if "://" not in root and cache_dir is None:
        return Path(root), manifests.read(Path(root) / manifests.FILE, root)
    cache = cache_folder() if cache_dir is None else Path(cache_dir).expanduser()
    arriving = cache / f".manifest-{os.getpid()}.json"
    with _written(cache):
        try:
            fetch(f"{root}/{manifests.FILE}", arriving)
            manifest = manifests.read(arriving, root)
        finally:
            _remove(arriving)
    # By content: shards that were prepared again never mix with those fetched before.
    return cache / f"prepared-{manifest['content_hash'][:16]}", manifest


def _written(cache: Path) -> AbstractContextManager[None]:
    return write_errors_said("data", cache, "make room or name another folder with cache_dir")


def _remove(arriving: Path) -> None:
    with suppress(OSError):  # it may not be there, or not even its folder
        arriving.unlink()


def _check_whole(path: Path, size: int) -> None:
    if not path.is_file():
        raise InputError(f"data: the shard {str(path)!r} is missing; prepare again, which makes only what is missing")
    if path.stat().st_size != size:
        raise InputError(f"data: the shard {str(path)!r} is incomplete; prepare again, which makes only such ones")
