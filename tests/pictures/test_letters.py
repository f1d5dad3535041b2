"""Text in pictures: lines that fit, nothing lost, and what the font lacks."""

import pytest

from lit_an.pictures.letters import broken, width_of, writable


@pytest.mark.parametrize(
    "text", ["a name", "one-very-long-file-name-without-a-space.jpeg", "two\nlines of it", "", "W"]
)
@pytest.mark.parametrize("width", [5, 40, 128])
def test_lines_fit_and_hold_every_letter(text: str, width: int) -> None:
    lines = broken(text, width, 12)
    assert "".join(lines).replace(" ", "") == text.replace("\n", "").replace(" ", "")
    assert all(width_of(line, 12) <= width or len(line) == 1 for line in lines)


def test_words_stay_whole_where_they_fit() -> None:
    assert broken("tropical rain forest", width_of("tropical rain", 12), 12) == ["tropical rain", "forest"]


def test_what_the_font_lacks_is_written_in_what_it_has() -> None:
    assert writable("tab\tÉlan Ñandú 犬 ½") == "tab\\tElan Nandu \\u72ac 1⁄2"
    assert writable("plain_09 (x)·…\n") == "plain_09 (x)·…\n"
