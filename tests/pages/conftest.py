"""The page with the generators that come with the package, served once for all tests of a browser."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.served_pages import served
from tests.training import free_port


class Site(NamedTuple):
    """A page that is served.

    Attributes:
        address: of the page.
        files: the folder of all of its files.
    """

    address: str
    files: Path


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Both generators on one page; when it ends, none of its files is left."""
    pytest.importorskip("gradio", reason="the extra demo is not installed")
    files = tmp_path_factory.mktemp("site")
    environment = {**os.environ, "TMPDIR": str(files), "OMP_NUM_THREADS": "1"}
    options = ("--device=cpu", "--max_picture=3000000", "--max_file_size=1mb", f"--port={free_port()}")
    with served(*options, cwd=files, env=environment) as (address, _):
        yield Site(address, files)
    assert list(files.iterdir()) == [], "no picture of anybody stays"
