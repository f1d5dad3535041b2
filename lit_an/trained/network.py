"""A trained network, built from its description and weights, in evaluation mode."""

import importlib
from typing import Any, ClassVar, Literal

import torch
from torch import nn

from lit_an.errors import InputError
from lit_an.tensors.finite import first_non_finite
from lit_an.trained.checkpoints import Description, Trained

Task = Literal["class_conditional", "inpainting"]


class TrainedNetwork(nn.Module):
    """A network in evaluation mode with its description.

    Args:
        network: with its weights.
        description: facts about it.

    Attributes:
        task: what it is for; each subclass has its own.
    """

    task: ClassVar[Task]

    def __init__(self, network: nn.Module, description: Description) -> None:
        super().__init__()
        self.network, self.description = network, description
        self.eval()

    def facts(self) -> dict[str, Any]:
        """What a reader of an export wants to know besides the description; numbers and names only."""
        return {}

    @property
    def device(self) -> torch.device:
        """The device of its weights."""
        return next(self.parameters()).device


def build_network(trained: Trained, origin: str) -> nn.Module:
    """Builds a network from its description and fills in the weights; they take no gradients.

    Args:
        trained: its class and arguments, and its state.
        origin: source of the weights, for error sentences.

    Raises:
        InputError: not a network's class, wrong arguments, or weights of another architecture or not finite.
    """
    name = first_non_finite(trained.weights)
    if name is not None:
        raise InputError(
            f"{origin}: the weights {name} are not finite numbers, so that nothing can be made with them: the training "
            "diverged; give an earlier checkpoint"
        )
    description = trained.description
    kind = _network_class(description.class_path, origin)
    try:
        network = kind(**description.init_args)
    except TypeError as error:
        raise InputError(f"{origin}: {description.class_path} cannot be made ({error})") from error
    try:
        network.load_state_dict(dict(trained.weights))
    except RuntimeError as error:
        problem = str(error).splitlines()[1].strip().rstrip(". ")
        raise InputError(
            f"{origin}: the weights are of another architecture than the config ({problem[:200]}); "
            f"use the config that they were trained with"
        ) from error
    return network.requires_grad_(False)


def _network_class(class_path: str, origin: str) -> type[nn.Module]:
    """Imports a class; only subclasses of ``nn.Module`` are accepted, whatever a file names."""
    module, _, name = class_path.rpartition(".")
    try:
        kind = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(f"{origin}: there is no class {class_path!r} to build the generator with") from error
    if not (isinstance(kind, type) and issubclass(kind, nn.Module)):
        raise InputError(f"{origin}: {class_path!r} is not a torch.nn.Module")
    return kind
