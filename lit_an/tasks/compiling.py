"""The networks of a task compiled for training by ``torch.compile``."""

from typing import Any

import torch
from torch import Tensor, nn

from lit_an.errors import InputError


class CompiledForward:
    """A network's forward pass: compiled in a training step, as it is written anywhere else.

    Two kinds of pass are never compiled:

    - in evaluation mode. Its batches differ in size, and its weights are swapped for their average.
    - with a gradient to both parameters and inputs, which is that of a gradient penalty: it is differentiated twice,
      and what ``torch.compile`` makes can be differentiated once. In all other passes of a training step, only the
      parameters (the network's own update) or only the inputs (that of the other network) have gradients.

    It takes the place of ``network.forward``, below the hooks of the network. So the names of parameters and buffers,
    checkpoints, averages and wrappers stay what they are. Each pass in training gets copies of the buffers: the
    generated code may keep a buffer for its backward pass, such as the vectors of spectral norm, which the next pass
    changes.

    Args:
        network: runs alone, as it is called in a training step.
        backend: of ``torch.compile``.
    """

    def __init__(self, network: nn.Module, backend: str) -> None:
        self._network, self._backend = network, backend
        self._written = network.forward
        # Sizes are fixed in training. Each combination of mode, gradients and size is one graph.
        # The same random numbers as without compilation; inductor's own generator would draw others.
        options: dict[str, Any] | None = {"fallback_random": True} if backend == "inductor" else None
        self._compiled = torch.compile(network.forward, backend=backend, dynamic=False, options=options)

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        """Runs the network.

        Raises:
            InputError: the backend does not work on this machine.
        """
        if self._network.training:
            _renew_buffers(self._network)
        if not self._network.training or self._is_differentiated_twice(inputs):
            return self._written(*inputs, **options)
        from torch._dynamo.exc import TorchDynamoException
        from torch._inductor.exc import InvalidCxxCompiler

        try:
            return self._compiled(*inputs, **options)
        except (TorchDynamoException, InvalidCxxCompiler) as error:
            reason = str(getattr(error, "inner_exception", error)).strip().partition("\n")[0]
            raise InputError(
                f"--model.compile {self._backend}: {type(self._network).__name__} cannot be compiled on this machine "
                f"({reason}); leave the option out"
            ) from error

    def _is_differentiated_twice(self, inputs: tuple[Any, ...]) -> bool:
        if not torch.is_grad_enabled():
            return False
        to_inputs = any(isinstance(each, Tensor) and each.requires_grad for each in inputs)
        return to_inputs and any(parameter.requires_grad for parameter in self._network.parameters())


def _renew_buffers(network: nn.Module) -> None:
    """Replaces all buffers by copies."""
    for module in network.modules():
        for name, buffer in list(module.named_buffers(recurse=False)):
            setattr(module, name, buffer.clone())


def check_backend(backend: str | None) -> None:
    """Checks the name of a backend of ``torch.compile``; None is none.

    Raises:
        InputError: there is none of that name.
    """
    if backend is None:
        return
    from torch._dynamo import list_backends  # takes a second

    if backend not in list_backends(exclude_tags=()):
        raise InputError(
            f"compile must be null or a backend of torch.compile ({', '.join(list_backends())}), got {backend!r}"
        )


def compile_networks(generator: nn.Module, discriminator: nn.Module, backend: str | None) -> None:
    """Compiles the networks as a training step calls them, until ``uncompile_networks``; None compiles none."""
    uncompile_networks(generator, discriminator)  # of a run that an error ended
    if backend is not None:
        for network in [*called_modules(generator), *called_modules(discriminator)]:
            network.forward = CompiledForward(network, backend)


def uncompile_networks(generator: nn.Module, discriminator: nn.Module) -> None:
    """Undoes ``compile_networks``."""
    for network in [*called_modules(generator), *called_modules(discriminator)]:
        if isinstance(network.forward, CompiledForward):
            del network.forward


def called_modules(network: nn.Module) -> list[nn.Module]:
    """The modules that a task calls when a network runs: a discriminator of several critics critic by critic."""
    critics = getattr(network, "critics", None)
    return [network] if critics is None else list(critics)
