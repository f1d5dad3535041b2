"""Arguments of measurements that several tests make."""

from pathlib import Path
from typing import Any

import pytest

from tests.metrics.small_extractor import save_small_extractor


@pytest.fixture
def small(tmp_path: Path) -> dict[str, Any]:
    """Arguments of a measurement that takes a moment."""
    path = save_small_extractor(tmp_path / "small.pt")
    return {
        "num_images": 31,
        "extractor": "torchscript",
        "extractor_kwargs": {"path": path, "image_size": 32},
        "cache_dir": str(tmp_path / "cache"),
    }
