"""What a task computes: the contract between a GAN and the engine that trains it."""

from typing import Any

import torch
from torch import Tensor, nn

from lit_an.norms.base import total_penalty
from lit_an.tasks.preview import Preview

Terms = dict[str, Tensor]


class Game:
    """The losses and images of a generator and a discriminator; ``AdversarialTask`` makes the updates."""

    channels_last: bool

    def discriminator_terms(self, batch: Any) -> Terms:
        """Loss terms of the discriminator on a batch, by name; their sum is minimized.

        The set of terms may depend on the iteration but not on the batch or the rank, since the log averages each term
        over ranks (see ``TermLog``).
        """
        raise NotImplementedError

    def generator_terms(self, batch: Any) -> Terms:
        """Loss terms of the generator on a batch, by name; see ``discriminator_terms``."""
        raise NotImplementedError

    def before_last_step(self, batch: Any) -> None:
        """Called before the last discriminator step of an iteration, with the batch of the generator's step too."""

    def frozen_networks(self) -> frozenset[str]:
        """Names of the frozen networks whose features a loss looks at; figures of the same features are too good."""
        return frozenset()

    def run_networks(self, batch: Any) -> None:
        """Runs both networks once on a batch as in a training step, so that hooks can observe their features."""
        raise NotImplementedError

    def trains_discriminator(self) -> bool:
        """Whether the discriminator is trained in this iteration; otherwise its updates are skipped."""
        return True

    def preview(self, columns: int, rows: int) -> Preview:
        """Images of fixed inputs for logging: at most ``rows`` rows of ``columns`` each."""
        raise NotImplementedError

    def _orthogonality(self, network: nn.Module, weight: float) -> Terms:
        """The penalties of a network's norms as a term, if there are any."""
        penalty = total_penalty(network) if weight > 0 else None
        return {} if penalty is None else {"orthogonality": weight * penalty}

    def _laid_out(self, image: Tensor) -> Tensor:
        """The image in the memory order of the networks."""
        return image.contiguous(memory_format=torch.channels_last) if self.channels_last else image
