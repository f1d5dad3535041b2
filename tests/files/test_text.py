"""Text files as editors on other systems save them."""

from pathlib import Path

import pytest

from lit_an.data.sources.file_lists import read_list
from lit_an.data.sources.imagenet_labels import read_pairs
from lit_an.errors import InputError
from lit_an.files.text import lines_of
from tests.photo_folders import write

TEXT = "grün.png\r\nb.png\r\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_notepads_encodings(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "list.txt").write_bytes(TEXT.encode(encoding))
    assert lines_of(tmp_path / "list.txt") == ["grün.png", "b.png"]


def test_ends_of_lines_and_their_absence(tmp_path: Path) -> None:
    file = tmp_path / "list.txt"
    for content, lines in ((b"", []), (b"a\rb", ["a", "b"]), (b"a\n\nb\n", ["a", "", "b"]), (b"a\x0cb\n", ["a\x0cb"])):
        file.write_bytes(content)
        assert lines_of(file) == lines


@pytest.mark.parametrize("content", [TEXT.encode("utf-16")[2:], b"\xff\xfea", b"\x89PNG\0\0"])
def test_what_is_no_text(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "list.txt").write_bytes(content)
    with pytest.raises(InputError, match=r"list.txt' cannot be read as text \(.*\); save it as UTF-8$"):
        lines_of(tmp_path / "list.txt")
    with pytest.raises(InputError, match="cannot be read as text"):
        lines_of(tmp_path)


def test_lists_and_labels_are_read_so(tmp_path: Path) -> None:
    write(tmp_path / "grün.png")
    write(tmp_path / "b.png")
    (tmp_path / "list.txt").write_bytes(TEXT.encode("utf-16"))
    assert read_list(tmp_path / "list.txt", tmp_path) == [("grün.png", 0), ("b.png", 0)]
    (tmp_path / "val.txt").write_bytes("\ufeffa.JPEG n01440764\r\n".encode())
    assert read_pairs(tmp_path / "val.txt") == {"a.JPEG": "n01440764"}


def test_accents_in_one_sign_or_two(tmp_path: Path) -> None:
    """A Mac's file system takes them apart, a list written elsewhere does not; and the other way round."""
    apart, composed = "e\u0301te\u0301", "\u00e9t\u00e9"
    for on_disk, listed in ((apart, composed), (composed, apart)):
        root = tmp_path / str(len(on_disk))
        write(root / on_disk / f"{on_disk}.png")
        for line in (f"{listed}/{listed}.png", str(root / listed / f"{listed}.png")):
            (tmp_path / "list.txt").write_text(line + "\n", encoding="utf-8")
            ((found, _),) = read_list(tmp_path / "list.txt", root)
            assert (root / found).is_file()
            assert found.endswith(f"{on_disk}/{on_disk}.png")


def test_names_in_windows_code_page(tmp_path: Path) -> None:
    write(tmp_path / "grün.png")
    (tmp_path / "list.txt").write_bytes("grün.png\r\n".encode("cp1252"))
    assert read_list(tmp_path / "list.txt", tmp_path) == [("grün.png", 0)]
