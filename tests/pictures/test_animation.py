"""Animations: frames, how long they are shown, sizes that differ, and that they are not all in memory."""

import itertools
import weakref
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import lit_an.pictures.animation as animation
from lit_an.pictures.animation import choose_frames, write_animation


def make_pictures(folder: Path, count: int, size: tuple[int, int] = (60, 40)) -> list[Path]:
    paths = [folder / f"{number}.png" for number in range(count)]
    for number, path in enumerate(paths):
        Image.new("RGB", size, (number * 255 // count, 90, 200)).save(path)
    return paths


@pytest.mark.parametrize("suffix", [".webp", ".gif"])
def test_each_picture_is_a_frame_and_the_ends_are_held(tmp_path: Path, suffix: str) -> None:
    pictures = make_pictures(tmp_path, 5)
    path = tmp_path / f"history{suffix}"
    write_animation(path, pictures, [f"iteration {number}" for number in range(5)])
    with Image.open(path) as found:
        assert (found.n_frames, found.info["loop"], found.size) == (5, 0, (60, 58))
        shown = []
        for number in range(5):
            found.seek(number)
            found.load()  # from here on its duration is known
            shown.append(found.info["duration"])
            frame = np.asarray(found.convert("RGB")).astype(int)
            assert np.abs(frame[:38] - [number * 255 // 5, 90, 200]).max() < 12
            assert frame[42:].min() < 100, "the footer has text"
    assert shown[0] > shown[1] == shown[2] == shown[3] < shown[4]


def test_frames_are_made_one_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[weakref.ref[Image.Image]] = []
    most = 0
    make = animation._frame

    def watched(*args: object) -> Image.Image:
        nonlocal most
        frame = make(*args)  # type: ignore[arg-type]
        made.append(weakref.ref(frame))
        most = max(most, sum(each() is not None for each in made))
        return frame

    monkeypatch.setattr(animation, "_frame", watched)
    write_animation(tmp_path / "history.webp", make_pictures(tmp_path, 12), [""] * 12)
    assert len(made) >= 12
    assert most <= 2


def test_large_and_odd_pictures_are_fitted(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    pictures = [*make_pictures(tmp_path / "a", 1, (50, 400)), *make_pictures(tmp_path, 1, (3000, 2000))]
    write_animation(tmp_path / "history.webp", pictures, ["", ""])
    with Image.open(tmp_path / "history.webp") as found:
        assert found.n_frames == 2
        assert 950_000 < found.width * (found.height - 18) <= 1_001_000
        assert found.width / (found.height - 18) == pytest.approx(1.5, rel=0.01)


def test_a_long_run_is_spread_evenly() -> None:
    places = choose_frames(5000)
    assert (len(places), places[0], places[-1]) == (100, 0, 4999)
    steps = {after - before for before, after in itertools.pairwise(places)}
    assert steps <= {50, 51}
    assert choose_frames(1) == [0]
