"""What the page is made of, without Gradio: holes that were painted, regions, files of visits, and turns."""

import base64
import io
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import ExifTags, Image

from lit_an.errors import InputError
from lit_an.networks import ResNetGenerator
from lit_an.pages.elements import fault, painted_hole, sentence
from lit_an.pages.inpainting_page import thumbnail
from lit_an.pages.region_views import data_url, region_views
from lit_an.pages.session_files import SessionFiles
from lit_an.pages.site import build_site
from lit_an.pages.work import Work
from lit_an.pictures.region_colors import region_palette
from lit_an.trained.checkpoints import Description
from lit_an.trained.generator import TrainedGenerator
from tests.pages.visits import pixels_of


def png(size: tuple[int, int], mode: str = "RGBA", color: object = (230, 0, 126, 255)) -> str:
    content = io.BytesIO()
    Image.new(mode, size, color).save(content, format="PNG")  # type: ignore[arg-type]
    return "data:image/png;base64," + base64.b64encode(content.getbuffer()).decode()


def test_a_painted_hole_is_where_it_is_painted() -> None:
    pixels = np.zeros((4, 6, 4), np.uint8)
    pixels[1, 2:4] = (230, 0, 126, 255)
    pixels[3, 0, 3] = 100  # the soft border of a stroke
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, format="PNG")
    hole = painted_hole("data:image/png;base64," + base64.b64encode(content.getbuffer()).decode())
    assert hole is not None
    assert np.argwhere(hole).tolist() == [[1, 2], [1, 3]]
    assert painted_hole("") is None
    assert painted_hole(png((3, 3), color=(0, 0, 0, 0))) is None


@pytest.mark.parametrize(
    "value", ["nothing", "data:image/png;base64,????", "data:text/plain;base64,AAAA", "a,b,c", png((4097, 1)), 7]
)
def test_what_is_no_painted_hole_gets_a_sentence(value: str) -> None:
    with pytest.raises(InputError, match=r"^the painted hole "):
        painted_hole(value)


def test_regions_have_their_shares_and_colors() -> None:
    strongest = torch.tensor([[0, 0, 2, 2], [0, 0, 2, 1]])
    layout = torch.nn.functional.one_hot(strongest, 5).permute(2, 0, 1)[None].float()
    view = region_views(torch.zeros(1, 3, 20, 40), {"norm": layout})[0]
    assert [(each["index"], each["share"]) for each in view["regions"]] == [(0, 0.5), (2, 0.375), (1, 0.125)]
    assert (view["width"], view["height"]) == (40, 20)
    assert pixels_of(view["map"])[..., 0].tolist() == strongest.tolist()
    colors = region_palette(5)
    assert [each["color"] for each in view["regions"]] == ["#" + bytes(colors[index]).hex() for index in (0, 2, 1)]


def test_a_picture_for_the_page_keeps_its_pixels() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (30, 50, 3), dtype=np.uint8)
    assert np.array_equal(pixels_of(data_url(pixels)), pixels)


def test_the_map_of_a_wide_picture_holds_its_regions() -> None:
    strongest = torch.randint(16, (3, 700), generator=torch.Generator().manual_seed(0))
    layout = torch.nn.functional.one_hot(strongest, 16).permute(2, 0, 1)[None].float()
    view = region_views(torch.zeros(1, 3, 3, 700), {"norm": layout})[0]
    assert pixels_of(view["map"])[..., 0].tolist() == strongest.tolist()


def test_an_example_is_upright_and_over_white(tmp_path: Path) -> None:
    picture = Image.new("RGBA", (30, 20), (0, 0, 0, 0))
    picture.paste((0, 0, 255, 255), (0, 0, 30, 10))
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6  # a quarter turn to the right
    picture.save(tmp_path / "a.png", exif=exif)
    pixels = pixels_of(thumbnail(tmp_path / "a.png", largest=600))
    assert pixels.shape == (30, 20, 3)
    assert (pixels[:, :10] == 255).all()
    assert (pixels[:, 10:] == (0, 0, 255)).all()
    with pytest.raises(InputError, match=r"--examples .*: a.png has 30×20 px"):
        thumbnail(tmp_path / "a.png", largest=599)


def test_sentences_are_text_and_not_markup() -> None:
    assert sentence("a <b>.png", "done.") == "<p>A &lt;b&gt;.png.</p><p>Done.</p>"
    assert fault("<script>") == '<div class="fault"><p>&lt;script&gt;.</p></div>'


def upload(folder: Path, name: str) -> str:
    """As Gradio keeps one: in a folder of its content."""
    (folder / name).mkdir()
    (folder / name / "a.png").write_bytes(b"picture")
    return str(folder / name / "a.png")


def result(kept: SessionFiles, session: str) -> Path:
    with kept.place(session) as place:
        (place / "a.png").write_bytes(b"filled")
    return place


def test_a_visit_leaves_nothing_and_others_keep_theirs(tmp_path: Path) -> None:
    kept = SessionFiles(tmp_path)
    own, shared, example = upload(tmp_path, "own"), upload(tmp_path, "shared"), tmp_path.parent / f"{tmp_path.name}.png"
    example.write_bytes(b"example")
    kept.saw("one", own)
    kept.saw("one", shared)
    assert not Path(own).exists(), "another picture takes its place"
    kept.saw("two", shared)
    places = [result(kept, "one") for _ in range(3)]
    assert [place.exists() for place in places] == [False, True, True]
    for _ in range(3):
        with pytest.raises(InputError, match="paint"), kept.place("one") as failed:
            raise InputError("paint over the part to fill")
        assert not failed.exists()
    assert [place.exists() for place in places] == [False, True, True], "what is shown can still be had"
    others = result(kept, "two")
    kept.forget("one")
    assert not any(place.exists() for place in places)
    assert Path(shared).exists()
    assert others.exists()
    kept.saw("two", str(example))
    assert kept.upload_of("two") == example
    kept.forget("two")
    assert list(tmp_path.iterdir()) == []
    assert example.exists(), "a picture to choose from stays"


def test_one_at_a_time_uses_a_network_and_the_end_waits_for_it() -> None:
    work, inside, go, stopped = Work(), threading.Event(), threading.Event(), []

    def use() -> None:
        with work.part(), work.turn() as go_on:
            inside.set()
            go.wait(30)
            try:
                go_on()
            except InputError:
                stopped.append("at work")

    def wait_for_a_turn() -> None:
        with work.part(), pytest.raises(InputError), work.turn():
            stopped.append("never")

    threads = [threading.Thread(target=use), threading.Thread(target=wait_for_a_turn)]
    threads[0].start()
    inside.wait(30)
    threads[1].start()
    ended = threading.Thread(target=work.end)
    ended.start()
    ended.join(0.1)
    assert ended.is_alive(), "it waits"
    go.set()
    for thread in [ended, *threads]:
        thread.join(30)
        assert not thread.is_alive()
    assert stopped == ["at work"]


def test_work_that_nobody_wants_is_stopped() -> None:
    wanted = [True]
    with Work().turn(lambda: wanted[0]) as go_on:
        go_on()
        wanted[0] = False
        with pytest.raises(InputError, match="another picture"):
            go_on()


@pytest.mark.parametrize("long_range", ["attentive", "none"])
def test_a_site_has_regions_where_the_network_has_some(long_range: str, tmp_path: Path) -> None:
    gradio = pytest.importorskip("gradio", reason="the extra demo is not installed")
    network = ResNetGenerator(32, 2, base_width=2, long_range=long_range, long_range_resolution=16)
    description = Description("lit_an.networks.ResNetGenerator", {}, class_names=("a", "b"), iteration=1)
    page = build_site(gradio, [TrainedGenerator(network, description)], Work(), tmp_path)
    shown = {block.elem_id: block.parent.visible for block in page.blocks.values() if getattr(block, "elem_id", None)}
    assert shown["apply"] == (long_range == "attentive")
    assert "fill" not in shown
