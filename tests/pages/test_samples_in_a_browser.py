"""Somebody draws samples on the page, walks between two of them, and edits their regions."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lit_an.norms.region_editing import Move, Region
from lit_an.pictures.panels import to_uint8
from lit_an.sampling.images import sample
from lit_an.sampling.pairs import Sample, pair_with_layouts, pair_with_moved_regions
from lit_an.showcase.models import showcase
from lit_an.trained.exported import load_exported
from tests.pages.conftest import Site
from tests.pages.visits import browser, choose_example, no_error_stays, paint, pixels_of, said, visit

pytestmark = pytest.mark.slow


def open_samples(page: Any) -> None:
    page.get_by_role("tab", name="Samples and regions").click()
    page.wait_for_selector("#grid img")
    page.wait_for_selector("#regions_A li")
    page.wait_for_selector("#regions_B li")


def pictures(page: Any, part: str) -> list[np.ndarray]:
    return [pixels_of(image.get_attribute("src")) for image in page.locator(f"#{part} img").all()]


def shown(image: torch.Tensor) -> np.ndarray:
    return to_uint8(image).permute(1, 2, 0).numpy()


def is_near(one: np.ndarray, other: np.ndarray) -> bool:
    """The same image, made in another batch."""
    return bool(np.abs(one.astype(int) - other).max() <= 1)


def test_samples_a_walk_and_regions(site: Site, tmp_path: Path) -> None:
    generator = load_exported(showcase("class_conditional"))
    with browser() as started, visit(started, site.address) as page:
        open_samples(page)
        for name in ("tropical", "steppe", "cold", "polar"):
            page.get_by_label(name, exact=True).uncheck()
        page.fill("#seed input", "5")
        page.fill("#count input[type=number]", "3")
        page.locator("#count input[type=number]").blur()
        page.click("#draw")
        said(page, "draw_said", "6 images in")
        page.wait_for_function("document.querySelectorAll('#grid img').length === 6")
        grid = pictures(page, "grid")
        expected = sample(generator, [1] * 3 + [3] * 3, [5, 6, 7] * 2)
        assert all(is_near(one, shown(other)) for one, other in zip(grid, expected, strict=True))
        for name in ("desert, seed 6", "temperate, seed 7"):
            page.get_by_role("button", name=name).click()
        page.wait_for_function("document.querySelector('#seed_B input').value === '7'")
        for _ in range(100):
            walk = pictures(page, "walk")
            if is_near(walk[0], grid[1]) and is_near(walk[-1], grid[5]):
                break
            page.wait_for_timeout(100)
        assert is_near(walk[0], grid[1])
        assert is_near(walk[-1], grid[5])
        assert len(walk) == 9
        pair = [Sample(1, 6), Sample(3, 7)]
        before, layouts = pair_with_layouts(generator, pair)
        largest = [int(layout.argmax(0).flatten().bincount(minlength=16).argmax()) for layout in layouts["long_range"]]
        for letter, region in zip("AB", largest, strict=True):
            chosen = page.locator(f"#regions_{letter} button[aria-pressed=true]")
            assert chosen.inner_text().startswith(f"Region {region}, "), "at first, the largest"
        page.locator("#regions_A li button").nth(1).click()
        second = int(page.locator("#regions_A li button").nth(1).get_attribute("data-index"))
        page.get_by_label("A's region gets the statistics of B's").check()
        page.click("#apply")
        said(page, "edit_said", f"Region {second} of A and region {largest[1]} of B")
        page.wait_for_selector("#edited_A img.after[src]")
        after = pixels_of(page.get_attribute("#edited_A img.after", "src"))
        moves = [Move(Region(1, largest[1]), Region(0, second))]
        edited = pair_with_moved_regions(generator, pair, "long_range", moves, share=0.7)
        assert is_near(after, shown(edited[0]))
        assert not is_near(after, shown(before[0]))
        assert not page.locator("#edited_B img.after").is_visible()
        page.screenshot(path=str(tmp_path / "page.png"), full_page=True)  # to look at


def test_wrong_input_gets_one_sentence_and_the_page_goes_on(site: Site) -> None:
    with browser() as started, visit(started, site.address) as page:
        open_samples(page)
        for name in ("tropical", "desert", "steppe", "temperate", "cold", "polar"):
            page.get_by_label(name, exact=True).uncheck()
        page.click("#draw")
        assert said(page, "draw_said", "hoose") == "Choose at least one class."
        for name in ("tropical", "desert", "steppe", "temperate", "cold", "polar"):
            page.get_by_label(name, exact=True).check()
        page.fill("#count input[type=number]", "12")
        page.locator("#count input[type=number]").blur()
        page.click("#draw")
        sentence = "This page draws up to 64 images at once; choose fewer classes or images per class."
        assert said(page, "draw_said", "64") == sentence
        page.fill("#seed input", "-1")
        page.fill("#count input[type=number]", "2")
        page.locator("#count input[type=number]").blur()
        page.click("#draw")
        assert said(page, "draw_said", "seed") == "The seed must be a whole number from 0 to 2147483647."
        page.fill("#seed_A input", "-7")
        page.locator("#seed_A input").blur()
        assert said(page, "pair_said", "seed") == "The seed of A must be a whole number from 0 to 2147483647."
        page.fill("#seed_A input", "7")
        page.locator("#seed_A input").blur()
        page.wait_for_function("document.querySelector('#pair_said .said').innerText === ''")
        page.fill("#seed input", "1")
        page.click("#draw")
        said(page, "draw_said", "12 images in")
        assert no_error_stays(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_fault(site: Site, scheme: str) -> None:
    """The checks of axe-core for everybody who does not see or point: LIT_AN_AXE names its axe.min.js."""
    script = os.environ.get("LIT_AN_AXE")
    if script is None:
        pytest.skip("LIT_AN_AXE names no axe.min.js (npm pack axe-core)")
    check = "async () => (await axe.run()).violations.map(found => [found.impact, found.id, found.nodes[0].html])"
    with browser() as started, visit(started, site.address, color_scheme=scheme) as page:
        page.evaluate(Path(script).read_text())
        choose_example(page)
        paint(page)
        page.click("#fill")
        said(page, "fill_said", "Filled")
        for title in ("Regions of attentive normalization", "Both stages of the network"):
            page.get_by_text(title).click()
        page.wait_for_selector("#regions li")
        assert page.evaluate(check) == []
        open_samples(page)
        page.get_by_label("They swap").check()
        page.click("#apply")
        page.wait_for_selector("#edited_B img.after[src]")
        page.wait_for_timeout(1000)  # until nothing fades any more
        assert page.evaluate(check) == []
