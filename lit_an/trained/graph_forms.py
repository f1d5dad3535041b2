"""What a graph of each kind of generator takes and gives: names, inputs of several sizes, which sizes are free."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from lit_an.latents import latents_of
from lit_an.trained.checkpoints import Trained
from lit_an.trained.generator import TrainedGenerator
from lit_an.trained.inpainter import TrainedInpainter
from lit_an.trained.network import TrainedNetwork, build_network

_LARGEST_BATCH, _LARGEST_SIDE = 1 << 16, 1 << 16
# At least what CoarseToFineGenerator takes.
_SMALLEST_SIDE = 8


class GraphForm(ABC):
    """The inputs and outputs of a kind of generator as a graph.

    Attributes:
        input_names, output_names: in their order.
    """

    input_names: ClassVar[tuple[str, ...]]
    output_names: ClassVar[tuple[str, ...]]

    def __init__(self, generator: TrainedNetwork) -> None:
        self._description = generator.description
        self._network = generator.network

    def rebuilt(self) -> nn.Module:
        """The network again, on the CPU, with outputs that a graph can have."""
        weights = {name: tensor.cpu() for name, tensor in self._network.state_dict().items()}
        return build_network(Trained(self._description, weights), "the generator").eval()

    @abstractmethod
    def example(self) -> tuple[Tensor, ...]:
        """Inputs to trace the network with."""

    @abstractmethod
    def checked(self) -> Iterator[tuple[Tensor, ...]]:
        """Inputs of other sizes, to compare a graph with."""

    @abstractmethod
    def free_sizes(self) -> tuple[dict[int, Any], ...]:
        """The free dimensions of each input, for ``torch.export``."""


class ClassConditionalForm(GraphForm):
    """``(latent, label)`` to the image, with a free batch size."""

    input_names, output_names = ("latent", "label"), ("image",)

    def __init__(self, generator: TrainedGenerator) -> None:
        super().__init__(generator)
        self._num_classes, self._latent_dim = generator.num_classes, generator.latent_dim

    def example(self) -> tuple[Tensor, ...]:
        return self._inputs(3)

    def checked(self) -> Iterator[tuple[Tensor, ...]]:
        return map(self._inputs, (1, 5))

    def free_sizes(self) -> tuple[dict[int, Any], ...]:
        batch = torch.export.Dim("batch", min=1, max=_LARGEST_BATCH)
        return {0: batch}, {0: batch}

    def _inputs(self, size: int) -> tuple[Tensor, ...]:
        label = torch.arange(size) % self._num_classes
        return latents_of(label.tolist(), range(size), self._latent_dim), label


class InpaintingForm(GraphForm):
    """``(image, mask)`` to ``(coarse, fine)``, with a free batch size, height and width.

    Height and width are multiples of the network's ``multiple``: a graph does not mirror images up to one.
    """

    input_names, output_names = ("image", "mask"), ("coarse", "fine")

    def __init__(self, generator: TrainedInpainter) -> None:
        super().__init__(generator)
        self._multiple = int(getattr(generator.network, "multiple", 1))

    def rebuilt(self) -> nn.Module:
        return _BothStages(super().rebuilt())

    def example(self) -> tuple[Tensor, ...]:
        return self._inputs(3, 40, 56)

    def checked(self) -> Iterator[tuple[Tensor, ...]]:
        return (self._inputs(*sizes) for sizes in ((1, 16, 48), (5, 52, 28)))

    def free_sizes(self) -> tuple[dict[int, Any], ...]:
        batch = torch.export.Dim("batch", min=1, max=_LARGEST_BATCH)
        least, most = -(-_SMALLEST_SIDE // self._multiple), _LARGEST_SIDE // self._multiple
        rows, columns = (torch.export.Dim(name, min=least, max=most) for name in ("rows", "columns"))
        free: dict[int, Any] = {0: batch, 2: self._multiple * rows, 3: self._multiple * columns}
        return free, dict(free)

    def _inputs(self, size: int, height: int, width: int) -> tuple[Tensor, ...]:
        height, width = (side + -side % self._multiple for side in (height, width))
        # One latent each, so that the images are a function of the size alone.
        values = latents_of([0] * size, range(size), 4 * height * width).view(size, 4, height, width)
        return values[:, :3].clamp(-1, 1), (values[:, 3:] > 0.5).float()


class _BothStages(nn.Module):
    """A network whose outputs are a plain tuple: a saved graph knows no class of ours."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        made = self.network(image, mask)
        return made.coarse, made.fine


def form_of(generator: TrainedNetwork) -> GraphForm:
    """The form of a generator's graph."""
    if isinstance(generator, TrainedInpainter):
        return InpaintingForm(generator)
    assert isinstance(generator, TrainedGenerator)
    return ClassConditionalForm(generator)
