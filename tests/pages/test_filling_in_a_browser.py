"""Somebody fills a hole on the page: with a mouse, a finger and a keyboard, and with wrong and late input."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lit_an.pages import inpainting_page
from tests.pages.conftest import Site
from tests.pages.visits import browser, choose_example, no_error_stays, paint, pixels_of, ready_to_paint, said, visit
from tests.served_pages import served
from tests.training import free_port

EXAMPLE = Path(inpainting_page.__file__).parent / "examples" / "coast_1.png"


def compared(page: Any) -> list[np.ndarray]:
    """The pictures before and after."""
    page.wait_for_selector("#before_after img.after[src]")
    return [pixels_of(page.get_attribute(f"#before_after img.{name}", "src")) for name in ("before", "after")]


def visits_in(files: Path) -> list[Path]:
    return [path for path in files.rglob("*") if path.is_file()]


def test_somebody_paints_with_a_mouse_and_leaves_nothing(site: Site, tmp_path: Path) -> None:
    with browser() as started, visit(started, site.address) as page:
        page.wait_for_selector("#examples button")
        assert not page.locator("#painter canvas").is_visible(), "no canvas before there is a picture"
        choose_example(page)
        paint(page)
        page.click("#fill")
        assert said(page, "fill_said", "Filled").endswith(" s.")
        before, after = compared(page)
        with page.expect_download() as download:
            page.click("#file")
        download.value.save_as(tmp_path / "filled.png")
        page.get_by_text("Regions of attentive normalization").click()
        page.wait_for_selector("#regions li")
        legend = page.locator("#regions li").all_inner_texts()
        page.screenshot(path=str(tmp_path / "page.png"), full_page=True)  # to look at
        assert visits_in(site.files), "its files are there as long as it is"
        page.goto("about:blank")
        for _ in range(100):
            if not visits_in(site.files):
                break
            page.wait_for_timeout(100)
        assert visits_in(site.files) == [], "nothing is kept of a visit"
    original, filled = (np.asarray(Image.open(path).convert("RGB")) for path in (EXAMPLE, tmp_path / "filled.png"))
    changed = (filled != original).any(-1)
    assert 0.005 < changed.mean() < 0.2, "a stroke, and nothing but a stroke"
    assert np.array_equal(before, original)
    assert np.array_equal(after, filled)
    assert "Region " in legend[0]
    assert legend[0].endswith(" %")


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_and_takes_a_finger(site: Site, scheme: str) -> None:
    options = {"has_touch": True, "is_mobile": True, "color_scheme": scheme}
    with browser() as started, visit(started, site.address, 390, 800, **options) as page:
        page.locator("#examples button").first.tap()
        ready_to_paint(page)
        canvas = page.locator("#painter canvas")
        canvas.scroll_into_view_if_needed()
        box = canvas.bounding_box()
        assert box["width"] == pytest.approx(box["height"], abs=1), "as tall as the picture"
        assert box["width"] > 280
        page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.locator("#fill").tap()
        said(page, "fill_said", "Filled")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, "nothing is wider than the screen"


@pytest.mark.slow
def test_it_can_be_used_with_a_keyboard_alone(site: Site) -> None:
    with browser() as started, visit(started, site.address) as page:
        page.wait_for_selector("#examples button")
        press_until(page, "#examples button")
        page.keyboard.press("Enter")
        ready_to_paint(page)
        press_until(page, "#painter canvas")
        for key in ("ArrowLeft", "ArrowUp", " ", "+", "Shift+ArrowRight", " "):
            page.keyboard.press(key)
        assert page.locator("#painter output").inner_text() == "14 %"
        press_until(page, "#fill")
        page.keyboard.press("Enter")
        said(page, "fill_said", "Filled")
        press_until(page, "#before_after input")
        for _ in range(10):
            page.keyboard.press("ArrowRight")
        assert (
            page.eval_on_selector("#before_after .comparison", "part => part.style.getPropertyValue('--line')") == "60%"
        )


def press_until(page: Any, wanted: str) -> None:
    """Presses Tab until an element has the focus."""
    for _ in range(60):
        if page.evaluate("wanted => document.activeElement?.matches(wanted) ?? false", wanted):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab never reaches {wanted}")


def painted(page: Any) -> float:
    """The share of the picture that is painted over."""
    return float(
        page.eval_on_selector(
            "#painter canvas",
            """canvas => {
                const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
                return pixels.filter((value, at) => at % 4 === 3 && value > 0).length * 4 / pixels.length;
            }""",
        )
    )


@pytest.mark.slow
def test_strokes_can_be_undone_erased_and_cleared(site: Site) -> None:
    with browser() as started, visit(started, site.address) as page:
        choose_example(page)
        paint(page, (0.2, 0.2), (0.8, 0.2))
        first = painted(page)
        paint(page, (0.2, 0.7), (0.8, 0.7))
        both = painted(page)
        assert both > 1.8 * first > 0
        page.click("#painter .undo")
        assert painted(page) == first
        page.click("#painter .erase")
        paint(page, (0.5, 0.1), (0.5, 0.4))
        assert 0.5 * first < painted(page) < first
        page.click("#painter .clear")
        assert painted(page) == 0
        page.click("#fill")
        assert said(page, "fill_said", "aint") == "Paint over the part to fill, then press the button."


@pytest.mark.slow
def test_wrong_input_gets_one_sentence_and_the_page_goes_on(site: Site, tmp_path: Path) -> None:
    for name in ("text.png", "text.txt"):
        (tmp_path / name).write_text("no picture")
    (tmp_path / "heavy.png").write_bytes(bytes(1_200_000))
    Image.new("RGB", (2001, 1500)).save(tmp_path / "huge.png")
    Image.new("L", (300, 4), 128).save(tmp_path / "thin.png")
    with browser() as started, visit(started, site.address) as page:
        page.wait_for_selector("#examples button")
        for name, sentence in (
            ("text.png", "Text.png: it cannot be read as a picture; choose a file such as a PNG or a JPEG."),
            ("text.txt", "Text.txt: it cannot be read as a picture; choose a file such as a PNG or a JPEG."),
            ("huge.png", "Huge.png has 2001×1500 px; this page takes up to 3 million."),
        ):
            page.set_input_files("#upload input[type=file]", str(tmp_path / name))
            assert said(page, "fill_said", name[1:]) == sentence
            assert not page.locator("#painter canvas").is_visible()
            assert no_error_stays(page)
            page.click("#upload [aria-label=Clear]")
        page.set_input_files("#upload input[type=file]", str(tmp_path / "heavy.png"))
        page.wait_for_selector('text=exceed the maximum allowed size of 1.0 Mb: "heavy.png"')
        page.click(".toast-close")
        assert no_error_stays(page)
        choose_example(page, 1)
        page.click("#fill")
        assert said(page, "fill_said", "aint") == "Paint over the part to fill, then press the button."
        page.fill("#painter .size", "60")
        for row in (0.05, 0.3, 0.55, 0.8, 0.95):
            paint(page, (0.0, row), (1.0, row))
        page.click("#fill")
        whole = "The whole picture is painted over; leave some of it unpainted."
        assert said(page, "fill_said", "whole") == whole
        page.click("#painter .undo")
        page.click("#painter .undo")
        page.click("#fill")
        said(page, "fill_said", "Filled")
        page.click("#upload [aria-label=Clear]")
        page.wait_for_selector("#painter canvas", state="hidden")
        assert not page.locator("#before_after img.after").is_visible(), "the result goes with its picture"
        page.set_input_files("#upload input[type=file]", str(tmp_path / "thin.png"))
        ready_to_paint(page)
        paint(page, (0.4, 0.5), (0.5, 0.5))
        page.click("#fill")
        assert said(page, "fill_said", "px") == "It is 300×4 px; the generator takes 8 px a side and more."
        assert no_error_stays(page)


@pytest.mark.slow
def test_late_input(site: Site, tmp_path: Path) -> None:
    """Pressing again while a picture is filled changes nothing; another picture ends it, and its result never comes."""
    write_large(tmp_path / "large.png")
    with browser() as started, visit(started, site.address) as page:
        page.wait_for_selector("#examples button")
        begin_to_fill(page, tmp_path / "large.png")
        page.click("#fill")
        page.click("#fill")
        choose_example(page, 2)
        page.wait_for_timeout(3000)  # in which the former result may come
        assert not page.locator("#before_after img.after").is_visible()
        paint(page)
        page.click("#fill")
        said(page, "fill_said", "Filled")
        before, _ = compared(page)
        assert before.shape == (128, 128, 3)


@pytest.mark.slow
def test_too_many_visitors_are_told_and_can_press_again(tmp_path: Path) -> None:
    pytest.importorskip("gradio", reason="the extra demo is not installed")
    write_large(tmp_path / "large.png")
    options = ("--device=cpu", "--max_waiting=1", f"--port={free_port()}")
    with (
        served(*options, cwd=tmp_path, env={**os.environ, "OMP_NUM_THREADS": "1"}) as (address, _),
        browser() as started,
        visit(started, address) as first,
        visit(started, address) as second,
        visit(started, address) as third,
    ):
        for page in (first, second):
            begin_to_fill(page, tmp_path / "large.png")
        choose_example(third)
        paint(third)
        third.click("#fill")
        third.wait_for_selector("text=This application is currently busy. Please try again.")
        third.click(".toast-close")
        assert no_error_stays(third)
        for page in (first, second):
            page.locator("#examples button").first.click()
            ready_to_paint(page)
        for _ in range(60):
            third.click("#fill")
            third.wait_for_timeout(1000)
            if "Filled" in third.locator("#fill_said .said").inner_text():
                break
        said(third, "fill_said", "Filled")


def write_large(path: Path) -> None:
    """A picture that takes a while to fill."""
    shade = np.linspace(0, 255, 1600, dtype=np.uint8)
    Image.fromarray(np.broadcast_to(shade, (1600, 1600)).copy()).save(path)


def begin_to_fill(page: Any, path: Path) -> None:
    page.set_input_files("#upload input[type=file]", str(path))
    ready_to_paint(page)
    page.wait_for_timeout(500)
    paint(page, (0.05, 0.05), (0.95, 0.95))
    page.click("#fill")
    page.wait_for_selector("#fill_said [data-testid=status-tracker]:not(.hide)")
