"""What attentive normalization is compared with: the convolution beside it, its published form, and self-attention."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import lit_an.norms.attentive.block_path as block_path
import lit_an.norms.attentive.dispatch as dispatch
from lit_an.norms import AttentiveNorm2d, norm_factory
from lit_an.norms.attentive import functional
from lit_an.norms.self_attention import SelfAttention2d


class PublishedForm(AttentiveNorm2d):
    """AN as published: every region's masked copy of the features as one B×C×N×H×W tensor.

    Written from the paper's equations; the query map q(x) is formed, and the keys of all positions.
    """

    def normalize(self, x: Tensor, condition: Tensor | None) -> Tensor:
        layout = self._layout_as_published(x).unsqueeze(1)  # (B, 1, N, H, W)
        assert self.value is not None
        value = self.value(x).unsqueeze(2)  # (B, C, 1, H, W)
        mass = layout.sum((3, 4), keepdim=True)
        mean = (layout * value).sum((3, 4), keepdim=True) / mass  # (B, C, N, 1, 1)
        variance = (layout * (value - mean).square()).sum((3, 4), keepdim=True) / mass
        normalized = (layout * (value - mean) / torch.sqrt(variance + self.eps)).sum(2)
        return x + self.residual_scale * normalized

    def _layout_as_published(self, x: Tensor) -> Tensor:
        layout = self.layout
        logits = F.conv2d(x, layout.entities[:, :, None, None])
        if self.training:
            keys = F.max_pool2d(layout.key(x), 2).flatten(2)  # (B, K, L/4)
            chosen = keys[:, :, torch.randperm(keys.shape[2])[: layout.num_regions]]
            sampled = chosen.transpose(1, 2) @ layout.query(x).flatten(2)  # (B, N, L)
            logits = logits + layout.sampling_scale[:, None, None] * sampled.unflatten(2, x.shape[2:])
        return (layout.temperature * logits).softmax(1)


class WrittenOutSelfAttention(SelfAttention2d):
    """SAGAN's self-attention as published: the attention map of all positions and pooled positions as a matrix."""

    def normalize(self, x: Tensor, condition: Tensor | None) -> Tensor:
        query = self.query(x).flatten(2)
        key, value = (F.max_pool2d(part(x), 2).flatten(2) for part in (self.key, self.value))
        attention = (query.transpose(1, 2) @ key).softmax(-1)  # (B, L, L/4)
        attended = value @ attention.transpose(1, 2)
        return x + self.residual_scale * self.output(attended.unflatten(2, x.shape[2:]))


class AttentiveByBlocks(AttentiveNorm2d):
    """AN by PyTorch's products, where there would be a compiled or a Triton kernel."""

    def normalize(self, x: Tensor, condition: Tensor | None) -> Tensor:
        chosen, dispatch.path_of = dispatch.path_of, lambda *args: block_path
        try:
            return super().normalize(x, condition)
        finally:
            dispatch.path_of = chosen


class PlainAttentive(AttentiveNorm2d):
    """AN by the plain composition of ``lit_an.norms.attentive.functional`` and autograd."""

    def normalize(self, x: Tensor, condition: Tensor | None) -> Tensor:
        assert self.value is not None
        x, filters, constants = self.layout.filters(x)
        scalars = (self.layout.temperature, self.residual_scale, self.weight, self.bias, self.eps)
        return functional.attentive_normalize(x, self.value.weight.flatten(1), filters, constants, *scalars)


def make(name: str, channels: int) -> nn.Module:
    """A layer by its name in the table, with a residual scale that is not 0."""
    special = {
        "3×3 convolution": lambda: nn.Conv2d(channels, channels, 3, padding=1),
        "published form": lambda: PublishedForm(channels),
        "self-attention, written out": lambda: WrittenOutSelfAttention(channels),
        "attentive, by blocks": lambda: AttentiveByBlocks(channels),
        "attentive, plain autograd": lambda: PlainAttentive(channels),
    }
    if name in special:
        layer: nn.Module = special[name]()
    else:
        conditional = {"condition_features": 1} if name.startswith("conditional") else {}
        layer = norm_factory(name, **conditional)(channels)
    for parameter_name, parameter in layer.named_parameters():
        if parameter_name == "residual_scale":
            nn.init.constant_(parameter, 0.5)
    return layer


def gigabytes_needed(name: str, batch: int, channels: int, side: int) -> float:
    """A lower bound of what a training step holds at once, for the forms that outgrow a machine."""
    positions = side * side
    if name == "self-attention, written out":  # the other form never has the whole attention map in memory
        return 3 * 4 * batch * positions * (positions / 4) / 1e9  # logits, attention and a gradient
    if name == "published form":
        return 6 * 4 * batch * channels * 16 * positions / 1e9
    return 6 * 4 * batch * channels * positions / 1e9
