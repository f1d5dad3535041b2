"""Norms: attentive normalization and everything that can stand in its place; needs torch, not Lightning.

How to add one: a new file here with a class ``MyNorm2d(num_features, …)`` whose ``forward(x, condition=None)`` keeps
the shape (inherit ``Norm2d``; ``condition_kind`` says what it depends on), decorated with
``@register_norm("my_norm")``, and its import below. The contract tests over ``NORMS`` then test it. A norm in another
package registers through the entry-point group ``lit_an.norms``.
"""

from lit_an.norms.attentive.calibration import calibrate_layouts
from lit_an.norms.attentive.layer import AttentiveNorm2d
from lit_an.norms.attentive.semantic_layout import SemanticLayout
from lit_an.norms.base import Norm2d, Penalized, total_penalty
from lit_an.norms.conditional import ConditionalBatchNorm2d, ConditionalInstanceNorm2d
from lit_an.norms.region import LearnedRegionNorm2d, RegionNorm2d
from lit_an.norms.registry import NORMS, norm_factory, register_norm
from lit_an.norms.replacement_report import KeptNorm, NormReplacement, ReplacedNorm
from lit_an.norms.replacing import replace_norms
from lit_an.norms.residual import ResidualNorm2d
from lit_an.norms.self_attention import SelfAttention2d
from lit_an.norms.standard import BatchNorm2d, GroupNorm2d, InstanceNorm2d, LayerNorm2d, NoNorm

__all__ = [
    "NORMS",
    "AttentiveNorm2d",
    "BatchNorm2d",
    "ConditionalBatchNorm2d",
    "ConditionalInstanceNorm2d",
    "GroupNorm2d",
    "InstanceNorm2d",
    "KeptNorm",
    "LayerNorm2d",
    "LearnedRegionNorm2d",
    "NoNorm",
    "Norm2d",
    "NormReplacement",
    "Penalized",
    "RegionNorm2d",
    "ReplacedNorm",
    "ResidualNorm2d",
    "SelfAttention2d",
    "SemanticLayout",
    "calibrate_layouts",
    "norm_factory",
    "register_norm",
    "replace_norms",
    "total_penalty",
]
