"""Serves a page of Gradio without connections to other machines."""

import os
import re
import socket
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lit_an.errors import InputError, needs_package
from lit_an.pages.elements import fault, style
from lit_an.pages.work import Work

# Blocks the page's requests to other hosts (fonts, an icon, a script of a content delivery network).
_POLICY = (
    "default-src 'self' data: blob:; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; connect-src 'self' data: blob:; worker-src 'self' blob:"
)


def check_address(host: str, port: int | None) -> None:
    """Checks where a page is to be served; Gradio would try a hundred ports of a wrong address, for minutes.

    Args:
        host, port: see ``serve``.

    Raises:
        InputError: there is no such port, it is taken, or the address does not belong to this machine.
    """
    if port is not None and not 0 < port < 2**16:
        raise InputError(f"port must be from 1 to {2**16 - 1}, got {port}")
    try:
        # The first address of a name is the one that Gradio's server needs most.
        family, kind, protocol, _, place = socket.getaddrinfo(host.strip("[]"), port or 0, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as tried:
            # As the server does: a port whose last connections are still being closed is free.
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind(place)
    except (OSError, UnicodeError) as error:
        raise _not_served(host, port, getattr(error, "strerror", None) or str(error)) from error


def check_file_size(size: str) -> None:
    """Checks the largest size of an upload.

    Raises:
        InputError: it is not a number of bytes above 0 with a unit.
    """
    if not re.fullmatch(r"0*[1-9]\d* ?(b|kb|mb|gb|tb)", size, re.IGNORECASE | re.ASCII):
        raise InputError(f"max_file_size must be a whole number with b, kb, mb, gb or tb, such as 50mb, got {size!r}")


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
        raise needs_package("the page needs", "gradio", "demo", error) from error
    return gradio


def serve(gradio: Any, page: Any, host: str, port: int | None, max_file_size: str, folders: Sequence[Path] = ()) -> str:
    """Starts the page's server in a thread; returns its address.

    Args:
        gradio: the package, from ``quiet_gradio``.
        page: ``gradio.Blocks``.
        host, port: where; None takes the first free port from 7860 on. See ``check_address``.
        max_file_size: of an upload, such as 50mb; see ``check_file_size``.
        folders: whose files it may serve beside those of its own.

    Raises:
        InputError: the port has been taken, or none is free.
    """
    from starlette.middleware import Middleware

    # System fonts: others would be downloaded.
    theme = gradio.themes.Default(
        primary_hue="teal", font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]
    ).set(  # enough contrast for everybody (WCAG 2, AA)
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover_dark="*primary_800",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_300",
        block_label_text_color="*neutral_700",
        block_label_text_color_dark="*neutral_200",
        slider_color="*primary_600",
    )
    try:
        _, address, _ = page.launch(
            server_name=host,
            server_port=port,
            share=False,
            inbrowser=False,
            prevent_thread_lock=True,
            quiet=True,
            max_file_size=max_file_size,
            allowed_paths=[str(folder) for folder in folders],
            enable_monitoring=False,
            ssr_mode=False,
            theme=theme,
            css=style(),
            footer_links=[],
            app_kwargs={"middleware": [Middleware(_Policy)]},
        )
    except OSError as error:
        # What follows is advice for programs that use Gradio.
        raise _not_served(host, port, str(error).partition(". ")[0]) from error
    return str(address)


def _not_served(host: str, port: int | None, reason: str) -> InputError:
    given = "" if port is None else f" and --port {port}"
    return InputError(f"--host {host}{given}: the page cannot be served there ({reason}); choose another one")


def said_on_the_page(
    gradio: Any, work: Work, function: Callable[..., Any], otherwise: Sequence[Any]
) -> Callable[..., Any]:
    """A function for an event of the page: it gets the visit first, and its errors become a sentence; the page goes on.

    Args:
        gradio: the package.
        work: of the page; this is a part of it.
        function: takes the name of the visit, then the inputs; the last of its results is for a ``said_line``.
        otherwise: what its other results are after an error.
    """

    def said(request: Any, *arguments: Any) -> Any:
        try:
            with work.part():
                return function(request.session_hash or "", *arguments)
        except InputError as error:
            return [*otherwise, fault(str(error))]
        except Exception:
            traceback.print_exc()
            return [*otherwise, fault("something failed on the server; its log says what")]

    # Gradio asks for this type when it calls the function; the package is not imported where this module is.
    said.__annotations__["request"] = gradio.Request
    return said


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
