"""HTML elements from functions; all text is escaped."""

import base64
import html
import re
from collections.abc import Iterable
from typing import Any

from lit_an.files import printable

_EMPTY = ("img", "input", "meta")


class Html(str):
    """Text that is HTML already."""


def element(name: str, /, *children: Any, **attributes: Any) -> Html:
    """An element.

    Args:
        name: of it.
        children: ``Html`` as it is; other texts escaped; None left out; lists flattened.
        attributes: ``aria_label`` is ``aria-label`` and ``class_`` is ``class``; None and False are left out.

    Example:
        >>> element("p", "1 < 2", element("b", "!"), class_="note", id=None)
        '<p class="note">1 &lt; 2<b>!</b></p>'
    """
    told = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{html.escape(printable(value))}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in _EMPTY:
        return Html(f"<{name}{told}>")
    return Html(f"<{name}{told}>{together(children)}</{name}>")


def together(children: Iterable[Any]) -> Html:
    """Children beside each other, as of ``element``."""
    parts = []
    for child in children:
        if child is None:
            continue
        if isinstance(child, Html):
            parts.append(str(child))
        elif isinstance(child, str):
            parts.append(html.escape(printable(child), quote=False))
        else:
            parts.append(together(child))
    return Html("".join(parts))


def data_address(content: bytes, kind: str) -> str:
    """A ``data:`` address that holds a file of this MIME type."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def data_table(
    caption: Any, heads: Iterable[Any], rows: Iterable[tuple[Any, Iterable[Any]]], label: str, class_: str | None = None
) -> Html:
    """A table in a frame of its own, which scrolls where the page is narrow.

    Args:
        caption: above it.
        heads: of its columns; the first is that of the rows' names.
        rows: name and cells; a cell is a ``td`` already, or what one holds.
        label: name of the frame, for those who do not see it.
        class_: of the table.
    """
    first, *others = heads
    head = element(
        "thead", element("tr", element("th", first, scope="col"), [element("th", each, scope="col") for each in others])
    )
    body = element(
        "tbody",
        [element("tr", element("th", name, scope="row"), [_cell(each) for each in cells]) for name, cells in rows],
    )
    table = element("table", element("caption", element("span", caption)), head, body, class_=class_)
    return element("div", table, class_="scroll", tabindex="0", role="region", aria_label=label)


def breakable(name: str) -> Html:
    """A name that may be broken after the characters that join its words.

    Example:
        >>> breakable("self_attention")
        'self_<wbr>attention'
    """
    return Html("<wbr>".join(together([part]) for part in re.split(r"(?<=[_./=-])(?=\w)", name)))


def bullets(lines: Iterable[Any]) -> Html | None:
    """A list; None without lines."""
    items = [element("li", line) for line in lines]
    return element("ul", items) if items else None


def _cell(content: Any) -> Html:
    return content if isinstance(content, Html) and content.startswith("<td") else element("td", content)
