"""What a task computes: the contract between a GAN and the engine that trains it."""

from typing import Any

from torch import Tensor

from lit_an.tasks.preview import Preview

Terms = dict[str, Tensor]


class Game:
    """The losses and images of a generator and a discriminator; ``AdversarialTask`` makes the updates."""

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

    def run_networks(self, batch: Any) -> None:
        """Runs both networks once on a batch as in a training step, so that hooks can observe their features."""
        raise NotImplementedError

    def trains_discriminator(self) -> bool:
        """Whether the discriminator is trained in this iteration; otherwise its updates are skipped."""
        return True

    def preview(self, columns: int, rows: int) -> Preview:
        """Images of fixed inputs for logging: at most ``rows`` rows of ``columns`` each."""
        raise NotImplementedError
