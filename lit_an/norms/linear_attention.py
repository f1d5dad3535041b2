"""Efficient attention with the interface of a norm: attention whose cost grows with the positions, not their square."""

from typing import ClassVar

from torch import Tensor

from lit_an.errors import InputError
from lit_an.norms.registry import register_norm
from lit_an.norms.self_attention import Attention2d
from lit_an.tensors.precision import at_least_float32, without_autocast


@register_norm("linear_attention")
class LinearAttention2d(Attention2d):
    """x + γ · efficient attention(x), γ from 0: linear in the positions (Shen et al., arXiv 1812.01243).

    Queries are a softmax over the channels at each position, keys a softmax over the positions of each channel, so that
    keys and values can be multiplied first: each key channel is a map of where to look, and gathers one vector of
    values there; each position mixes these vectors.

    Args:
        num_features: C, channels.
        num_heads: heads that share the channels, ≥ 1, a divisor of C/8.
        spectral_norm: divide each projection by its spectral norm, as ``self_attention`` does.
        residual_start: γ at the start.

    Raises:
        InputError: ``num_heads`` does not divide the channels of keys and values.

    Attributes:
        is_residual: True.

    Source: Shen et al., "Efficient attention: attention with linear complexities", WACV 2021 (arXiv 1812.01243),
    section 3, with softmax normalization.
    Differs: widths (C/8 channels for queries and keys, C/2 for values), spectral norm and γ are those of
    ``self_attention``, so that the two differ in the attention alone; the paper adds the attention unscaled.

    Example:
        >>> import torch
        >>> x = torch.randn(2, 16, 8, 8)
        >>> torch.equal(LinearAttention2d(16)(x), x)
        True
    """

    paper: ClassVar[str] = "1812.01243"

    def __init__(
        self, num_features: int, *, num_heads: int = 1, spectral_norm: bool = True, residual_start: float = 0.0
    ) -> None:
        super().__init__(num_features, spectral_norm=spectral_norm, residual_start=residual_start)
        if num_heads < 1 or self.key_features % num_heads or self.value_features % num_heads:
            raise InputError(
                f"norm 'linear_attention': num_heads={num_heads} must divide {self.key_features} and "
                f"{self.value_features}, the channels of keys and of values"
            )
        self.num_heads = num_heads

    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        with without_autocast(query):
            # (B, heads, channels, L); the softmax over all positions needs more than half precision.
            query, key, values = (
                at_least_float32(part).flatten(2).unflatten(1, (self.num_heads, -1)) for part in (query, key, value)
            )
            gathered = values @ key.softmax(3).transpose(2, 3)  # (B, heads, value channels, key channels)
            attended = (gathered @ query.softmax(2)).flatten(1, 2)
        return attended.unflatten(2, value.shape[2:]).to(value.dtype)
