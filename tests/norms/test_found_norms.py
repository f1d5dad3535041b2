"""Norms in blocks and networks that are called norms, and norms that hold an activation."""

import pytest
from torch import Tensor, nn

from lit_an.errors import InputError
from lit_an.norms import AttentiveNorm2d, replace_norms
from tests.norms.test_replacing import of_class


class ConvNorm(nn.Sequential):
    """A block that is called a norm."""


class UNetInstanceNorm(nn.Sequential):
    """A network that is called a norm."""


class ActivatedNorm(nn.BatchNorm2d):
    """A norm with its activation in it."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.drop, self.act = nn.Identity(), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.act(self.drop(super().forward(x)))
        return result


def test_norms_in_a_block_that_is_called_a_norm_can_be_replaced() -> None:
    network = nn.Sequential(ConvNorm(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)), nn.BatchNorm2d(4))
    reason = "it is a part of the ConvNorm '0'; name its class in types to replace it"
    kept = {row.name: row.reason for row in replace_norms(network, "attentive", num_regions=2).kept}
    assert kept == {"0": "its class is not known as a norm of (B, C, H, W)", "0.1": reason}
    with pytest.raises(InputError, match=r"no norm is selected .*name its class in types"):
        replace_norms(network, "group", names="0.1")
    replace_norms(network, "attentive", types=nn.BatchNorm2d, num_regions=2)
    assert of_class(network, AttentiveNorm2d) == ["0.1", "1"]


def test_a_network_may_be_called_a_norm() -> None:
    network = UNetInstanceNorm(nn.Conv2d(3, 4, 1), nn.InstanceNorm2d(4))
    assert replace_norms(network, "attentive").kept == ()
    assert of_class(network, AttentiveNorm2d) == ["1"]


def test_an_activation_in_a_norm_is_not_lost_without_a_word() -> None:
    network = nn.Sequential(ActivatedNorm(4), nn.BatchNorm2d(4))
    (kept,) = replace_norms(network, "group").kept
    assert kept.reason == "it also holds act (ReLU); name its class in types to replace it without"
    assert isinstance(network[0], ActivatedNorm)
    (replaced,) = replace_norms(network, "group", types=ActivatedNorm).replaced
    assert "act (ReLU)" in replaced.lost
