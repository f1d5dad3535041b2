"""Options, and small real data that many tests share."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lit_an.data.sources import Earth
from tests.photographs import make_imagenet


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--runslow", action="store_true", help="run tests that take long")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if "gpu" in item.keywords and not torch.cuda.is_available():
            item.add_marker(pytest.mark.skip(reason="needs a GPU"))
        if "slow" in item.keywords and not config.getoption("--runslow"):
            item.add_marker(pytest.mark.skip(reason="takes long: run with --runslow"))


# Networks of width 2 are faster on one thread, and tests may run beside each other.
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def image_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A labeled folder of 48 JPEGs, 40×36 px, in three classes of plainly different colors."""
    root = tmp_path_factory.mktemp("images")
    random = np.random.default_rng(0)
    for channel, name in enumerate(("blue", "green", "red")):
        (root / name).mkdir()
        for index in range(16):
            pixels = random.integers(0, 80, (36, 40, 3))
            pixels[..., 2 - channel] += 150
            Image.fromarray(pixels.astype(np.uint8)).save(root / name / f"{index:02d}.jpg")
    return root


@pytest.fixture(scope="session")
def few_tiles(tmp_path_factory: pytest.TempPathFactory) -> Earth:
    """Tiles of the Earth that do not overlap, so that they are cut quickly."""
    earth = Earth(stride=32, cache_dir=tmp_path_factory.mktemp("few_tiles"))
    earth.fetch(32)
    return earth


@pytest.fixture
def imagenet(tmp_path: Path, few_tiles: Earth) -> Path:
    """A folder laid out like ImageNet: three classes of 12 and 4 JPEGs."""
    return make_imagenet(tmp_path / "imagenet", few_tiles)


@pytest.fixture(autouse=True)
def _plain_argv(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line is called with its own arguments; pytest's are none of its business."""
    monkeypatch.setattr("sys.argv", ["cli.py"])
    monkeypatch.delenv("LIT_AN_RUN_FOLDER", raising=False)
