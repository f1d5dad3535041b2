"""A trained class-conditional generator with its description, from a training checkpoint."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from lit_an.errors import InputError
from lit_an.trained.checkpoints import Description, Trained, read_trained
from lit_an.trained.network import TrainedNetwork, build_network


class TrainedGenerator(TrainedNetwork):
    """A generator in evaluation mode with its description.

    Args:
        network: ``latent_dim``, ``num_classes``, ``image_size``, and ``forward(latent, label) -> image``.
        description: facts about it; without class names, the classes are named ``0``, ``1``, ….

    Raises:
        InputError: another number of class names than of classes, or no class-conditional generator.
    """

    task = "class_conditional"

    def __init__(self, network: nn.Module, description: Description) -> None:
        super().__init__(network, description)
        missing = [name for name in ("latent_dim", "num_classes", "image_size") if not hasattr(network, name)]
        if missing:
            raise InputError(
                f"{description.class_path} is not a class-conditional generator: it has no {missing[0]}; "
                f"give a checkpoint of ClassConditionalGAN"
            )
        self.latent_dim, self.num_classes, self.image_size = (
            int(getattr(network, name)) for name in ("latent_dim", "num_classes", "image_size")
        )
        self.class_names = list(description.class_names) or [str(label) for label in range(self.num_classes)]
        if len(self.class_names) != self.num_classes:
            raise InputError(f"{len(self.class_names)} class names for a generator of {self.num_classes} classes")

    def facts(self) -> dict[str, Any]:
        """Class names, and the sizes of its input and output."""
        return {
            "class_names": self.class_names,
            "num_classes": self.num_classes,
            "latent_dim": self.latent_dim,
            "image_size": self.image_size,
        }

    def forward(self, latent: Tensor, label: Tensor) -> Tensor:
        """Images (B, 3, H, W) in [-1, 1] from latents (B, latent_dim) and labels (B,), or mixtures (B, num_classes)."""
        image: Tensor = self.network(latent, label)
        return image


def load_generator(checkpoint: str | Path, config: str | Path | None = None) -> TrainedGenerator:
    """The generator of a training checkpoint, with its averaged weights if the run kept any.

    Nothing in the checkpoint is executed, and neither the data nor Lightning is needed.

    Args:
        checkpoint: a ``.ckpt`` file of a run.
        config: the config it was trained with; None takes ``config.yaml`` of its run folder.

    Raises:
        InputError: a file that is missing or of another kind, or weights of another architecture.
    """
    return assemble(*read_trained(checkpoint, config), str(checkpoint))


def assemble(description: Description, weights: Mapping[str, Tensor], origin: str) -> TrainedGenerator:
    """Builds a generator from its description and fills in the weights.

    Args:
        description: its class and arguments.
        weights: its state.
        origin: source of the weights, for error sentences.

    Raises:
        InputError: not a network's class, wrong arguments, or weights of another architecture.
    """
    return TrainedGenerator(build_network(Trained(description, dict(weights)), origin), description)
