"""``python cli.py demo``: serves a local page for filling holes and for looking at samples and their regions."""

import signal
import tempfile
import threading
from pathlib import Path

import lit_an.pages
from lit_an.commands.checkpoint_option import checkpoint_at, chosen_for, say_showcase
from lit_an.commands.matching_command import Command, match_command
from lit_an.errors import InputError
from lit_an.files import user_path
from lit_an.inpainting.pairing import pictures_in
from lit_an.inpainting.tiling import Tiling, check_tiling
from lit_an.pages.server import check_address, check_file_size, quiet_gradio, serve
from lit_an.pages.site import build_site
from lit_an.pages.work import Work
from lit_an.trained.checkpoints import parse_device
from lit_an.trained.network import TrainedNetwork


def run(
    ckpt_path: str | None = None,
    config: str | None = None,
    host: str = "127.0.0.1",
    port: int | None = None,
    examples: str | None = None,
    max_file_size: str = "50mb",
    max_picture: int = 16_000_000,
    max_pixels: int = 1024 * 1024,
    max_waiting: int = 16,
    device: str = "auto",
) -> int:
    """Serves a page for filling holes, or for samples, their regions and walks between them; Ctrl-C ends it.

    Args:
        ckpt_path: the folder of a run, one of its .ckpt files, or the folder of an export; its task decides what the
            page shows. Default: the generators that come with lit_an, both on one page.
        config: the config of the run. Default: config.yaml in its run folder.
        host: address to serve at. The default is reachable from this machine only, 0.0.0.0 from others too.
        port: to serve at. Default: the first free one from 7860 on.
        examples: a folder of pictures to fill holes in, or one picture. Default: six satellite images for the generator
            that comes with lit_an, none for another one.
        max_file_size: of an upload, such as 50mb.
        max_picture: pixels of an upload.
        max_pixels: a picture of more pixels is filled in tiles; memory grows with it.
        max_waiting: requests that wait for others to be done; further ones are refused.
        device: cpu, cuda, cuda:1, …; auto takes a GPU if there is one.

    Returns:
        0.

    Raises:
        InputError: an option out of range, a checkpoint that is missing or of another kind, or Gradio is not installed.
    """
    tiling = Tiling(max_pixels)
    check_tiling(tiling)
    for name, number in (("max_picture", max_picture), ("max_waiting", max_waiting)):
        if number < 1:
            raise InputError(f"{name} must be at least 1, got {number}")
    check_file_size(max_file_size)
    check_address(host, port)
    commands = _commands(ckpt_path, config)
    if examples is not None and "inpaint" not in commands:
        raise InputError(f"--examples {examples}: {ckpt_path} is no generator that fills holes; omit --examples")
    folder = None if examples is None else user_path(examples)
    pictures = [] if folder is None else _examples(folder)
    with tempfile.TemporaryDirectory(prefix="lit_an_demo_") as place:
        gradio = quiet_gradio(Path(place))
        networks = [_loaded(command, ckpt_path, config, device) for command in commands]
        if ckpt_path is None and folder is None:
            folder = Path(lit_an.pages.__file__).parent / "examples"
            pictures = sorted(folder.glob("*.png"))
        work = Work()
        page = build_site(gradio, networks, work, Path(place), pictures, tiling, max_picture, max_waiting)
        address = serve(gradio, page, host, port, max_file_size, [folder] if folder else [])
        ended = threading.Event()
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, lambda *_: ended.set())
        print(f"The page is at {address} (Ctrl-C ends it)", flush=True)
        ended.wait()
        page.close(verbose=False)
        work.end()
    return 0


def _commands(ckpt_path: str | None, config: str | None) -> tuple[Command, ...]:
    """The commands whose generators the page is for: without a checkpoint, both."""
    if ckpt_path is None:
        return "inpaint", "sample"
    match = match_command(checkpoint_at(ckpt_path), None if config is None else user_path(config))
    return (match.command or "inpaint",)


def _examples(place: Path) -> list[Path]:
    """The pictures in a folder, or the one picture."""
    root = place.parent if place.is_file() else place
    return [root / name for name in pictures_in(place, option="--examples").images]


def _loaded(command: Command, ckpt_path: str | None, config: str | None, device: str) -> TrainedNetwork:
    chosen = chosen_for(command, ckpt_path, config)
    network: TrainedNetwork = chosen.inpainter() if command == "inpaint" else chosen.generator()
    say_showcase(ckpt_path, network)
    return network.to(parse_device(device))
