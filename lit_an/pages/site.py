"""The whole page: a tab for each network, limits for several visitors, and nothing kept of a visit."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lit_an.inpainting.tiling import Tiling
from lit_an.pages.inpainting_page import build_inpainting_page
from lit_an.pages.samples_page import build_samples_page
from lit_an.pages.session_files import SessionFiles
from lit_an.pages.work import Work
from lit_an.trained.generator import TrainedGenerator
from lit_an.trained.inpainter import TrainedInpainter
from lit_an.trained.network import TrainedNetwork

# What a visit left that ended without a word is deleted after an hour; looked for every five minutes, in s.
_LOOKED_FOR, _KEPT = 300, 3600


def build_site(
    gradio: Any,
    networks: Sequence[TrainedNetwork],
    work: Work,
    folder: Path,
    examples: Sequence[Path] = (),
    tiling: Tiling | None = None,
    largest: int = 16_000_000,
    waiting: int = 16,
) -> Any:
    """The page of one or several networks.

    Args:
        gradio: the package, from ``quiet_gradio`` with the same folder.
        networks: each gets a page; of several, each is a tab.
        work: to be ended after the server.
        folder: for files of visits.
        examples: pictures to fill holes in.
        tiling: see ``lit_an.inpainting.tiling``.
        largest: largest number of pixels of a picture.
        waiting: requests that wait for others; further ones are refused.

    Returns:
        ``gradio.Blocks``, for ``serve``.
    """
    kept = SessionFiles(folder)

    def build(network: TrainedNetwork) -> None:
        if isinstance(network, TrainedInpainter):
            build_inpainting_page(gradio, network, work, kept, examples, tiling, largest)
        elif isinstance(network, TrainedGenerator):
            build_samples_page(gradio, network, work)

    def forget(request: Any) -> None:
        kept.forget(request.session_hash or "")

    # Gradio asks for this type when it calls the function.
    forget.__annotations__["request"] = gradio.Request
    titles = {"inpainting": "Fill holes", "class_conditional": "Samples and regions"}
    with gradio.Blocks(
        title="lit_an: " + " · ".join(titles[network.task] for network in networks),
        analytics_enabled=False,
        delete_cache=(_LOOKED_FOR, _KEPT),
    ) as page:
        if len(networks) == 1:
            build(networks[0])
        else:
            with gradio.Tabs():
                for network in networks:
                    with gradio.Tab(titles[network.task]):
                        build(network)
        page.unload(forget)
    page.queue(max_size=waiting, default_concurrency_limit=1)
    return page
