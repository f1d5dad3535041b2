"""What is said in a terminal whose encoding lacks a character."""

import io
import sys

import pytest

from lit_an.command_line.notices import escape_what_cannot_be_said


@pytest.mark.parametrize(("encoding", "written"), [("latin-1", b"\\u2026 \xef"), ("utf-8", "… ï".encode())])
def test_a_character_that_the_locale_lacks_is_escaped(
    encoding: str, written: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = io.BytesIO()
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, io.TextIOWrapper(content, encoding=encoding, write_through=True))
    escape_what_cannot_be_said()
    sys.stdout.write("… ï")
    sys.stderr.write("… ï")
    assert content.getvalue() == 2 * written


def test_a_stream_without_an_encoding_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    monkeypatch.setattr(sys, "stderr", None)
    escape_what_cannot_be_said()
