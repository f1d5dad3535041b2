"""Fixed sets of masks: binned, restartable, named by a hash that a metric finds too."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from lit_an.errors import InputError
from lit_an.files import TEMPORARY
from lit_an.masks import Center, FreeForm, HoleShape, MaskFiles, Mixture, Rectangle, Strokes
from lit_an.masks.fixed_set import Recipe, make_set
from lit_an.tensors.content_hash import ContentHash
from lit_an.tensors.holes import BINS, bins_of

SHAPE = Mixture([Strokes("thick", max_share=1.0), Strokes("thin")])
ROOT = Path(__file__).parent.parent.parent


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_bins_are_full_and_files_are_black_and_white(tmp_path: Path) -> None:
    manifest = make_set(SHAPE, tmp_path, Recipe(32, per_bin=3))
    assert json.loads((tmp_path / "manifest.json").read_text()) == manifest
    assert manifest["shape"] == SHAPE.description()
    assert [*manifest["files"]] == [f"{name}/{number:05d}.png" for name in BINS[:-1] for number in range(3)]
    for name, share in manifest["files"].items():
        pixels = np.asarray(Image.open(tmp_path / name))
        assert pixels.shape == (32, 32)
        assert {*pixels.flatten().tolist()} == {0, 255}
        assert (pixels == 255).mean() == pytest.approx(share, abs=1e-6)
        assert BINS[bins_of(torch.tensor(share))] == name.split("/")[0]
    assert len({(tmp_path / name).read_bytes() for name in manifest["files"]}) == 18


def test_the_hash_is_the_one_of_the_masks_that_images_are_given(tmp_path: Path) -> None:
    manifest = make_set(SHAPE, tmp_path, Recipe(16, per_bin=2))
    shape, content = MaskFiles(str(tmp_path)), ContentHash(12)
    assert shape.files == [*manifest["files"]]
    for numbers in torch.randperm(12).split(5):
        mask = torch.stack([shape.draw(16, 16, 0, index=int(number)) for number in numbers])
        content.add_masks(mask, numbers)
    assert content.hexdigest() == manifest["content_hash"]


def test_the_same_recipe_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    one, same, other = (tmp_path / name for name in ("one", "same", "other"))
    for folder, seed in ((one, 1), (same, 1), (other, 2)):
        make_set(SHAPE, folder, Recipe(16, per_bin=2, seed=seed))
    assert contents(one) == contents(same)
    assert all(contents(one)[name] != contents(other)[name] for name in contents(one))
    before = contents(one)
    (one / "20-30" / "00001.png").unlink()
    make_set(SHAPE, one, Recipe(16, per_bin=2, seed=1))
    assert contents(one) == before


def test_other_settings_are_refused_in_one_sentence(tmp_path: Path) -> None:
    make_set(SHAPE, tmp_path / "set", Recipe(16, per_bin=1))
    others: list[tuple[HoleShape, Recipe, str]] = [
        (SHAPE, Recipe(16, per_bin=2), "per_bin"),
        (SHAPE, Recipe(16, per_bin=1, seed=5), "seed"),
        (FreeForm(), Recipe(20, per_bin=1), "shape, image_size"),
        (Mixture([Strokes("thick", max_share=0.9), Strokes("thin")]), Recipe(16, per_bin=1), "shape"),
    ]
    before = contents(tmp_path)
    for shape, recipe, what in others:
        with pytest.raises(InputError, match=rf"set' holds masks made with another {what}; choose another folder"):
            make_set(shape, tmp_path / "set", recipe)
    assert contents(tmp_path) == before


def test_a_file_that_was_changed_is_said_and_left(tmp_path: Path) -> None:
    make_set(SHAPE, tmp_path, Recipe(16, per_bin=1))
    path = tmp_path / "10-20" / "00000.png"
    Image.fromarray(255 - np.asarray(Image.open(path))).save(path)
    changed = path.read_bytes()
    with pytest.raises(InputError, match=r"10-20/00000.png' is not what these settings draw, here and now"):
        make_set(SHAPE, tmp_path, Recipe(16, per_bin=1))
    assert path.read_bytes() == changed


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_text("")
    with pytest.raises(InputError, match="holds other files; choose an empty or a new one"):
        make_set(SHAPE, tmp_path, Recipe(16, per_bin=1))
    assert [*contents(tmp_path)] == ["holiday.jpg"]
    (tmp_path / "plan.json").write_text("[]")
    with pytest.raises(InputError, match="is not one that this command wrote"):
        make_set(SHAPE, tmp_path, Recipe(16, per_bin=1))


def test_a_bin_out_of_reach_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"in 200 draws in a row Rectangle\(.* gave no hole of ") as sentence:
        make_set(Rectangle(), tmp_path / "all", Recipe(64, per_bin=2, max_draws=200))
    assert "of 00-10 % (0 of 2), 30-40 % (0 of 2), 40-50 % (0 of 2), 50-60 % (0 of 2) of the image; leave" in str(
        sentence.value
    )
    assert not (tmp_path / "all" / "manifest.json").exists()
    manifest = make_set(Rectangle(), tmp_path / "some", Recipe(64, 2, bins=("10-20", "20-30"), max_draws=200))
    assert len(manifest["files"]) == 4


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"per_bin": 0}, "per_bin must be at least 1, got 0"),
        ({"image_size": 0}, "image_size must be at least 1, got 0"),
        ({"bins": ("10-30",)}, "bins must be some of 00-10, 10-20, .*, each once, got 10-30"),
        ({"bins": ("10-20", "10-20")}, "each once, got 10-20, 10-20"),
        ({"bins": ()}, "got none"),
    ],
)
def test_recipes_that_cannot_be(changes: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    recipe = Recipe(image_size=16, per_bin=1)._replace(**changes)
    with pytest.raises(InputError, match=sentence):
        make_set(Center(), tmp_path / "set", recipe)
    assert not (tmp_path / "set").exists()


PROGRAM = """
import sys
from pathlib import Path
from lit_an.masks import FreeForm
from lit_an.masks.fixed_set import Recipe, make_set
make_set(FreeForm(), Path(sys.argv[1]), Recipe(64, per_bin=60, bins=("20-30", "30-40", "40-50"), seed=3))
"""


def test_a_killed_run_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    """In a real process, SIGKILL when the first files are there."""
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(killed)], cwd=ROOT)
    deadline = time.monotonic() + 120
    while len(list(killed.glob("*/*.png"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.001)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert not (killed / "manifest.json").exists()
    assert 3 <= len(list(killed.glob("*/*.png"))) < 180
    (killed / "20-30" / f"{TEMPORARY}half.png").write_bytes(b"half")  # what a kill between two writes leaves
    recipe = Recipe(64, per_bin=60, bins=("20-30", "30-40", "40-50"), seed=3)
    for folder in (killed, whole):
        make_set(FreeForm(), folder, recipe)
    assert contents(killed) == contents(whole)
