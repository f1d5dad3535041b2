"""The self-sampling branch as one differentiable function. Its tensors are tiny; the number of calls is what costs."""

from typing import Any

import torch
from torch import Tensor

import lit_an.norms.attentive.functional as AN
from lit_an.norms.attentive.dispatch import form_of_call


def features_at(x: Tensor, windows: Tensor) -> Tensor:
    """The features of a map at some of its positions.

    Args:
        x: (B, C, H, W), a feature map.
        windows: (B, N, P), int64, positions in 0 … H·W − 1.

    Returns:
        (B, C, N, P).
    """
    index = windows.flatten(1)[:, None].expand(-1, x.shape[1], -1)
    return x.flatten(2).gather(2, index).unflatten(2, windows.shape[1:])


def sampled_layout(
    x: Tensor,
    windows: Tensor,
    entities: Tensor,
    scale: Tensor,
    key_weight: Tensor,
    key_bias: Tensor,
    query_weight: Tensor,
    query_bias: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """The filters of a layout: learned ones, and ``scale`` times those made from an image's own features.

    Args:
        x: (B, C, H, W), a feature map.
        windows: (B, N, P), int64, positions of x: of each window the largest of each key channel is taken.
        entities: (N, C), learned filters.
        scale: (N,).
        key_weight, key_bias: (K, C) and (K,), the key projection.
        query_weight, query_bias: (K, C) and (K,), the query projection.

    Returns:
        ``x`` to go on with, so that its gradient need not be added to another map, filters (B, N, C) and
        constants (B, N).
    """
    parameters = (entities, scale, key_weight, key_bias, query_weight, query_bias)
    if form_of_call() != "function":  # a compiler fuses what is so small
        return _composition(x, windows, *parameters)
    found: tuple[Tensor, Tensor, Tensor] = _SampledLayout.apply(x, windows, *parameters)
    return found


def _composition(
    x: Tensor,
    windows: Tensor,
    entities: Tensor,
    scale: Tensor,
    key_weight: Tensor,
    key_bias: Tensor,
    query_weight: Tensor,
    query_bias: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """The same by operators that autograd and compilers can follow."""
    keys = AN.salient_keys(features_at(x, windows), key_weight, key_bias)
    filters, constants = AN.sampled_filters(keys, query_weight, query_bias)
    return x.view_as(x), entities + scale[:, None] * filters, scale * constants


class _SampledLayout(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, windows: Tensor, *parameters: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        entities, scale, key_weight, key_bias, query_weight, query_bias = _widened(parameters)
        features = features_at(x, windows).flatten(2).to(key_weight.dtype)  # (B, C, N·P)
        all_keys = torch.baddbmm(key_bias[:, None], key_weight.expand(len(x), -1, -1), features)
        keys, chosen = all_keys.unflatten(2, windows.shape[1:]).max(3)  # (B, K, N)
        keys = keys.mT
        filters, constants = keys @ query_weight, keys @ query_bias
        ctx.save_for_backward(x, windows, *parameters, features, keys, chosen, filters, constants)
        return x.view_as(x), torch.addcmul(entities, scale[:, None], filters), scale * constants

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        # Read once: checkpointing hands saved tensors out once.
        x, windows, *others = ctx.saved_tensors
        parameters, results = others[:6], others[6:]
        if torch.is_grad_enabled():
            return _differentiable_backward(x, windows, parameters, gradients)
        for_map, for_filters, for_constants = gradients
        features, keys, chosen, filters, constants = results
        _, scale, key_weight, _, query_weight, query_bias = _widened(parameters)
        for_scale = (for_filters * filters).sum((0, 2)) + (for_constants * constants).sum(0)
        for_entities = for_filters.sum(0)
        for_filters, for_constants = for_filters * scale[:, None], for_constants * scale
        flat = keys.flatten(0, 1).t()  # (K, B·N)
        for_query, for_query_bias = flat @ for_filters.flatten(0, 1), flat @ for_constants.flatten()
        for_keys = torch.addcmul(for_filters @ query_weight.t(), for_constants[:, :, None], query_bias).mT
        scattered = for_keys.new_zeros(*chosen.shape, windows.shape[2]).scatter_(
            3, chosen[..., None], for_keys[..., None]
        )
        scattered = scattered.flatten(2)  # (B, K, N·P)
        for_key, for_key_bias = (scattered @ features.mT).sum(0), for_keys.sum((0, 2))
        for_features = (key_weight.t() @ scattered).to(for_map.dtype)
        index = windows.flatten(1)[:, None].expand(-1, x.shape[1], -1)
        # In place: the map's gradient belongs to the norm that has just made it.
        for_map = for_map.flatten(2).scatter_add_(2, index, for_features).unflatten(2, x.shape[2:])
        found = (for_entities, for_scale, for_key, for_key_bias, for_query, for_query_bias)
        return for_map, None, *(one.to(parameter.dtype) for one, parameter in zip(found, parameters, strict=True))


def _widened(parameters: Any) -> list[Tensor]:
    return [parameter.to(torch.promote_types(parameter.dtype, torch.float32)) for parameter in parameters]


def _differentiable_backward(
    x: Tensor, windows: Tensor, parameters: list[Tensor], gradients: tuple[Tensor, ...]
) -> Any:
    outputs = _composition(x, windows, *parameters)
    inputs = [x, *parameters]
    wanted = [tensor for tensor in inputs if tensor.requires_grad]
    found = iter(torch.autograd.grad(outputs, wanted, gradients, create_graph=True, allow_unused=True))
    first, *others = (next(found) if tensor.requires_grad else None for tensor in inputs)
    return first, None, *others
