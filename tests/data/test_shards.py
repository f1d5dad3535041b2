"""The format of shards: what is written is read, by any reader of Arrow too; other files are refused."""

import pickle
import resource
import sys
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from lit_an.data.preparation import plan_of, prepare
from lit_an.data.shards.folder import Samples, ShardFolder
from lit_an.data.shards.format import BATCH, Sample, Shard, write_shard
from lit_an.data.shards.manifest import Recipe
from lit_an.data.sources import Photographs, Prepared
from lit_an.errors import InputError
from tests.photo_folders import make_photographs

pa = pytest.importorskip("pyarrow")


def samples(number: int, labeled: bool = True, mapped: bool = True) -> list[Sample]:
    random = np.random.default_rng(number)
    return [
        Sample(
            random.bytes(48 + i % 3), f"ä/{i}.png", i % 7 if labeled else None, random.bytes(i % 5) if mapped else None
        )
        for i in range(number)
    ]


def plain(sample: Sample) -> Sample:
    """With bytes of its own, where a shard gives those of the file."""
    regions = None if sample.regions is None else bytes(sample.regions)
    return sample._replace(image=bytes(sample.image), regions=regions)


@pytest.mark.parametrize("labeled", [True, False])
@pytest.mark.parametrize("mapped", [True, False])
@pytest.mark.parametrize("number", [1, BATCH, 2 * BATCH + 1])
def test_samples_come_back_in_any_order(tmp_path: Path, number: int, labeled: bool, mapped: bool) -> None:
    written = samples(number, labeled, mapped)
    write_shard(tmp_path / "a.arrow", iter(written))
    shard = Shard(tmp_path / "a.arrow", number)
    assert len(shard) == number
    for index in np.random.default_rng(0).permutation(number).tolist():
        assert plain(shard[index]) == written[index]


def test_the_same_samples_give_the_same_bytes_and_others_do_not(tmp_path: Path) -> None:
    for name, written in (("a", samples(100)), ("b", samples(100)), ("c", [*samples(100)[:-1], samples(99)[-1]])):
        write_shard(tmp_path / name, written)
    a, b, c = ((tmp_path / name).read_bytes() for name in "abc")
    assert a == b != c


def test_any_reader_of_arrow_opens_a_shard(tmp_path: Path) -> None:
    """Nothing of ours is needed to get the data back."""
    written = samples(2 * BATCH + 1)
    write_shard(tmp_path / "a.arrow", written)
    reader = pa.ipc.open_file(str(tmp_path / "a.arrow"))
    table = reader.read_all()
    table.validate(full=True)
    assert {field.name: str(field.type) for field in table.schema} == {
        "image": "large_binary",
        "name": "large_string",
        "label": "int32",
        "regions": "large_binary",
        "crc32": "uint32",
    }
    assert [reader.get_batch(i).num_rows for i in range(reader.num_record_batches)] == [BATCH, BATCH, 1]
    columns = [table[name].to_pylist() for name in Sample._fields]
    assert [Sample(*row) for row in zip(*columns, strict=True)] == written


def test_a_stop_while_writing_leaves_nothing(tmp_path: Path) -> None:
    def stopped() -> Iterator[Sample]:
        yield from samples(BATCH + 1)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_shard(tmp_path / "a.arrow", stopped())
    assert not list(tmp_path.iterdir())


def test_a_shard_that_was_read_travels_to_other_processes(tmp_path: Path) -> None:
    write_shard(tmp_path / "a.arrow", samples(3))
    shard = Shard(tmp_path / "a.arrow", 3)
    expected = plain(shard[2])
    assert len(pickle.dumps(shard)) < 1000, "not the mapped file"
    assert plain(pickle.loads(pickle.dumps(shard))[2]) == expected


def test_an_open_shard_takes_little_memory(tmp_path: Path) -> None:
    """Each process of a loader opens all shards: of ImageNet's images, 100 bytes each are 128 MB in every process."""
    write_shard(tmp_path / "a.arrow", samples(10 * BATCH))
    shard, same = (Shard(tmp_path / "a.arrow", 10 * BATCH) for _ in range(2))
    same[0]  # what the package keeps is not the shard's
    tracemalloc.start()
    shard[0]
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken / len(shard) < 50


def test_several_shards_are_one_sequence(tmp_path: Path) -> None:
    parts = [samples(number) for number in (3, 1, 70)]
    for number, part in enumerate(parts):
        write_shard(tmp_path / str(number), part)
    together = Samples([Shard(tmp_path / str(number), len(part)) for number, part in enumerate(parts)])
    assert [plain(sample) for sample in together] == [sample for part in parts for sample in part]
    for index in (-1, 74):
        with pytest.raises(IndexError):
            together[index]


def write(path: Path, columns: dict[str, object], rows: int = BATCH) -> None:
    table = pa.table(columns)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=rows)


IMAGE, NAME = pa.array([b"x"] * BATCH, pa.large_binary()), pa.array(["a"] * BATCH, pa.large_utf8())
CRC32 = pa.array([0] * BATCH, pa.uint32())


@pytest.mark.parametrize(
    ("columns", "rows", "sentence"),
    [
        ({"picture": IMAGE}, BATCH, "its columns are picture"),
        ({"image": IMAGE, "name": NAME}, BATCH, "its columns are image, name"),
        ({"image": NAME, "name": NAME, "crc32": CRC32}, BATCH, "its columns are image, name, crc32"),
        ({"image": IMAGE, "name": NAME, "label": NAME, "crc32": CRC32}, BATCH, "its columns are image, name, label"),
        ({"image": IMAGE, "name": NAME, "crc32": CRC32}, 9, "a record batch is short"),
        ({"image": IMAGE[:9], "name": NAME[:9], "crc32": CRC32[:9]}, BATCH, "a record batch is short"),
        ({"image": IMAGE, "name": NAME, "crc32": CRC32}, BATCH, "it holds 64 images, not 128"),
        ({"image": IMAGE, "name": NAME, "crc32": CRC32}, BATCH, "wrong checksum"),
    ],
)
def test_another_file_of_arrow_is_refused(tmp_path: Path, columns: dict[str, object], rows: int, sentence: str) -> None:
    write(tmp_path / "a.arrow", columns, rows)
    length = 2 * BATCH if sentence.startswith("it holds") else BATCH
    with pytest.raises(InputError, match=rf"^data: sample 1 of the shard '.*a.arrow' is damaged \(.*{sentence}"):
        Shard(tmp_path / "a.arrow", length)[1]


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 150 shards of one image."""
    folder = tmp_path_factory.mktemp("many")
    source = Photographs(make_photographs(folder / "root", 150), val_fraction=0.1)
    prepare(plan_of(source, 4), folder / "shards", Recipe(4, images_per_shard=1))
    return folder / "shards"


def read_all(shards: Path, limit: int) -> int:
    """How many images can be read with so many open files at most; it runs in a process of its own."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    pictures = Prepared(shards).open("train", 4)
    return len([pictures.digest(index) for index in range(len(pictures))])


def test_shards_may_be_more_than_the_files_one_may_have_open(many: Path) -> None:
    """A mapped shard is no open file."""
    train = ShardFolder(many).manifest["splits"]["train"]["images"]
    assert train > 120
    with ProcessPoolExecutor(1, get_context("fork")) as pool:
        assert pool.submit(read_all, many, 90).result() == train


def test_without_the_package_what_to_install_is_named(many: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Prepared(many)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InputError, match=r"need the package pyarrow, .*; pip install 'lit_an\[data\]'"):
        source.open("train", 4)
