"""The loop by hand in ``benchmarks/train_step.py`` does the work of Lightning's, so that their times compare."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from callbacks import GeneratorEMA
from tests.benchmark_modules import loaded
from tests.training import make_data, make_task, make_trainer

ITERATIONS = 2


@pytest.fixture(scope="module")
def benchmark() -> Any:
    return loaded("train_step")


@pytest.mark.parametrize("options", [{"share_fakes": True}, {"discriminator_steps": 2}, {"accumulate": 2}], ids=str)
def test_both_loops_make_the_same_passes(
    options: dict[str, Any], benchmark: Any, image_folder: Path, tmp_path: Path
) -> None:
    task = make_task(**options)
    frozen = next(task.discriminator.parameters()).requires_grad_(False)  # as a backbone is
    passes: list[tuple[str, int]] = []
    for side in ("generator", "discriminator"):
        getattr(task, side).register_forward_hook(
            lambda module, inputs, output, side=side: passes.append((side, len(inputs[0])))
        )
    data = make_data(image_folder, batches_per_iteration=task.discriminator_steps)
    trainer = make_trainer(tmp_path, task, ITERATIONS, [GeneratorEMA(0.9)], limit_val_batches=0)
    trainer.fit(task, data)
    expected = passes.copy()
    passes.clear()
    run = SimpleNamespace(model=task, trainer=trainer, datamodule=data)
    assert len(benchmark.hand_written(run, ITERATIONS)) == ITERATIONS
    assert passes == expected
    assert not frozen.requires_grad
