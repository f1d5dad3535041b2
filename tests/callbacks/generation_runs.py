"""A measurement of an untrained generator, for tests."""

import json
from pathlib import Path
from typing import Any

from callbacks import GenerationMetrics
from tests.training import make_data, make_task, make_trainer


def measured(folder: Path, image_folder: Path, callback: GenerationMetrics, **kwargs: Any) -> dict[str, Any]:
    """What a test of an untrained task writes, with all images as the split."""
    task = make_task()
    trainer = make_trainer(folder, task, 1, [callback], **kwargs)
    trainer.test(task, datamodule=make_data(image_folder, val_fraction=0.9), verbose=False)
    stored: dict[str, Any] = json.loads((folder / "metrics_test_0000000.json").read_text())
    return stored
