"""Numbers that are not finite: found where they begin, and followed by what the policy says."""

import itertools
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.plugins import MixedPrecision

from callbacks import Checkpointing, GeneratorEMA, MetricsCSV
from lit_an.errors import InputError, NonFiniteError
from lit_an.tasks.non_finite import finite_checkpoints
from lit_an.tensors.finite import first_non_finite
from tests.training import (
    logged_rows,
    make_data,
    make_inpainting_task,
    make_photographs,
    make_task,
    make_trainer,
    run_in_two_processes,
    weights,
)

NAN, INF = float("nan"), float("inf")


class Poison(Callback):
    """Makes a gradient of a network not finite in one iteration, or from it on."""

    def __init__(self, side: str, iteration: int, value: float = NAN, lasts: bool = False) -> None:
        self.side, self.iteration, self.value, self.lasts = side, iteration, value, lasts

    def on_after_backward(self, trainer: Any, task: Any) -> None:
        now = task.iteration + 1
        if now == self.iteration or (self.lasts and now > self.iteration):
            parameter = next(getattr(task, self.side).parameters())
            if parameter.grad is not None:
                parameter.grad.view(-1)[0] = self.value


def with_bad_term(task: Any, side: str, iteration: int, value: float = NAN, name: str = "adversarial") -> Any:
    """Multiplies a term of one iteration by a value."""
    compute = getattr(task, f"{side}_terms")

    def terms(batch: Any) -> Any:
        found = compute(batch)
        if task.iteration + 1 == iteration and name in found:
            found[name] = found[name] * value
        return found

    setattr(task, f"{side}_terms", terms)
    return task


def fit(folder: Path, task: Any, data: Any, iterations: int, *more: Callback, **options: Any) -> pl.Trainer:
    callbacks = [*more, GeneratorEMA(0.9), Checkpointing(every_iterations=2, keep=9)]
    options = {"logger": MetricsCSV(str(folder)), "limit_val_batches": 0, **options}
    trainer = make_trainer(folder, task, iterations, callbacks, **options)
    trainer.fit(task, datamodule=data)
    return trainer


def numbered(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "checkpoints").glob("iteration_*"))


@pytest.mark.parametrize("value", [NAN, INF, -INF])
@pytest.mark.parametrize("side", ["generator", "discriminator"])
@pytest.mark.parametrize("log_every", [1, 4])
def test_a_term_that_is_not_finite_stops_with_its_name_and_iteration(
    log_every: int, side: str, value: float, tmp_path: Path, image_folder: Path
) -> None:
    """Between log iterations too, where the checkpoint of the iteration after next finds it."""
    task = with_bad_term(make_task(), side, 3, value)
    last = tmp_path / "checkpoints" / "iteration_0000002.ckpt"
    with pytest.raises(NonFiniteError) as caught:
        fit(tmp_path, task, make_data(image_folder), 9, log_every_n_steps=log_every)
    assert str(caught.value) == (
        f"{side}/adversarial is not finite since iteration 3; the checkpoint of iteration 2 is finite: go on from it "
        f"with --ckpt_path {last} and a lower learning rate, or with --model.non_finite skip"
    )
    assert numbered(tmp_path) == [last.name]


def test_a_sentence_names_no_file_that_is_not_there(tmp_path: Path, image_folder: Path) -> None:
    task = with_bad_term(make_task(), "generator", 1)
    with pytest.raises(NonFiniteError, match="no checkpoint from before is there: start again with a lower learning"):
        fit(tmp_path, task, make_data(image_folder), 4)
    assert not (tmp_path / "checkpoints").exists() or numbered(tmp_path) == []


@pytest.mark.parametrize("kwargs", [{}, {"gradient_clip_norm": 1.0}, {"accumulate": 2}, {"discriminator_steps": 2}])
def test_a_gradient_that_is_not_finite_stops_before_a_checkpoint_of_it(
    kwargs: dict[str, Any], tmp_path: Path, image_folder: Path
) -> None:
    """The terms of iteration 4 are finite; the weights after it are not, and no log iteration comes before the save."""
    data = make_data(image_folder, batches_per_iteration=kwargs.get("discriminator_steps", 1))
    with pytest.raises(NonFiniteError, match=r"generator\..* not finite since iteration 4; .* iteration 2 is finite"):
        fit(tmp_path, make_task(**kwargs), data, 9, Poison("generator", 4, INF), log_every_n_steps=50)
    assert numbered(tmp_path) == ["iteration_0000002.ckpt"]


@pytest.mark.parametrize("what", ["buffer", "average", "optimizer"])
def test_all_that_a_checkpoint_holds_is_judged(what: str, tmp_path: Path, image_folder: Path) -> None:
    class Spoil(Callback):
        def on_train_batch_end(self, trainer: Any, task: Any, *args: Any) -> None:
            if task.iteration == 4:
                optimizer = trainer.optimizers[0]
                tensors = {
                    "buffer": next(b for b in task.discriminator.buffers() if b.is_floating_point()),
                    "average": next(iter(task.average().values())),
                    "optimizer": next(iter(optimizer.state.values()))["exp_avg"],
                }
                tensors[what].view(-1)[0] = NAN

    said = {"buffer": "discriminator.", "average": "the average of generator.", "optimizer": "exp_avg of generator."}
    task = make_task()
    # After the average's callback, whose next step would hide where it began.
    callbacks = [GeneratorEMA(0.9), Spoil(), Checkpointing(every_iterations=2, keep=9)]
    trainer = make_trainer(tmp_path, task, 9, callbacks, log_every_n_steps=50)
    with pytest.raises(NonFiniteError, match=rf"{said[what]}.* is not finite since iteration 4"):
        trainer.fit(task, datamodule=make_data(image_folder))
    assert numbered(tmp_path) == ["iteration_0000002.ckpt"]


def test_a_lazy_penalty_is_watched_between_log_iterations(tmp_path: Path, image_folder: Path) -> None:
    task = with_bad_term(make_task(r1_weight=1.0, penalty_every=4), "discriminator", 5, INF, "r1_penalty")
    with pytest.raises(NonFiniteError, match="discriminator/r1_penalty is not finite since iteration 5"):
        fit(tmp_path, task, make_data(image_folder), 9, log_every_n_steps=8)


def test_inpainting_stops_too(tmp_path: Path, image_folder: Path) -> None:
    task = with_bad_term(make_inpainting_task(), "discriminator", 3, NAN, "gradient_penalty")
    with pytest.raises(NonFiniteError, match="discriminator/gradient_penalty is not finite since iteration 3"):
        fit(tmp_path, task, make_photographs(image_folder), 9)


@pytest.mark.parametrize("side", ["generator", "discriminator"])
@pytest.mark.parametrize("options", [{}, {"gradient_clip_norm": 1.0, "share_fakes": True}])
def test_skip_leaves_a_network_as_it_was(
    options: dict[str, Any], side: str, tmp_path: Path, image_folder: Path
) -> None:
    """The graph of a shared pass is needed after the discriminator's update, even where that is dropped."""
    seen: list[dict[str, torch.Tensor]] = []

    class Watch(Callback):
        def on_train_batch_start(self, trainer: Any, task: Any, *args: Any) -> None:
            seen.append(weights(task, side))

    task = make_task(non_finite="skip", **options)
    with pytest.warns(UserWarning, match=rf"an update is skipped at iteration 3, since the gradient of {side}\."):
        fit(tmp_path, task, make_data(image_folder), 5, Watch(), Poison(side, 3))
    same = [all(torch.equal(a[name], b[name]) for name in a) for a, b in itertools.pairwise(seen)]
    assert same == [False, False, True, False]
    rows = logged_rows(tmp_path, "train/skipped")
    assert [row["train/skipped_updates"] for row in rows.values()] == [0, 0, 1, 1, 1]
    stored = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    assert stored["state_dict"]["_extra_state"]["skipped_updates"] == 1
    assert stored["lit_an"]["finite"] is True


def test_skip_keeps_running_statistics(tmp_path: Path, image_folder: Path) -> None:
    """Images that are NaN reach the statistics in the forward pass, before any gradient."""

    class Spoil(Callback):
        def on_train_batch_start(self, trainer: Any, task: Any, batch: Any, *args: Any) -> None:
            if task.iteration == 2:
                batch.image.fill_(NAN)

    task = make_task(non_finite="skip", augmentation="ada", augmentation_kwargs={"adapt_every": 1})
    task.discriminator.observer = torch.nn.BatchNorm2d(3)
    task.discriminator.register_forward_pre_hook(lambda module, inputs: (module.observer(inputs[0]), *inputs[1:]))
    with pytest.warns(UserWarning, match="an update is skipped at iteration 3"):
        fit(tmp_path, task, make_data(image_folder), 4, Spoil())
    assert task.discriminator.observer.running_mean.isfinite().all()
    assert first_non_finite(task.state_dict()) is None
    assert 0 <= task.augmentation.state()["probability"] <= 1  # false for NaN


@pytest.mark.parametrize("share_fakes", [False, True])
def test_skip_keeps_the_statistics_of_a_generator_that_makes_nans(
    share_fakes: bool, tmp_path: Path, image_folder: Path
) -> None:
    task = make_task(non_finite="skip", share_fakes=share_fakes)

    def spoil(module: Any, inputs: Any) -> Any:
        return (inputs[0] * NAN, *inputs[1:]) if task.iteration == 2 else None

    task.generator.register_forward_pre_hook(spoil)
    with pytest.warns(UserWarning, match="an update is skipped at iteration 3"):
        fit(tmp_path, task, make_data(image_folder), 4)
    assert first_non_finite(task.state_dict()) is None


def test_a_run_that_can_only_skip_stops(tmp_path: Path, image_folder: Path) -> None:
    task = make_task(non_finite="skip")
    sentence = (
        "the generator has made no update in 40 attempts up to iteration 42, since its gradients are not finite; "
        ".*--ckpt_path .* and a lower learning rate$"
    )
    with pytest.warns(UserWarning, match="is skipped"), pytest.raises(NonFiniteError, match=sentence):
        fit(tmp_path, task, make_data(image_folder), 99, Poison("generator", 3, lasts=True))


def test_ignore_goes_on_with_one_warning_and_marks_its_checkpoints(tmp_path: Path, image_folder: Path) -> None:
    task = with_bad_term(make_task(non_finite="ignore"), "generator", 3)
    with pytest.warns(UserWarning, match="generator/adversarial is not finite since iteration 3; the run") as said:
        fit(tmp_path, task, make_data(image_folder), 6)
    assert len([each for each in said if "is not finite" in str(each.message)]) == 1
    finite = {
        path.name: torch.load(path, weights_only=True)["lit_an"]["finite"]
        for path in (tmp_path / "checkpoints").glob("iteration_*")
    }
    assert [finite[name] for name in sorted(finite)] == [True, False, False]
    assert [iteration for _, iteration in finite_checkpoints(tmp_path / "checkpoints")] == [2]

    last = tmp_path / "checkpoints" / "last.ckpt"
    for policy, call in (("stop", "fit"), ("stop", "validate"), ("ignore", "validate")):
        other = make_task(non_finite=policy)
        trainer = make_trainer(tmp_path, other, 8, [GeneratorEMA(0.9)])
        with pytest.raises(InputError, match=r"cannot be used, since generator\..* is not finite.* earlier"):
            getattr(trainer, call)(other, datamodule=make_data(image_folder), ckpt_path=last, weights_only=True)


def test_an_unknown_policy_is_refused() -> None:
    with pytest.raises(InputError, match="non_finite must be one of stop, skip, ignore, got 'go'"):
        make_task(non_finite="go")


def half(**kwargs: Any) -> MixedPrecision:
    return MixedPrecision("16-mixed", "cpu", torch.amp.GradScaler("cpu", **kwargs))


@pytest.mark.parametrize("non_finite", ["stop", "skip"])
def test_fp16_overflows_are_the_business_of_the_loss_scale(non_finite: str, tmp_path: Path, image_folder: Path) -> None:
    """A scale at which the first updates overflow: counted, not judged; then the run goes on."""
    task = make_task(non_finite=non_finite)
    before = weights(task, "generator")
    fit(tmp_path, task, make_data(image_folder), 14, plugins=half(init_scale=2.0**40))
    counts = [row["train/fp16_overflows"] for row in logged_rows(tmp_path, "train/fp16").values()]
    assert counts[0] >= 1
    assert 2 <= counts[-1] < 28, "the first updates overflow, the last do not"
    assert not all(torch.equal(before[name], now) for name, now in weights(task, "generator").items())
    assert first_non_finite(task.state_dict()) is None


def test_a_loss_scale_that_collapsed_stops(tmp_path: Path, image_folder: Path) -> None:
    task = make_task()
    with pytest.raises(
        NonFiniteError,
        match=r"generator has made no update in 40 attempts up to iteration 42, .* at any loss scale",
    ):
        fit(tmp_path, task, make_data(image_folder), 99, Poison("generator", 3, lasts=True), plugins=half())


def _nan_in_one(rank: int, port: str, folder: str, images: str, where: str) -> None:
    import os

    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "LOCAL_RANK": str(rank), "NODE_RANK": "0"}
    torch.set_num_threads(1)
    task = make_task()
    if rank == 1 and where == "term":
        with_bad_term(task, "discriminator", 3)

    class Spoil(Callback):
        def on_train_batch_end(self, trainer: Any, task: Any, *args: Any) -> None:
            if where == "buffer" and rank == 1 and task.iteration == 4:
                next(b for b in task.discriminator.buffers() if b.is_floating_point()).view(-1)[0] = NAN

    from pytorch_lightning.strategies import DDPStrategy

    every = 1 if where == "term" else 50
    strategy = DDPStrategy(process_group_backend="gloo", find_unused_parameters=True, broadcast_buffers=False)
    try:
        fit(
            Path(folder),
            task,
            make_data(Path(images), batch_size=2),
            8,
            Spoil(),
            devices=2,
            strategy=strategy,
            log_every_n_steps=every,
        )
    except NonFiniteError as error:
        Path(folder, f"said_{rank}").write_text(str(error))


@pytest.mark.parametrize("where", ["term", pytest.param("buffer", marks=pytest.mark.slow)])
def test_both_processes_stop_when_one_has_a_nan(where: str, tmp_path: Path, image_folder: Path) -> None:
    run_in_two_processes(_nan_in_one, str(tmp_path), str(image_folder), where)
    said = [(tmp_path / f"said_{rank}").read_text() for rank in range(2)]
    begins = {"term": ["discriminator/adversarial"] * 2, "buffer": ["the state of another process", "discriminator."]}
    for sentence, start in zip(said, begins[where], strict=True):
        assert sentence.startswith(start), sentence
        assert "is not finite since iteration" in sentence
        assert "the checkpoint of iteration 2 is finite" in sentence
    assert numbered(tmp_path) == ["iteration_0000002.ckpt"]


def test_the_first_tensor_is_found_whatever_its_kind() -> None:
    fine = {"int": torch.tensor([1]), "none": None, "large": torch.tensor(3e38), "empty": torch.empty(0)}
    assert first_non_finite(fine) is None
    for kind in (torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64):
        for value in (NAN, INF, -INF):
            bad = torch.zeros(3, 5, dtype=kind)
            bad[1, 2] = value
            assert first_non_finite({**fine, "bad": bad, "worse": bad}) == "bad"
