"""Odd image and mask files, to every reader and to the commands that meet them."""

import os
import shutil
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import cli
from lit_an.data import ClassData, InpaintingData
from lit_an.data.shards.encoding import conversions
from lit_an.data.sources import ImageFolder, Photographs, Prepared
from lit_an.errors import InputError
from tests.fuzz.bounds import bounded
from tests.fuzz.odd_images import CONTENTS, NAMES, SIDE, whole
from tests.inpainting.small_inpainter import write_run
from tests.test_image_kinds import READERS

GIB = 1 << 30


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("run"))


def emptied(folder: Path) -> Path:
    """An empty folder in place of the last case's."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def tried(call: Callable[[], Any]) -> tuple[Any, str]:
    """What a call gives, or the sentence that refuses."""
    try:
        return call(), ""
    except InputError as error:
        return None, str(error)


@given(content=CONTENTS)
def test_every_reader_reads_or_refuses_by_name(content: tuple[str, bytes], tmp_path_factory: Any) -> None:
    ending, data = content
    path = tmp_path_factory.getbasetemp() / f"odd.{ending}"
    path.write_bytes(data)
    for name, read in READERS.items():
        with bounded(20, 2 * GIB), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pixels, refused = tried(partial(read, path))
            assert "\n" not in refused
            if refused:  # the report of inpaint names the file itself
                assert name == "inpaint" or path.name in refused, name
                continue
            assert pixels.ndim == 3
            assert np.isfinite(pixels.astype(float)).all()
            if name == "training":  # prepare says how it converted what it has read
                assert all(isinstance(line, str) for line in conversions(path))


@given(contents=st.lists(st.tuples(NAMES, CONTENTS), min_size=1, max_size=4), links=st.lists(NAMES, max_size=2))
def test_a_folder_of_odd_files_is_trained_on_or_refused(
    contents: list[tuple[bytes, tuple[str, bytes]]], links: list[bytes], tmp_path_factory: Any
) -> None:
    root = emptied(tmp_path_factory.getbasetemp() / "folder")
    _fill(root / "one", contents, links)
    for number in range(4):
        (root / "one" / f"good{number}.png").write_bytes(whole("png", "RGB"))
    shutil.copytree(root / "one", root / "two", symlinks=True)
    with bounded(60, 2 * GIB), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for data in (ClassData(ImageFolder(root), 32), InpaintingData(Photographs(root), 32)):
            images, refused = tried(partial(data.dataset, "train"))
            assert "\n" not in refused
            for index in range(0 if refused else len(images)):
                item, refused = tried(partial(images.__getitem__, index))
                assert "\n" not in refused
                if not refused:
                    assert tuple(item.image.shape) == (3, 32, 32)
                    assert item.image.abs().max() <= 1


@given(contents=st.lists(st.tuples(NAMES, CONTENTS), min_size=1, max_size=4), links=st.lists(NAMES, max_size=2))
def test_prepare_keeps_the_good_ones(
    contents: list[tuple[bytes, tuple[str, bytes]]],
    links: list[bytes],
    tmp_path_factory: Any,
    capfd: pytest.CaptureFixture[str],
) -> None:
    root = emptied(tmp_path_factory.getbasetemp() / "prepare")
    _fill(root / "pictures", contents, links)
    for number in range(4):
        (root / "pictures" / f"good{number}.png").write_bytes(whole("png", "RGB", SIDE + number))
    argv = ["prepare", f"--source={root / 'pictures'}", f"--out={root / 'out'}", "--image_size=32", "--num_workers=1"]
    with bounded(60, 2 * GIB), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        code = cli.main([*argv, "--max_failed=1"])
    said = capfd.readouterr().err
    assert code in (0, 1, 2), said  # 1: no picture of a split can be read
    assert "Traceback" not in said
    assert ("error: " in said) == (code > 0)
    if code == 0:
        data = InpaintingData(Prepared(root / "out"), 32)
        assert sum(len(data.dataset(split)) for split in ("train", "val")) >= 4


@given(
    pictures=st.lists(st.tuples(NAMES, CONTENTS), min_size=1, max_size=3),
    masks=st.lists(st.tuples(NAMES, CONTENTS), max_size=2),
    same=st.booleans(),
)
def test_inpaint_fills_or_reports(
    pictures: list[tuple[bytes, tuple[str, bytes]]],
    masks: list[tuple[bytes, tuple[str, bytes]]],
    same: bool,
    checkpoint: Path,
    tmp_path_factory: Any,
    capfd: pytest.CaptureFixture[str],
) -> None:
    root = emptied(tmp_path_factory.getbasetemp() / "inpaint")
    _fill(root / "pictures", pictures, [])
    (root / "pictures" / "good.png").write_bytes(whole("png", "RGB"))
    # Masks by the names of the pictures, or by others.
    named = [(name, content) for (name, _), (_, content) in zip(pictures, masks, strict=False)] if same else masks
    _fill(root / "masks", named, [])
    hole = np.zeros((12, 12), dtype=np.uint8)
    hole[3:8, 3:8] = 255
    Image.fromarray(hole).save(root / "masks" / "good.png")
    argv = ["inpaint", f"--ckpt_path={checkpoint}", f"--images={root / 'pictures'}", f"--masks={root / 'masks'}"]
    with bounded(60, 2 * GIB), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        code = cli.main([*argv, f"--output={root / 'out'}"])
    said = capfd.readouterr().err
    assert code in (0, 1, 2), said
    assert "Traceback" not in said
    if code < 2:  # each picture is filled, or named in the report
        assert (root / "out" / "composite" / "good.png").is_file()
        Image.open(root / "out" / "composite" / "good.png").load()
    assert list(root.rglob(".lit_an-*")) == []


def _fill(folder: Path, contents: list[tuple[bytes, tuple[str, bytes]]], links: list[bytes]) -> None:
    """Files of those names and contents, and links that lead to their own folder or nowhere."""
    folder.mkdir()
    place = os.fsencode(folder)
    for name, (ending, data) in contents:
        path = os.path.join(place, name[:40] + b"." + ending.encode())
        if not os.path.lexists(path):
            with open(path, "wb") as file:
                file.write(data)
    for number, name in enumerate(links):
        path = os.path.join(place, name + (b"" if number else b".png"))
        if not os.path.lexists(path):
            os.symlink(b"." if number else name + b".png", path)
