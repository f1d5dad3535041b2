"""Efficient attention against its equations in numpy, and what it shares with self-attention."""

import numpy as np
import pytest
import torch

from lit_an.errors import InputError
from lit_an.norms import LinearAttention2d, SelfAttention2d


def made(num_heads: int = 1, channels: int = 16) -> LinearAttention2d:
    norm = LinearAttention2d(channels, num_heads=num_heads, spectral_norm=False).double()
    with torch.no_grad():
        for parameter in norm.parameters():
            parameter.normal_()
    return norm


def softmax(values: np.ndarray, axis: int) -> np.ndarray:
    return np.exp(values) / np.exp(values).sum(axis, keepdims=True)


@pytest.mark.parametrize("num_heads", [1, 2])
def test_equals_all_pairs_of_positions_written_out(num_heads: int) -> None:
    """With one weight for each pair, ρ_q(q_i) · ρ_k(k_j), in the order that the paper's method avoids."""
    norm, x = made(num_heads), torch.randn(2, 16, 3, 4, dtype=torch.float64)
    query, key, value, output = (
        part.weight.detach().numpy()[:, :, 0, 0] for part in (norm.query, norm.key, norm.value, norm.output)
    )
    expected = np.empty(x.shape)
    for b in range(2):
        flat = x[b].flatten(1).numpy()
        heads = []
        for q, k, v in zip(*(np.split(part @ flat, num_heads) for part in (query, key, value)), strict=True):
            pairs = np.einsum("ci,cj->ij", softmax(q, 0), softmax(k, 1))
            np.testing.assert_allclose(pairs.sum(1), 1)  # a mean of values, as in attention
            heads.append(np.einsum("ij,vj->vi", pairs, v))
        attended = output @ np.concatenate(heads)
        expected[b] = x[b].numpy() + norm.residual_scale.item() * attended.reshape(16, 3, 4)
    np.testing.assert_allclose(norm(x).detach().numpy(), expected, rtol=0, atol=1e-12)


def test_gradients() -> None:
    norm, x = made(2, 32), torch.randn(1, 32, 2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(norm, (x,))
    (norm(x) * torch.randn_like(x)).sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in norm.parameters())


def test_it_has_the_parameters_of_self_attention() -> None:
    sizes = [
        {name: value.shape for name, value in made_of(32).state_dict().items()}
        for made_of in (LinearAttention2d, SelfAttention2d)
    ]
    assert sizes[0] == sizes[1]
    x = torch.randn(2, 32, 4, 4)
    assert torch.equal(LinearAttention2d(32)(x), x), "it begins as the identity"


@pytest.mark.parametrize("num_heads", [0, 3])
def test_heads_must_divide_the_channels(num_heads: int) -> None:
    with pytest.raises(InputError, match=f"num_heads={num_heads} must divide 2 and 8, the channels of keys and of val"):
        LinearAttention2d(16, num_heads=num_heads)
