"""Elements of the page that Gradio lacks; a template and JavaScript of each lie beside this file.

Gradio's own image editor draws with WebGL and shows nothing where there is none; neither it nor Gradio's image slider
can be used with a keyboard, and all pictures of its gallery are called "Thumbnail". Pictures are parts of these
elements, so that no file is needed to show them.
"""

import base64
import binascii
import html
import io
from collections.abc import Iterable, Sequence
from importlib.resources import files
from typing import Any

import numpy as np
from PIL import Image

from lit_an.errors import InputError

# Largest side in px of a painted hole; what the page makes itself is smaller.
_LARGEST = 4096


def style() -> str:
    """The style sheet of the page."""
    return _text("page.css")


def picture_upload(gradio: Any, elem_id: str) -> Any:
    """Where a picture is dropped or chosen; its value is the path of the file."""
    upload = gradio.File(label="Picture", type="filepath", height=120, elem_id=elem_id, min_width=200)
    # Gradio's own leaves an empty file behind whenever it hands over a path.
    upload.preprocess = lambda payload: None if payload is None else payload.path
    return upload


def painter(gradio: Any, elem_id: str) -> Any:
    """A picture to paint a hole on; its property ``picture`` is an URL, or "" for nothing.

    Its value is None, or the hole for ``painted_hole``.
    """
    script = _text("painter.js")
    return gradio.HTML(None, html_template=_text("painter.html"), js_on_load=script, elem_id=elem_id, picture="")


def painted_hole(value: str | None) -> np.ndarray | None:
    """(h, w), bool: what was painted on the picture of ``painter``; None for nothing.

    Raises:
        InputError: no PNG, or a huge one, which the page never sends.
    """
    if not value:  # the page sends "" for None
        return None
    try:
        head, content = value.split(",", 1)
        with Image.open(io.BytesIO(base64.b64decode(content, validate=True)), formats=["PNG"]) as picture:
            if max(picture.size) > _LARGEST or head != "data:image/png;base64":
                raise InputError(f"the painted hole must be a PNG of at most {_LARGEST} px a side")
            painted = np.asarray(picture.convert("RGBA"))[..., 3] > 127
    except (ValueError, AttributeError, OSError, binascii.Error) as error:
        raise InputError("the painted hole is no PNG; paint it on the page") from error
    return painted if painted.any() else None


def regions(gradio: Any, elem_id: str, chooses: bool = False) -> Any:
    """Pictures with their regions in color and a legend, from its property ``views``; see ``region_views``.

    Args:
        gradio: the package.
        elem_id: of the element.
        chooses: one region is always chosen: the value, an index. Else one may be, and is seen alone.
    """
    template = f'<div class="region_views{" chooses" * chooses}"></div>'
    return gradio.HTML(None, html_template=template, js_on_load=_text("regions.js"), elem_id=elem_id, views=[])


def pictures(gradio: Any, elem_id: str, chooses: bool = False, rows: Sequence[dict[str, Any]] = ()) -> Any:
    """Rows of pictures, from its property ``rows``; see ``row_of``.

    Args:
        gradio: the package.
        elem_id: of the element.
        chooses: they can be pressed on: the value is the name of the last one, and there is an event ``select``.
        rows: at first.
    """
    template = f'<div class="pictures{" chooses" * chooses}"></div>'
    return gradio.HTML(None, html_template=template, js_on_load=_text("pictures.js"), elem_id=elem_id, rows=list(rows))


def row_of(pictures: Iterable[tuple[str, str]], title: str = "", captions: bool = False) -> dict[str, Any]:
    """A row for ``pictures``.

    Args:
        pictures: URL and name of each.
        title: above it.
        captions: whether the names are seen; else they are for screen readers.
    """
    shown = [{"source": source, "name": name, "caption": name if captions else ""} for source, name in pictures]
    return {"title": title, "pictures": shown}


def comparison(gradio: Any, elem_id: str) -> Any:
    """Two pictures with a line between them, which mouse, finger and keyboard move.

    Its properties ``before`` and ``after`` are URLs, or "" for nothing.
    """
    script = _text("comparison.js")
    return gradio.HTML(
        None, html_template=_text("comparison.html"), js_on_load=script, elem_id=elem_id, before="", after=""
    )


def said_line(gradio: Any, elem_id: str) -> Any:
    """A line that screen readers read out when it changes; its value is from ``sentence`` or ``fault``."""
    template = '<div role="status" aria-live="polite" class="said">${value}</div>'
    return gradio.HTML("", html_template=template, elem_id=elem_id)


def sentence(*texts: str) -> str:
    """Sentences for a ``said_line``; each gets a capital letter and a full stop."""
    whole = [f"{text[:1].upper()}{text[1:]}".rstrip(".") + "." for text in texts]
    return "".join(f"<p>{html.escape(text)}</p>" for text in whole)


def fault(text: str) -> str:
    """One sentence about bad input for a ``said_line``."""
    return f'<div class="fault">{sentence(text)}</div>'


def _text(name: str) -> str:
    return files("lit_an.pages").joinpath(name).read_text(encoding="utf-8")
