"""What a frozen network is: maps of an image at several resolutions, weights that are in no checkpoint."""

from typing import Any

import torch
from torch import Tensor, nn

from lit_an.errors import InputError
from lit_an.registry import Registry
from lit_an.tensors.precision import in_type_of

STRIDES = (2, 4, 8, 16, 32)


class Backbone:
    """Computes feature maps of images at strides up to 32; gradients reach the images, never the weights.

    It is deliberately not an ``nn.Module``: a network or task that holds it has none of its weights in its parameters,
    in its checkpoints or in pickles. It moves to the device of its input. The weights are read at first use, so that a
    trained generator can be loaded without them; ``load`` reads them immediately. It computes in float32, or under
    autocast in autocast's type.

    Subclasses call ``super().__init__`` with their channels and implement ``read``.

    Args:
        finest: the smallest stride, 2 or 4: 2 adds a map of details, for small images.
        channels: of the maps at all ``STRIDES``; 0 for a stride at which the network has none.

    Attributes:
        strides: of the maps, ascending.
        channels: of the maps.

    Raises:
        InputError: ``finest`` is neither 2 nor 4, or the network has no map there.
    """

    def __init__(self, finest: int, channels: tuple[int, ...]) -> None:
        if finest not in (2, 4):
            raise InputError(f"{type(self).__name__}: finest must be 2 or 4, got {finest}")
        self.strides = STRIDES[STRIDES.index(finest) :]
        self.channels = channels[STRIDES.index(finest) :]
        missing = [stride for stride, width in zip(self.strides, self.channels, strict=True) if not width]
        if missing:
            raise InputError(
                f"{type(self).__name__}: the network has no map at stride {missing[0]}; choose a convolutional network "
                "that halves its maps five times, such as resnet18"
            )
        self._network: nn.Module | None = None

    def up_to(self, stride: int) -> "Backbone":
        """Leaves out the maps beyond a stride, and what only they need; before the weights are read.

        Returns:
            Itself.

        Example:
            >>> create_backbone("efficientnet_lite0").up_to(16).channels
            (24, 40, 112)
        """
        assert self._network is None, "the weights have been read"
        count = self.strides.index(stride) + 1
        self.strides, self.channels = self.strides[:count], self.channels[:count]
        return self

    def read(self) -> nn.Module:
        """The network with its weights: ``forward(image)`` maps (B, 3, H, W) in [-1, 1] to the maps at ``strides``.

        Raises:
            InputError: a package is missing, or the weights are not found, cannot be downloaded or do not fit.
        """
        raise NotImplementedError

    def load(self) -> "Backbone":
        """Reads the weights if they have not been read.

        Returns:
            Itself.

        Raises:
            InputError: as ``read``.
        """
        self._loaded()
        return self

    def __call__(self, image: Tensor) -> tuple[Tensor, ...]:
        """The maps of images.

        Args:
            image: (B, 3, H, W), in [-1, 1], H and W multiples of 32.

        Returns:
            (B, channels[i], H / strides[i], W / strides[i]) for each i, of the image's type, or autocast's.

        Raises:
            InputError: as ``load``.
        """
        network = self._loaded()
        weight = next(network.parameters())
        if weight.device != image.device:
            with torch.inference_mode(False):
                network.to(image.device)
        given = in_type_of(image, weight)
        maps: tuple[Tensor, ...] = network(given.contiguous(memory_format=torch.channels_last))
        return maps if given is image else tuple(each.to(image.dtype) for each in maps)

    def _loaded(self) -> nn.Module:
        if self._network is None:
            with torch.inference_mode(False):  # weights read in a validation must be usable in training
                network = self.read().eval().requires_grad_(False)
                # 1.6 times as fast on a CPU where convolutions are depthwise.
                self._network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return self._network

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_network": None}  # the receiving process reads the weights again


BACKBONES = Registry[Backbone]("backbone")


def create_backbone(name: str, **kwargs: Any) -> Backbone:
    """A registered backbone; its weights are read at first use.

    Raises:
        InputError: unknown name or argument.

    Example:
        >>> create_backbone("efficientnet_lite0").channels
        (24, 40, 112, 320)
    """
    return BACKBONES.create(name, **kwargs)
