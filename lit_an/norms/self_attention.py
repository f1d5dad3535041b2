"""SAGAN's self-attention with the interface of a norm: the baseline, which compares all pairs of positions."""

from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm as spectrally_normalized

from lit_an.norms.base import Norm2d, residual_scale
from lit_an.norms.registry import register_norm


class Attention2d(Norm2d):
    """x + γ · attention(x), γ a learned scalar; a subclass implements ``attend``.

    C/8 channels for queries and keys, C/2 for values.

    Args:
        num_features: C, channels.
        spectral_norm: divide each projection by its spectral norm.
        residual_start: γ at the start.
    """

    is_residual: ClassVar[bool] = True

    def __init__(self, num_features: int, *, spectral_norm: bool, residual_start: float) -> None:
        super().__init__(num_features)
        narrow, half = max(1, num_features // 8), max(1, num_features // 2)
        self.key_features, self.value_features = narrow, half

        def project(in_features: int, out_features: int) -> nn.Module:
            convolution = nn.Conv2d(in_features, out_features, 1, bias=False)
            nn.init.xavier_uniform_(convolution.weight)
            return spectrally_normalized(convolution) if spectral_norm else convolution

        self.query, self.key = project(num_features, narrow), project(num_features, narrow)
        self.value, self.output = project(num_features, half), project(half, num_features)
        self.residual_scale = residual_scale(residual_start)

    def normalize(self, x: Tensor, condition: Tensor | None) -> Tensor:
        attended = self.attend(self.query(x), self.key(x), self.value(x))
        return x + self.residual_scale.to(x.dtype) * self.output(attended)

    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Attention of each position.

        Args:
            query, key: (B, C/8, H, W).
            value: (B, C/2, H, W).

        Returns:
            (B, C/2, H, W).
        """
        raise NotImplementedError


@register_norm("self_attention")
class SelfAttention2d(Attention2d):
    """x + γ · attention(x), γ from 0: SAGAN's, all pairs of positions (Zhang et al., arXiv 1805.08318).

    Queries at all positions, keys and values at the 2×2 max-pooled ones; C/8 channels for queries and keys, C/2
    for values. Cost and memory grow with the square of the number of positions.

    Args:
        num_features: C, channels.
        spectral_norm: divide each projection by its spectral norm, as published.
        residual_start: γ at the start; 0 as published.

    Attributes:
        is_residual: True.

    Source: Zhang et al., "Self-Attention Generative Adversarial Networks", ICML 2019 (arXiv 1805.08318), section 3,
    and the sizes of the authors' code.

    Example:
        >>> import torch
        >>> x = torch.randn(2, 16, 8, 8)
        >>> torch.equal(SelfAttention2d(16)(x), x)
        True
    """

    paper: ClassVar[str] = "1805.08318"

    def __init__(self, num_features: int, *, spectral_norm: bool = True, residual_start: float = 0.0) -> None:
        super().__init__(num_features, spectral_norm=spectral_norm, residual_start=residual_start)

    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        size = value.shape[2:]
        if min(size) > 1:
            key, value = F.max_pool2d(key, 2), F.max_pool2d(value, 2)
        # (B, channels, H, W) -> (B, one head, positions, channels); SAGAN's logits are not scaled.
        query, key, value = (part.flatten(2).transpose(1, 2).unsqueeze(1) for part in (query, key, value))
        attended = F.scaled_dot_product_attention(query, key, value, scale=1.0).squeeze(1)
        return attended.transpose(1, 2).unflatten(2, size)
