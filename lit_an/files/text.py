"""Text files written by users, in UTF-8 or in the encodings of Windows editors."""

import codecs
from pathlib import Path

from lit_an.errors import InputError

# Byte order marks. UTF-32's begins with UTF-16's, so it is tried first.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def lines_of(file: Path) -> list[str]:
    """The lines of a text file, without their ends.

    Reads UTF-8 with or without a byte order mark, UTF-16 and UTF-32 with one, and any line endings. Bytes that are not
    UTF-8 become surrogates as in ``os.fsdecode``, so that file names of any bytes are preserved.

    Raises:
        InputError: the file cannot be read or is not text.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp(), "list.txt")
        >>> _ = path.write_bytes("a.png\\r\\nb.png\\r\\n".encode("utf-16"))
        >>> lines_of(path)
        ['a.png', 'b.png']
    """
    try:
        content = file.read_bytes()
        encoding = next((name for mark, name in _MARKS if content.startswith(mark)), "utf-8")
        errors = "surrogateescape" if encoding.startswith("utf-8") else "strict"
        text = content.decode(encoding, errors)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{str(file)!r} cannot be read as text ({_reason(error)}); save it as UTF-8") from error
    if "\0" in text:
        raise InputError(f"{str(file)!r} cannot be read as text (it holds zero bytes); save it as UTF-8")
    return text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n").split("\n") if text else []


def _reason(error: OSError | UnicodeDecodeError) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
