"""The page: its server as a real process, asked over HTTP and, where there is a browser, painted on with a mouse."""

import io
import os
import re
import shutil
import socket
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import cli
from tests.commands.photographs_with_holes import photograph
from tests.inpainting.small_inpainter import write_run
from tests.served_pages import served
from tests.training import free_port

ROOT = Path(__file__).parents[2]
SIZE = (120, 180)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    write_run(folder / "run")
    (folder / "examples").mkdir()
    photograph(*SIZE).save(folder / "examples" / "an_example.png")
    photograph(*SIZE).save(folder / "a.png")
    photograph(*SIZE).save(folder / "b.jpg")
    Image.new("RGB", (201, 200)).save(folder / "large.png")
    (folder / "broken.png").write_bytes(b"no picture")
    (folder / "files").mkdir()
    return folder


@pytest.fixture(scope="module")
def address(place: Path) -> Iterator[str]:
    """The server, started once as somebody starts it, ended as somebody ends it: Ctrl-C, exit code 0, files gone."""
    pytest.importorskip("gradio", reason="the extra demo is not installed")
    argv = [f"--ckpt_path={place / 'run/checkpoints/last.ckpt'}", f"--examples={place / 'examples'}", "--device=cpu"]
    argv += ["--max_picture=40000", "--max_file_size=100kb", f"--port={free_port()}"]
    environment = {**os.environ, "TMPDIR": str(place / "files"), "OMP_NUM_THREADS": "1"}
    with served(*argv, env=environment) as (found, _):
        yield found
    assert list((place / "files").iterdir()) == [], "no picture of anybody stays"


@pytest.fixture(scope="module")
def client(address: str) -> Any:
    from gradio_client import Client

    return Client(address, verbose=False)


def painting(folder: Path) -> Path:
    """What was painted: a rectangle, on nothing, as an image editor sends it."""
    layer = np.zeros((*SIZE, 4), np.uint8)
    layer[20:40, 30:50] = (255, 0, 255, 255)
    Image.fromarray(layer).save(folder / "layer.png")
    return folder / "layer.png"


def ask(client: Any, picture: Path, *layers: Path) -> Any:
    from gradio_client import handle_file

    files = [handle_file(str(layer)) for layer in layers]
    value = {"background": None, "layers": files, "composite": None}
    return client.predict(handle_file(str(picture)), value, api_name="/fill")


def shown(image: Any) -> np.ndarray:
    return np.asarray(Image.open(image["path"] if isinstance(image, dict) else image).convert("RGB"))


def test_what_was_painted_over_is_filled_and_the_rest_as_it_was(client: Any, place: Path, tmp_path: Path) -> None:
    composite, coarse, fine, regions, file, notes = ask(client, place / "a.png", painting(tmp_path))
    before, after = shown(place / "a.png"), shown(composite)
    hole = np.zeros(SIZE, np.bool_)
    hole[20:40, 30:50] = True
    assert np.array_equal(after[~hole], before[~hole])
    assert np.array_equal(after[hole], shown(fine)[hole])
    assert shown(coarse).shape == before.shape
    assert np.array_equal(shown(file), after), "the file to keep holds the same"
    assert Path(file).name == "a.png"
    assert [each["caption"] for each in regions] == [
        "long_range, strongest region",
        *(f"long_range, region {region}" for region in range(3)),
    ]
    assert not notes
    *_, file, notes = ask(client, place / "b.jpg", painting(tmp_path))
    assert Image.open(file).format == "JPEG"
    assert "in the JPEG file known pixels differ by up to" in notes


@pytest.mark.parametrize(
    ("picture", "painted", "sentence"),
    [
        ("a.png", False, "paint over the part to fill, then press the button"),
        ("large.png", True, "large.png has 201×200 px; this page takes up to 0.04 million"),
        ("broken.png", True, "broken.png: it cannot be read as a picture"),
    ],
)
def test_bad_input_gets_one_sentence(
    picture: str, painted: bool, sentence: str, client: Any, place: Path, tmp_path: Path
) -> None:
    with pytest.raises(Exception, match=re.escape(sentence)):
        ask(client, place / picture, *([painting(tmp_path)] if painted else []))


def test_uploads_have_a_limit(client: Any, place: Path, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes((place / "a.png").read_bytes() + bytes(200_000))
    with pytest.raises(Exception, match=r"413|exceeds the maximum file size of 102400 bytes"):
        ask(client, tmp_path / "a.png", painting(tmp_path))


def test_the_page_is_told_to_ask_nobody_else(address: str) -> None:
    with urllib.request.urlopen(address, timeout=60) as answer:
        page, policy = answer.read().decode(), answer.headers["content-security-policy"]
    assert "default-src 'self' data: blob:;" in policy
    assert "http" not in policy
    assert "fonts.googleapis.com/css" not in page
    assert '"analytics_enabled":false' in page.replace(" ", "")
    assert "an_example.png" in page


def chromium() -> str | None:
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def paint_a_stroke(page: Any) -> None:
    box = page.locator("#editor canvas").first.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    for step in range(8):
        page.mouse.move(x + 6 * step, y + 3 * step)
    page.mouse.up()
    page.wait_for_timeout(500)


@pytest.mark.slow  # a browser takes a minute on a busy machine
def test_somebody_paints_with_a_mouse(address: str, place: Path, tmp_path: Path) -> None:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if chromium() is None:
        pytest.skip("there is no Chromium here")
    flags = "no-sandbox disable-gpu disable-quic no-first-run disable-background-networking disable-component-update"
    with playwright.sync_playwright() as driver:
        arguments = [f"--{flag}" for flag in [*flags.split(), "disable-sync"]]
        browser = driver.chromium.launch(executable_path=chromium(), args=arguments)
        page = browser.new_page(viewport={"width": 1280, "height": 1400})
        page.set_default_timeout(120_000)
        answered: list[str] = []
        page.on("response", lambda answer: answered.append(answer.url))
        page.goto(address)
        page.set_input_files("#upload input[type=file]", str(place / "a.png"))
        # The editor is given an empty picture, and then this one.
        while len({url for url in answered if url.endswith("/image.png")}) < 2:
            page.wait_for_timeout(200)
        for _ in range(10):  # the editor does not say when it has drawn the picture; before, a stroke is lost
            page.wait_for_timeout(1000)
            paint_a_stroke(page)
            page.click("#fill")
            if page.wait_for_selector("#composite img, .toast-body").get_attribute("src"):
                break
            page.click(".toast-close")
        page.wait_for_selector("#regions img")
        source = page.get_attribute("#composite img", "src")
        after = np.asarray(Image.open(io.BytesIO(page.request.get(source).body())).convert("RGB"))
        fine = page.get_attribute("#fine img", "src")
        made = np.asarray(Image.open(io.BytesIO(page.request.get(fine).body())).convert("RGB"))
        page.screenshot(path=str(tmp_path / "page.png"), full_page=True)  # to look at
        browser.close()
    before = shown(place / "a.png")
    changed = (after != before).any(-1)
    assert after.shape == before.shape
    assert 0.005 < changed.mean() < 0.5, "a stroke, and nothing but a stroke"
    assert np.array_equal(after[changed], made[changed]), "what changed is the network's, the rest the picture's"
    assert not [url for url in answered if not url.startswith((address, "blob:", "data:"))], "nobody else was asked"


def test_without_gradio_a_sentence_says_what_to_install(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "gradio", None)
    assert cli.main(["demo", f"--ckpt_path={place / 'run/checkpoints/last.ckpt'}"]) == 2
    assert "error: the page needs the package gradio; pip install '.[demo]'" in capsys.readouterr().err


def test_a_taken_port_gets_a_sentence(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("gradio", reason="the extra demo is not installed")
    for name in ("GRADIO_ANALYTICS_ENABLED", "HF_HUB_DISABLE_TELEMETRY", "GRADIO_TEMP_DIR"):
        monkeypatch.setenv(name, "as it was")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert cli.main(["demo", f"--ckpt_path={place / 'run/checkpoints/last.ckpt'}", f"--port={port}"]) == 2
    assert f"error: --host 127.0.0.1 and --port {port}: the page cannot be served there" in capsys.readouterr().err
