"""Penalties on the discriminator's gradient at its input: double backward, always in float32.

Each takes ``discriminator``, a function from images (B, …) to logits (B, …); the caller binds labels and masks.
If it gives several logits for an image, as a patch critic does, their mean is the image's logit D.
Reduction: mean over the batch. Smaller is better for the discriminator.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from lit_an.errors import InputError
from lit_an.tensors.holes import weight_of
from lit_an.tensors.precision import at_least_float32, without_autocast

Discriminator = Callable[[Tensor], Tensor]


def zero_centered_penalty(discriminator: Discriminator, image: Tensor) -> Tensor:
    """½ E ‖∇D(image)‖²; ≥ 0: R1 on real images, R2 on fakes.

    Reduction: mean over the batch.

    Args:
        discriminator: images to logits.
        image: (B, C, H, W), where to take the gradient.

    Source: Mescheder, Geiger, Nowozin, "Which training methods for GANs do actually converge?", ICML 2018, equation 9.

    Example:
        >>> image = torch.zeros(2, 1, 2, 2)
        >>> float(zero_centered_penalty(lambda image: image.flatten(1).sum(1), image))  # gradient 1 at 4 pixels
        2.0
    """
    return 0.5 * _gradient(discriminator, image).square().sum(1).mean()


def wgan_gradient_penalty(
    discriminator: Discriminator, real: Tensor, fake: Tensor, mask: Tensor | None = None
) -> Tensor:
    """E (‖∇D(x) ⊙ mask‖ − 1)² at random points between real and fake images; ≥ 0.

    Reduction: mean over the batch.

    Args:
        discriminator: images to logits.
        real, fake: (B, C, H, W), images; in inpainting ``fake`` is the composite.
        mask: (B, 1, H, W), 1 = hole: only the gradient there counts, since the images are equal elsewhere. None counts
            it everywhere.

    Raises:
        InputError: shapes that do not match.

    Source: Gulrajani et al., "Improved training of Wasserstein GANs", NeurIPS 2017 (arXiv 1704.00028), equation 3; with
        a mask Yu et al., "Generative image inpainting with contextual attention" (DeepFill v1), CVPR 2018 (arXiv
        1801.07892), section 3.2, where the mask is 0 in the hole; attentive normalization's code does so, too.

    Example:
        >>> image = torch.zeros(2, 1, 1, 1)
        >>> float(wgan_gradient_penalty(lambda x: 3 * x.flatten(1).sum(1), image, image))
        4.0
    """
    if real.shape != fake.shape:
        raise InputError(
            f"the gradient penalty needs a fake image for each real one, got {tuple(real.shape)} and "
            f"{tuple(fake.shape)}"
        )
    true, made = at_least_float32(real), at_least_float32(fake)
    share = torch.rand(len(real), *[1] * (real.dim() - 1), device=real.device, dtype=true.dtype)
    gradient = _gradient(discriminator, torch.lerp(true, made, share))
    if mask is not None:
        if mask.shape != (len(real), 1, *real.shape[2:]):
            raise InputError(
                f"the gradient penalty's mask must be (B, 1, H, W) of the images {tuple(real.shape)}, "
                f"got {tuple(mask.shape)}"
            )
        gradient = gradient * weight_of(mask).expand_as(real).flatten(1)
    return (gradient.norm(dim=1) - 1).square().mean()


def _gradient(discriminator: Discriminator, image: Tensor) -> Tensor:
    """(B, C·H·W): the gradient of each image's mean logit at the image, differentiable once more."""
    # Squared gradients and their gradients exceed the range of half precision. Only the plain (MATH) backend of
    # attention can be differentiated twice.
    with without_autocast(image), sdpa_kernel(SDPBackend.MATH):
        image = at_least_float32(image.detach()).requires_grad_()
        logit = discriminator(image).reshape(len(image), -1).mean(1)
        (gradient,) = torch.autograd.grad(logit.sum(), image, create_graph=True)
    return gradient.flatten(1)
