"""Batch-norm statistics: estimated anew, by formula; or of each batch; or as they were."""

import pytest
import torch
from torch import nn

from lit_an.errors import InputError
from lit_an.latents import standing_batches
from lit_an.norms.running_statistics import statistics_keepers as batch_norms
from lit_an.sampling import sample, standing_statistics, use_statistics
from lit_an.trained.generator import TrainedGenerator


def statistics_of(generator: TrainedGenerator) -> list[torch.Tensor]:
    return [norm.running_mean.clone() for norm in batch_norms(generator)] + [
        norm.running_var.clone() for norm in batch_norms(generator)
    ]


def test_standing_statistics_are_the_mean_over_passes(generator: TrainedGenerator) -> None:
    first = batch_norms(generator)[0]
    seen: list[torch.Tensor] = []
    handle = first.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].detach().double()))
    standing_statistics(generator, passes=6, batch_size=12)
    handle.remove()
    assert [len(x) for x in seen] == [12] * 6
    mean = torch.stack([x.mean((0, 2, 3)) for x in seen]).mean(0)
    variance = torch.stack([x.var((0, 2, 3), unbiased=True) for x in seen]).mean(0)
    torch.testing.assert_close(first.running_mean.double(), mean, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(first.running_var.double(), variance, rtol=1e-5, atol=1e-6)
    assert not any(module.training for module in generator.modules())
    assert all(norm.momentum == 0.1 for norm in batch_norms(generator))


def test_they_are_repeatable_and_change_with_truncation(generator: TrainedGenerator) -> None:
    stored = statistics_of(generator)
    plain = statistics_of(standing_statistics(generator, passes=3, batch_size=6))
    again = statistics_of(standing_statistics(generator, passes=3, batch_size=6))
    truncated = statistics_of(standing_statistics(generator, truncation=0.4, passes=3, batch_size=6))
    assert all(torch.equal(*pair) for pair in zip(plain, again, strict=True))
    assert not torch.equal(plain[0], stored[0])
    assert not torch.equal(plain[0], truncated[0])
    assert float(truncated[len(truncated) // 2].mean()) < float(plain[len(plain) // 2].mean()), "less variance"
    assert generator.description.statistics == "standing"


def test_classes_are_drawn_at_random_and_the_same_each_time() -> None:
    """In turns, a batch that no multiple of the classes fills would see the same classes more often each time."""
    labels = [torch.cat([label for _, label in standing_batches(2, 7, passes=200, batch_size=8)]) for _ in range(2)]
    assert torch.equal(*labels)
    counts = labels[0].bincount(minlength=7)
    assert counts.max() - counts.min() > 1, "turns would be even"
    expected = 1600 / 7
    assert float(((counts - expected) ** 2 / expected).sum()) < 22.5, "χ² with 6 degrees, one in a thousand above"
    batches = [label.tolist() for _, label in standing_batches(2, 7, passes=20, batch_size=8)]
    assert any(len(set(batch)) < 7 for batch in batches)


def test_with_enough_passes_they_agree_with_a_large_batch(generator: TrainedGenerator) -> None:
    first = batch_norms(generator)[0]
    standing_statistics(generator, passes=40, batch_size=30)
    x = generator.network.stem(torch.randn(4000, generator.latent_dim)).unflatten(1, (-1, 4, 4))
    torch.testing.assert_close(first.running_var, x.var((0, 2, 3)), rtol=0.1, atol=0)


def test_batch_statistics_normalize_each_batch_and_store_nothing(generator: TrainedGenerator) -> None:
    stored = statistics_of(generator)
    running = sample(generator, [0, 1, 2], [0, 0, 0])
    use_statistics(generator, "batch")
    assert generator.description.statistics == "running", "of the statistics that it holds"
    outputs: list[torch.Tensor] = []
    handle = batch_norms(generator)[0].register_forward_hook(lambda *args: outputs.append(args[2].detach()))
    together = sample(generator, [0, 1, 2], [0, 0, 0])
    handle.remove()
    torch.testing.assert_close(outputs[0].mean((0, 2, 3)), torch.zeros(outputs[0].shape[1]), rtol=0, atol=1e-5)
    assert float((together - running).abs().max()) > 1e-3
    beside = sample(generator, [0, 1, 1], [0, 0, 1])
    assert float((together[0] - beside[0]).abs().max()) > 1e-4, "it depends on what is beside it, as the docs say"
    assert all(torch.equal(*pair) for pair in zip(statistics_of(generator), stored, strict=True))
    torch.testing.assert_close(sample(use_statistics(generator, "running"), [0, 1, 2], [0, 0, 0]), running)


def test_a_generator_without_batch_norm_stays_as_it_is() -> None:
    from lit_an.networks import ResNetGenerator
    from lit_an.trained.checkpoints import Description

    network = ResNetGenerator(32, 3, latent_dim=8, base_width=2, norm="instance", long_range="none")
    generator = TrainedGenerator(network, Description("lit_an.networks.ResNetGenerator", {}))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    images = sample(generator, [0], [0])
    for choice in ("standing", "batch", "running"):
        assert torch.equal(sample(use_statistics(generator, choice, passes=1), [0], [0]), images)  # type: ignore[arg-type]
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())


def test_bad_choices_get_a_sentence(generator: TrainedGenerator) -> None:
    with pytest.raises(InputError, match="statistics must be 'running', 'standing' or 'batch', got 'other'"):
        use_statistics(generator, "other")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="truncation must be greater than 0"):
        standing_batches(4, 3, truncation=0.0)
    with pytest.raises(InputError, match="at least 1 pass and a batch of 2, got 0 and 64"):
        standing_statistics(generator, passes=0)
