"""Many samples on disk: the files, the archive, and what a second run does."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lit_an.errors import InputError
from lit_an.files import TEMPORARY
from lit_an.pictures.panels import to_uint8
from lit_an.sampling import sample, streaming, write_samples
from lit_an.sampling.streaming import claim, folder_names, requests_of
from lit_an.trained.generator import TrainedGenerator

REQUESTS = requests_of([0, 1, 2], samples_per_class=5)  # 15 images


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_files_and_archive_hold_the_samples(generator: TrainedGenerator, tmp_path: Path) -> None:
    write_samples(generator, REQUESTS, tmp_path, png=True, npz=True, batch_size=4)
    expected = to_uint8(sample(generator, *REQUESTS, batch_size=4)).permute(0, 2, 3, 1).numpy()
    names = {f"{name}/0000{seed}.png" for name in ("blue", "green", "red") for seed in range(5)}
    assert set(contents(tmp_path)) == names | {"samples_15.npz"}
    with np.load(tmp_path / "samples_15.npz", allow_pickle=False) as arrays:
        assert np.array_equal(arrays["arr_0"], expected)
        assert arrays["arr_1"].tolist() == REQUESTS.labels
        assert arrays["seed"].tolist() == REQUESTS.seeds
    for image, label, seed in zip(expected, *REQUESTS, strict=True):
        picture = Image.open(tmp_path / generator.class_names[label] / f"0000{seed}.png")
        assert np.array_equal(np.asarray(picture), image)


def test_the_archive_is_what_numpy_writes(generator: TrainedGenerator, tmp_path: Path) -> None:
    write_samples(generator, REQUESTS, tmp_path, png=False, npz=True, batch_size=4)
    with np.load(tmp_path / "samples_15.npz") as arrays:
        np.savez(tmp_path / "theirs.npz", **dict(arrays))
    assert (tmp_path / "theirs.npz").read_bytes() == (tmp_path / "samples_15.npz").read_bytes()


def test_interrupted_anywhere_and_run_again_it_ends_with_the_same_bytes(
    generator: TrainedGenerator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_samples(generator, REQUESTS, tmp_path / "whole", npz=True, batch_size=4)
    made: list[int] = []

    def failing(*args: object, **kwargs: object) -> object:
        if len(made) in (1, 3):
            made.append(-1)
            raise KeyboardInterrupt
        made.append(1)
        return sample(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(streaming, "sample", failing)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            write_samples(generator, REQUESTS, tmp_path / "broken", npz=True, batch_size=4)
    write_samples(generator, REQUESTS, tmp_path / "broken", npz=True, batch_size=4)
    assert made.count(1) == 4, "four batches, each made once"
    assert contents(tmp_path / "broken") == contents(tmp_path / "whole")


def test_a_second_run_makes_nothing_and_a_lost_file_alone(
    generator: TrainedGenerator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_samples(generator, REQUESTS, tmp_path, npz=True, batch_size=4)
    before, made = contents(tmp_path), []
    monkeypatch.setattr(
        streaming, "sample", lambda generator, labels, *rest: made.append(labels) or sample(generator, labels, *rest)
    )
    write_samples(generator, REQUESTS, tmp_path, npz=True, batch_size=4)
    assert made == []
    os.unlink(tmp_path / "red" / "00002.png")
    (tmp_path / "red" / f"{TEMPORARY}x1y2.png").write_bytes(b"half a file")  # as a killed run leaves it
    write_samples(generator, REQUESTS, tmp_path, npz=True, batch_size=4)
    assert made == [[2, 0, 1, 2]], "the batch that it was in"
    (tmp_path / "samples_15.npz").write_bytes(b"half a file")
    write_samples(generator, REQUESTS, tmp_path, npz=True, batch_size=4)
    assert contents(tmp_path) == before


def test_processes_that_share_the_work_make_each_batch_once(
    generator: TrainedGenerator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_samples(generator, REQUESTS, tmp_path / "one", npz=True, batch_size=4)
    made: list[int] = []
    monkeypatch.setattr(streaming, "sample", lambda *args: made.append(1) or sample(*args))
    for shard in (2, 0, 1):
        write_samples(generator, REQUESTS, tmp_path / "three", npz=True, batch_size=4, shard=shard, shards=3)
    assert not (tmp_path / "three" / "samples_15.npz").exists()
    write_samples(generator, REQUESTS, tmp_path / "three", npz=True, batch_size=4)
    assert len(made) == 4
    assert contents(tmp_path / "three") == contents(tmp_path / "one")
    with pytest.raises(InputError, match="0 ≤ shard < shards"):
        write_samples(generator, REQUESTS, tmp_path / "three", shard=3, shards=3)


def test_class_names_stay_inside_the_folder(generator: TrainedGenerator, tmp_path: Path) -> None:
    generator.class_names = ["../../away", "/root", "sea lion"]
    write_samples(generator, requests_of([0, 1, 2], 1), tmp_path / "in" / "here", batch_size=4)
    assert len(contents(tmp_path / "in" / "here")) == len(contents(tmp_path)) == 3


def test_a_folder_holds_the_samples_of_one_generator(tmp_path: Path) -> None:
    claim(tmp_path / "a", {"weights": "1", "truncation": None})
    claim(tmp_path / "a", {"weights": "1", "truncation": None})
    assert json.loads((tmp_path / "a" / "settings.json").read_text()) == {"weights": "1", "truncation": None}
    with pytest.raises(InputError, match=r"a holds other samples \(truncation None, now 0.5\); name another folder"):
        claim(tmp_path / "a", {"weights": "1", "truncation": 0.5})
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "mine.png").write_text("mine")
    with pytest.raises(
        InputError, match=r"b holds files that are not of this command; name another folder with --output$"
    ):
        claim(tmp_path / "b", {})


@pytest.mark.parametrize(
    ("content", "sentence"),
    [("", "it is empty"), ("{", "Expecting property name"), ("[]", "holds no settings")],
)
def test_settings_that_cannot_be_read_get_a_sentence(content: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text(content)
    with pytest.raises(InputError, match=rf"settings\.json .*{sentence}.*name another folder with --output or remove"):
        claim(tmp_path, {})
    assert (tmp_path / "settings.json").read_text() == content
    with pytest.raises(InputError, match=r"settings\.json is a file; name a folder with --output"):
        claim(tmp_path / "settings.json", {})


def test_an_archive_of_other_images_is_not_replaced(generator: TrainedGenerator, tmp_path: Path) -> None:
    write_samples(generator, requests_of([0, 1], 2), tmp_path, png=False, npz=True)
    before = contents(tmp_path)
    for others, sentence in (
        (
            requests_of([0, 1], 2, first_seed=100),
            r"seeds 0 to 1 of 2 classes\), now seeds 100 to 101 of 2 classes; name",
        ),
        (requests_of([0], 4), r"seeds 0 to 1 of 2 classes\), now seeds 0 to 3 of 1 classes; name another folder with"),
        (
            requests_of([0, 2], 2),
            r"samples_4\.npz holds other images \(.*; name another folder with --output or remove",
        ),
    ):
        for shards in (1, 2):
            with pytest.raises(InputError, match=sentence):
                write_samples(generator, others, tmp_path, png=True, npz=True, shards=shards)
    assert contents(tmp_path) == before


def test_processes_that_start_together_may_claim_one_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between this one's two looks the other writes its settings and a first sample."""
    exists = Path.exists

    def exists_before(path: Path) -> bool:
        found = exists(path)
        if path.name == "settings.json" and not found:
            path.write_text('{"weights": "1"}')
            (tmp_path / "blue").mkdir()
        return found

    monkeypatch.setattr(Path, "exists", exists_before)
    claim(tmp_path, {"weights": "1"})
    assert json.loads((tmp_path / "settings.json").read_text()) == {"weights": "1"}


def test_no_two_classes_share_a_folder() -> None:
    for names in (["2", "a/b", "a_b"], ["a", "a", "1", "1", "3_"], ["x/", "2", "x_", "2_", "x?"]):
        assert len(set(folder_names(names))) == len(names)
