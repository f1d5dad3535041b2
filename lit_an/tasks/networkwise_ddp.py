"""Gradients of two networks that train in turn, exchanged between processes: one DDP wrapper per network."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from pytorch_lightning.overrides.distributed import _register_ddp_comm_hook, prepare_for_backward
from pytorch_lightning.strategies import DDPStrategy, Strategy
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from lit_an.errors import InputError

_SIDES = ("generator", "discriminator")


class NetworkwiseDDP(DDPStrategy):
    """DDP with a wrapper for each network of a task rather than one for the task.

    In each backward pass of a GAN one network's parameters are unused. A wrapper of the whole task has to look for
    them: it walks through the graph, exchanges once more which were used, and waits for the device to read it. The
    wrapper of the network that trains expects all of its parameters and looks for nothing.

    The networks are called as they are. A wrapper exchanges gradients during the backward pass, and shares the first
    process's buffers before each iteration.
    """

    _wrappers: tuple[DistributedDataParallel, ...] = ()

    def configure_ddp(self) -> None:
        """Wraps both networks; the task itself stays as it is."""
        self._wrappers = tuple(self._setup_model(getattr(self.model, side)) for side in _SIDES)
        for wrapper in self._wrappers:
            if self.root_device.type == "cuda":
                hook, state, wrap = self._ddp_comm_hook, self._ddp_comm_state, self._ddp_comm_wrapper
                _register_ddp_comm_hook(wrapper, state, hook, wrap)
            if not wrapper.find_unused_parameters:
                _settle_buckets(wrapper)

    def training_step(self, *args: Any, **kwargs: Any) -> Any:
        """Runs the task's step with the buffers of the first process, as a wrapper of the task would."""
        for wrapper in self._wrappers:
            wrapper._assign_modules_buffers()  # compiled networks replace theirs
            if wrapper.will_sync_module_buffers():
                wrapper._sync_buffers()
        return super().training_step(*args, **kwargs)

    def pre_backward(self, closure_loss: Tensor) -> None:
        """Has the gradients of the network that trains exchanged."""
        for wrapper in self._training():
            prepare_for_backward(wrapper, closure_loss)

    def post_backward(self, closure_loss: Tensor) -> None:
        """Checks that every parameter had a gradient: without one, its bucket would not have been exchanged.

        Raises:
            InputError: a parameter has no part in the loss.
        """
        for wrapper in self._training():
            if wrapper.find_unused_parameters or all(each.grad is not None for each in wrapper._module_parameters):
                continue
            parameters = wrapper.module.named_parameters()
            unused = next(name for name, each in parameters if each.requires_grad and each.grad is None)
            raise InputError(
                f"{unused} of {type(wrapper.module).__name__} has no part in the loss, so that its gradient cannot be "
                "exchanged between processes; take it out of the network, set its requires_grad to false, or give "
                "--trainer.strategy ddp_find_unused_parameters_true"
            )

    @contextmanager
    def block_backward_sync(self) -> Iterator[None]:
        """Backward passes in the block exchange nothing."""
        with ExitStack() as stack:
            for wrapper in self._wrappers:
                stack.enter_context(wrapper.no_sync())
            yield

    def teardown(self) -> None:
        self._wrappers = ()
        super().teardown()

    def _training(self) -> list[DistributedDataParallel]:
        """The wrappers of the networks that train now; the parameters of the others want no gradient."""
        return [each for each in self._wrappers if any(p.requires_grad for p in each._module_parameters)]


def wrap_networkwise(strategy: Strategy) -> None:
    """Makes a plain DDP strategy one of networks; does nothing to a strategy for a single device."""
    if type(strategy) is DDPStrategy:
        # Lightning makes the strategy from a name; this only changes methods.
        strategy.__class__ = NetworkwiseDDP
    elif isinstance(strategy, DDPStrategy) and not isinstance(strategy, NetworkwiseDDP):
        strategy._ddp_kwargs.setdefault("find_unused_parameters", True)  # someone's own, which wraps the whole task


def _settle_buckets(wrapper: DistributedDataParallel) -> None:
    """Has DDP sort its buckets before the first iteration, with a backward pass through all parameters.

    DDP sorts them once, by the order in which gradients first arrive, and a sum over processes is rounded by its place
    in a bucket. Sorted in the first real pass, they would differ between a resumed and an uninterrupted iteration.
    """
    parameters = wrapper._module_parameters
    total = sum(each.sum() for each in parameters)
    prepare_for_backward(wrapper, total)
    total.backward()  # type: ignore[union-attr]  # DDP has rejected a network without parameters
    for parameter in parameters:
        parameter.grad = None
