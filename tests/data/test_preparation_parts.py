"""Shards made in parts, as by several machines that share a folder: in any order and at the same time, as by one."""

import re
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import permutations
from multiprocessing import get_context
from pathlib import Path

import pytest

from lit_an.data.preparation import Part, part_called, plan_of, prepare
from lit_an.data.preparation.outcome import Outcome
from lit_an.data.shards.manifest import Recipe
from lit_an.data.sources import ImageFolder
from lit_an.data.sources.detection import source_at
from lit_an.errors import InputError
from tests.photo_folders import make_classes, write

pytest.importorskip("pyarrow")

RECIPE = Recipe(16, images_per_shard=5)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """32 + 8 images, of which one cannot be read: 7 + 2 shards."""
    folder = tmp_path_factory.mktemp("parts") / "root"
    for split, number in (("train", 16), ("val", 4)):
        make_classes(folder / split, ("cat", "dog"), number)
    (folder / "train" / "cat" / "07.png").write_text("<html>404</html>")
    return folder


def made(root: Path, out: Path, number: int = 1, total: int = 1) -> Outcome:
    return prepare(plan_of(source_at(root), 16), out, RECIPE, max_failed=0.1, part=Part(number, total))


def unfinished(root: Path, out: Path, number: int, total: int) -> int:
    """How many shards there were still to make; it runs in a process of its own."""
    return made(root, out, number, total).unfinished


def contents(out: Path) -> Iterator[tuple[str, bytes]]:
    """All files but the records, which are the same whoever wrote them."""
    return ((str(path.relative_to(out)), path.read_bytes()) for path in sorted(out.rglob("*")) if path.is_file())


@pytest.mark.parametrize("order", permutations((1, 2, 3)))
def test_parts_in_any_order_are_the_whole(root: Path, tmp_path: Path, order: tuple[int, ...]) -> None:
    """Byte for byte, the manifest and the report of what cannot be read too; only the last writes them."""
    whole = made(root, tmp_path / "whole")
    for number in order[:2]:
        outcome = made(root, tmp_path / "parts", number, 3)
        assert (outcome.manifest, outcome.complaint) == (None, "")
        assert outcome.unfinished == (6 if number == order[0] else 3)
        assert not list((tmp_path / "parts").glob("*t.json"))
    last = made(root, tmp_path / "parts", order[2], 3)
    assert last == whole
    assert (last.unfinished, last.failed) == (0, 1)
    assert dict(contents(tmp_path / "parts")) == dict(contents(tmp_path / "whole"))


@pytest.mark.parametrize("attempt", range(3))
def test_parts_at_the_same_time_are_the_whole(root: Path, tmp_path: Path, attempt: int) -> None:
    made(root, tmp_path / "whole")
    with ProcessPoolExecutor(4, get_context("fork")) as pool:
        parts = [pool.submit(unfinished, root, tmp_path / "parts", number, 4) for number in (1, 2, 3, 4)]
        assert min(part.result() for part in parts) == 0
    assert dict(contents(tmp_path / "parts")) == dict(contents(tmp_path / "whole"))


def test_there_may_be_more_parts_than_shards(root: Path, tmp_path: Path) -> None:
    assert made(root, tmp_path / "out", 12, 12).unfinished == 9
    assert not list((tmp_path / "out").rglob("*.arrow"))
    for number in range(1, 10):
        outcome = made(root, tmp_path / "out", number, 12)
    assert outcome.manifest is not None
    assert made(root, tmp_path / "out", 11, 12) == outcome


def test_a_part_done_again_makes_only_what_is_its_own_and_lost(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    whole = made(root, out)
    for name in ("00001", "00002"):  # of the second and of the third part
        (out / "train" / f"{name}.arrow").unlink()
    made(root, out, 2, 3)
    assert {path.stem for path in (out / "train").glob("*.arrow")} == {f"{i:05d}" for i in range(7) if i != 2}
    assert made(root, out, 3, 3) == whole


def test_a_replaced_picture_is_made_again_by_its_part(tmp_path: Path) -> None:
    source = ImageFolder(make_classes(tmp_path / "root", ("cat", "dog"), 20))
    before = made(source.root, tmp_path / "out")
    write(source.open("train", 16).file(0), 99)
    after = made(source.root, tmp_path / "out", 1, 2)
    assert after == made(source.root, tmp_path / "fresh") != before
    assert after.manifest is not None


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "1/0", "-1/2", "a/b", ""])
def test_parts_that_cannot_be_are_refused(text: str) -> None:
    with pytest.raises(InputError, match=rf"^prepare: part must be K/N with 1 ≤ K ≤ N, such as 2/8, got '{text}'$"):
        part_called(text)
    assert part_called(" 3/3 ") == Part(3, 3)


def test_parts_of_another_source_are_refused(root: Path, tmp_path: Path) -> None:
    made(root, tmp_path / "out", 1, 3)
    other = make_classes(tmp_path / "other", ("cat", "dog"), 20)
    with pytest.raises(InputError, match=rf"^prepare: {re.escape(repr(str(tmp_path / 'out')))} holds shards of others"):
        made(other, tmp_path / "out", 2, 3)
