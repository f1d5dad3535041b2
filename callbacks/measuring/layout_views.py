"""How the layouts of a task's networks are seen: which images a network gets, and what it makes of them."""

import copy
from collections.abc import Callable
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor, nn

from lit_an.errors import InputError
from lit_an.metrics.layout.methods import Truth
from lit_an.norms.attentive.semantic_layout import SemanticLayout
from lit_an.norms.recording import Recorded, recorded_layouts
from lit_an.seeds import mix_seed
from lit_an.tasks.adversarial import AdversarialTask
from lit_an.tensors.holes import erase, is_hole
from lit_an.tensors.precision import in_type_of

_SEED = 2020


class GeneratedBatch(NamedTuple):
    """Images to generate: (B,) labels and seeds, int64."""

    label: Tensor
    seed: Tensor


class LayoutView:
    """A network of a task whose layouts can be seen. A subclass runs it on a batch.

    Args:
        task: of the network.

    Attributes:
        side: ``generator`` or ``discriminator``.
        images: what the layouts are of.
    """

    side: ClassVar[Literal["generator", "discriminator"]]
    images: ClassVar[Literal["real", "generated"]] = "real"

    def __init__(self, task: Any) -> None:
        self.task = task
        self.network: nn.Module = getattr(task, self.side)

    def see(self, batch: Any, mirrored: bool = False) -> tuple[Tensor, Recorded]:
        """Runs the network on a batch, whose images may be mirrored left to right.

        Returns:
            (B, 3, H, W), float32 in [-1, 1], the images that its layouts are of; and what they were.
        """
        with self.task.evaluation(), recorded_layouts(self.network) as recorded:
            image = self.run(batch, mirrored)
        return image, recorded

    def run(self, batch: Any, mirrored: bool) -> Tensor:
        """Runs the network, and returns the images that its layouts are of."""
        raise NotImplementedError

    def truth(self, batch: Any) -> Truth:
        """The ground truth of a batch that has region maps."""
        return Truth(batch.regions)


class GeneratorView(LayoutView):
    """A class-conditional generator, seen while it generates; its images cannot be mirrored before they exist."""

    side = "generator"
    images = "generated"

    def run(self, batch: GeneratedBatch, mirrored: bool) -> Tensor:
        assert not mirrored
        image: Tensor = self.task.generate(*batch)
        return image


class DiscriminatorView(LayoutView):
    """A discriminator of images and classes, seen on real images."""

    side = "discriminator"

    def run(self, batch: Any, mirrored: bool) -> Tensor:
        image: Tensor = batch.image.to(self.task.device)
        image = image.flip(3) if mirrored else image
        self.network(in_type_of(image, next(self.network.parameters())), batch.label.to(self.task.device))
        return image


class InpaintingView(LayoutView):
    """A generator that fills holes, seen on real images; what is in the holes does not count."""

    side = "generator"

    def run(self, batch: Any, mirrored: bool) -> Tensor:
        image, mask = batch.image.to(self.task.device), batch.mask.to(self.task.device)
        if mirrored:
            image, mask = image.flip(3), mask.flip(3)
        self.task.inpaint(image, mask)
        return erase(image, mask)

    def truth(self, batch: Any) -> Truth:
        return Truth(batch.regions, ~is_hole(batch.mask[:, 0]))


def views_of(task: AdversarialTask) -> list[LayoutView]:
    """The networks of a task that have layouts and can be seen; not the critics of inpainting, who see windows.

    Raises:
        InputError: a task that neither generates nor inpaints.
    """
    if hasattr(task, "inpaint"):
        views: list[LayoutView] = [InpaintingView(task)]
    elif hasattr(task, "generate"):
        views = [GeneratorView(task), DiscriminatorView(task)]
    else:
        raise InputError(
            "LayoutScores measures a task with generate(label, seed) or inpaint(image, mask), not "
            f"{type(task).__name__}"
        )
    return [view for view in views if layouts_of(view.network)]


def layouts_of(network: nn.Module) -> dict[str, SemanticLayout]:
    """The layouts of a network by the names that ``recorded_layouts`` gives them."""
    found = ((name, module) for name, module in network.named_modules() if isinstance(module, SemanticLayout))
    return {name.removesuffix(".layout"): module for name, module in found}


def untrained(layout: SemanticLayout, device: torch.device, draw: int) -> Callable[[Tensor], Tensor]:
    """The same layer with initial filters, in evaluation, on a device; others for every ``draw``."""
    fresh = copy.deepcopy(layout).to(device).eval()
    generator = torch.Generator().manual_seed(mix_seed(_SEED, draw))
    with torch.no_grad():
        fresh.entities.copy_(torch.randn(fresh.entities.shape, generator=generator))
    return fresh


def resampled(layout: SemanticLayout, device: torch.device) -> Callable[[Tensor, int], Tensor] | None:
    """The layer in training, as a function of features and the seed of its self-sampling; None without that branch."""
    if not layout.self_sampling:
        return None
    sampling = copy.deepcopy(layout).to(device).train()

    def sampled(features: Tensor, seed: int) -> Tensor:
        devices = [features.device] if features.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices), torch.no_grad():
            torch.manual_seed(seed)
            found: Tensor = sampling(features)
        return found

    return sampled
