"""A browser that visits the page of ``demo``, for tests."""

import base64
import io
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from PIL import Image

_FLAGS = (
    "no-sandbox disable-gpu disable-quic no-first-run disable-background-networking disable-component-update "
    "disable-sync"
)


@contextmanager
def browser() -> Iterator[Any]:
    """Chromium, driven by Playwright; the test is skipped where one of them is missing."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        pytest.skip("there is no Chromium here")
    with playwright.sync_playwright() as driver:
        yield driver.chromium.launch(executable_path=path, args=[f"--{flag}" for flag in _FLAGS.split()])


@contextmanager
def visit(started: Any, address: str, width: int = 1280, height: int = 900, **options: Any) -> Iterator[Any]:
    """A page of one visitor; nobody but the server may be asked, and no script may fail.

    Args:
        started: from ``browser``.
        address: of the page.
        width, height: of the window, px.
        options: of Playwright's ``new_context``.
    """
    context = started.new_context(viewport={"width": width, "height": height}, **options)
    page = context.new_page()
    page.set_default_timeout(120_000)
    asked: list[str] = []
    failed: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: failed.append(str(error)))
    page.goto(address)
    try:
        yield page
    finally:
        context.close()
    assert not [url for url in asked if not url.startswith((address, "blob:", "data:"))], "nobody else was asked"
    assert failed == []


def choose_example(page: Any, number: int = 0) -> None:
    """Presses on a picture to choose from and waits until it can be painted on."""
    page.locator("#examples button").nth(number).click()
    ready_to_paint(page)


def ready_to_paint(page: Any) -> None:
    """Waits for the picture that is to be painted on."""
    page.wait_for_selector("#painter [data-ready] canvas")
    page.wait_for_selector("#fill")


def paint(page: Any, start: tuple[float, float] = (0.3, 0.3), end: tuple[float, float] = (0.6, 0.5)) -> None:
    """Draws a stroke; its ends are shares of the picture's width and height."""
    canvas = page.locator("#painter canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    at = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in (start, end)]
    page.mouse.move(*at[0])
    page.mouse.down()
    page.mouse.move(*at[1], steps=6)
    page.mouse.up()


def said(page: Any, line: str, part: str) -> str:
    """Waits until a line says something, and returns all that it says."""
    place = page.locator(f"#{line} .said")
    place.filter(has_text=part).wait_for()
    return str(place.inner_text())


def no_error_stays(page: Any) -> bool:
    """Whether no part of the page says "Error", once messages above it are gone."""
    page.wait_for_selector(".toast-body", state="detached")
    return page.get_by_text("Error", exact=True).filter(visible=True).count() == 0


def pixels_of(url: str) -> np.ndarray:
    """(H, W, 3), uint8, of a data URL."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGB"))
