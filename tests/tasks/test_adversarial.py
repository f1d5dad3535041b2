"""The engine: who moves when, how often, on which gradient; what is counted and repeated."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from lit_an.batch import ClassBatch
from lit_an.errors import InputError
from lit_an.tasks.batch_parts import split_batch
from lit_an.tasks.resuming import check_architecture
from tests.training import ADAM, logged_rows, make_data, make_task, make_trainer, weights


def moved(before: dict[str, Tensor], after: dict[str, Tensor]) -> bool:
    return any(not torch.equal(before[name], after[name]) for name in before)


def run(
    tmp_path: Path, image_folder: Path, iterations: int = 1, data: dict[str, Any] | None = None, **kwargs: Any
) -> Any:
    trainer_options = kwargs.pop("trainer", {})
    task = make_task(**kwargs)
    trainer = make_trainer(tmp_path, task, iterations, **trainer_options)
    trainer.fit(task, datamodule=make_data(image_folder, **(data or {})))
    return task


def test_the_discriminator_moves_as_often_as_asked(tmp_path: Path, image_folder: Path) -> None:
    task = make_task(discriminator_steps=3)
    sizes: list[tuple[str, int]] = []

    def observe(side: str, compute: Any, batch: ClassBatch) -> Any:
        sizes.append((side, len(batch.image)))
        return compute(batch)

    task.discriminator_terms = partial(observe, "D", task.discriminator_terms)  # type: ignore[method-assign]
    task.generator_terms = partial(observe, "G", task.generator_terms)  # type: ignore[method-assign]
    trainer = make_trainer(tmp_path, task, 2)
    trainer.fit(task, datamodule=make_data(image_folder, batches_per_iteration=3))
    assert sizes == [("D", 4), ("D", 4), ("D", 4), ("G", 4)] * 2
    assert (task.iteration, task.images_seen, trainer.global_step) == (2, 24, 8)


def test_accumulation_takes_the_gradient_of_the_whole_batch(tmp_path: Path, image_folder: Path) -> None:
    """Without randomness in the losses, two halves give the step of the whole."""

    def losses_of_images(task: Any) -> None:
        def discriminator_terms(batch: ClassBatch) -> dict[str, Tensor]:
            return {"adversarial": task.discriminator.eval()(batch.image, batch.label).square().mean()}

        def generator_terms(batch: ClassBatch) -> dict[str, Tensor]:
            latent = batch.image.flatten(1)[:, :8]
            return {"adversarial": task.generator.eval()(latent, batch.label).square().mean()}

        task.discriminator_terms, task.generator_terms = discriminator_terms, generator_terms

    results = []
    for accumulate in (1, 2):
        task = make_task(accumulate=accumulate)
        task.configure_optimizers = lambda task=task: [  # type: ignore[method-assign]
            {"optimizer": torch.optim.SGD(network.parameters(), lr=0.1)}
            for network in (task.generator, task.discriminator)
        ]
        losses_of_images(task)
        make_trainer(tmp_path, task, 1).fit(task, datamodule=make_data(image_folder))
        results.append(
            {**weights(task, "generator"), **{f"d.{k}": v for k, v in weights(task, "discriminator").items()}}
        )
    torch.testing.assert_close(results[0], results[1], rtol=1e-5, atol=1e-6)


def test_gradients_are_clipped_at_the_asked_norm(tmp_path: Path, image_folder: Path) -> None:
    norms: list[float] = []

    class Recorder(torch.optim.SGD):
        def step(self, closure: Any = None) -> Any:  # type: ignore[override]
            closure()  # Lightning's: it calls the hook that clips
            grads = [p.grad for group in self.param_groups for p in group["params"] if p.grad is not None]
            norms.append(torch.stack([g.norm() for g in grads]).norm().item())
            return super().step()

    task = make_task(gradient_clip_norm=1e-3)
    task.make_optimizers = (partial(Recorder, lr=0.1), partial(Recorder, lr=0.1))  # type: ignore[assignment]
    make_trainer(tmp_path, task, 2).fit(task, datamodule=make_data(image_folder))
    assert norms == pytest.approx([1e-3] * 4, rel=1e-3)


def test_schedules_run_on_iterations(tmp_path: Path, image_folder: Path) -> None:
    halve = partial(torch.optim.lr_scheduler.StepLR, step_size=2, gamma=0.5)
    task = run(tmp_path, image_folder, 4, generator_scheduler=halve)
    generator, discriminator = task.optimizers()
    assert generator.param_groups[0]["lr"] == pytest.approx(1e-3 / 4)
    assert discriminator.param_groups[0]["lr"] == pytest.approx(1e-3)


def test_a_run_without_optimizer_steps_still_ends(tmp_path: Path, image_folder: Path) -> None:
    """Lightning counts optimizer steps only; the task counts its iterations."""
    task = make_task()
    task._update = lambda *args: {}  # type: ignore[method-assign]
    make_trainer(tmp_path, task, 3).fit(task, datamodule=make_data(image_folder))
    assert task.iteration == 3


def test_the_same_seed_gives_the_same_run(tmp_path: Path, image_folder: Path) -> None:
    first, second = (weights(run(tmp_path, image_folder, 3), "generator") for _ in range(2))
    assert not moved(first, second)


def test_what_happens_between_iterations_does_not_change_the_draws(tmp_path: Path, image_folder: Path) -> None:
    plain = weights(run(tmp_path, image_folder, 3), "generator")
    task = make_task()
    count = task._count

    def count_and_draw() -> None:
        torch.rand(7)
        count()

    task._count = count_and_draw  # type: ignore[method-assign]
    make_trainer(tmp_path, task, 3).fit(task, datamodule=make_data(image_folder))
    assert not moved(plain, weights(task, "generator"))


def test_bfloat16_trains_with_finite_weights(tmp_path: Path, image_folder: Path) -> None:
    task = run(tmp_path, image_folder, 3, trainer={"precision": "bf16-mixed"}, r1_weight=1.0)
    assert all(torch.isfinite(p).all() and p.dtype == torch.float32 for p in task.parameters())


def test_log_values_stand_at_their_iteration(tmp_path: Path, image_folder: Path) -> None:
    from callbacks.loggers.metrics_csv import MetricsCSV

    run(
        tmp_path,
        image_folder,
        6,
        trainer={"logger": MetricsCSV(str(tmp_path)), "log_every_n_steps": 2, "val_check_interval": 3},
    )
    import csv

    with (tmp_path / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    train = [int(row["step"]) for row in rows if row["train/generator/adversarial"]]
    val = [int(row["step"]) for row in rows if row.get("val/generator/adversarial")]
    assert train == [2, 4, 6]
    assert val == [3, 6]


def test_a_validation_stands_at_its_iteration_in_a_long_run(tmp_path: Path, image_folder: Path) -> None:
    """Lightning takes means in float32, in which ten times this number does not exist."""
    from callbacks.loggers.metrics_csv import MetricsCSV

    task = make_task()
    task.iteration = 3_000_001
    trainer = make_trainer(tmp_path, task, 1, logger=MetricsCSV(str(tmp_path)), limit_val_batches=10)
    trainer.validate(task, datamodule=make_data(image_folder, batch_size=1), verbose=False)
    assert list(logged_rows(tmp_path, "val/")) == [3_000_001]


def test_split_parts_every_field_and_keeps_none() -> None:
    batch = ClassBatch(torch.arange(6.0).view(6, 1, 1, 1), torch.arange(6))
    parts = split_batch(batch, 3)
    assert [part.label.tolist() for part in parts] == [[0, 1], [2, 3], [4, 5]]
    assert parts[0].regions is None
    with pytest.raises(InputError, match="a training batch of 6 images cannot be split into 4 equal parts"):
        split_batch(batch, 4)


def test_another_architecture_is_refused_in_one_sentence() -> None:
    mine, stored = make_task().state_dict(), dict(make_task().state_dict())
    check_architecture(mine, stored)
    name = "generator.to_image.bias"
    for other, sentence in (
        ({**stored, name: torch.zeros(5)}, rf"it holds {name} with shape \(5,\), not \(3,\)"),
        ({key: value for key, value in stored.items() if key != name}, f"it lacks {name}"),
        ({**stored, "generator.extra": torch.zeros(1)}, "it holds generator.extra, which the configured networks lack"),
    ):
        with pytest.raises(InputError, match=sentence):
            check_architecture(mine, other)


@pytest.mark.parametrize("argument", ["discriminator_steps", "accumulate", "penalty_every"])
def test_counts_below_one_are_refused(argument: str) -> None:
    with pytest.raises(InputError, match=f"{argument} must be at least 1, got 0"):
        make_task(**{argument: 0})


def test_optimizer_steps_are_what_lightning_counts(tmp_path: Path, image_folder: Path) -> None:
    assert make_task(discriminator_steps=5).optimizer_steps(10) == 60
    assert ADAM.keywords["lr"] == 1e-3
