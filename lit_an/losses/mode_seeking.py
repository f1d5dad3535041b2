"""A loss against generators that ignore their latent: images of one class that lie close to each other."""

import torch
from torch import Tensor

from lit_an.errors import InputError
from lit_an.tensors.precision import at_least_float32, without_autocast

# Keeps the loss of equal images finite.
EPSILON = 1e-5


def mode_seeking_loss(image: Tensor, latent: Tensor, label: Tensor) -> Tensor:
    """1 / (Σ d(images) / Σ d(latents) + ε) over pairs of one class in a batch; d is the mean absolute difference.

    In the order of the batch, an image is paired with the next one of its class, which costs no further pass of the
    generator.

    Reduction: a ratio of sums over the pairs. Smaller is better for the generator: its images differ more.

    Args:
        image: (B, C, H, W), generated.
        latent: (B, L), what each was generated from.
        label: (B,), whole numbers.

    Returns:
        Scalar ≥ 0; 0, with a gradient of 0, if no class is there twice.

    Raises:
        InputError: shapes other than these.

    Source: Mao et al., "Mode seeking generative adversarial networks for diverse image synthesis", CVPR 2019 (arXiv
        1903.05628), equation 4, inverted as in the authors' code.
    Differs: pairs are found in the batch, where theirs are two passes of one class; sums, so that no pair of latents
        that happen to be close counts more than others.

    Example:
        >>> image = torch.tensor([0.0, 0.5, 9.0]).view(3, 1, 1, 1)
        >>> latent, label = torch.tensor([[0.0], [1.0], [7.0]]), torch.tensor([4, 4, 2])
        >>> round(float(mode_seeking_loss(image, latent, label)), 3)  # one pair: 0.5 apart, latents 1 apart
        2.0
    """
    if label.shape != image.shape[:1] or latent.dim() != 2 or len(latent) != len(image):
        raise InputError(
            f"mode_seeking_loss takes latents ({len(image)}, L) and labels ({len(image)},) of {len(image)} images, got "
            f"{tuple(latent.shape)} and {tuple(label.shape)}"
        )
    with without_autocast(image):
        image, latent = at_least_float32(image), at_least_float32(latent)
        order = label.argsort(stable=True)
        one, other = order[:-1], order[1:]
        are_pairs = (label[one] == label[other]).to(image.dtype)
        between_images = (are_pairs * (image[one] - image[other]).abs().flatten(1).mean(1)).sum()
        between_latents = (are_pairs * (latent[one] - latent[other]).abs().mean(1)).sum()
        # Without a branch on values, which would wait for a device.
        ratio = between_images / between_latents.clamp_min(torch.finfo(image.dtype).tiny)
        return are_pairs.sum().clamp_max(1) / (ratio + EPSILON)
