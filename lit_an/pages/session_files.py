"""Files of visits of the page: each is deleted when its visit ends."""

import shutil
import tempfile
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_NAME = "visit_"
# Results of a visit that are kept: the one that is shown, and the one before, which a browser may still be loading.
_KEPT = 2


class SessionFiles:
    """Knows which files belong to which visit.

    Args:
        folder: where Gradio keeps its files too; a file in it is not copied once more to be served.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self._lock = threading.Lock()
        self._results: dict[str, list[Path]] = defaultdict(list)
        # Equal uploads of several visits are one file.
        self._uploads: dict[str, set[Path]] = defaultdict(set)

    @contextmanager
    def place(self, session: str) -> Iterator[Path]:
        """A new folder for one result of a visit; results before the last are deleted, but not for one that fails."""
        place = Path(tempfile.mkdtemp(prefix=_NAME, dir=self.folder))
        try:
            yield place
        except BaseException:
            shutil.rmtree(place, ignore_errors=True)
            raise
        with self._lock:
            results = self._results[session]
            results.append(place)
            while len(results) > _KEPT:
                shutil.rmtree(results.pop(0), ignore_errors=True)

    def saw(self, session: str, upload: str | None) -> None:
        """Notes the picture of a visit and deletes the one that it had before; None for no picture any more."""
        with self._lock:
            before = self._uploads.pop(session, set())
            if upload is not None:
                self._uploads[session] = {Path(upload).resolve()}
            self._delete(before - self._uploads.get(session, set()))

    def upload_of(self, session: str) -> Path | None:
        """The picture of a visit."""
        with self._lock:
            return next(iter(self._uploads.get(session, ())), None)

    def forget(self, session: str) -> None:
        """Deletes all files of a visit."""
        with self._lock:
            for place in self._results.pop(session, []):
                shutil.rmtree(place, ignore_errors=True)
            self._delete(self._uploads.pop(session, set()))

    def _delete(self, uploads: set[Path]) -> None:
        used = set().union(*self._uploads.values())
        for path in uploads - used:
            # A picture to choose from may lie elsewhere, and stays.
            if self.folder in path.parents:
                shutil.rmtree(path.parent, ignore_errors=True)
