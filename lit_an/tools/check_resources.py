"""What a training run will need, roughly, from the networks alone."""

import os
from typing import NamedTuple

import torch
from torch import Tensor, nn

from lit_an.tasks.class_conditional import ClassConditionalGAN

FLOAT = 4  # bytes
# A weight, its gradient, and Adam's two moments; the checkpoint leaves out the gradient.
COPIES_IN_TRAINING, COPIES_IN_CHECKPOINT = 4, 3


class Needs(NamedTuple):
    """Bytes, computed for float32 and Adam; bf16 takes about half of the activations.

    Attributes:
        memory: of one device in training.
        checkpoint: one file on disk.
    """

    memory: int
    checkpoint: int


def needs_of(task: ClassConditionalGAN, images: int) -> Needs:
    """What a task needs for ``images`` images at once on one device.

    Activations are counted in one small step of each network: everything that autograd keeps for the backward pass.
    Not counted are work space, fragmentation and the loader's memory: take it as a lower bound with a few tens of per
    cent to spare.
    """
    generator, discriminator = (parameters(net) for net in (task.generator, task.discriminator))
    of_generator, of_discriminator = activations(task)
    # The generator's step goes through both; the discriminator's sees real and generated images.
    of_an_image = max(of_generator + of_discriminator, 2 * of_discriminator)
    # One copy more for the average of the generator's weights.
    memory = FLOAT * (COPIES_IN_TRAINING * (generator + discriminator) + generator) + of_an_image * images
    return Needs(memory, FLOAT * (COPIES_IN_CHECKPOINT * (generator + discriminator) + generator))


def parameters(network: nn.Module) -> int:
    """How many numbers a network learns."""
    return sum(parameter.numel() for parameter in network.parameters())


def activations(task: ClassConditionalGAN) -> tuple[int, int]:
    """Bytes that autograd keeps for one image, in the generator and in the discriminator."""
    batch = 2  # batch norm wants more than one
    label = torch.zeros(batch, dtype=torch.long)
    latent = torch.randn(batch, int(task.generator.latent_dim))  # type: ignore[arg-type]
    with torch.random.fork_rng(devices=[]):
        of_generator, image = _kept(task.generator, latent, label)
        of_discriminator, _ = _kept(task.discriminator, image.detach(), label)
    return of_generator // batch, of_discriminator // batch


def memory_here(accelerator: str) -> int | None:
    """Bytes of the device that would train, or None if it is not in this machine."""
    if accelerator != "cpu" and torch.cuda.is_available():
        return int(torch.cuda.mem_get_info()[1])
    if accelerator != "cpu":
        return None
    return int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


def _kept(network: nn.Module, first: Tensor, label: Tensor) -> tuple[int, Tensor]:
    own = {parameter.untyped_storage().data_ptr() for parameter in network.parameters()}
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        output = network(first, label)
    return sum(kept.values()), output
