"""Switchable normalization: learns how much of its moments are those of the image, the layer and the batch."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from lit_an.norms.base import Norm2d
from lit_an.norms.registry import register_norm
from lit_an.tensors.precision import at_least_float32, without_autocast


@register_norm("switchable")
class SwitchableNorm2d(Norm2d):
    """Switchable normalization: learned mixtures of instance, layer and batch moments (arXiv 1806.10779).

    (x − Σ wₖ μₖ) / sqrt(Σ vₖ σₖ² + eps), with w and v the softmax of three learned numbers each, all 0 at the start:
    a third of each kind. At evaluation the moments of the batch are running ones. Standing statistics
    (``statistics: standing``) are the paper's "batch average".

    Args:
        num_features: C, channels.
        eps: > 0, added to the variance.
        momentum: share of the newest batch in the running statistics, 0 to 1.
        affine: learn a gain and a shift per channel.

    Source: Luo et al., "Differentiable learning-to-normalize via switchable normalization", ICLR 2019
    (arXiv 1806.10779), the section on switchable normalization.
    Differs: all variances are the plain means of squares of the equations; the authors' code has the unbiased ones of
    images. Running variances are unbiased, as in batch normalization. Batches are not synchronized over devices.
    Transformations of ``torch.func``, under which no buffer may change, leave the running statistics as they are.

    Example:
        >>> SwitchableNorm2d(8)(torch.randn(2, 8, 16, 16)).shape
        torch.Size([2, 8, 16, 16])
    """

    paper: ClassVar[str] = "1806.10779"
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, num_features: int, *, eps: float = 1e-5, momentum: float = 0.1, affine: bool = True) -> None:
        super().__init__(num_features, eps=eps, momentum=momentum)
        self.eps, self.momentum = eps, momentum
        self.mean_logits = nn.Parameter(torch.zeros(3))  # of the instance, the layer and the batch
        self.variance_logits = nn.Parameter(torch.zeros(3))
        self.weight = nn.Parameter(torch.ones(num_features)) if affine else None
        self.bias = nn.Parameter(torch.zeros(num_features)) if affine else None
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))

    def normalize(self, x: Tensor, condition: Tensor | None) -> Tensor:
        with without_autocast(x):
            wide = at_least_float32(x)
            # (B, C), of the instance, by two means: torch.var_mean takes about ten times as long.
            mean = wide.mean((2, 3))
            var = (wide - mean[:, :, None, None]).square().mean((2, 3))
            # What lies between the means adds to the variance: nothing cancels, as it would in E x² − μ².
            layer_var, layer_mean = _pooled(var, mean, 1)
            if self.training:
                batch_var, batch_mean = _pooled(var, mean, 0)
                self._remember(batch_mean[0], batch_var[0], x.shape[0] * x.shape[2] * x.shape[3])
            else:
                batch_mean, batch_var = self.running_mean.to(mean)[None], self.running_var.to(var)[None]
            shares = self.mean_logits.to(mean).softmax(0)
            mean = shares[0] * mean + shares[1] * layer_mean + shares[2] * batch_mean
            shares = self.variance_logits.to(var).softmax(0)
            var = shares[0] * var + shares[1] * layer_var + shares[2] * batch_var
            scale = (var + self.eps).rsqrt()
            if self.weight is not None:
                scale = scale * self.weight
            normalized = (wide - mean[:, :, None, None]) * scale[:, :, None, None]
            if self.bias is not None:
                normalized = normalized + self.bias[:, None, None]
            return normalized.to(x.dtype)

    @torch.no_grad()
    def _remember(self, mean: Tensor, var: Tensor, count: int) -> None:
        if torch._C._are_functorch_transforms_active():
            return
        unbiased = var * count / max(1, count - 1)
        self.running_mean.lerp_(mean.to(self.running_mean), self.momentum)
        self.running_var.lerp_(unbiased.to(self.running_var), self.momentum)

    def extra_repr(self) -> str:
        return f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.weight is not None}"


def _pooled(var: Tensor, mean: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """Variance and mean over several sets of equal size, of which ``var`` and ``mean`` are those of each."""
    between, pooled_mean = torch.var_mean(mean, dim, correction=0, keepdim=True)
    return var.mean(dim, keepdim=True) + between, pooled_mean
