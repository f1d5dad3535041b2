"""Running statistics: which modules keep them, and the plain average over passes, put back where it is asked."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from lit_an.errors import InputError
from lit_an.norms import LearnedRegionNorm2d, RegionNorm2d
from lit_an.norms.running_statistics import estimate_statistics, estimated_statistics, running_statistics


class Unlike(nn.Module):
    """Names that look like running statistics where none are kept."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("running_mean", torch.zeros(2))
        self.register_buffer("running_var", None)


def test_they_are_found_by_what_a_module_holds() -> None:
    network = nn.Sequential(
        nn.BatchNorm2d(2),
        nn.utils.parametrizations.spectral_norm(nn.Conv2d(2, 2, 1)),
        nn.BatchNorm2d(2, track_running_stats=False),
        RegionNorm2d(2, statistics="batch"),
        RegionNorm2d(2, statistics="image"),
        Unlike(),
    )
    found = running_statistics(network)
    assert set(found) == {f"{path}.{name}" for path in ("0", "3.moments") for name in ("running_mean", "running_var")}
    assert found["0.running_mean"] is network[0].running_mean


@pytest.mark.parametrize(
    "build", [lambda: nn.BatchNorm2d(3), lambda: LearnedRegionNorm2d(3, threshold=0.5, statistics="batch")]
)
def test_the_estimate_is_the_mean_over_passes(build: Callable[[], nn.Module]) -> None:
    norm = build()
    network = nn.Sequential(norm, nn.Dropout(0.9))
    batches = [(torch.randn(4, 3, 5, 5) + number,) for number in range(4)]
    (keeper,) = [module for module in network.modules() if "running_mean" in module._buffers]
    alone = []
    for (batch,) in batches:
        keeper.momentum = 1.0
        keeper.train()
        network(batch)
        alone.append(keeper.running_mean.clone())
    keeper.momentum = 0.1
    kept = {name: buffer.clone() for name, buffer in network.named_buffers()}
    with estimated_statistics(network, batches):
        torch.testing.assert_close(keeper.running_mean, torch.stack(alone).mean(0))
        assert not any(module.training for module in network.modules())
    assert all(torch.equal(buffer, kept[name]) for name, buffer in network.named_buffers())
    assert keeper.momentum == 0.1
    estimate_statistics(network, batches)
    torch.testing.assert_close(keeper.running_mean, torch.stack(alone).mean(0))


def test_a_region_is_averaged_over_the_passes_that_have_it() -> None:
    norm = RegionNorm2d(2, statistics="batch")
    norm.moments.running_mean.fill_(50)
    hole, whole = torch.ones(2, 1, 4, 4), torch.zeros(2, 1, 4, 4)
    half = whole.clone()
    half[..., :2] = 1
    batches = [(torch.randn(2, 2, 4, 4) + shift, mask) for shift, mask in ((1, whole), (2, half), (3, hole), (4, hole))]
    estimate_statistics(norm, batches)
    for region, inside in ((0, True), (1, False)):
        means = [x.movedim(1, 0)[:, (mask[:, 0] > 0.5) == inside].mean(1) for x, mask in batches]
        expected = torch.stack([mean for mean in means if not mean.isnan().any()]).mean(0)
        torch.testing.assert_close(norm.moments.running_mean[region], expected)
    norm.moments.running_mean.fill_(50)
    estimate_statistics(norm, batches[2:])
    assert bool((norm.moments.running_mean[1] == 50).all())
    assert norm.moments.momentum == 0.1


def test_a_pass_that_fails_leaves_what_was_there() -> None:
    norm = nn.BatchNorm2d(2)
    with pytest.raises(RuntimeError):
        estimate_statistics(norm, [(torch.randn(2, 2, 3, 3),), (torch.randn(2, 5, 3, 3),)])
    assert norm.running_var.tolist() == [1, 1]
    assert norm.momentum == 0.1


def test_a_variance_that_is_no_number_shows() -> None:
    norm = nn.BatchNorm2d(2)
    estimate_statistics(norm, [(torch.full((2, 2, 3, 3), float("nan")),), (torch.randn(2, 2, 3, 3),)])
    assert bool(norm.running_var.isnan().all())


def test_a_norm_that_cannot_be_estimated_is_named() -> None:
    norm = nn.BatchNorm2d(2)
    del norm.momentum
    with pytest.raises(InputError, match="BatchNorm2d keeps running statistics but has no momentum"):
        estimate_statistics(norm, [(torch.randn(2, 2, 3, 3),)])


def test_a_network_without_them_runs_no_pass() -> None:
    estimate_statistics(nn.Conv2d(2, 2, 1), iter([("not an image",)]))


def test_every_norm_of_a_network_is_estimated_and_put_back() -> None:
    network = nn.Sequential(nn.BatchNorm2d(3, momentum=0.1), nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2, momentum=0.3))
    network.train()
    batches = [(torch.randn(4, 3, 5, 5) + number,) for number in range(3)]
    kept = {name: buffer.clone() for name, buffer in network.named_buffers()}
    alone = torch.stack(
        [torch.nn.functional.conv2d(_normalized(batch), network[1].weight, network[1].bias) for (batch,) in batches]
    )
    with estimated_statistics(network, batches):
        torch.testing.assert_close(
            network[0].running_mean, torch.stack([b.mean((0, 2, 3)) for (b,) in batches]).mean(0)
        )
        torch.testing.assert_close(network[2].running_mean, alone.mean((1, 3, 4)).mean(0), rtol=1e-3, atol=1e-4)
    assert all(torch.equal(buffer, kept[name]) for name, buffer in network.named_buffers())
    assert [network[0].momentum, network[2].momentum] == [0.1, 0.3]
    assert not any(module.training for module in network.modules())


def _normalized(batch: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.batch_norm(batch, None, None, training=True)
