"""A tiny real run, trained once for all tests of sampling, and its generator."""

from pathlib import Path

import pytest

import cli
from lit_an.trained.generator import TrainedGenerator, load_generator

SMALL_CLASSES = Path(__file__).parents[2] / "configs/class_conditional/earth32_pixels.yaml"


@pytest.fixture(scope="session")
def run(image_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run: three classes, width 2, two iterations, averaged weights."""
    folder = tmp_path_factory.mktemp("sampling") / "run"
    arguments = [
        "fit",
        f"--config={SMALL_CLASSES}",
        f"--run_folder={folder}",
        "--iterations=2",
        "--trainer.limit_val_batches=1",
        "--model.generator.base_width=2",
        "--model.generator.num_classes=3",
        "--model.discriminator.base_width=2",
        "--data.source=lit_an.data.sources.ImageFolder",
        f"--data.source.root={image_folder}",
        "--data.batch_size=4",
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["cli.py"])
        assert cli.main(arguments) == 0
    return folder


@pytest.fixture
def checkpoint(run: Path) -> Path:
    """The last checkpoint of that run."""
    return run / "checkpoints" / "last.ckpt"


@pytest.fixture
def generator(checkpoint: Path) -> TrainedGenerator:
    """The generator of that run, its AN layer no longer the identity."""
    trained = load_generator(checkpoint)
    trained.network.long_range.residual_scale.fill_(0.5)  # type: ignore[union-attr, operator]
    return trained
