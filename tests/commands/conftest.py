"""A run of a small inpainting network, and pictures with masks, for the tests of tools."""

from pathlib import Path

import pytest

from tests.commands.photographs_with_holes import mask_of, photograph
from tests.inpainting.small_inpainter import write_run


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return write_run(tmp_path / "run")


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Three pictures, one in a folder below, and their masks."""
    images, masks = tmp_path / "images", tmp_path / "masks"
    for name in ("a.png", "b.jpg", "sub/a.tif"):
        for folder in (images, masks):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
        photograph().save(images / name)
        mask_of().save((masks / name).with_suffix(".png"))
    return images, masks
