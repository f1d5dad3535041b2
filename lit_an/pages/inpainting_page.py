"""The page for painting a hole into a picture and filling it."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lit_an.errors import InputError
from lit_an.inpainting.painted_fill import CANVAS, canvas_of, fill, picture_of
from lit_an.inpainting.picture import to_model
from lit_an.inpainting.tiling import Tiling
from lit_an.pages.elements import (
    comparison,
    painted_hole,
    painter,
    picture_upload,
    pictures,
    regions,
    row_of,
    said_line,
    sentence,
)
from lit_an.pages.region_views import data_url, reduced, region_views
from lit_an.pages.server import said_on_the_page
from lit_an.pages.session_files import SessionFiles
from lit_an.pages.work import Work
from lit_an.trained.inpainter import TrainedInpainter

# Longest side in px of pictures on the page; the files hold all of it.
_SHOWN = 1280
_THUMBNAIL = 160


def build_inpainting_page(
    gradio: Any,
    inpainter: TrainedInpainter,
    work: Work,
    kept: SessionFiles,
    examples: Sequence[Path] = (),
    tiling: Tiling | None = None,
    largest: int = 16_000_000,
) -> None:
    """Adds to the ``gradio.Blocks`` that is open: choose a picture, paint, press the button.

    Args:
        gradio: the package, from ``quiet_gradio``.
        inpainter: what fills the holes.
        work: of the page.
        kept: for the files that are given back.
        examples: pictures to choose from.
        tiling: see ``lit_an.inpainting.tiling``.
        largest: largest number of pixels of a picture.

    Raises:
        InputError: an example that the page would refuse.
    """

    def show(session: str, path: str | None) -> list[Any]:
        kept.saw(session, path)
        picture = "" if path is None else data_url(reduced(canvas_of(picture_of(path, largest)), CANVAS))
        return [gradio.update(picture=picture), gradio.update(visible=bool(picture)), *_no_result(gradio), ""]

    def press(session: str, path: str | None, painting: str | None) -> list[Any]:
        start = time.perf_counter()
        picture = kept.upload_of(session)
        with work.turn(lambda: kept.upload_of(session) == picture) as go_on, kept.place(session) as place:
            hole = painted_hole(painting)
            made = fill(inpainter, path, hole, place, tiling or Tiling(), largest, go_on)
            go_on()
        before, after, coarse, fine = (
            data_url(reduced(image, _SHOWN)) for image in (made.before, made.composite, made.coarse, made.fine)
        )
        said = f"filled {100 * made.share:.1f} % of the picture in {time.perf_counter() - start:.1f} s"
        return [
            gradio.update(visible=False),
            gradio.update(visible=True),
            gradio.update(before=before, after=after),
            gradio.update(value=str(made.file), label=f"Download {made.file.name}"),
            gradio.update(value=made.lossless and str(made.lossless), visible=made.lossless is not None),
            gradio.update(rows=[row_of([(coarse, "coarse"), (fine, "fine")], captions=True)]),
            gradio.update(views=region_views(made.composite, made.layouts)),
            gradio.update(visible=bool(made.layouts)),
            sentence(said, *made.notes),
        ]

    gradio.Markdown(
        "# Fill a hole in a picture\nChoose a picture, paint over what is to go, and a network with attentive "
        "normalization makes up what could be there."
    )
    with gradio.Row():
        with gradio.Column():
            upload = picture_upload(gradio, "upload")
            if examples:
                gradio.Markdown("Or one of these:")
            named = {f"Example {number}, {path.name}": path for number, path in enumerate(examples, 1)}
            thumbnails = [row_of((thumbnail(path, largest), name) for name, path in named.items())]
            choices = pictures(gradio, "examples", chooses=True, rows=thumbnails)
            canvas = painter(gradio, "painter")
            button = gradio.Button("Fill the hole", variant="primary", visible=False, elem_id="fill")
            said = said_line(gradio, "fill_said")
        with gradio.Column():
            promise = gradio.Markdown("The filled picture appears here.", elem_id="promise")
            with gradio.Column(visible=False, elem_id="result") as result:
                compared = comparison(gradio, "before_after")
                with gradio.Row():
                    file = gradio.DownloadButton("Download", elem_id="file")
                    lossless = gradio.DownloadButton("Download as PNG", visible=False, elem_id="lossless")
                with gradio.Accordion("Regions of attentive normalization", open=False) as part:
                    gradio.Markdown(
                        "The network found these regions by itself and normalized each on its own. A share is that of "
                        "the positions where the region is the strongest one. Point at a name to see its region alone."
                    )
                    views = regions(gradio, "regions")
                with gradio.Accordion("Both stages of the network", open=False):
                    stages = pictures(gradio, "stages")
    shown = [promise, result, compared, file, lossless, stages, views, part]
    empty = [gradio.update(picture=""), gradio.update(visible=False), *_no_result(gradio)]
    showing = said_on_the_page(gradio, work, show, empty)
    filling = said_on_the_page(gradio, work, press, [gradio.skip()] * len(shown))
    # Of one visitor, presses while it works are ignored; others wait in a queue, whose length the line shows.
    filled = button.click(
        filling,
        [upload, canvas],
        [*shown, said],
        api_name="fill",
        concurrency_id="inpainter",
        concurrency_limit=1,
        trigger_mode="once",
        show_progress_on=[said],
    )
    # Another picture ends a filling of the one before.
    upload.change(None, None, None, api_visibility="private", cancels=[filled])
    # Not in the queue: a picture can be chosen while others are filled.
    upload.change(
        showing, [upload], [canvas, button, *shown, said], api_name="show", queue=False, show_progress="hidden"
    )
    if examples:
        choices.select(lambda name: str(named[name]), [choices], [upload], api_visibility="private", queue=False)


def _no_result(gradio: Any) -> list[Any]:
    """What the parts of the result are before there is one."""
    hidden = gradio.update(visible=False)
    return [
        gradio.update(visible=True),
        hidden,
        gradio.update(before="", after=""),
        gradio.update(value=None),
        hidden,
        gradio.update(rows=[]),
        gradio.update(views=[]),
        hidden,
    ]


def thumbnail(path: Path, largest: int) -> str:
    """A picture to choose from, as URL, as it will be seen when it is chosen.

    Raises:
        InputError: the page would refuse it.
    """
    try:
        return data_url(reduced(to_model(picture_of(str(path), largest)), _THUMBNAIL))
    except InputError as error:
        raise InputError(f"--examples {path.parent}: {error}") from error
