"""The smallest task that inpaints: one convolution against one, for the tests of tools."""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from lit_an.batch import CriticOutput, Inpainted
from lit_an.errors import InputError
from lit_an.tasks.adversarial import AdversarialTask

ADAM = partial(torch.optim.Adam, lr=1e-3)


class TinyGenerator(nn.Module):
    """Fills holes with what a convolution makes of the erased image; takes sides of even numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(4, 3, 3, padding=1)

    def forward(self, image: Tensor, mask: Tensor) -> Inpainted:
        if image.shape[-1] % 2:
            raise InputError(f"TinyGenerator takes even sides, got {image.shape[-1]} px")
        made = torch.tanh(self.convolution(torch.cat([image * (1 - mask), mask], 1)))
        return Inpainted(made, made)


class TinyCritic(nn.Module):
    """A global critic alone."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(4, 1, 3, padding=1)

    def forward(self, image: Tensor, mask: Tensor) -> tuple[CriticOutput, ...]:
        return (CriticOutput(self.convolution(torch.cat([image, mask], 1)).mean((1, 2, 3))),)


class TinyInpainting(AdversarialTask):
    """Both, with the simplest losses: it is looked at, not trained."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(TinyGenerator(), TinyCritic(), ADAM, ADAM, **kwargs)

    def generator_terms(self, batch: Any) -> dict[str, Tensor]:
        made: Inpainted = self.generator(batch.image, batch.mask)
        (critic,) = self.discriminator(made.fine, batch.mask)
        return {"hole": (made.fine - batch.image).abs().mean(), "adversarial": -critic.logits.mean()}

    def discriminator_terms(self, batch: Any) -> dict[str, Tensor]:
        (critic,) = self.discriminator(batch.image, batch.mask)
        return {"adversarial": -critic.logits.mean()}
