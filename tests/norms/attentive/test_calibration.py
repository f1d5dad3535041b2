"""Layouts start as sharp as asked on the features that they get, and nothing else changes."""

from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from lit_an.errors import InputError
from lit_an.metrics.layout import layout_statistics
from lit_an.norms import AttentiveNorm2d, SemanticLayout, calibrate_layouts
from tests.training import run_in_two_processes


def regions_per_position(layout: SemanticLayout, x: torch.Tensor) -> float:
    return layout_statistics(layout.eval()(x), x).effective_regions_per_position.item()


@pytest.mark.parametrize("deviation", [0.01, 0.5, 40.0])
@pytest.mark.parametrize("target", [None, 2.5, 14.0])
def test_any_features_start_at_the_asked_number(deviation: float, target: float | None) -> None:
    layout, x = SemanticLayout(32), deviation * torch.randn(4, 32, 16, 16)
    before = layout.entities.detach().clone()
    factor = layout.calibrate(x, target)
    assert regions_per_position(layout, x) == pytest.approx(16**0.712 if target is None else target, rel=1e-3)
    torch.testing.assert_close(layout.entities.detach(), factor * before)


def test_a_network_is_calibrated_layer_by_layer_and_is_otherwise_as_it_was() -> None:
    first, second = AttentiveNorm2d(8), AttentiveNorm2d(12)
    norm, middle = nn.BatchNorm2d(8), nn.utils.parametrizations.spectral_norm(nn.Conv2d(8, 12, 3, padding=1))
    network = nn.Sequential(norm, first, middle, second, nn.Dropout(0.5)).eval()
    second.train()
    modes = [module.training for module in network.modules()]
    x = 5 * torch.randn(4, 8, 16, 16) + 1
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    random_state = torch.get_rng_state()
    factors = calibrate_layouts(network, lambda: network(x))
    assert set(factors) == {"1.layout", "3.layout"}
    assert [module.training for module in network.modules()] == modes
    assert torch.equal(torch.get_rng_state(), random_state)
    changed = {name for name, tensor in network.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed == {"1.layout.entities", "3.layout.entities"}
    assert not first.layout._forward_pre_hooks
    assert not second.layout._forward_pre_hooks

    seen: dict[str, torch.Tensor] = {}
    first.layout.register_forward_pre_hook(lambda module, inputs: seen.update(first=inputs[0]))
    network.train()(x)  # batch statistics, as in training
    assert regions_per_position(first.layout, seen["first"]) == pytest.approx(7.2, rel=1e-2)


def test_what_cannot_be_calibrated_is_refused_in_one_sentence() -> None:
    layout = SemanticLayout(8, num_regions=4)
    with pytest.raises(InputError, match="regions_per_position must be between 1 and num_regions=4, got 4"):
        layout.calibrate(torch.randn(1, 8, 4, 4), 4)
    with pytest.raises(InputError, match="features that are equal at every position cannot calibrate a layout"):
        layout.calibrate(torch.ones(1, 8, 4, 4))
    assert SemanticLayout(8, num_regions=1).calibrate(torch.randn(1, 8, 4, 4)) == 1


def test_filters_made_of_other_parameters_are_refused() -> None:
    norm = AttentiveNorm2d(8, num_regions=4)
    parametrizations.orthogonal(norm.layout, "entities")
    with pytest.raises(InputError, match="calibrate before you parametrize them, or choose a temperature"):
        calibrate_layouts(norm, lambda: norm(torch.randn(2, 8, 6, 6)))


def test_a_centered_layout_is_calibrated_as_it_is_used() -> None:
    layout, x = SemanticLayout(32, centered=True), 0.3 * torch.randn(4, 32, 16, 16) + 2
    layout.calibrate(x)
    assert regions_per_position(layout, x) == pytest.approx(7.2, rel=1e-3)


@pytest.mark.parametrize("num_regions", [2, 3, 4, 16, 32])
def test_the_default_fits_any_number_of_regions(num_regions: int) -> None:
    layout, x = SemanticLayout(32, num_regions=num_regions), torch.randn(4, 32, 16, 16)
    layout.calibrate(x)
    assert regions_per_position(layout, x) == pytest.approx(num_regions**0.712, rel=1e-3)


def test_autocast_around_the_network_changes_nothing() -> None:
    x, factors = torch.randn(4, 8, 16, 16), []
    for enabled in (False, True):
        torch.manual_seed(0)
        norm = AttentiveNorm2d(8, num_regions=4)
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            factors.append(calibrate_layouts(norm, lambda norm=norm: norm(x))["layout"])
    assert factors[0] == factors[1]


def test_a_network_that_does_not_run_is_refused() -> None:
    norm, other = AttentiveNorm2d(8, num_regions=4), AttentiveNorm2d(8, num_regions=4)
    with pytest.raises(InputError, match="none of the network's 1 layouts has run; run this very network"):
        calibrate_layouts(norm, lambda: other(torch.randn(2, 8, 6, 6)))
    assert calibrate_layouts(nn.Conv2d(3, 3, 1), lambda: None) == {}


def test_a_network_that_was_compiled_and_has_run_is_calibrated() -> None:
    torch._dynamo.reset()
    norm, x = AttentiveNorm2d(8, num_regions=4), torch.randn(2, 8, 6, 6)
    compiled = torch.compile(norm, backend="eager")
    with torch.no_grad():
        compiled(x)
    assert set(calibrate_layouts(norm, lambda: compiled(x))) == {"layout"}


def calibrate_in_a_process(rank: int, port: str, folder: str) -> None:
    torch.distributed.init_process_group("gloo", f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    torch.manual_seed(0)
    wrapped = nn.parallel.DistributedDataParallel(AttentiveNorm2d(8, num_regions=4))
    x = (1 + rank) * torch.randn(2, 8, 6, 6)
    calibrate_layouts(wrapped, lambda: wrapped(x))
    torch.save(wrapped.module.layout.entities.detach(), f"{folder}/{rank}.pt")
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_processes_that_train_together_have_the_same_filters(tmp_path: Path) -> None:
    run_in_two_processes(calibrate_in_a_process, str(tmp_path))
    assert torch.equal(*(torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2)))
