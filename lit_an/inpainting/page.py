"""The page for painting holes, built with Gradio, without connections to other machines."""

import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lit_an.errors import InputError
from lit_an.inpainting.painted_fill import canvas_of, fill, layers_in, picture_of
from lit_an.inpainting.tiling import Tiling
from lit_an.trained.inpainter import TrainedInpainter

_BRUSH = "#ff00ff"
# Blocks the page's requests to other hosts (fonts, an icon, a script of a content delivery network).
_POLICY = (
    "default-src 'self' data: blob:; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; connect-src 'self' data: blob:; worker-src 'self' blob:"
)


def quiet_gradio(folder: Path) -> Any:
    """Gradio without telemetry and with its files in one folder.

    Raises:
        InputError: Gradio is not installed.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    try:
        import gradio
    except ImportError as error:
        raise InputError("the page needs the package gradio; pip install '.[demo]'") from error
    return gradio


def build_page(
    gradio: Any,
    inpainter: TrainedInpainter,
    folder: Path,
    examples: Sequence[Path] = (),
    tiling: Tiling | None = None,
    largest: int = 16_000_000,
) -> Any:
    """The page: choose a picture, paint, press the button.

    Args:
        gradio: the package, from ``quiet_gradio``.
        inpainter: what fills the holes.
        folder: for the files that are given back.
        examples: pictures to choose from.
        tiling: see ``lit_an.inpainting.tiling``.
        largest: largest number of pixels of a picture.

    Returns:
        ``gradio.Blocks``, for ``launch``.
    """

    def show(path: str | None) -> Any:
        return None if path is None else canvas_of(picture_of(path, largest))

    def press(path: str | None, painting: dict[str, Any] | None) -> tuple[Any, ...]:
        place = Path(tempfile.mkdtemp(dir=folder))
        made = fill(inpainter, path, layers_in(painting), place, tiling or Tiling(), largest)
        notes = "  \n".join(made.notes)
        return made.composite, made.coarse, made.fine, made.regions, str(made.file), notes

    with gradio.Blocks(title="Inpainting", analytics_enabled=False) as page:
        description = inpainter.description
        gradio.Markdown(
            f"**{description.class_path.rpartition('.')[2]}**, {description.iteration} iterations"
            f"{', averaged weights' if description.averaged else ''}. Choose a picture, paint over what is to be "
            f"filled, press the button."
        )
        with gradio.Row():
            with gradio.Column():
                upload = gradio.File(label="Picture", file_types=["image"], type="filepath", elem_id="upload")
                editor = gradio.ImageEditor(
                    label="Paint the hole",
                    type="numpy",
                    image_mode="RGBA",
                    format="png",
                    sources=(),
                    transforms=(),
                    layers=False,
                    height=620,
                    brush=gradio.Brush(default_size=24, colors=[_BRUSH], default_color=_BRUSH, color_mode="fixed"),
                    elem_id="editor",
                )
                button = gradio.Button("Fill", variant="primary", elem_id="fill")
                if examples:
                    gradio.Examples([[str(path)] for path in examples], inputs=[upload])
            with gradio.Column():
                composite = gradio.Image(label="Composite", format="png", interactive=False, elem_id="composite")
                file = gradio.File(label="The composite as a file", interactive=False)
                notes = gradio.Markdown()
        with gradio.Row():
            coarse = gradio.Image(label="Coarse", format="png", interactive=False, elem_id="coarse")
            fine = gradio.Image(label="Fine", format="png", interactive=False, elem_id="fine")
        regions = gradio.Gallery(
            label="Regions of the norm", format="png", columns=6, object_fit="contain", height="auto", elem_id="regions"
        )
        # The first picture that the editor is given after the page has loaded is not fitted into its
        # frame, and no stroke on it can be undone (seen with Gradio 5.50); after it was emptied, both work.
        blank = upload.change(lambda: np.full((256, 256, 3), 255, np.uint8), None, [editor], api_name=False)
        emptied = blank.then(lambda: None, None, [editor], api_name=False)
        emptied.then(_in_one_sentence(gradio, show), [upload], [editor], api_name="show")
        outputs = [composite, coarse, fine, regions, file, notes]
        filling = _in_one_sentence(gradio, press)
        button.click(filling, [upload, editor], outputs, api_name="fill", show_progress_on=[composite])
    return page


def serve(gradio: Any, page: Any, host: str, port: int | None, max_file_size: str, examples: Path | None = None) -> str:
    """Starts the page's server in a thread; returns its address.

    Raises:
        InputError: the port is taken, or the address does not belong to this machine.
    """
    from starlette.middleware import Middleware

    # System fonts: others would be downloaded.
    theme = gradio.themes.Base(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"])
    try:
        _, address, _ = page.launch(
            server_name=host,
            server_port=port,
            share=False,
            inbrowser=False,
            prevent_thread_lock=True,
            quiet=True,
            max_file_size=max_file_size,
            allowed_paths=[str(examples)] if examples else None,
            enable_monitoring=False,
            ssr_mode=False,
            theme=theme,
            app_kwargs={"middleware": [Middleware(_Policy)]},
        )
    except OSError as error:
        given = "" if port is None else f" and --port {port}"
        raise InputError(
            f"--host {host}{given}: the page cannot be served there ({str(error).splitlines()[0]})"
        ) from error
    return str(address)


class _Policy:
    """Adds the header that keeps a browser from contacting other hosts."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def sending(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"content-security-policy", _POLICY.encode())]
            await send(message)

        await self.app(scope, receive, sending)


def _in_one_sentence(gradio: Any, function: Callable[..., Any]) -> Callable[..., Any]:
    """Shows bad input as a sentence on the page; other errors keep their traceback on the server."""

    def said(*arguments: Any) -> Any:
        try:
            return function(*arguments)
        except InputError as error:
            raise gradio.Error(str(error), print_exception=False) from error

    return said
