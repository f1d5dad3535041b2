"""``inpaint`` on the command line: folders of real files, killed runs, second runs."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import cli
from lit_an.files import TEMPORARY
from lit_an.inpainting import load_inpainter, read_picture, to_model
from lit_an.inpainting.tiling import Tiling, inpaint
from lit_an.networks import CoarseToFineGenerator
from lit_an.pictures.panels import to_uint8
from tests.commands.photographs_with_holes import mask_of, photograph
from tests.killed_runs import kill_once_written


def run_inpaint(checkpoint: Path, *more: object) -> int:
    return cli.main(["inpaint", *(str(each) for each in more), f"--ckpt_path={checkpoint}", "--device=cpu"])


def report(folder: Path) -> dict[str, dict[str, object]]:
    entries = json.loads((folder / "report.json").read_text())["images"]
    return {entry["image"]: entry for entry in entries}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as file:
        return np.asarray(file.convert("RGB")).astype(int)


def test_composites_keep_names_sizes_formats_and_known_pixels(
    checkpoint: Path, folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    images, masks = folders
    assert run_inpaint(checkpoint, f"--images={images}", f"--masks={masks}") == 0
    folder = checkpoint.parents[1] / "predictions" / "iteration_0000007"
    said = capsys.readouterr().out
    assert f"The pictures are in {folder}: 3 made; report.json says more" in said
    assert "JPEG files were encoded again: known pixels differ by up to" in said
    assert set(contents(folder)) == {
        "composite/a.png",
        "composite/b.jpg",
        "composite/sub/a.tif",
        "report.json",
        "settings.json",
    }
    known = np.asarray(mask_of()) == 0
    inpainter = load_inpainter(checkpoint)
    for name in ("a.png", "sub/a.tif"):
        before, after = pixels(images / name), pixels(folder / "composite" / name)
        assert np.array_equal(after[known], before[known])
        image = to_model(read_picture(images / name))
        mask = torch.from_numpy(~known).float()[None, None]
        fine = to_uint8(inpaint(inpainter, image, mask).inpainted.fine[0]).permute(1, 2, 0).numpy()
        assert np.abs(after[~known] - fine[~known]).max() <= 1
        assert report(folder)[name]["known_deviation"] == 0
    entry = report(folder)["b.jpg"]
    assert entry["known_deviation"] > 0  # type: ignore[operator]
    assert (entry["size"], entry["tiles"], entry["status"]) == ([56, 40], 1, "made")
    assert entry["hole_share"] == pytest.approx(240 / 2240, abs=1e-6)


def test_all_that_can_be_written(checkpoint: Path, folders: tuple[Path, Path], tmp_path: Path) -> None:
    images, masks = folders
    more = ["--write=[composite,coarse,fine,erased,layouts]", "--format=png", f"--output={tmp_path / 'out'}"]
    assert run_inpaint(checkpoint, f"--images={images}", f"--masks={masks}", *more) == 0
    names = {"a", "b", "sub/a"}
    expected = {f"{kind}/{name}.png" for kind in ("composite", "coarse", "fine", "erased") for name in names}
    expected |= {f"layouts/{name}.long_range.png" for name in names}
    assert set(contents(tmp_path / "out")) == expected | {"report.json", "settings.json"}
    hole = np.asarray(mask_of()) > 0
    out = tmp_path / "out"
    assert np.array_equal(pixels(out / "composite/b.png")[~hole], pixels(images / "b.jpg")[~hole]), "in PNG to the bit"
    assert np.array_equal(pixels(out / "composite/a.png")[hole], pixels(out / "fine/a.png")[hole])
    assert set(pixels(out / "erased/a.png")[hole].ravel()) == {128}
    assert not np.array_equal(pixels(out / "coarse/a.png"), pixels(out / "fine/a.png"))
    # Image and colors of 3 × 56 px, and three maps in two rows.
    assert pixels(out / "layouts/a.long_range.png").shape[1] == 2 * (168 + 2) + 2 * 83 + 2


def test_a_second_run_makes_what_changed_alone(
    checkpoint: Path, folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images, masks = folders
    out = tmp_path / "out"
    argv = [f"--images={images}", f"--masks={masks}", f"--output={out}"]
    assert run_inpaint(checkpoint, *argv) == 0
    before = {path: path.stat().st_mtime_ns for path in (out / "composite").rglob("*.*")}
    assert run_inpaint(checkpoint, *argv) == 0
    assert "3 found finished;" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in before} == before
    photograph().save(images / "a.png")
    mask_of().rotate(180).save(masks / "sub" / "a.png")
    photograph().save(images / "new.bmp")
    mask_of().save(masks / "new.png")
    assert run_inpaint(checkpoint, *argv) == 0
    assert "1 found finished, 3 made;" in capsys.readouterr().out
    changed = {path.name for path, then in before.items() if path.stat().st_mtime_ns != then}
    assert changed == {"a.png", "a.tif"}
    assert report(out)["b.jpg"]["by"] == "an earlier run"
    (out / "composite" / "b.jpg").unlink()
    (out / "composite" / f"{TEMPORARY}x1y2.jpg").write_bytes(b"half a file")  # as a killed run leaves it
    assert run_inpaint(checkpoint, *argv, "--write=[composite,fine]") == 0
    assert "4 made;" in capsys.readouterr().out
    assert {path.name for path in (out / "composite").iterdir()} == {"a.png", "b.jpg", "new.bmp", "sub"}
    assert run_inpaint(checkpoint, *argv, "--format=png") == 2
    assert "holds other pictures (format keep, now png); name another folder with --output" in capsys.readouterr().err


def test_the_report_keeps_the_kinds_of_earlier_runs(
    checkpoint: Path, folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images, masks = folders
    argv = [f"--images={images}", f"--masks={masks}", f"--output={tmp_path / 'out'}"]
    assert run_inpaint(checkpoint, *argv) == 0
    alone = report(tmp_path / "out")["b.jpg"]
    assert run_inpaint(checkpoint, *argv, "--write=[fine]") == 0
    both = report(tmp_path / "out")["b.jpg"]
    assert (both["kinds"], both["files"]) == (["composite", "fine"], ["composite/b.jpg", "fine/b.png"])
    assert both["known_deviation"] == alone["known_deviation"] > 0  # type: ignore[operator]
    for kind in ("composite", "fine"):
        assert run_inpaint(checkpoint, *argv, f"--write=[{kind}]") == 0
    assert capsys.readouterr().out.count("3 found finished;") == 2
    mask_of().rotate(180).save(masks / "b.png")
    assert run_inpaint(checkpoint, *argv, "--write=[fine]") == 0
    assert report(tmp_path / "out")["b.jpg"]["files"] == ["fine/b.png"], "the composite is of another hole"


def test_failures_stop_nothing_and_are_told(
    checkpoint: Path, folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images, masks = folders
    (images / "broken.png").write_bytes((images / "a.png").read_bytes()[:300])
    photograph().convert("CMYK").save(images / "cmyk.jpg")
    photograph(30, 30).save(images / "size.png")
    photograph().save(images / "unmasked.png")
    for name in ("broken", "cmyk", "size"):
        mask_of().save(masks / f"{name}.png")
    out = tmp_path / "out"
    argv = [f"--images={images}", f"--masks={masks}", f"--output={out}"]
    assert run_inpaint(checkpoint, *argv) == 1
    shown = capsys.readouterr()
    assert "4 failed, 3 made;" in shown.out
    for name, reason in {
        "broken.png": "it cannot be read",
        "cmyk.jpg": "its colors are CMYK; give it in RGB or gray",
        "size.png": f"the mask {masks / 'size.png'} is 56×40 px, but the picture 30×30; make them the same size",
        "unmasked.png": f"it has no mask: {masks} holds neither unmasked.* nor unmasked_mask.*",
    }.items():
        assert f"failed: {name}: {reason}" in shown.err
        assert reason in str(report(out)[name]["reason"])
    photograph().save(images / "broken.png")
    assert run_inpaint(checkpoint, *argv) == 1
    assert "3 failed, 3 found finished, 1 made;" in capsys.readouterr().out


def test_an_empty_mask_copies_the_very_file(
    checkpoint: Path, folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images, masks = folders
    Image.new("L", (56, 40)).save(masks / "b.png")
    out = tmp_path / "out"
    argv = [f"--images={images}", f"--masks={masks}"]
    assert run_inpaint(checkpoint, *argv, f"--output={out}") == 0
    assert (out / "composite" / "b.jpg").read_bytes() == (images / "b.jpg").read_bytes()
    entry = report(out)["b.jpg"]
    assert (entry["status"], entry["notes"]) == ("copied", ["there is no hole in it: copied"])
    assert "\nnote: b.jpg: there is no hole in it: copied\n" in capsys.readouterr().out
    assert run_inpaint(checkpoint, *argv, f"--output={tmp_path / 'stages'}", "--write=[coarse]") == 0
    assert report(tmp_path / "stages")["b.jpg"]["notes"] == ["there is no hole in it"]
    assert run_inpaint(checkpoint, *argv, f"--output={tmp_path / 'png'}", "--format=png") == 0
    assert np.array_equal(pixels(tmp_path / "png" / "composite" / "b.png"), pixels(images / "b.jpg"))


def test_one_picture_one_mask_and_painted_holes(checkpoint: Path, tmp_path: Path) -> None:
    photograph().save(tmp_path / "a.png")
    mask_of().save(tmp_path / "hole.png")
    argv = [f"--images={tmp_path / 'a.png'}", f"--masks={tmp_path / 'hole.png'}", "--dilate=2"]
    assert run_inpaint(checkpoint, *argv, f"--output={tmp_path / 'one'}") == 0
    assert report(tmp_path / "one")["a.png"]["hole_share"] == pytest.approx(24 * 16 / 2240, abs=1e-6)

    painted = photograph()
    painted.paste((255, 0, 255), (10, 8, 30, 20))
    (tmp_path / "painted").mkdir()
    painted.save(tmp_path / "painted" / "a.png")
    argv = [f"--images={tmp_path / 'painted'}", "--color_key=#ff00ff", "--tolerance=0"]
    assert run_inpaint(checkpoint, *argv, f"--output={tmp_path / 'two'}") == 0
    after = pixels(tmp_path / "two" / "composite" / "a.png")
    hole = np.asarray(mask_of()) > 0
    assert np.array_equal(after[~hole], pixels(tmp_path / "painted" / "a.png")[~hole])
    assert not (after[hole] == (255, 0, 255)).all(-1).any()


def test_drawn_holes_with_arguments_of_their_own(checkpoint: Path, folders: tuple[Path, Path], tmp_path: Path) -> None:
    images, _ = folders
    shape = ["--hole_shape=lit_an.masks.Strokes", "--hole_shape.thickness=thick"]
    for name, seed in (("one", 1), ("again", 1), ("other", 2)):
        more = [f"--output={tmp_path / name}", f"--seed={seed}", "--write=[erased]"]
        assert run_inpaint(checkpoint, f"--images={images}", *shape, *more) == 0
    one, again, other = (contents(tmp_path / name / "erased") for name in ("one", "again", "other"))
    assert one == again
    assert all(one[name] != other[name] for name in one)
    assert "thickness='thick'" in str(report(tmp_path / "one")["a.png"]["mask"])


def test_large_pictures_go_in_tiles(checkpoint: Path, tmp_path: Path) -> None:
    photograph(150, 220).save(tmp_path / "a.png")
    mask = Image.new("L", (220, 150))
    mask.paste(255, (20, 20, 200, 60))
    mask.save(tmp_path / "hole.png")
    argv = [f"--images={tmp_path / 'a.png'}", f"--masks={tmp_path / 'hole.png'}", "--write=[composite,layouts]"]
    assert run_inpaint(checkpoint, *argv, f"--output={tmp_path / 'out'}", "--max_pixels=4096") == 0
    entry = report(tmp_path / "out")["a.png"]
    assert entry["tiles"] == 10
    assert "no region maps: it was made in tiles, each with its own" in entry["notes"]  # type: ignore[operator]
    before, after = pixels(tmp_path / "a.png"), pixels(tmp_path / "out" / "composite" / "a.png")
    hole = np.asarray(mask) > 0
    assert np.array_equal(after[~hole], before[~hole])
    tensor = torch.from_numpy(hole).float()[None, None]
    made = inpaint(load_inpainter(checkpoint), to_model(read_picture(tmp_path / "a.png")), tensor, Tiling(4096))
    expected = to_uint8(made.inpainted.fine[0]).permute(1, 2, 0).numpy()[hole]
    # A value between two levels falls to either side with the last bits of a sum; why they differ here is not known.
    difference = np.abs(after[hole].astype(int) - expected)
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.01


def test_killed_and_run_again_the_files_are_those_of_a_run_in_one_go(checkpoint: Path, tmp_path: Path) -> None:
    """A real process, killed without a chance to tidy up."""
    (tmp_path / "images").mkdir()
    for index in range(40):
        photograph(120, 120).save(tmp_path / "images" / f"{index:02d}.png")
    shape = ["--hole_shape=lit_an.masks.Center", "--device=cpu", f"--ckpt_path={checkpoint}"]
    argv = ["inpaint", f"--images={tmp_path / 'images'}", *shape]
    broken = tmp_path / "broken"
    kill_once_written([*argv, f"--output={broken}"], broken / "composite" / "05.png")
    finished = {path: path.stat().st_mtime_ns for path in (broken / "composite").glob("[0-9]*.png")}
    assert 5 < len(finished) < 40
    assert not (broken / "report.json").exists()
    assert cli.main([*argv, f"--output={broken}"]) == 0
    assert cli.main([*argv, f"--output={tmp_path / 'whole'}"]) == 0
    assert contents(broken / "composite") == contents(tmp_path / "whole" / "composite")
    kept = [path for path, then in finished.items() if path.stat().st_mtime_ns == then]
    assert len(kept) >= len(finished) - 1, "all but the one that was being written"


def test_the_published_generator_from_its_checkpoint(tmp_path: Path) -> None:
    network = CoarseToFineGenerator(width=2, long_range_kwargs={"num_regions": 4})
    (tmp_path / "checkpoints").mkdir()
    state = {f"generator.{name}": value for name, value in network.state_dict().items()}
    torch.save({"state_dict": state}, tmp_path / "checkpoints" / "last.ckpt")
    arguments = "{width: 2, long_range_kwargs: {num_regions: 4}}"
    generator = f"{{class_path: lit_an.networks.CoarseToFineGenerator, init_args: {arguments}}}"
    (tmp_path / "config.yaml").write_text(
        f"model:\n  class_path: lit_an.tasks.InpaintingGAN\n  init_args:\n    generator: {generator}\n"
    )
    photograph(37, 51).save(tmp_path / "a.png")
    argv = [f"--images={tmp_path / 'a.png'}", "--hole_shape=lit_an.masks.Center", "--write=[composite,layouts]"]
    assert run_inpaint(tmp_path / "checkpoints" / "last.ckpt", *argv, f"--output={tmp_path / 'out'}") == 0
    assert pixels(tmp_path / "out" / "composite" / "a.png").shape == (37, 51, 3)
    assert len(list((tmp_path / "out" / "layouts").iterdir())) == 1
