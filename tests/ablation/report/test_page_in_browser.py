"""The page in a browser: on a phone, enlarged pictures, in print, with nothing asked of others."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("scipy", reason="the extra 'ablation' is not installed")
pytest.importorskip("matplotlib", reason="the extra 'ablation' is not installed")

from lit_an.ablation.analysis.study import study_of
from lit_an.ablation.report.files import write_report
from tests.ablation.small_studies import write_runs

pytestmark = pytest.mark.slow  # a browser takes a minute on a busy machine
WIDER_THAN_THE_PAGE = """() => [...document.querySelectorAll('main *')].filter(
  e => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest('.scroll') && !e.closest('.unseen')
).map(e => e.outerHTML.slice(0, 80))"""


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("browser")
    return write_report(study_of(write_runs(place / "runs")), place / "report")[0]


@pytest.fixture
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        pytest.skip("there is no Chromium here")
    flags = ("no-sandbox", "disable-gpu", "no-first-run", "disable-background-networking", "disable-component-update")
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=chromium, args=[f"--{flag}" for flag in flags])
        yield found
        found.close()


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wider_than_the_page_but_tables_in_their_frames(width: int, page_file: Path, browser: Any) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900})
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(page_file.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(WIDER_THAN_THE_PAGE) == []
    assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []


def test_a_picture_is_enlarged_by_mouse_and_keyboard(page_file: Path, browser: Any) -> None:
    page = browser.new_page(viewport={"width": 1000, "height": 800})
    page.goto(page_file.as_uri())
    picture = page.locator(".zoom img").first
    before = picture.bounding_box()
    picture.click()
    assert picture.bounding_box() == {"x": 0, "y": 0, "width": 1000, "height": 800}
    picture.click()
    assert picture.bounding_box()["width"] == before["width"]
    page.locator(".zoom input").first.focus()
    page.keyboard.press("Space")
    assert picture.bounding_box()["width"] == 1000


def test_it_prints_on_white(page_file: Path, browser: Any) -> None:
    page = browser.new_page(color_scheme="dark")
    page.goto(page_file.as_uri())
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)" != dark
    printed = page.pdf(prefer_css_page_size=True)
    assert 2 <= len(re.findall(rb"/Type\s*/Page\b", printed)) <= 12
