"""Loss terms of an inpainting generator and their weights, except the adversarial term."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from lit_an.batch import CriticOutput, Inpainted, InpaintingBatch
from lit_an.errors import at_least
from lit_an.losses.features import VGG19Features
from lit_an.losses.id_mrf import ID_MRF_WEIGHTS, id_mrf_loss
from lit_an.losses.perceptual import feature_matching_loss, perceptual_loss, style_loss
from lit_an.losses.reconstruction import confidence_map, context_l1, hole_l1

Terms = dict[str, Tensor]

# Liu et al., arXiv 1804.07723, section 3.3: the first three poolings of VGG.
_POOLINGS = ("pool1", "pool2", "pool3")


@dataclass(frozen=True)
class FillingWeights:
    """Weights and options of the generator's terms; the defaults are the published ones.

    The published options multiply: the hole's 1.4 · 1.2, the context's 1.2 · 1.2, ID-MRF's 1.4 · 0.05, and the
    orthogonality's 0.2 · 0.001, whose second factor stands inside the published layer.

    Attributes:
        hole_weight: of the L1 distance inside the hole, ≥ 0.
        context_weight: of the L1 distance outside it, ≥ 0.
        coarse_weight: factor on both for the coarse stage, ≥ 0; the fine stage has 1.
        confidence: weight the hole's pixels by how far the known ones reach (GMCNN), rather than all alike.
        hole_area: pixels that the hole's distances are divided by; None takes those of each image's own hole. The
            published code has 16384 with rectangles (128 · 128) and 65536 with free-form holes (the image).
        orthogonality_weight: of the penalties of the norms in both networks, ≥ 0.
        id_mrf_weight: of ID-MRF, once the discriminator is trained, ≥ 0; needs VGG-19.
        perceptual_weight: of the L1 distance of features, fine and composite, once the discriminator is trained,
            ≥ 0; needs VGG-19; 0.05 in Liu et al.
        style_weight: of the L1 distance of Gram matrices, likewise; 120 there.
        feature_matching_weight: of the L1 distance of the critics' features, ≥ 0; pix2pixHD has 10.
        vgg_weights: file of VGG-19's weights; None takes torchvision's, downloaded once.
        recompute: compute VGG-19's maps again in the backward pass: less memory, more time.

    Raises:
        InputError: a negative weight, or an area below 1.

    Source: Wang et al., CVPR 2020, section 4.2 and the options of the published code; Liu et al., arXiv 1804.07723.
    """

    hole_weight: float = 1.68
    context_weight: float = 1.44
    coarse_weight: float = 1.0
    confidence: bool = True
    hole_area: int | None = None
    orthogonality_weight: float = 2e-4
    id_mrf_weight: float = 0.07
    perceptual_weight: float = 0.0
    style_weight: float = 0.0
    feature_matching_weight: float = 0.0
    vgg_weights: str | None = None
    recompute: bool = False

    def __post_init__(self) -> None:
        weights = {field.name: getattr(self, field.name) for field in fields(self) if field.name.endswith("_weight")}
        at_least("losses", 0, **weights)
        at_least("losses", 1, hole_area=self.hole_area)


class FillingLosses:
    """Computes the terms with a positive weight in ``FillingWeights``.

    It is not an ``nn.Module``, so that checkpoints and pickles do not contain VGG-19.

    Args:
        weights: of each term.
    """

    def __init__(self, weights: FillingWeights) -> None:
        self.weights = weights
        layers = list(ID_MRF_WEIGHTS) if weights.id_mrf_weight > 0 else []
        if weights.perceptual_weight > 0 or weights.style_weight > 0:
            layers += _POOLINGS
        self._vgg = VGG19Features(weights.vgg_weights, layers, weights.recompute) if layers else None

    def load(self) -> None:
        """Reads VGG-19 if a term needs it, so that errors appear before training.

        Raises:
            InputError: its weights are missing and cannot be downloaded.
        """
        if self._vgg is not None:
            self._vgg.load()

    def reconstruction(self, made: Inpainted, batch: InpaintingBatch) -> Terms:
        """``hole`` and ``context``: distances of both stages, not composited, from the ground truth."""
        weights, (image, mask) = self.weights, batch[:2]
        confidence = confidence_map(mask) if weights.confidence else None
        stages = [(1.0, made.fine), (weights.coarse_weight, made.coarse)]
        hole = sum(weight * hole_l1(stage, image, mask, confidence, weights.hole_area) for weight, stage in stages)
        context = sum(weight * context_l1(stage, image, mask) for weight, stage in stages)
        return {
            "hole": torch.as_tensor(weights.hole_weight * hole),
            "context": torch.as_tensor(weights.context_weight * context),
        }

    def on_features(self, filled: Tensor, made: Inpainted, batch: InpaintingBatch) -> Terms:
        """``id_mrf``, ``perceptual`` and ``style``, if their weights are positive.

        Args:
            filled: (B, 3, H, W), the composite.
            made: the two stages.
            batch: the truth.
        """
        if self._vgg is None:
            return {}
        weights = self.weights
        with torch.no_grad():
            true = self._vgg(batch.image)
        whole = self._vgg(made.fine)
        terms = {}
        if weights.id_mrf_weight > 0:
            terms["id_mrf"] = weights.id_mrf_weight * id_mrf_loss(whole, true)
        if weights.perceptual_weight > 0 or weights.style_weight > 0:
            both = [{name: seen[name] for name in _POOLINGS} for seen in (whole, self._vgg(filled))]
            for name, weight, loss in (
                ("perceptual", weights.perceptual_weight, perceptual_loss),
                ("style", weights.style_weight, style_loss),
            ):
                if weight > 0:
                    terms[name] = weight * torch.stack([loss(seen, true) for seen in both]).sum()
        return terms

    def feature_matching(self, fake: Sequence[CriticOutput], real: Sequence[CriticOutput]) -> Terms:
        """``feature_matching``: distance of the critics' features of the composite and of the ground truth."""
        return {"feature_matching": self.weights.feature_matching_weight * feature_matching_loss(fake, real)}
