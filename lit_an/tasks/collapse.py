"""Scalars that show a collapsing game: a discriminator that has won, images that are all alike."""

import torch
from torch import Tensor

# Below it, real images are all alike and nothing can be said of generated ones.
_LEAST = 1e-6


@torch.no_grad()
def game_scalars(real_logits: Tensor, fake_logits: Tensor) -> dict[str, Tensor]:
    """How far the discriminator tells real images from generated ones.

    ``accuracy`` is the share of pairs of which the real one has the larger logit, which means the same for all losses:
    0.5 if it cannot tell them apart, 1 at its optimum.

    Args:
        real_logits, fake_logits: of equal shape, larger is more real; the pairs are in order.

    Returns:
        ``real_logits`` and ``fake_logits``, their means, and ``accuracy``, in [0, 1]; scalars.

    Example:
        >>> found = game_scalars(torch.tensor([1.0, 3.0]), torch.tensor([2.0, -2.0]))
        >>> {name: float(value) for name, value in found.items()}
        {'real_logits': 2.0, 'fake_logits': 0.0, 'accuracy': 0.5}
    """
    real, fake = real_logits.detach().float(), fake_logits.detach().float()
    # Half a pair for two equal logits: constant ones cannot tell anything apart.
    accuracy = (real > fake).float().mean() + (real == fake).float().mean() / 2
    return {"real_logits": real.mean(), "fake_logits": fake.mean(), "accuracy": accuracy}


@torch.no_grad()
def relative_spread(fake: Tensor, real: Tensor) -> Tensor:
    """Spread of generated images over the batch, relative to that of real ones.

    Args:
        fake, real: (B, 3, H, W), in [-1, 1]; of one image the spread is 0.

    Returns:
        Scalar ≥ 0: about 1 if generated images differ as much as real ones do, 0 if all are equal.

    Example:
        >>> real = torch.tensor([-1.0, 1.0]).view(2, 1, 1, 1).expand(2, 3, 4, 4)
        >>> float(relative_spread(0.5 * real, real)), float(relative_spread(real[:1].expand(2, 3, 4, 4), real))
        (0.5, 0.0)
    """
    of_fake, of_real = (images.detach().float().var(0, correction=0).mean().sqrt() for images in (fake, real))
    return of_fake / of_real.clamp_min(_LEAST)


@torch.no_grad()
def relative_spread_in_holes(fake: Tensor, real: Tensor, mask: Tensor) -> Tensor:
    """Spread of the pixels that fill the holes of a batch, relative to that of the true pixels there.

    Args:
        fake, real: (B, 3, H, W), in [-1, 1].
        mask: (B, 1, H, W), 1 = hole.

    Returns:
        Scalar ≥ 0: about 1 for fillings as varied as the truth, 0 for one color in all holes.

    Example:
        >>> real, mask = torch.tensor([[[[-1.0, 1.0, 9.0]]]]), torch.tensor([[[[1.0, 1.0, 0.0]]]])
        >>> float(relative_spread_in_holes(0.25 * real, real, mask))
        0.25
    """
    share = (mask.float() / mask.float().sum().clamp_min(1)).detach()

    def spread(images: Tensor) -> Tensor:
        images = images.detach().float()
        mean = (images * share).sum((0, 2, 3), keepdim=True)
        return ((images - mean).square() * share).sum((0, 2, 3)).mean().sqrt()

    return spread(fake) / spread(real).clamp_min(_LEAST)
