"""The time of a run: that of its iterations, without what stands between them, over its resumes."""

from pathlib import Path
from typing import Any

import pytest
from pytorch_lightning import Callback

import lit_an.tasks.training_clock as training_clock
from callbacks import Checkpointing, MetricsCSV
from tests.training import logged_rows, make_data, make_task, make_trainer

STEP, BETWEEN = 1.0, 100.0  # seconds of a generator's step, and of a picture or a validation


class Time:
    """A clock that passes by what happens in a run alone; processors are twice as busy."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        patch.setattr(training_clock, "_now", lambda: (self.now, 2 * self.now))

    def fit(self, folder: Path, images: Path, iterations: int, checkpoint: Path | None = None) -> None:
        time, task = self, make_task()
        compute = task.generator_terms

        def terms(batch: Any) -> Any:
            time.now += STEP
            return compute(batch)

        class Pictures(Callback):
            def on_train_batch_end(self, *arguments: Any) -> None:
                time.now += BETWEEN

            def on_validation_epoch_end(self, *arguments: Any) -> None:
                time.now += BETWEEN

        task.generator_terms = terms  # type: ignore[method-assign]
        callbacks = [Pictures(), Checkpointing(every_iterations=2)]
        trainer = make_trainer(
            folder, task, iterations, callbacks, logger=MetricsCSV(str(folder)), val_check_interval=2
        )
        trainer.fit(task, datamodule=make_data(images), ckpt_path=checkpoint, weights_only=True)


def test_it_holds_iterations_alone_and_goes_on_after_a_resume(
    image_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    time = Time(monkeypatch)
    time.fit(tmp_path, image_folder, 3)
    time.now += BETWEEN
    time.fit(tmp_path, image_folder, 5, tmp_path / "checkpoints" / "last.ckpt")
    rows = logged_rows(tmp_path, "time/")
    assert {step: row["time/seconds"] for step, row in rows.items()} == {step: step * STEP for step in range(1, 6)}
    assert {row["time/processor_seconds"] for row in rows.values()} == {2 * step * STEP for step in range(1, 6)}
    assert {row["time/images_per_second"] for row in rows.values()} == {4 / STEP}
