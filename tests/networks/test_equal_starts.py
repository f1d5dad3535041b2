"""After one seed, networks that differ in a slot begin with the same weights everywhere else."""

import pytest
import torch
from torch import Tensor, nn

from lit_an.networks import CoarseToFineGenerator, ProjectionDiscriminator, ResNetGenerator
from lit_an.norms import NORMS
from lit_an.norms.registry import condition_kind, standardizes_convolutions

# Convolutions around the others keep other weights: standardized ones.
NAMES = [name for name in NORMS.names() if not standardizes_convolutions(name)]


def weights_beside(slot: str, *networks: nn.Module) -> list[Tensor]:
    """All numbers of networks, but for those of the norms in a slot, ``long_range`` or ``norm``."""
    return [
        tensor for network in networks for name, tensor in network.state_dict().items() if slot not in name.split(".")
    ]


def class_conditional(long_range: str) -> list[Tensor]:
    torch.manual_seed(3)
    slot = {"long_range": long_range, "long_range_resolution": 8}
    generator = ResNetGenerator(32, 3, base_width=2, latent_dim=8, **slot)  # type: ignore[arg-type]
    in_both = long_range if condition_kind(long_range) == "none" else "none"
    discriminator = ProjectionDiscriminator(32, 3, base_width=2, **{**slot, "long_range": in_both})  # type: ignore[arg-type]
    return weights_beside("long_range", generator, discriminator)


def inpainting(slot: str, name: str) -> list[Tensor]:
    torch.manual_seed(3)
    generator = CoarseToFineGenerator(width=4, **{"long_range": "none", slot: name})  # type: ignore[arg-type]
    return weights_beside(slot, generator, nn.Linear(2, 3))  # what is made behind it


@pytest.mark.parametrize("name", [name for name in NAMES if condition_kind(name) != "mask"])
def test_a_long_range_layer_changes_no_other_weight(name: str) -> None:
    nothing, something = class_conditional("none"), class_conditional(name)
    assert len(nothing) == len(something) > 100
    assert all(map(torch.equal, nothing, something))


@pytest.mark.parametrize("slot", ["norm", "long_range"])
@pytest.mark.parametrize("name", [name for name in NAMES if condition_kind(name) != "vector"])
def test_norms_of_inpainting_change_no_other_weight(slot: str, name: str) -> None:
    nothing, something = inpainting(slot, "none"), inpainting(slot, name)
    assert len(nothing) == len(something) > 20
    assert all(map(torch.equal, nothing, something))


def test_norms_draw_numbers_that_follow_the_seed() -> None:
    def entities(seed: int) -> Tensor:
        torch.manual_seed(seed)
        generator = ResNetGenerator(32, 3, base_width=2, long_range="attentive", long_range_resolution=8)
        return generator.state_dict()["long_range.layout.entities"]

    assert torch.equal(entities(1), entities(1))
    assert not torch.equal(entities(1), entities(2))


def test_norms_of_two_slots_differ() -> None:
    """Also where one is made right behind the other, with as many channels."""
    slots = {"norm": "attentive", "long_range": "attentive", "long_range_resolution": 32}
    generator = ResNetGenerator(32, 3, base_width=2, **slots)  # type: ignore[arg-type]
    weights = generator.state_dict()
    one, other = weights["long_range.layout.entities"], weights["final_norm.layout.entities"]
    assert one.shape == other.shape
    assert not torch.equal(one, other)
