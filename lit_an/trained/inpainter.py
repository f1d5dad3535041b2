"""A trained inpainting generator with its description, from a training checkpoint."""

import inspect
from pathlib import Path

from torch import Tensor, nn

from lit_an.batch import Inpainted
from lit_an.errors import InputError
from lit_an.trained.checkpoints import Description, read_trained
from lit_an.trained.network import TrainedNetwork, build_network


class TrainedInpainter(TrainedNetwork):
    """An inpainting generator in evaluation mode with its description.

    Args:
        network: ``forward(image, mask) -> Inpainted``; it erases by itself.
        description: facts about it.

    Raises:
        InputError: the network takes no mask.
    """

    task = "inpainting"

    def __init__(self, network: nn.Module, description: Description) -> None:
        super().__init__(network, description)
        if "mask" not in inspect.signature(network.forward).parameters:
            raise InputError(
                f"{description.class_path} is not an inpainting generator: it takes no mask; "
                f"give a checkpoint of InpaintingGAN"
            )

    def forward(self, image: Tensor, mask: Tensor) -> Inpainted:
        """Fills the holes of images.

        Args:
            image: (B, 3, H, W), in [-1, 1]; H, W ≥ 8. The pixels in the holes are ignored.
            mask: (B, 1, H, W), 1 = hole.

        Returns:
            ``coarse`` and ``fine``, (B, 3, H, W) in [-1, 1], not composited.
        """
        made: Inpainted = self.network(image, mask)
        return made


def load_inpainter(checkpoint: str | Path, config: str | Path | None = None) -> TrainedInpainter:
    """The generator of a checkpoint of ``InpaintingGAN``, with its averaged weights if the run kept any.

    Takes and raises the same as ``lit_an.trained.generator.load_generator``.
    """
    trained = read_trained(checkpoint, config)
    return TrainedInpainter(build_network(trained, str(checkpoint)), trained.description)
