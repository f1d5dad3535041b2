"""``inpaint`` where something is in the way: names, formats, folders, disks."""

import json
import os
import resource
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

import cli
from lit_an.files import TEMPORARY
from tests.commands.photographs_with_holes import mask_of, photograph

RunInpaint = Callable[..., int]


@pytest.fixture
def run_inpaint(checkpoint: Path) -> RunInpaint:
    """Runs the command with a hole in the middle of every picture, unless masks are named."""

    def run(images: Path, *more: object) -> int:
        holes = [] if any("--masks" in str(each) for each in more) else ["--hole_shape=lit_an.masks.Center"]
        fixed = [f"--ckpt_path={checkpoint}", "--device=cpu", f"--images={images}"]
        return cli.main(["inpaint", *fixed, *holes, *map(str, more)])

    return run


@pytest.fixture
def images(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    photograph().save(tmp_path / "images" / "a.png")
    return tmp_path / "images"


def report(folder: Path) -> dict[str, dict[str, object]]:
    return {entry["image"]: entry for entry in json.loads((folder / "report.json").read_text())["images"]}


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_photographs_and_masks_in_one_folder(run_inpaint: RunInpaint, images: Path, tmp_path: Path) -> None:
    mask_of().save(images / "a_mask.png")
    photograph().save(images / "gas_mask.png")
    assert run_inpaint(images, f"--masks={images}", f"--output={tmp_path / 'out'}") == 1
    found = report(tmp_path / "out")
    assert {name: entry["status"] for name, entry in found.items()} == {"a.png": "made", "gas_mask.png": "failed"}
    assert found["gas_mask.png"]["reason"] == f"it has no mask: {images} holds no gas_mask_mask.*"


def test_two_sources_never_share_a_folder(
    run_inpaint: RunInpaint, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    Image.new("RGB", (56, 40), "red").save(other / "a.png")
    out = tmp_path / "out"
    assert run_inpaint(images, f"--output={out}") == 0
    before = (out / "composite" / "a.png").read_bytes()
    for source in (other, other / "a.png"):
        assert run_inpaint(source, f"--output={out}") == 2
        sentence = f"{out} holds other pictures (images {images}, now {other}); name another folder with --output"
        assert sentence in capsys.readouterr().err
    assert (out / "composite" / "a.png").read_bytes() == before
    (tmp_path / "link").symlink_to(images)
    assert run_inpaint(tmp_path / "link", f"--output={out}") == 0, "the same folder by another path"


def test_one_picture_after_another_of_a_folder_stay_in_the_report(
    run_inpaint: RunInpaint, images: Path, tmp_path: Path
) -> None:
    photograph().save(images / "b.png")
    out = tmp_path / "out"
    assert run_inpaint(images / "a.png", f"--output={out}") == 0
    assert run_inpaint(images / "b.png", f"--output={out}") == 0
    assert {name: entry["by"] for name, entry in report(out).items()} == {
        "a.png": "an earlier run",
        "b.png": "this run",
    }


def test_results_are_no_source_of_their_own_folder(
    run_inpaint: RunInpaint, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run_inpaint(images, f"--output={out}") == 0
    before = (out / "composite" / "a.png").read_bytes()
    for source in (out / "composite", out / "composite" / "a.png"):
        assert run_inpaint(source, f"--output={out}") == 2
        assert f"--images {source}: it lies in {out}, which is for masks or results" in capsys.readouterr().err
    assert (out / "composite" / "a.png").read_bytes() == before


def test_files_of_others_in_a_folder_of_results_survive(run_inpaint: RunInpaint, images: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run_inpaint(images, f"--output={out}") == 0
    (out / "composite" / ".ipynb_checkpoints").mkdir()
    mine = [out / "composite" / ".ipynb_checkpoints" / "a.png", out / "composite" / ".notes.txt", out / ".mine"]
    for path in mine:
        path.write_text("mine")
    (out / "composite" / f"{TEMPORARY}half.png").write_text("half a picture")
    assert run_inpaint(images, f"--output={out}") == 0
    assert all(path.read_text() == "mine" for path in mine)
    assert not (out / "composite" / f"{TEMPORARY}half.png").exists()


def unwritable(folder: Path) -> None:
    """Pictures that JPEG, or any format, cannot hold; and one that can be written."""
    exif = Image.Exif()
    exif[0x10F] = "Maker"
    exif.get_ifd(0x8769)[0x927C] = bytes(70_000)
    photograph().save(folder / "exif.png", exif=exif)
    photograph().convert("LA").save(folder / "clear.png")
    Image.new("RGB", (66_000, 8)).save(folder / "wide.png")
    (folder / "gone.png").symlink_to("/nowhere/gone.png")
    Image.fromarray(np.zeros((8, 8), np.float32)).save(folder / "float.tif")


def test_a_picture_that_cannot_be_written_is_one_failure(
    run_inpaint: RunInpaint, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unwritable(images)
    photograph().save(images / "z.png")
    out = tmp_path / "out"
    assert run_inpaint(images, "--format=jpeg", f"--output={out}") == 1
    found = report(out)
    reasons = {name: str(entry["reason"]) for name, entry in found.items() if entry["status"] == "failed"}
    assert set(reasons) == {"exif.png", "clear.png", "wide.png", "gone.png", "float.tif"}
    assert reasons["exif.png"].startswith("JPEG cannot hold it (EXIF data is too long); choose another --format")
    assert reasons["clear.png"] == "JPEG holds no transparency; choose --format png or keep"
    assert reasons["wide.png"].startswith("JPEG cannot hold it (")
    assert reasons["gone.png"] == "it cannot be read (No such file or directory)"
    assert files(out) == {"composite/a.jpg", "composite/z.jpg", "report.json", "settings.json"}
    assert "5 failed, 2 made;" in capsys.readouterr().out


@pytest.mark.parametrize("chosen", ["tiff", "bmp", "png", "webp", "jpeg"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_a_camera_s_photograph_in_every_format(
    orientation: int, chosen: str, run_inpaint: RunInpaint, tmp_path: Path
) -> None:
    (tmp_path / "images").mkdir()
    exif = Image.Exif()
    exif[0x10F], exif[0x112] = "Maker", orientation
    exif[0x11A] = exif[0x11B] = IFDRational(0, 0)
    exif.get_ifd(0x8769)[0x9003] = "2024:01:01 00:00:00"
    photograph().save(tmp_path / "images" / "a.jpg", exif=exif)
    out = tmp_path / "out"
    assert run_inpaint(tmp_path / "images", f"--format={chosen}", f"--output={out}") == 0
    (written,) = (out / "composite").iterdir()
    with Image.open(written) as file:
        if chosen != "bmp":
            assert file.getexif().get_ifd(0x8769)[0x9003] == "2024:01:01 00:00:00"
        file.load()
    assert report(out)["a.jpg"]["size"] == ([56, 40] if orientation == 1 else [40, 56])
    assert (report(out)["a.jpg"]["known_deviation"] == 0) == (chosen != "jpeg")


@pytest.mark.parametrize("masked", [False, True])
def test_names_that_are_no_text(
    masked: bool, run_inpaint: RunInpaint, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.rename(images / "a.png", os.fsencode(images) + b"/caf\xe9.png")
    photograph().save(images / "z.png")
    (images / os.fsdecode(b"\xe9.txt")).touch()
    mask_of().save(tmp_path / "mask.png")
    more = [f"--masks={tmp_path / 'mask.png'}"] if masked else []
    out = tmp_path / os.fsdecode(b"\xe4")
    assert run_inpaint(images, f"--output={out}", "--write=[composite,erased]", *more) == 0
    name = os.fsdecode(b"caf\xe9.png")
    assert set(report(out)) == {name, "z.png"}
    assert (out / "composite" / name).is_file()
    assert "\\udce4: 2 made" in capsys.readouterr().out
    assert run_inpaint(images, f"--output={out}", "--write=[composite,erased]", *more) == 0
    assert "2 found finished" in capsys.readouterr().out


def test_what_is_no_picture_is_counted(
    run_inpaint: RunInpaint, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("b.HEIC", "c.heic", "notes.txt", "d.jfif", "e.gif", "f.pgm"):
        (images / name).touch()
    (images / "more").symlink_to(tmp_path / "other")
    (tmp_path / "other").mkdir()
    photograph().save(tmp_path / "other" / "g.png")
    out = tmp_path / "out"
    assert run_inpaint(images, f"--output={out}") == 1
    assert set(report(out)) == {"a.png", "d.jfif", "e.gif", "f.pgm", "more/g.png"}
    assert json.loads((out / "report.json").read_text())["left_out"] == {".heic": 2, ".txt": 1}
    said = "Left out, as their names are not those of pictures: 2 .heic, 1 .txt"
    assert said in capsys.readouterr().out


def test_a_home_folder_in_an_option(
    run_inpaint: RunInpaint, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    mask_of().save(tmp_path / "mask.png")
    assert run_inpaint(Path("~/images"), "--masks=~/mask.png", "--output=~/out") == 0
    assert (tmp_path / "out" / "composite" / "a.png").is_file()


def in_the_way(kind: str, out: Path) -> Path:
    """Puts something where results should go; returns where they should."""
    if kind == "a file":
        out.write_text("a file")
    elif kind == "below a file":
        out.write_text("a file")
        return out / "deep"
    elif kind == "a link to nothing":
        out.symlink_to("/proc/nowhere")
    else:
        out.mkdir()
        (out / "settings.json").write_text({"empty settings": "", "broken settings": "{", "other settings": "[]"}[kind])
    return out


SENTENCES = {
    "a file": "is a file; name a folder with --output",
    "below a file": "a file is where a folder should be: choose another folder",
    "a link to nothing": "cannot be written",
    "empty settings": "cannot be read (it is empty), so that what its folder holds is unknown; name another folder",
    "broken settings": "cannot be read (Expecting property name",
    "other settings": "holds no settings; name another folder with --output or remove this one",
}


@pytest.mark.parametrize("kind", SENTENCES)
def test_what_is_in_the_way_of_results_gets_a_sentence(
    kind: str, run_inpaint: RunInpaint, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = in_the_way(kind, tmp_path / "out")
    before = files(tmp_path)
    assert run_inpaint(images, f"--output={folder}") == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ")
    assert SENTENCES[kind] in error
    assert files(tmp_path) == before


def test_a_full_disk_ends_the_run_and_it_goes_on_later(
    run_inpaint: RunInpaint, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    Image.fromarray(noise).save(images / "b.png")
    out = tmp_path / "out"
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, former[1]))
    try:
        assert run_inpaint(images, f"--output={out}") == 2
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)
    sentence = f"error: {out / 'composite' / 'b.png'} cannot be written (File too large); make room, or choose another"
    assert sentence in capsys.readouterr().err
    assert files(out) == {".journal.jsonl", "composite/a.png", "settings.json"}
    assert run_inpaint(images, f"--output={out}") == 0
    assert "1 found finished, 1 made" in capsys.readouterr().out
