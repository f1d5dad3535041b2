"""Masks, which picture they go with, and what results are called."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lit_an.errors import InputError
from lit_an.inpainting.hole_sources import DilatedHoles, HolesFromColor, HolesFromFiles, HolesFromShape
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
    hole = HolesFromFiles(Masks(path, Path("images")), **options).of(Path("a.jpg"), 0, IMAGE)  # type: ignore[arg-type]
    return hole.mask, hole.notes


def test_bright_is_hole_and_inverted_dark(tmp_path: Path) -> None:
    path = mask_file(tmp_path / "a.png")
    mask, notes = of(path)
    assert mask.sum() == 6 * 4 == mask[..., 5:9, 4:10].sum()
    assert notes == []
    inverted, notes = of(path, inverted=True)
    assert torch.equal(inverted, 1 - mask)
    assert notes == [
        f"the mask {path} makes 96% of the picture a hole; if bright is meant to be the hole, omit --inverted"
    ]


def test_grays_are_told_and_cut_at_the_threshold(tmp_path: Path) -> None:
    Image.fromarray(np.linspace(0, 255, 600).reshape(20, 30).astype(np.uint8)).save(tmp_path / "a.png")
    mask, notes = of(tmp_path / "a.png", threshold=0.75)
    assert 0.24 < mask.mean() < 0.26
    assert notes == ["80% of the mask a.png is gray; what is brighter than 0.75 of white counts"]


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


def test_painted_color_within_a_tolerance_and_widened() -> None:
    image = IMAGE.clone()
    image[..., 5:9, 4:10] = torch.tensor([1.0, -1.0, 0.9]).view(1, 3, 1, 1)
    assert HolesFromColor("#ff00ff", 16).of(Path("a"), 0, image).mask.sum() == 24
    assert HolesFromColor("magenta", 4).of(Path("a"), 0, image).mask.sum() == 0
    assert DilatedHoles(HolesFromColor("#ff00ff"), 2).of(Path("a"), 0, image).mask[..., 3:11, 2:12].sum() == 80
    with pytest.raises(InputError, match="its hole, dilated by 30 px, covers the whole picture; choose a smaller"):
        DilatedHoles(HolesFromColor("#ff00ff"), 30).of(Path("a"), 0, image)
    with pytest.raises(InputError, match="'#ff00f' is not a color; write it like ff00ff or magenta"):
        HolesFromColor("#ff00f")


def test_a_drawn_hole_is_a_function_of_seed_and_name_alone() -> None:
    drawn = [HolesFromShape(Rectangle(), 3).of(Path(name), index, IMAGE).mask for name, index in (("a", 0), ("a", 5))]
    assert torch.equal(*drawn)
    others = [HolesFromShape(Rectangle(), seed).of(Path(name), 0, IMAGE).mask for name, seed in (("b", 3), ("a", 4))]
    assert not any(torch.equal(drawn[0], other) for other in others)


def test_masks_are_called_as_the_pictures(tmp_path: Path) -> None:
    for name in ("a.png", "b_mask.png", "sub/a.gif", "c.png", "c.jpg", "d.png", "d.jpg"):
        mask_file(tmp_path / name)
    masks = Masks(tmp_path, Path("images"))
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
    beside = [tmp_path / "out", tmp_path / "masks", *Masks(tmp_path, tmp_path).beside()]
    found = pictures_in(tmp_path, beside)
    assert [path.as_posix() for path in found.images] == ["a.jpg", "sub/B.PNG"]
    assert found.left_out == {".txt": 1}
    for path in (tmp_path / "out", tmp_path / "out" / "c.png"):
        with pytest.raises(InputError, match=r"it lies in .*out, which is for masks or results; give two"):
            pictures_in(path, [tmp_path / "out"])
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "a.heic").touch()
    with pytest.raises(InputError, match=r"there is no picture in it; it holds 1 \.heic$"):
        pictures_in(tmp_path / "text")
    with pytest.raises(InputError, match="there is no such file or folder"):
        pictures_in(tmp_path / "away")


def test_a_picture_is_never_its_own_mask(tmp_path: Path) -> None:
    for name in ("a.png", "a_mask.png", "b.png", "c.png", "c.jpg"):
        mask_file(tmp_path / "images" / name)
    (tmp_path / "same").symlink_to(tmp_path / "images")
    (tmp_path / "masks").mkdir()
    (tmp_path / "masks" / "b.png").symlink_to(tmp_path / "images" / "b.png")
    (tmp_path / "masks" / "c.png").hardlink_to(tmp_path / "images" / "c.png")
    images = tmp_path / "images"
    for root in (images, tmp_path / "same"):
        masks = Masks(root, images)
        assert masks.of(Path("a.png")).name == "a_mask.png"
        for name in ("b", "c"):
            with pytest.raises(InputError, match=rf"it has no mask: .* holds no {name}_mask\.\*"):
                masks.of(Path(f"{name}.png"))
    for name in ("b", "c"):
        with pytest.raises(InputError, match=r"holds neither .*, and a picture is not its own mask"):
            Masks(tmp_path / "masks", images).of(Path(f"{name}.png"))
    with pytest.raises(InputError, match=r"it has no mask: .* is the picture itself"):
        Masks(tmp_path / "masks" / "b.png", images / "b.png").of(Path("b.png"))


def test_of_names_that_end_in_mask_those_beside_their_picture_are_masks(tmp_path: Path) -> None:
    for name in ("b.png", "b_mask.png", "gas_mask.jpg", "gas_mask_mask.png", "lonely_mask.png"):
        mask_file((tmp_path / name).with_suffix(".png")).rename(tmp_path / name)
    masks = Masks(tmp_path, tmp_path)
    pictures = pictures_in(tmp_path, masks.beside()).images
    assert [path.name for path in pictures] == ["b.png", "gas_mask.jpg", "lonely_mask.png"]
    assert masks.of(Path("gas_mask.jpg")).name == "gas_mask_mask.png"
    with pytest.raises(InputError, match="it has no mask"):
        masks.of(Path("lonely_mask.png"))


def test_one_name_in_two_forms_is_one_name(tmp_path: Path) -> None:
    mask_file(tmp_path / "cafe\u0301_mask.png")
    masks = Masks(tmp_path, Path("images"))
    assert masks.of(Path("caf\u00e9.jpg")) == tmp_path / "cafe\u0301_mask.png"
    mask_file(tmp_path / "e\u0301.png")
    exactly = mask_file(tmp_path / "\u00e9.png")
    assert Masks(tmp_path, Path("images")).of(Path("\u00e9.png")) == exactly
    names = result_names([Path("\u00e9.jpg"), Path("e\u0301.jpg")], ".png")
    assert names == [Path("\u00e9.jpg.png"), Path("e\u0301.jpg_.png")], "macOS would take them for one"


def test_masks_of_zero_and_one_and_masks_too_dark_are_told(tmp_path: Path) -> None:
    levels = np.zeros((20, 30), np.uint8)
    levels[5:9, 4:10] = 1
    Image.fromarray(levels).save(tmp_path / "a.png")
    mask, notes = of(tmp_path / "a.png")
    assert mask.sum() == 6 * 4 == mask[..., 5:9, 4:10].sum()
    assert notes == ["the mask a.png has the values 0 and 1 alone: 1 was taken for white"]
    Image.fromarray(levels * 100).save(tmp_path / "a.png")
    with pytest.raises(
        InputError, match=r"nothing brighter than 0.5 of white: its brightest pixel is 100 of 255; save"
    ):
        of(tmp_path / "a.png")
    assert of(tmp_path / "a.png", threshold=0.3)[0].sum() == 24
    Image.fromarray(levels * 5).save(tmp_path / "a.png")
    assert of(tmp_path / "a.png")[1] == ["the brightest pixel of the mask a.png is 5 of 255"]
    Image.fromarray(levels * 0).save(tmp_path / "a.png")
    assert of(tmp_path / "a.png")[1] == []


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


def test_in_a_folder_of_its_own_a_mask_that_is_called_as_its_picture_comes_first(tmp_path: Path) -> None:
    images, masks = tmp_path / "images", tmp_path / "masks"
    for path in (images / "gas.png", images / "gas_mask.png", images / "sea.png"):
        mask_file(path, size=(10, 10))
    for name in ("gas.png", "gas_mask.png", "sea.png", "sea_mask.png"):
        mask_file(masks / name)
    of = Masks(masks, images).of
    assert [of(Path(name)).name for name in ("gas.png", "gas_mask.png")] == ["gas.png", "gas_mask.png"]
    with pytest.raises(InputError, match=r"it has 2 masks: sea\.png, sea_mask\.png; keep one"):
        of(Path("sea.png"))
    with pytest.raises(InputError, match=r"it has 2 masks: gas\.png, gas_mask\.png; keep one"):
        Masks(masks, images / "gas.png").of(Path("gas.png"))


def test_where_dark_is_hole_the_way_back_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("L", (30, 20)).save(path)
    with pytest.raises(
        InputError, match="makes all of the picture a hole; if bright is meant to be the hole, omit --in"
    ):
        of(path, inverted=True)
