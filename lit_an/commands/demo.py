"""``python cli.py demo``: serves a local page for painting holes and filling them."""

import signal
import tempfile
import threading
from pathlib import Path

from lit_an.commands.checkpoint_option import chosen_for, say_showcase
from lit_an.files import user_path
from lit_an.inpainting.page import build_page, quiet_gradio, serve
from lit_an.inpainting.pairing import pictures_in
from lit_an.inpainting.tiling import Tiling, check_tiling
from lit_an.trained.checkpoints import parse_device


def run(
    ckpt_path: str | None = None,
    config: str | None = None,
    host: str = "127.0.0.1",
    port: int | None = None,
    examples: str | None = None,
    max_file_size: str = "50mb",
    max_picture: int = 16_000_000,
    max_pixels: int = 1024 * 1024,
    device: str = "auto",
) -> int:
    """Serves a page for painting a hole into a picture and filling it; Ctrl-C ends it.

    Args:
        ckpt_path: the folder of a run of InpaintingGAN, one of its .ckpt files, or the folder of an export. Default:
            the generator that comes with lit_an.
        config: the config of the run. Default: config.yaml in its run folder.
        host: address to serve at. The default is reachable from this machine only, 0.0.0.0 from others too.
        port: to serve at. Default: the first free one from 7860 on.
        examples: a folder of pictures to choose from. Default: none.
        max_file_size: of an upload, such as 50mb.
        max_picture: pixels of an upload.
        max_pixels: a picture of more pixels is filled in tiles; memory grows with it.
        device: cpu, cuda, cuda:1, …; auto takes a GPU if there is one.

    Returns:
        0.
    """
    tiling = Tiling(max_pixels)
    check_tiling(tiling)
    folder = None if examples is None else user_path(examples)
    pictures = [] if folder is None else [folder / name for name in pictures_in(folder, option="--examples").images]
    with tempfile.TemporaryDirectory(prefix="lit_an_demo_") as place:
        gradio = quiet_gradio(Path(place))
        inpainter = chosen_for("inpaint", ckpt_path, config).inpainter().to(parse_device(device))
        say_showcase(ckpt_path, inpainter)
        page = build_page(gradio, inpainter, Path(place), pictures, tiling, max_picture)
        address = serve(gradio, page, host, port, max_file_size, folder)
        ended = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: ended.set())
        print(f"The page is at {address} (Ctrl-C ends it)", flush=True)
        ended.wait()
        page.close(verbose=False)
    return 0
