"""Terms in the log: those that are computed less often than they are logged, and those that are no longer computed."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from callbacks import Checkpointing, MetricsCSV
from lit_an.tasks.term_log import TermLog
from tests.randomizing import randomized
from tests.training import (
    logged_rows,
    make_data,
    make_inpainting_task,
    make_photographs,
    make_task,
    make_trainer,
)

R1 = "train/discriminator/r1_penalty"


def fit(
    folder: Path, task: Any, data: Any, iterations: int, log_every: int = 3, checkpoint: Path | None = None
) -> dict[int, dict[str, float]]:
    """The logged terms of training, by iteration."""
    options = {"logger": MetricsCSV(str(folder)), "log_every_n_steps": log_every}
    trainer = make_trainer(folder, task, iterations, [Checkpointing(every_iterations=0)], **options)
    trainer.fit(task, datamodule=data, ckpt_path=checkpoint, weights_only=True)
    return logged_rows(folder, "train/")


@pytest.mark.parametrize(("discriminator_steps", "accumulate"), [(1, 1), (2, 1), (1, 2), (2, 2)])
def test_a_lazy_penalty_is_logged_with_its_newest_value(
    tmp_path: Path, image_folder: Path, discriminator_steps: int, accumulate: int
) -> None:
    """Computed in iterations 1, 5 and 9, logged after 3, 6, 9 and 12: none of the last three has one."""
    task = randomized(
        make_task(
            r1_weight=2.0,
            gradient_penalty_weight=1.0,
            penalty_every=4,
            discriminator_steps=discriminator_steps,
            accumulate=accumulate,
        )
    )
    computed: dict[int, list[float]] = {}
    compute = task.discriminator_terms

    def observe(batch: Any) -> dict[str, Tensor]:
        terms = compute(batch)
        if "r1_penalty" in terms:
            computed.setdefault(task.iteration + 1, []).append(terms["r1_penalty"].item())
        return terms

    task.discriminator_terms = observe  # type: ignore[method-assign]
    rows = fit(tmp_path, task, make_data(image_folder, batches_per_iteration=discriminator_steps), 12)
    assert list(computed) == [1, 5, 9]
    assert {len(values) for values in computed.values()} == {discriminator_steps * accumulate}
    assert {iteration: R1 in row for iteration, row in rows.items()} == {3: True, 6: True, 9: True, 12: False}
    for logged_at, computed_at in ((3, 1), (6, 5), (9, 9)):
        of_last_step = computed[computed_at][-accumulate:]
        assert rows[logged_at][R1] == pytest.approx(sum(of_last_step) / accumulate, rel=1e-5)
        assert "train/discriminator/gradient_penalty" in rows[logged_at]
    assert all("train/generator/adversarial" in row for row in rows.values())


def test_of_several_values_the_newest_is_logged(tmp_path: Path, image_folder: Path) -> None:
    task = make_task()
    adversarial: list[float] = []
    compute = task.generator_terms

    def observe(batch: Any) -> dict[str, Tensor]:
        terms = compute(batch)
        adversarial.append(terms["adversarial"].item())
        return terms

    task.generator_terms = observe  # type: ignore[method-assign]
    rows = fit(tmp_path, task, make_data(image_folder), 6)
    logged = {iteration: row["train/generator/adversarial"] for iteration, row in rows.items()}
    assert logged == pytest.approx({3: adversarial[2], 6: adversarial[5]}, rel=1e-5)


@pytest.mark.parametrize("side", ["generator", "discriminator"])
@pytest.mark.parametrize("make", [make_task, make_inpainting_task])
def test_a_term_that_is_no_longer_computed_leaves_the_log(
    tmp_path: Path, image_folder: Path, make: Any, side: str
) -> None:
    task = make(accumulate=2)
    compute = getattr(task, f"{side}_terms")

    def with_one_more(batch: Any) -> dict[str, Tensor]:
        terms: dict[str, Tensor] = compute(batch)
        return terms | ({"first_phase": torch.tensor(7.0)} if task.iteration < 3 else {})

    setattr(task, f"{side}_terms", with_one_more)
    data = make_data(image_folder) if make is make_task else make_photographs(image_folder)
    rows = fit(tmp_path, task, data, 6, log_every=2)
    logged = {iteration: row.get(f"train/{side}/first_phase") for iteration, row in rows.items()}
    assert logged == {2: 7.0, 4: 7.0, 6: None}


def test_terms_of_the_critics_join_the_log_when_they_play(tmp_path: Path, image_folder: Path) -> None:
    task = make_inpainting_task(adversarial_from=3, discriminator_steps=2)
    rows = fit(tmp_path, task, make_photographs(image_folder, batches_per_iteration=2), 5, log_every=2)
    assert {iteration: "train/discriminator/gradient_penalty" in row for iteration, row in rows.items()} == {
        2: False,
        4: True,
    }
    assert all("train/generator/hole" in row for row in rows.values())


def test_a_resumed_run_logs_lazy_penalties(tmp_path: Path, image_folder: Path) -> None:
    """Stopped between a penalty (iteration 5) and its log iteration (6), and at one that is neither (7)."""
    kwargs: dict[str, Any] = {"r1_weight": 2.0, "penalty_every": 4}
    straight = fit(tmp_path / "straight", make_task(**kwargs), make_data(image_folder), 15)
    for stop in (5, 7):
        folder = tmp_path / str(stop)
        fit(folder, make_task(**kwargs), make_data(image_folder), stop)
        last = folder / "checkpoints" / "last.ckpt"
        resumed = fit(folder, make_task(**kwargs), make_data(image_folder), 15, checkpoint=last)
        assert {iteration for iteration, row in resumed.items() if R1 in row} == {3, 6, 9, 15}
        assert resumed == straight


def test_another_fit_of_the_same_task_starts_with_nothing(tmp_path: Path, image_folder: Path) -> None:
    task = make_task(r1_weight=2.0, penalty_every=100)
    assert fit(tmp_path / "first", task, make_data(image_folder), 1, log_every=2) == {}
    rows = fit(tmp_path / "second", task, make_data(image_folder), 3, log_every=1)
    assert rows
    assert not any(R1 in row for row in rows.values())


def test_a_log_interval_of_zero_logs_nothing(tmp_path: Path, image_folder: Path) -> None:
    task = make_task()
    trainer = make_trainer(tmp_path, task, 2, log_every_n_steps=0)
    trainer.fit(task, datamodule=make_data(image_folder))
    assert task.iteration == 2
    assert not any(name.startswith("train/") for name in trainer.callback_metrics)


def test_the_probability_of_augmentation_is_logged_at_each_log_iteration(tmp_path: Path, image_folder: Path) -> None:
    task = make_task(augmentation="ada", augmentation_kwargs={"adapt_every": 4, "images_to_full": 100})
    with torch.no_grad():
        task.discriminator.to_logit.bias.fill_(100)  # type: ignore[union-attr]  # all it sees is real to it
    rows = fit(tmp_path, task, make_data(image_folder), 9)
    logged = {iteration: row["train/discriminator/augmentation_probability"] for iteration, row in rows.items()}
    # It moves after iterations 4 and 8 by 16 of 100 images, whatever the iterations it is logged at.
    assert logged == pytest.approx({3: 0.0, 6: 0.16, 9: 0.32})


def test_values_are_kept_as_they_are() -> None:
    """No copy and no wait for a device at an iteration that logs nothing."""
    log, term = TermLog(), torch.tensor(1.0)
    log.add("generator", {"adversarial": term})
    log.add("discriminator", {"adversarial": torch.tensor(2.0)})
    taken, dropped = log.take()
    assert not dropped
    assert list(taken) == ["generator/adversarial", "discriminator/adversarial"]
    assert taken["generator/adversarial"] is term
