"""Counts of whole iterations: real tensors beside meta ones, steps, parts, phases, penalties, frozen networks."""

from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from lit_an.batch import ClassBatch
from lit_an.errors import InputError
from lit_an.tasks.turns import train_only
from lit_an.training_costs.estimate import Setting, UncountableError, estimate
from lit_an.training_costs.iteration import IterationCounts, count_iteration
from lit_an.training_costs.phases import Phase, phases
from lit_an.training_costs.valueless import without_values
from tests.training import make_inpainting_task, make_task


def counts(task: Any, images: int = 2, iteration: int = 0, **kwargs: Any) -> IterationCounts:
    copied = without_values(task)
    copied.iteration = iteration
    return count_iteration(copied, images, 32, **kwargs)


def test_meta_tensors_count_as_real_ones_and_linearly() -> None:
    """Beside torch's own counter on real tensors; all but the penalty on the weights grows with the batch."""
    task = make_task("none", orthogonality_weight=0.0)
    batch = ClassBatch(torch.rand(2, 3, 32, 32), torch.zeros(2, dtype=torch.long))
    real = 0
    for network, terms in (
        (task.discriminator, task.discriminator_terms),
        (task.generator, task.generator_terms),
    ):
        with train_only(network, task.generator, task.discriminator), FlopCounterMode(display=False) as counter:
            torch.stack(list(terms(batch).values())).sum().backward()  # type: ignore[no-untyped-call]
        real += counter.get_total_flops()
    assert counts(task).flops == real
    assert counts(task, images=4).flops == pytest.approx(2 * real, rel=1e-3)


def test_every_step_of_the_discriminator_and_every_part_counts() -> None:
    one, two, three = (counts(make_task("none", discriminator_steps=steps)) for steps in (1, 2, 3))
    assert three.flops - two.flops == two.flops - one.flops > 0
    assert three.launches - two.launches == two.launches - one.launches > 0
    whole, parts = (counts(make_task("none", accumulate=number), images=6) for number in (1, 3))
    assert parts.flops == whole.flops
    assert parts.launches > 2.5 * whole.launches


def test_a_gradient_penalty_is_counted() -> None:
    """Forward, the gradient at the image, and the gradients of both for the weights and for what lies between."""
    plain, with_r1 = (counts(make_task("none", r1_weight=weight)).flops for weight in (0.0, 1.0))
    task = without_values(make_task("none"))
    with torch.device("meta"), FlopCounterMode(display=False) as judging:
        task.discriminator(torch.zeros(2, 3, 32, 32), torch.zeros(2, dtype=torch.long))
    # Each of the two passes costs one forward, the backward pass through both four more, where the image needs none.
    assert (with_r1 - plain) / judging.get_total_flops() == pytest.approx(6, rel=0.1)


def test_shared_fakes_save_a_pass_of_the_generator() -> None:
    own, shared = (counts(make_task("none", share_fakes=share, discriminator_steps=2)) for share in (False, True))
    task = without_values(make_task("none"))
    with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as generating:
        task.generator(torch.zeros(2, 8), torch.zeros(2, dtype=torch.long))
    assert own.flops - shared.flops == generating.get_total_flops()


def test_phases_are_those_of_the_task() -> None:
    task = make_inpainting_task(adversarial_from=10)
    assert phases(task, 25) == [Phase(0, 10), Phase(10, 15)]
    assert phases(task, 5) == [Phase(0, 5)]
    assert phases(make_inpainting_task(adversarial_from=None), 5) == [Phase(0, 5)]
    features = {"features_from": 4, "perceptual_weight": 1.0, "features": "efficientnet_lite0"}
    assert phases(make_inpainting_task(adversarial_from=10, losses=features), 25) == [
        Phase(0, 4),
        Phase(4, 6),
        Phase(10, 15),
    ]
    assert phases(make_task(r1_weight=1.0, penalty_every=4), 10) == [Phase(0, 3), Phase(1, 7)]
    assert sum(phase.times for phase in phases(make_task(penalty_every=16), 1000)) == 1000


def test_a_run_is_the_sum_of_its_phases() -> None:
    task = make_inpainting_task(adversarial_from=10)
    alone, against = counts(task, iteration=0), counts(task, iteration=10)
    assert against.flops > 1.5 * alone.flops
    costs = estimate(task, Setting(2, 32), 25)
    assert [each.flops for each in costs.counts] == [alone.flops, against.flops]
    assert costs.memory - costs.state == max(alone.peak, against.peak)


def test_features_are_counted_without_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """ID-MRF's VGG-19 up to relu4_2: its arithmetic, and the memory of its weights."""
    pytest.importorskip("torchvision")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))  # no weights there
    plain, looking = (
        counts(make_inpainting_task(losses={"id_mrf_weight": weight}), images=1) for weight in (0.0, 0.07)
    )
    channels = [(3, 64), (64, 64), (64, 128), (128, 128), (128, 256), *[(256, 256)] * 3, (256, 512), (512, 512)]
    weights = 4 * sum(9 * few * many + many for few, many in channels)
    assert looking.peak - plain.peak > weights
    sides = [32, 32, 16, 16, *[8] * 4, 4, 4]
    pass_of_one = sum(2 * 9 * few * many * side**2 for (few, many), side in zip(channels, sides, strict=True))
    # The truth forward; the result forward and backward to the image.
    assert looking.flops - plain.flops == pytest.approx(3 * pass_of_one, rel=0.05)
    assert list(tmp_path.iterdir()) == [], "nothing is downloaded"


def test_a_frozen_backbone_is_there_in_every_phase() -> None:
    losses = {"perceptual_weight": 1.0, "features": "efficientnet_lite0", "features_from": 0}
    task = make_inpainting_task(adversarial_from=2, losses=losses)
    plain = estimate(make_inpainting_task(adversarial_from=2), Setting(1, 32), 4)
    looking = estimate(task, Setting(1, 32), 4)
    backbone = sum(each.numel() for each in _network(task).parameters()) * 4
    assert all(more.peak - less.peak >= backbone for more, less in zip(looking.counts, plain.counts, strict=True))


def _network(task: Any) -> Any:
    backbone = task.losses._backbone._backbone
    backbone.load()
    return backbone._network


def test_bad_input_is_said_in_a_sentence() -> None:
    with pytest.raises(InputError, match="cannot be split into 3 equal parts"):
        estimate(make_task("none", accumulate=3), Setting(4, 32))
    task = make_task("none")

    def reads(batch: Any) -> Any:
        return {"adversarial": batch.image.mean() * batch.image.mean().item()}

    task.generator_terms = reads  # type: ignore[method-assign]
    with pytest.raises(UncountableError, match="meta"):
        estimate(task, Setting(4, 32))
