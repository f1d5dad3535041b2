"""Penalties on the discriminator's gradient at its input: double backward, always in float32.

Each takes ``judge``, a function from images (B, …) to logits (B,), so that labels or masks are bound by the caller,
and is a mean over the batch; smaller is better for the discriminator.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

Judge = Callable[[Tensor], Tensor]


def zero_centered_penalty(judge: Judge, image: Tensor) -> Tensor:
    """½ E ‖∇D(image)‖²; ≥ 0: R1 on real images, R2 on fakes.

    Args:
        judge: images to logits.
        image: (B, C, H, W), where to take the gradient.

    Source: Mescheder, Geiger, Nowozin, "Which training methods for GANs do actually converge?", ICML 2018, equation 9.

    Example:
        >>> image = torch.zeros(2, 1, 2, 2)
        >>> float(zero_centered_penalty(lambda image: image.flatten(1).sum(1), image))  # gradient 1 at 4 pixels
        2.0
    """
    return 0.5 * _gradient(judge, image).square().sum(1).mean()


def wgan_gradient_penalty(judge: Judge, real: Tensor, fake: Tensor) -> Tensor:
    """E (‖∇D(x)‖ − 1)² at random points between real and fake images; ≥ 0.

    Args:
        judge: images to logits.
        real, fake: (B, C, H, W), images.

    Source: Gulrajani et al., "Improved training of Wasserstein GANs", NeurIPS 2017 (arXiv 1704.00028), equation 3.

    Example:
        >>> image = torch.zeros(2, 1, 1, 1)
        >>> float(wgan_gradient_penalty(lambda x: 3 * x.flatten(1).sum(1), image, image))
        4.0
    """
    share = torch.rand(len(real), *[1] * (real.dim() - 1), device=real.device)
    return (_gradient(judge, torch.lerp(real.float(), fake.float(), share)).norm(dim=1) - 1).square().mean()


def _gradient(judge: Judge, image: Tensor) -> Tensor:
    """(B, C·H·W): the gradient of each image's logit at the image, differentiable once more."""
    # Squared gradients leave the range of half precision, and their gradients even sooner. Of the ways to compute
    # attention only the plain one can be differentiated twice.
    with torch.autocast(image.device.type, enabled=False), sdpa_kernel(SDPBackend.MATH):
        image = image.detach().float().requires_grad_()
        (gradient,) = torch.autograd.grad(judge(image).sum(), image, create_graph=True)
    return gradient.flatten(1)
