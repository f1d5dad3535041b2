"""Losses of feature maps: of a frozen network (perceptual, style) and of a critic (feature matching).

All are ≥ 0; smaller is better. Only the prediction receives gradients.
"""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from lit_an.batch import CriticOutput
from lit_an.errors import InputError
from lit_an.losses.reconstruction import hole_l1
from lit_an.tensors.holes import weight_of
from lit_an.tensors.precision import at_least_float32, without_autocast


def perceptual_loss(
    prediction: Mapping[str, Tensor],
    target: Mapping[str, Tensor],
    weights: Mapping[str, float] | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Σ over layers of weight · mean |prediction − target|.

    Reduction: sum over layers; mean over the batch, channels and positions.

    Args:
        prediction, target: feature maps (B, C, H, W) of generated images and of the truth, by layer.
        weights: the layers to compare, and their weights; None takes all of ``prediction``, each with 1.
        mask: (B, 1, H, W) of the images, 1 = hole: positions count by their share of hole, and the mean is taken over
            the hole of each image (``hole_l1``). None takes all positions.

    Source: Johnson, Alahi, Fei-Fei, "Perceptual losses for real-time style transfer and super-resolution", ECCV 2016;
        with absolute differences Liu et al., "Image inpainting for irregular holes using partial convolutions", ECCV
        2018 (arXiv 1804.07723), section 3.3, which adds the loss of the composite.

    Example:
        >>> maps = {"relu1_1": torch.zeros(1, 2, 4, 4), "relu2_1": torch.zeros(1, 4, 2, 2)}
        >>> float(perceptual_loss({name: map + 0.5 for name, map in maps.items()}, maps))
        1.0
    """
    weights = dict.fromkeys(prediction, 1.0) if weights is None else weights
    return torch.stack([w * _l1(prediction[name], target[name].detach(), mask) for name, w in weights.items()]).sum()


def style_loss(
    prediction: Mapping[str, Tensor], target: Mapping[str, Tensor], weights: Mapping[str, float] | None = None
) -> Tensor:
    """Σ over layers of weight · mean |Gram(prediction) − Gram(target)|, Gram = F Fᵀ / (C · H · W): C × C per image.

    Reduction: sum over layers; mean over the batch and the entries of the Gram matrices.

    Args:
        prediction, target: feature maps (B, C, H, W) of generated images and of the truth, by layer.
        weights: the layers to compare, and their weights; None takes all of ``prediction``, each with 1.

    Source: Gatys, Ecker, Bethge, "Image style transfer using convolutional neural networks", CVPR 2016; in this form
        Liu et al. (arXiv 1804.07723), section 3.3.

    Example:
        >>> float(style_loss({"relu1_1": 2 * torch.ones(1, 3, 4, 4)}, {"relu1_1": torch.ones(1, 3, 4, 4)}))
        1.0
    """
    weights = dict.fromkeys(prediction, 1.0) if weights is None else weights
    terms = [w * (_gram(prediction[name]) - _gram(target[name].detach())).abs().mean() for name, w in weights.items()]
    return torch.stack(terms).sum()


def feature_matching_loss(fake: Sequence[CriticOutput], real: Sequence[CriticOutput]) -> Tensor:
    """Σ over critics of the mean over a critic's feature maps of mean |fake − real|.

    Reduction: sum over critics; mean over maps and over the batch, channels and positions of each map.

    Args:
        fake, real: outputs of each critic for generated and for real images, in the same order.

    Raises:
        InputError: no critic returns features.

    Source: Wang et al., "High-resolution image synthesis and semantic manipulation with conditional GANs" (pix2pixHD),
        CVPR 2018 (arXiv 1711.11585), section 3.2.

    Example:
        >>> seen = CriticOutput(torch.zeros(1), (torch.zeros(1, 2), torch.zeros(1, 3)))
        >>> float(feature_matching_loss([seen], [CriticOutput(torch.zeros(1), (torch.ones(1, 2), torch.zeros(1, 3)))]))
        0.5
    """
    pairs = [(f.features, r.features) for f, r in zip(fake, real, strict=True) if f.features]
    if not pairs:
        raise InputError(f"feature matching needs critics that return features; none of the {len(fake)} does")
    return torch.stack([_mean_difference(*pair) for pair in pairs]).sum()


def _mean_difference(fake: Sequence[Tensor], real: Sequence[Tensor]) -> Tensor:
    return torch.stack(
        [F.l1_loss(at_least_float32(f), at_least_float32(r.detach())) for f, r in zip(fake, real, strict=True)]
    ).mean()


def _l1(prediction: Tensor, target: Tensor, mask: Tensor | None) -> Tensor:
    if mask is None:
        return F.l1_loss(at_least_float32(prediction), at_least_float32(target))
    height, width = prediction.shape[2:]
    return hole_l1(prediction, target, F.adaptive_avg_pool2d(weight_of(mask), (height, width)))


def _gram(features: Tensor) -> Tensor:
    """(B, C, C), in float32, since sums over positions exceed the range of half precision."""
    with without_autocast(features):
        x = at_least_float32(features).flatten(2)
        return x @ x.mT / (x.shape[1] * x.shape[2])
