"""Norms: attentive normalization and everything that can stand in its place; needs torch, not Lightning.

How to add one: a new file here with a class ``MyNorm2d(num_features, …)`` whose ``forward(x, condition=None)`` keeps
the shape (inherit ``Norm2d``; ``condition_kind`` says what it depends on, ``paper`` where it comes from, the first line
of its docstring what it does), decorated with ``@register_norm("my_norm")``, and its import below. The contract tests
over ``NORMS`` then test it, and ``python cli.py norms`` lists it. A norm in another package registers through the
entry-point group ``lit_an.norms``.
"""

from lit_an.norms.attentive.calibration import calibrate_layouts
from lit_an.norms.attentive.layer import AttentiveNorm2d
from lit_an.norms.attentive.semantic_layout import SemanticLayout
from lit_an.norms.base import Norm2d, Penalized, total_penalty
from lit_an.norms.conditional import ConditionalBatchNorm2d, ConditionalInstanceNorm2d
from lit_an.norms.filter_response import FilterResponseNorm2d
from lit_an.norms.linear_attention import LinearAttention2d
from lit_an.norms.positional import PositionalNorm2d
from lit_an.norms.region import LearnedRegionNorm2d, RegionNorm2d
from lit_an.norms.registry import NORMS, norm_factory, register_norm
from lit_an.norms.replacement_report import KeptNorm, NormReplacement, ReplacedNorm
from lit_an.norms.replacing import replace_norms
from lit_an.norms.residual import ResidualNorm2d
from lit_an.norms.self_attention import SelfAttention2d
from lit_an.norms.spade import SpatiallyAdaptiveNorm2d
from lit_an.norms.standard import BatchNorm2d, GroupNorm2d, InstanceNorm2d, LayerNorm2d, NoNorm
from lit_an.norms.switchable import SwitchableNorm2d
from lit_an.norms.weight_standardization import StandardizedGroupNorm2d, WeightStandardization, standardize_weight

__all__ = [
    "NORMS",
    "AttentiveNorm2d",
    "BatchNorm2d",
    "ConditionalBatchNorm2d",
    "ConditionalInstanceNorm2d",
    "FilterResponseNorm2d",
    "GroupNorm2d",
    "InstanceNorm2d",
    "KeptNorm",
    "LayerNorm2d",
    "LearnedRegionNorm2d",
    "LinearAttention2d",
    "NoNorm",
    "Norm2d",
    "NormReplacement",
    "Penalized",
    "PositionalNorm2d",
    "RegionNorm2d",
    "ReplacedNorm",
    "ResidualNorm2d",
    "SelfAttention2d",
    "SemanticLayout",
    "SpatiallyAdaptiveNorm2d",
    "StandardizedGroupNorm2d",
    "SwitchableNorm2d",
    "WeightStandardization",
    "calibrate_layouts",
    "norm_factory",
    "register_norm",
    "replace_norms",
    "standardize_weight",
    "total_penalty",
]
