"""Norms of other people's networks: what is replaced, what the new norms have from the former ones, what is refused."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lit_an.errors import InputError
from lit_an.norms import NORMS, AttentiveNorm2d, ConditionalBatchNorm2d, NoNorm, SelfAttention2d, replace_norms
from tests.randomizing import randomized


class LayerNorm2d(nn.LayerNorm):
    """Over the channels of a map, as torchvision's and timm's are."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class UNet(nn.Module):
    """Two levels with group norm; a layer norm of tokens at the bottom; one block is used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.GroupNorm(2, 8), nn.SiLU())
        self.bottom = nn.Sequential(nn.Conv2d(8, 16, 3, stride=2, padding=1), nn.GroupNorm(4, 16, eps=1e-3), nn.SiLU())
        self.tokens = nn.LayerNorm(16)
        self.again = nn.Sequential(nn.Conv2d(16, 16, 3, padding=1), LayerNorm2d(16))
        self.up = nn.Sequential(nn.Conv2d(24, 8, 3, padding=1), nn.GroupNorm(2, 8), nn.SiLU(), nn.Conv2d(8, 3, 1))

    def forward(self, x: Tensor) -> Tensor:
        first = self.down(x)
        second = self.bottom(first)
        second = self.tokens(second.movedim(1, -1)).movedim(-1, 1)
        second = self.again(self.again(second))
        return self.up(torch.cat([first, nn.functional.interpolate(second, scale_factor=2.0)], 1))


def of_class(network: nn.Module, kind: type[nn.Module]) -> list[str]:
    return [name for name, module in network.named_modules() if isinstance(module, kind)]


def assert_trains_and_survives_a_checkpoint(network: nn.Module, make: Any, x: Tensor) -> None:
    randomized(network)(x).square().mean().backward()
    assert all(torch.isfinite(p.grad).all() for p in network.parameters() if p.grad is not None)
    assert all(m.residual_scale.grad.any() for m in network.modules() if isinstance(m, AttentiveNorm2d))
    other = make()
    other.load_state_dict(network.state_dict())
    assert torch.equal(network.eval()(x), other.eval()(x))


@pytest.mark.parametrize("depth", ["resnet18", "resnet50"])
def test_the_norms_of_a_stage_of_a_resnet(depth: str) -> None:
    models = pytest.importorskip("torchvision.models")

    def make() -> nn.Module:
        network = models.get_model(depth, num_classes=5)
        replace_norms(network, "attentive", names="layer1.*.bn2", num_regions=4)
        return network

    network = models.get_model(depth, num_classes=5)
    before, norms = dict(network.named_modules()), of_class(network, nn.BatchNorm2d)
    values = {name: value.clone() for name, value in network.state_dict().items()}
    report = replace_norms(network, "attentive", names="layer1.*.bn2", num_regions=4)
    blocks = len(network.layer1)
    expected = [f"layer1.{index}.bn2" for index in range(blocks)]
    assert [row.name for row in report.replaced] == of_class(network, AttentiveNorm2d) == expected
    assert {row.reason for row in report.kept} == {"not of names"}
    assert len(report.kept) == len(norms) - blocks
    untouched = {name: module for name, module in network.named_modules() if not name.startswith(tuple(expected))}
    assert all(before[name] is module for name, module in untouched.items())
    state = network.state_dict()
    assert all(torch.equal(state[name], values[name]) for name in values if name in state)
    assert_trains_and_survives_a_checkpoint(network, make, torch.randn(2, 3, 64, 64))


def test_a_unet_with_group_norm() -> None:
    def make() -> UNet:
        network = UNet()
        replace_norms(network, "attentive", num_regions=4)
        return network

    network = UNet()
    tokens = network.tokens
    report = replace_norms(network, "attentive", num_regions=4)
    assert of_class(network, AttentiveNorm2d) == ["down.1", "bottom.1", "again.1", "up.1"]
    assert network.bottom[1].eps == 1e-3
    assert network.tokens is tokens
    assert [(row.name, row.reason) for row in report.kept] == [
        ("tokens", "it normalizes the last dimension, not the channels of a map")
    ]
    lines = str(report).splitlines()
    assert lines[0] == "4 replaced"
    assert " ".join(lines[3].split()) == "bottom.1 GroupNorm AttentiveNorm2d 16 eps num_groups, weight, bias"
    assert len({len(line[: line.index("eps")]) for line in lines if "GroupNorm" in line}) == 1, "columns are aligned"
    assert_trains_and_survives_a_checkpoint(network, make, torch.randn(2, 3, 16, 16))


FORMER = {
    "BatchNorm2d": lambda: nn.BatchNorm2d(8, eps=1e-4, momentum=0.3),
    "SyncBatchNorm": lambda: nn.SyncBatchNorm(8, eps=1e-4, momentum=0.3),
    "InstanceNorm2d": lambda: nn.InstanceNorm2d(8, eps=1e-4, affine=True),
    "GroupNorm": lambda: nn.GroupNorm(2, 8, eps=1e-4),
    "LayerNorm2d": lambda: LayerNorm2d(8, eps=1e-4),
    "lit_an batch": lambda: NORMS.create("batch", 8, eps=1e-4, momentum=0.3),
    "lit_an instance": lambda: NORMS.create("instance", 8, eps=1e-4),
    "attentive": lambda: AttentiveNorm2d(8, affine=True, eps=1e-4),
}


@pytest.mark.parametrize(
    "norm",
    [
        "batch", "instance", "group", "layer", "attentive", "region_learned", "none",
        "switchable", "filter_response", "standardized_group",
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", FORMER)
def test_what_both_have_is_carried_over(kind: str, norm: str) -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 1), FORMER[kind]()).double()
    former = network[1]
    inner = getattr(former, "norm", former)
    with torch.no_grad():
        for tensor in (*former.parameters(), *(b for b in former.buffers() if b.is_floating_point())):
            tensor.uniform_(0.5, 1.5)
    if kind == norm:
        with pytest.raises(InputError, match="it is one already"):
            replace_norms(network, norm)
    former.eval()
    selection = {"types": type(former)}
    (row,) = replace_norms(network, norm, **selection).replaced
    present = getattr(network[1], "norm", network[1])
    assert not present.training
    assert all(tensor.dtype == torch.float64 for tensor in network[1].parameters())
    if norm != "none":
        assert "eps" in row.carried
        assert getattr(getattr(present, "moments", None), "eps", getattr(present, "eps", None)) == 1e-4
    without = ("attentive", "region_learned", "none")
    per_channel = norm not in without and kind != "attentive"
    for name in ("weight", "bias"):
        assert (name in row.carried) == per_channel
        assert (name in row.lost) == (not per_channel)
        if per_channel:
            assert torch.equal(getattr(present, name), getattr(inner, name))
    counted = isinstance(inner, (nn.BatchNorm2d, nn.SyncBatchNorm))
    assert ("running statistics" in row.carried) == (counted and norm in ("batch", "switchable"))
    assert ("synchronization" in row.lost) == (kind == "SyncBatchNorm")
    if counted and norm == "batch":
        assert torch.equal(present.running_var, inner.running_var)
        assert present.momentum == 0.3
        x = torch.randn(2, 8, 5, 5, dtype=torch.float64)
        expected = nn.functional.batch_norm(
            x, inner.running_mean, inner.running_var, inner.weight, inner.bias, eps=1e-4
        )
        torch.testing.assert_close(network[1](x), expected)


def test_an_argument_takes_precedence_and_frozen_stays_frozen() -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 1), nn.BatchNorm2d(8, eps=1e-4)).requires_grad_(False)
    (row,) = replace_norms(network, "attentive", eps=1e-2).replaced
    assert network[1].eps == 1e-2
    assert "eps" not in row.carried
    assert not any(parameter.requires_grad for parameter in network.parameters())
    learning = nn.Sequential(nn.Conv2d(3, 8, 1), nn.BatchNorm2d(8))
    learning[1].bias.requires_grad_(False)
    replace_norms(learning, "group", num_groups=2)
    assert (learning[1].norm.weight.requires_grad, learning[1].norm.bias.requires_grad) == (True, False)


@pytest.mark.parametrize("norm", ["group", "standardized_group"])
def test_groups_stay_as_many(norm: str) -> None:
    network = nn.Sequential(nn.Conv2d(3, 64, 1), nn.GroupNorm(8, 64), NORMS.create("layer", 64))
    x, before = torch.randn(2, 64, 5, 5), network[1]
    first, _ = replace_norms(network, norm, where=lambda name, module: True).replaced
    assert "num_groups" in first.carried
    torch.testing.assert_close(network[1](x), before(x))
    assert network[2].norm.num_groups == 32, "a layer norm has no groups to choose"
    (row,) = replace_norms(network, "instance", names="1").replaced
    assert "num_groups" in row.lost
    (row,) = replace_norms(nn.Sequential(nn.GroupNorm(8, 64)), norm, num_groups=4).replaced
    assert "num_groups" not in (*row.carried, *row.lost)


def test_settings_that_no_norm_of_ours_has_are_named_as_lost() -> None:
    network = nn.Sequential(
        nn.BatchNorm2d(8, momentum=None), nn.BatchNorm2d(8, track_running_stats=False), nn.BatchNorm2d(8)
    )
    cumulative, untracked, plain = (row.lost for row in replace_norms(network, "batch").replaced)
    assert (cumulative, untracked, plain) == (("momentum",), ("statistics of the batch in eval mode",), ())
    untracked = nn.Sequential(nn.BatchNorm2d(8, affine=False, track_running_stats=False))
    (row,) = replace_norms(untracked, "attentive").replaced
    assert row.lost == ("momentum",), "attentive normalization tracks nothing"


def test_a_shared_norm_stays_shared() -> None:
    shared = nn.BatchNorm2d(8)
    network = nn.ModuleDict({"a": nn.Sequential(shared), "b": nn.Sequential(nn.ReLU(), shared), "c": nn.BatchNorm2d(8)})
    report = replace_norms(network, "attentive", names="b.*")
    assert network["a"][0] is network["b"][1]  # type: ignore[index]
    assert isinstance(network["a"][0], AttentiveNorm2d)  # type: ignore[index]
    assert [row.name for row in report.replaced] == ["a.0=b.1"]
    assert isinstance(network["c"], nn.BatchNorm2d)


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        ({"types": nn.BatchNorm2d}, {"0", "2.1"}),
        ({"types": (nn.BatchNorm2d, nn.GroupNorm)}, {"0", "1", "2.1"}),
        ({"names": "2.*"}, {"2.0", "2.1"}),
        ({"names": ["0", "2.1"]}, {"0", "2.1"}),
        ({"channels": (8, None)}, {"1", "2.0", "2.1"}),
        ({"channels": (None, 8)}, {"0", "1"}),
        ({"channels": (8, 8)}, {"1"}),
        ({"where": lambda name, module: name.endswith("0")}, {"0", "2.0"}),
        ({"types": nn.BatchNorm2d, "channels": (8, None), "names": "2.*"}, {"2.1"}),
    ],
)
def test_selections_must_all_be_met(selection: dict[str, Any], expected: set[str]) -> None:
    inner = nn.Sequential(nn.InstanceNorm2d(16), nn.BatchNorm2d(16))
    network = nn.Sequential(nn.BatchNorm2d(4), nn.GroupNorm(2, 8), inner)
    report = replace_norms(network, "attentive", **selection)
    assert {row.name for row in report.replaced} == set(of_class(network, AttentiveNorm2d)) == expected
    assert len(report.replaced) + len(report.kept) == 4


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("atentive", {}, "unknown norm 'atentive', did you mean 'attentive'"),
    ("attentive", {"num_region": 4}, "has no argument 'num_region', did you mean 'num_regions'"),
    ("conditional_batch", {}, "norm 'conditional_batch' needs a condition vector, and the network gives none to 0"),
    ("region_batch", {}, "norm 'region_batch' needs a mask, and the network gives none to 0"),
    ("attentive", {"names": "layer9.*"}, r"'layer9.\*' matches no norm; the network has 1 BatchNorm2d \(0; 4 ch"),
    (
        "attentive",
        {"types": nn.InstanceNorm2d},
        r"no norm is selected \(not of types\).*GroupNorm \(2; 6 channels\)",
    ),
    ("attentive", {"channels": (9, 3)}, r"channels must be \(fewest, most\), got \(9, 3\)"),
    ("attentive", {"channels": 9}, r"channels must be \(fewest, most\), whole numbers or None, got 9"),
    ("attentive", {"types": "BatchNorm2d"}, "types must be a class or a tuple of classes, got 'BatchNorm2d'"),
    ("attentive", {"where": "0"}, "where must be a function of name and module, got '0'"),
    ("group", {"num_groups": 4}, "num_groups=4 must divide the 6 channels"),
]


@pytest.mark.parametrize(("norm", "arguments", "sentence"), REFUSED)
def test_what_fails_changes_nothing(norm: str, arguments: dict[str, Any], sentence: str) -> None:
    """The last case fails at the second norm."""
    network = nn.Sequential(nn.BatchNorm2d(4), nn.Conv2d(4, 6, 1), nn.GroupNorm(2, 6))
    before, state = dict(network.named_modules()), copy.deepcopy(network.state_dict())
    with pytest.raises(InputError, match=sentence) as caught:
        replace_norms(network, norm, **arguments)
    assert "\n" not in str(caught.value)
    assert all(before[name] is module for name, module in network.named_modules())
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())


def test_networks_without_a_place_for_a_norm() -> None:
    with pytest.raises(InputError, match="the network has no norms"):
        replace_norms(nn.Conv2d(3, 3, 1), "attentive")
    with pytest.raises(InputError, match="the network is itself a BatchNorm2d; create the norm directly"):
        replace_norms(nn.BatchNorm2d(3), "attentive")


def test_norms_of_other_inputs_are_left_alone_with_the_reason() -> None:
    others = [nn.BatchNorm1d(4), nn.LayerNorm(4), nn.LazyBatchNorm2d(), SelfAttention2d(4), NoNorm(4)]
    network = nn.Sequential(nn.BatchNorm2d(4), *others)
    kept = {row.kind: row.reason for row in replace_norms(network, "attentive").kept}
    assert set(kept) == {type(other).__name__ for other in others}
    assert kept["BatchNorm1d"] == "its class is not known as a norm of (B, C, H, W)"
    assert kept["LazyBatchNorm2d"].startswith("it learns its number of channels")
    assert of_class(network, AttentiveNorm2d) == ["0"]
    replace_norms(network, "attentive", types=(SelfAttention2d, NoNorm))
    assert of_class(network, AttentiveNorm2d) == ["0", "4", "5"]
    with pytest.raises(InputError, match="no norm is selected"):
        replace_norms(network, "attentive", types=nn.LayerNorm)


def test_a_conditional_norm_may_take_the_place_of_another() -> None:
    network = nn.ModuleList([ConditionalBatchNorm2d(8, condition_features=5)])
    replace_norms(network, "conditional_instance")
    assert network[0](torch.randn(2, 8, 4, 4), torch.randn(2, 5)).shape == (2, 8, 4, 4)
