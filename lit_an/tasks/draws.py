"""Random numbers of a training step that are the same whatever the networks draw for themselves."""

import torch

from lit_an.seeds import mix_seed


def draw_on() -> None:
    """Goes on with numbers that follow from PyTorch's last seed alone, not from how many were drawn since.

    A step calls it where a network has run: attentive normalization samples positions in training, other norms draw
    nothing, and runs that differ in a norm are to have the same latents, augmentations and penalties.

    Example:
        >>> def latent(positions):
        ...     _ = torch.manual_seed(0)
        ...     _ = torch.rand(positions)
        ...     draw_on()
        ...     return torch.randn(3)
        >>> torch.equal(latent(0), latent(16))
        True
    """
    seed = mix_seed(torch.initial_seed())
    if torch.accelerator.is_available():
        torch.manual_seed(seed)
    else:  # without a device torch.manual_seed notes the whole stack, which takes half a millisecond
        torch.default_generator.manual_seed(seed)
