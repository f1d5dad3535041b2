"""Spectral normalization in few passes over the weights."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.utils.parametrizations import _SpectralNorm

from lit_an.norms.attentive.dispatch import form_of_call
from lit_an.tensors.precision import without_autocast


class SpectralNorm(_SpectralNorm):
    """PyTorch's spectral normalization, with the power iteration in float32, at less cost.

    Under autocast the matrix-vector products of the power iteration would run in half precision on some devices,
    and the weight would be divided by a coarse estimate.

    Small batches spend much of a step on passes over the weights. PyTorch's module copies a channels-last weight to
    read it as a matrix, and its backward pass is a chain of operators over whole weights. This one reads the weight as
    it lies, takes the singular value from the power iteration (the length of Wᵀu, which is uᵀWv), and has its backward
    pass in closed form. Buffers and results are PyTorch's, but for rounding.

    Source: Miyato et al., "Spectral normalization for generative adversarial networks", ICLR 2018.
    """

    def forward(self, weight: Tensor) -> Tensor:
        with without_autocast(weight):
            if form_of_call() != "function":  # a compiler fuses the chain by itself
                normalized: Tensor = super().forward(weight)
            else:
                normalized = _Normalize.apply(weight, *self._singular(weight))
            return normalized

    @torch.no_grad()
    def _singular(self, weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(D,), (K,) in the matrix's order of columns, and a number; in training after a step of the iteration."""
        matrix, v = _matrix(weight), _in_order_of(weight, self._v)
        if not self.training:
            u = self._u.clone()
            return u, v, torch.dot(u, torch.mv(matrix, v))
        for _ in range(self.n_power_iterations):
            u = F.normalize(torch.mv(matrix, v), dim=0, eps=self.eps)
            product = torch.mv(matrix.t(), u)
            sigma = torch.linalg.vector_norm(product)
            v = product / sigma.clamp_min(self.eps)
        self._u.copy_(u)
        self._v.copy_(_from_order_of(weight, v))
        return u, v, sigma


class _Normalize(torch.autograd.Function):
    """W / σ with σ = uᵀWv, whose gradient for a gradient G is (G − ⟨G, W / σ⟩ uvᵀ) / σ."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, u: Tensor, v: Tensor, sigma: Tensor) -> Tensor:
        normalized = weight / sigma
        ctx.save_for_backward(weight, normalized, u, v, sigma)
        return normalized

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        weight, normalized, u, v, sigma = ctx.saved_tensors
        if torch.is_grad_enabled():  # to be differentiated again
            matrix, g = (x.flatten(1) for x in (weight, gradient))
            v = _from_order_of(weight, v)
            sigma = torch.dot(u, torch.mv(matrix, v))
            found = (g - (g * matrix).sum() / sigma * torch.outer(u, v)) / sigma
            return found.view_as(weight), None, None, None
        g = _matrix(gradient, like=weight)
        inner = torch.dot(g.flatten(), _matrix(normalized, like=weight).flatten())
        rows = torch.addcmul(g, (u * -inner)[:, None], v).div_(sigma)
        return _shaped(rows, weight), None, None, None


def _channels_last(weight: Tensor) -> bool:
    """Whether the channels of a kernel, not its positions, lie side by side in memory."""
    return weight.dim() == 4 and not weight.is_contiguous()


def _matrix(weight: Tensor, like: Tensor | None = None) -> Tensor:
    """(D, K): a row for each output, its columns in the order in memory of ``like``."""
    if _channels_last(weight if like is None else like):
        weight = weight.permute(0, 2, 3, 1)
    return weight.flatten(1)


def _shaped(matrix: Tensor, weight: Tensor) -> Tensor:
    """The weight of such a matrix."""
    if not _channels_last(weight):
        return matrix.view(weight.shape)
    outputs, channels, *kernel = weight.shape
    return matrix.view(outputs, *kernel, channels).permute(0, 3, 1, 2)


def _in_order_of(weight: Tensor, v: Tensor) -> Tensor:
    """A copy of a vector over columns as PyTorch orders them, as ``_matrix`` does."""
    return _matrix(v.view(1, *weight.shape[1:]), like=weight)[0].clone()


def _from_order_of(weight: Tensor, v: Tensor) -> Tensor:
    """The way back."""
    return _shaped(v[None], weight[:1]).flatten()
