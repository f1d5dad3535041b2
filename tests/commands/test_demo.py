"""The command `demo`: its server as a real process, asked over HTTP; tests/pages asks it with a browser."""

import base64
import io
import os
import re
import socket
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image

import cli
from lit_an.showcase.models import showcase
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


def painting(*rows_and_columns: slice) -> str:
    """What was painted: a rectangle, as the page sends it."""
    hole = np.zeros((*SIZE, 4), np.uint8)
    hole[rows_and_columns] = (230, 0, 126, 255)
    content = io.BytesIO()
    Image.fromarray(hole).save(content, format="PNG")
    return "data:image/png;base64," + base64.b64encode(content.getbuffer()).decode()


RECTANGLE = slice(20, 40), slice(30, 50)


class Answer(NamedTuple):
    """What the button gives."""

    promise: Any
    compared: Any
    file: Any
    lossless: Any
    stages: Any
    regions: Any
    said: str


def ask(client: Any, picture: Path, painted: str | None) -> Answer:
    from gradio_client import handle_file

    return Answer(*client.predict(handle_file(str(picture)), painted, api_name="/fill"))


def shown(path: str | Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


def test_what_was_painted_over_is_filled_and_the_rest_as_it_was(client: Any, place: Path) -> None:
    answer = ask(client, place / "a.png", painting(*RECTANGLE))
    before, after = shown(place / "a.png"), shown(answer.file["value"])
    hole = np.zeros(SIZE, np.bool_)
    hole[RECTANGLE] = True
    assert np.array_equal(after[~hole], before[~hole])
    assert not np.array_equal(after[hole], before[hole])
    assert Path(answer.file["value"]).name == "a.png"
    assert not answer.lossless["visible"]
    assert re.fullmatch(r"<p>Filled 1\.9 % of the picture in \d+\.\d s\.</p>", answer.said)


def test_a_jpeg_comes_with_a_png_and_the_reason(client: Any, place: Path) -> None:
    answer = ask(client, place / "b.jpg", painting(*RECTANGLE))
    assert Image.open(answer.file["value"]).format == "JPEG"
    assert (
        "A JPEG is compressed anew when it is saved, so that outside the hole too its colors are off by" in answer.said
    )
    assert answer.lossless["visible"]
    hole = np.zeros(SIZE, np.bool_)
    hole[RECTANGLE] = True
    kept = shown(answer.lossless["value"])
    assert np.array_equal(kept[~hole], shown(place / "b.jpg")[~hole])
    assert not np.array_equal(kept[hole], shown(place / "b.jpg")[hole])


@pytest.mark.parametrize(
    ("picture", "painted", "sentence"),
    [
        ("a.png", None, "Paint over the part to fill, then press the button."),
        ("a.png", painting(slice(None)), "The whole picture is painted over; leave some of it unpainted."),
        ("a.png", "data:image/png;base64,AAAA", "The painted hole is no PNG; paint it on the page."),
        ("large.png", painting(*RECTANGLE), "Large.png has 201×200 px; this page takes up to 0.04 million."),
        (
            "broken.png",
            painting(*RECTANGLE),
            "Broken.png: it cannot be read as a picture; choose a file such as a PNG or a JPEG.",
        ),
    ],
)
def test_bad_input_gets_one_sentence(
    picture: str, painted: str | None, sentence: str, client: Any, place: Path
) -> None:
    answer = ask(client, place / picture, painted)
    assert answer.said == f'<div class="fault"><p>{sentence}</p></div>'
    assert ask(client, place / "a.png", painting(*RECTANGLE)).said.startswith("<p>Filled"), "the page goes on"


def test_uploads_have_a_limit(client: Any, place: Path, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes((place / "a.png").read_bytes() + bytes(200_000))
    with pytest.raises(Exception, match=r"413|exceeds the maximum file size of 102400 bytes"):
        ask(client, tmp_path / "a.png", painting(*RECTANGLE))


def test_the_page_is_told_to_ask_nobody_else(address: str) -> None:
    with urllib.request.urlopen(address, timeout=60) as answer:
        page, policy = answer.read().decode(), answer.headers["content-security-policy"]
    assert "default-src 'self' data: blob:;" in policy
    assert "http" not in policy
    assert "fonts.googleapis.com/css" not in page
    assert '"analytics_enabled":false' in page.replace(" ", "")
    assert "an_example.png" in page


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--max_waiting=0"], "error: max_waiting must be at least 1, got 0"),
        (["--max_picture=0"], "error: max_picture must be at least 1, got 0"),
        (["--max_file_size=50"], "error: max_file_size must be a whole number with b, kb, mb, gb or tb, such as 50mb"),
        (["--port=70000"], "error: port must be from 1 to 65535, got 70000"),
        # An address of nobody (RFC 5737).
        (["--host=192.0.2.1"], "error: --host 192.0.2.1: the page cannot be served there ("),
        (["--examples={place}"], "error: --examples {place}: broken.png: it cannot be read as a picture; choose"),
        (["--examples={place}/broken.png"], "error: --examples {place}: broken.png: it cannot be read as a picture"),
    ],
)
def test_options_out_of_range(
    options: list[str], sentence: str, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("gradio", reason="the extra demo is not installed")
    for name in ("GRADIO_ANALYTICS_ENABLED", "HF_HUB_DISABLE_TELEMETRY", "GRADIO_TEMP_DIR"):
        monkeypatch.setenv(name, "as it was")
    filled = [option.format(place=place) for option in options]
    assert cli.main(["demo", f"--ckpt_path={place / 'run/checkpoints/last.ckpt'}", "--device=cpu", *filled]) == 2
    assert sentence.format(place=place) in capsys.readouterr().err


def test_examples_are_for_a_generator_that_fills_holes(capsys: pytest.CaptureFixture[str], place: Path) -> None:
    assert cli.main(["demo", f"--ckpt_path={showcase('class_conditional')}", f"--examples={place}"]) == 2
    assert "is no generator that fills holes; omit --examples" in capsys.readouterr().err


def test_without_gradio_a_sentence_says_what_to_install(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "gradio", None)
    assert cli.main(["demo", f"--ckpt_path={place / 'run/checkpoints/last.ckpt'}"]) == 2
    said = capsys.readouterr().err
    assert "error: the page needs the package gradio, " in said
    assert "; pip install 'lit_an[demo]'" in said


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
    error = f"error: --host 127.0.0.1 and --port {port}: the page cannot be served there (Address already in use); "
    assert error in capsys.readouterr().err
