"""Estimates a run's memory and disk space from its networks."""

import os
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from lit_an.batch import Inpainted
from lit_an.tasks.adversarial import AdversarialTask

FLOAT = 4  # bytes
# A weight, its gradient, and Adam's two moments; the checkpoint leaves out the gradient.
COPIES_IN_TRAINING, COPIES_IN_CHECKPOINT = 4, 3

# Inputs of a generator for the measured images; the second is also an input of the discriminator.
Inputs = tuple[Tensor, Tensor]
MEASURED = 2  # batch norm needs more than one


class ResourceNeeds(NamedTuple):
    """Bytes, computed for float32 and Adam; bf16 takes about half of the activations.

    Attributes:
        memory: of one device in training.
        checkpoint: one file on disk.
    """

    memory: int
    checkpoint: int


def latent_inputs(task: AdversarialTask) -> Inputs:
    """A latent and a label for a class-conditional generator."""
    latent_dim = int(task.generator.latent_dim)  # type: ignore[arg-type]
    return torch.zeros(MEASURED, latent_dim), torch.zeros(MEASURED, dtype=torch.long)


def masked_inputs(image_size: int) -> Inputs:
    """An image and a mask, whose middle is hole, for a generator that inpaints."""
    mask = torch.zeros(MEASURED, 1, image_size, image_size)
    quarter = image_size // 4
    mask[:, :, quarter : image_size - quarter, quarter : image_size - quarter] = 1.0
    return torch.zeros(MEASURED, 3, image_size, image_size), mask


def estimate_needs(task: AdversarialTask, images: int, inputs: Inputs) -> ResourceNeeds:
    """Estimates the memory for ``images`` images at once on one device.

    Counts the activations that autograd keeps for the backward pass in one small step of each network. Workspaces,
    fragmentation and the loader's memory are not counted, so allow a few tens of per cent more.
    """
    generator, discriminator = (parameters(net) for net in (task.generator, task.discriminator))
    of_generator, of_discriminator = activations(task, inputs)
    # The generator's step goes through both; the discriminator's sees real and generated images.
    of_an_image = max(of_generator + of_discriminator, 2 * of_discriminator)
    # One more copy for the average of the generator's weights.
    memory = FLOAT * (COPIES_IN_TRAINING * (generator + discriminator) + generator) + of_an_image * images
    return ResourceNeeds(memory, FLOAT * (COPIES_IN_CHECKPOINT * (generator + discriminator) + generator))


def parameters(network: nn.Module) -> int:
    """Number of parameters of a network."""
    return sum(parameter.numel() for parameter in network.parameters())


def activations(task: AdversarialTask, inputs: Inputs) -> tuple[int, int]:
    """Bytes that autograd keeps for one image, in the generator and in the discriminator."""
    with torch.random.fork_rng(devices=[]):
        of_generator, made = _kept(task.generator, *inputs)
        image = made.fine if isinstance(made, Inpainted) else made
        of_discriminator, _ = _kept(task.discriminator, image.detach(), inputs[1])
    return of_generator // MEASURED, of_discriminator // MEASURED


def memory_here(accelerator: str) -> int | None:
    """Memory of the training device in bytes, or None if this machine has no such device."""
    if accelerator != "cpu" and torch.cuda.is_available():
        return int(torch.cuda.mem_get_info()[1])
    if accelerator != "cpu":
        return None
    return int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


def _kept(network: nn.Module, first: Tensor, second: Tensor) -> tuple[int, Any]:
    own = {parameter.untyped_storage().data_ptr() for parameter in network.parameters()}
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        output = network(first, second)
    return sum(kept.values()), output
