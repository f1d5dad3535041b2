"""Masks, which picture they go with, and what results are called."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lit_an.errors import InputError
from lit_an.inpainting.hole_sources import FromColour, FromFiles, FromShape, Widened
from lit_an.inpainting.pairing import Masks, pictures_in, result_names
from lit_an.inpainting.report import Entry, Report
from lit_an.masks import Rectangle

IMAGE = torch.zeros(1, 3, 20, 30)


def mask_file(path: Path, box: tuple[int, int, int, int] = (4, 5, 10, 9), size: tuple[int, int] = (30, 20)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    mask = Image.new("L", size)
    mask.paste(255, box)
    mask.save(path)
    return path


def of(path: Path, **options: object) -> tuple[torch.Tensor, list[str]]:
    hole = FromFiles(Masks(path), **options).of(Path("a.jpg"), 0, IMAGE)  # type: ignore[arg-type]
    return hole.mask, hole.notes


def test_bright_is_hole_and_inverted_dark(tmp_path: Path) -> None:
    path = mask_file(tmp_path / "a.png")
    mask, notes = of(path)
    assert mask.sum() == 6 * 4 == mask[..., 5:9, 4:10].sum()
    assert notes == []
    inverted, notes = of(path, inverted=True)
    assert torch.equal(inverted, 1 - mask)
    assert notes == [
        f"the mask {path} makes 96% of the picture a hole; if dark is meant to be the hole, say --inverted"
    ]


def test_greys_are_told_and_cut_at_the_threshold(tmp_path: Path) -> None:
    Image.fromarray(np.linspace(0, 255, 600).reshape(20, 30).astype(np.uint8)).save(tmp_path / "a.png")
    mask, notes = of(tmp_path / "a.png", threshold=0.75)
    assert 0.24 < mask.mean() < 0.26
    assert notes == ["80% of the mask a.png is grey; what is brighter than 0.75 of white counts"]


@pytest.mark.parametrize(
    ("size", "box", "sentence"),
    [
        ((31, 20), (0, 0, 5, 5), "is 31×20 px, but the picture 30×20; make them the same size"),
        ((20, 30), (0, 0, 5, 5), "turned it would fit, but masks go with pictures as viewers show them"),
        ((30, 20), (0, 0, 30, 20), "makes all of the picture a hole; if dark is meant to be the hole, say --inverted"),
    ],
)
def test_masks_that_do_not_go_with_the_picture(
    size: tuple[int, int], box: tuple[int, int, int, int], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"the mask .*a\.png ") as error:
        of(mask_file(tmp_path / "a.png", box, size))
    assert sentence in str(error.value)


def test_painted_colour_within_a_tolerance_and_widened() -> None:
    image = IMAGE.clone()
    image[..., 5:9, 4:10] = torch.tensor([1.0, -1.0, 0.9]).view(1, 3, 1, 1)
    assert FromColour("#ff00ff", 16).of(Path("a"), 0, image).mask.sum() == 24
    assert FromColour("magenta", 4).of(Path("a"), 0, image).mask.sum() == 0
    assert Widened(FromColour("#ff00ff"), 2).of(Path("a"), 0, image).mask[..., 3:11, 2:12].sum() == 80
    with pytest.raises(InputError, match="its hole, widened by 30 px, is all of the picture; choose a smaller"):
        Widened(FromColour("#ff00ff"), 30).of(Path("a"), 0, image)
    with pytest.raises(InputError, match="'#ff00f' is no colour; write it like ff00ff or magenta"):
        FromColour("#ff00f")


def test_a_drawn_hole_is_a_function_of_seed_and_name_alone() -> None:
    drawn = [FromShape(Rectangle(), 3).of(Path(name), index, IMAGE).mask for name, index in (("a", 0), ("a", 5))]
    assert torch.equal(*drawn)
    others = [FromShape(Rectangle(), seed).of(Path(name), 0, IMAGE).mask for name, seed in (("b", 3), ("a", 4))]
    assert not any(torch.equal(drawn[0], other) for other in others)


def test_masks_are_called_as_the_pictures(tmp_path: Path) -> None:
    for name in ("a.png", "b_mask.png", "sub/a.gif", "c.png", "c.jpg", "d.png", "d.jpg"):
        mask_file(tmp_path / name)
    masks = Masks(tmp_path)
    found = {
        name: masks.of(Path(name)).relative_to(tmp_path).as_posix() for name in ("a.jpg", "b.jpg", "sub/a.jpg", "c.jpg")
    }
    assert found == {"a.jpg": "a.png", "b.jpg": "b_mask.png", "sub/a.jpg": "sub/a.gif", "c.jpg": "c.jpg"}
    with pytest.raises(InputError, match=r"it has no mask: .* holds neither sub/b\.\* nor sub/b_mask\.\*"):
        masks.of(Path("sub/b.jpg"))
    with pytest.raises(InputError, match=r"it has 2 masks: d.jpg, d.png; keep one"):
        masks.of(Path("d.tif"))


def test_masks_and_results_among_the_pictures_are_no_pictures(tmp_path: Path) -> None:
    for name in ("a.jpg", "a_mask.png", "masks/b.png", "sub/B.PNG", "out/c.png", ".hidden.png", "notes.txt"):
        mask_file((tmp_path / name).with_suffix(".png")).rename(tmp_path / name)
    beside = [tmp_path / "out", tmp_path / "masks", *Masks(tmp_path).beside(tmp_path)]
    assert [path.as_posix() for path in pictures_in(tmp_path, beside)] == ["a.jpg", "sub/B.PNG"]
    with pytest.raises(InputError, match="there is no picture in it"):
        pictures_in(tmp_path / "sub", [tmp_path])
    with pytest.raises(InputError, match="there is no such file or folder"):
        pictures_in(tmp_path / "away")


def test_no_two_results_have_one_name() -> None:
    pictures = [Path(name) for name in ("A.png", "a.jpg", "a.jpg.png", "a.webp", "b.jpeg", "sub/a.jpg")]
    names = result_names(pictures, ".png")
    assert len({str(name).lower() for name in names}) == len(names)
    assert (names[0], names[2], names[4], names[5]) == (
        Path("A.png"),
        Path("a.jpg.png"),
        Path("b.png"),
        Path("sub/a.png"),
    )
    assert result_names(pictures, None) == pictures


def test_a_report_of_a_killed_run_is_read_to_its_last_whole_line(tmp_path: Path) -> None:
    report = Report(tmp_path)
    for name in ("a", "b"):
        (tmp_path / name).write_text("a result")
        report.add(Entry(name, "made", key=name, kinds=["composite"], files=[name]))
    with (tmp_path / ".journal.jsonl").open("a") as journal:
        journal.write('{"image": "c", "status": "ma')
    again = Report(tmp_path)
    assert again.finished("a", "a", ["composite"]) == Entry(
        "a", "made", key="a", kinds=["composite"], files=["a"], by="an earlier run"
    )
    assert again.finished("a", "another key", ["composite"]) is None
    assert again.finished("a", "a", ["composite", "fine"]) is None
    assert again.finished("c", "", []) is None
    (tmp_path / "b").unlink()
    assert again.finished("b", "b", ["composite"]) is None, "its file is gone"
    again.add(Entry("d", "made", key="d"))
    assert Report(tmp_path).finished("d", "d", []) is not None, "the half line takes no other with it"
