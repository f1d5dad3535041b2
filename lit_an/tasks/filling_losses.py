"""Loss terms of an inpainting generator and their weights, except the adversarial term."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Literal

import torch
from torch import Tensor

from lit_an.batch import CriticOutput, Inpainted, InpaintingBatch
from lit_an.errors import InputError, at_least
from lit_an.losses.backbone_features import BackboneFeatures
from lit_an.losses.features import VGG19Features
from lit_an.losses.id_mrf import ID_MRF_WEIGHTS, id_mrf_loss
from lit_an.losses.perceptual import feature_matching_loss, perceptual_loss, style_loss
from lit_an.losses.reconstruction import confidence_map, context_l1, hole_l1
from lit_an.registry import nearest

Terms = dict[str, Tensor]

# Liu et al., arXiv 1804.07723, section 3.3: the first three poolings of VGG.
_POOLINGS = ("pool1", "pool2", "pool3")
_VGG19 = "vgg19"


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
        id_mrf_weight: of ID-MRF, ≥ 0; needs VGG-19.
        perceptual_weight: of the L1 distance of features, ≥ 0; 0.05 in Liu et al., for VGG-19.
        style_weight: of the L1 distance of Gram matrices, likewise; 120 there.
        features: the network of the perceptual and the style term: ``vgg19``, as published, or the name of a backbone
            (``lit_an.backbones``), whose maps at strides 4, 8 and 16 are compared. ``efficientnet_lite0`` comes with a
            package and is many times as fast; its weights need other values, since its maps have another scale.
        features_of: images that these two terms look at: the ``composite``, or ``both``, the fine stage and the
            composite, as published.
        features_from: first iteration of ID-MRF, the perceptual and the style term, ≥ 0; None, as published, for the
            first one in which the discriminator is trained.
        feature_matching_weight: of the L1 distance of the critics' features, ≥ 0; pix2pixHD has 10.
        vgg_weights: file of VGG-19's weights; None takes torchvision's, downloaded once.
        recompute: compute VGG-19's maps again in the backward pass: less memory, more time.

    Raises:
        InputError: a number out of range, or an unknown network or choice.

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
    features: str = _VGG19
    features_of: Literal["both", "composite"] = "both"
    features_from: int | None = None
    feature_matching_weight: float = 0.0
    vgg_weights: str | None = None
    recompute: bool = False

    def __post_init__(self) -> None:
        weights = {field.name: getattr(self, field.name) for field in fields(self) if field.name.endswith("_weight")}
        at_least("losses", 0, **weights)
        at_least("losses", 1, hole_area=self.hole_area)
        at_least("losses", 0, features_from=self.features_from)
        if self.features_of not in ("both", "composite"):
            raise InputError(f"losses: features_of must be 'both' or 'composite', got {self.features_of!r}")
        known = [_VGG19, *BackboneFeatures.names()]
        if self.features not in known:
            meant = nearest(self.features, known)
            raise InputError(f"losses: features must be one of {', '.join(known)}, got {self.features!r}{meant}")


class FillingLosses:
    """Computes the terms with a positive weight in ``FillingWeights``.

    It is not an ``nn.Module``, so that checkpoints and pickles do not contain VGG-19 or a backbone.

    Args:
        weights: of each term.

    Attributes:
        networks: names of the frozen networks that the terms look at.
    """

    def __init__(self, weights: FillingWeights) -> None:
        self.weights = weights
        compares = weights.perceptual_weight > 0 or weights.style_weight > 0
        on_vgg = weights.features == _VGG19
        layers = list(ID_MRF_WEIGHTS) if weights.id_mrf_weight > 0 else []
        layers += _POOLINGS if compares and on_vgg else ()
        self._compared = _POOLINGS if on_vgg else BackboneFeatures.layers
        self._vgg = VGG19Features(weights.vgg_weights, layers, weights.recompute) if layers else None
        self._backbone = BackboneFeatures(weights.features) if compares and not on_vgg else None
        used = ((_VGG19, self._vgg), (weights.features, self._backbone))
        self.networks = frozenset(name for name, network in used if network is not None)

    def load(self) -> None:
        """Reads the networks that the terms need, so that errors appear before training.

        Raises:
            InputError: weights are missing and cannot be downloaded, or a package is missing.
        """
        for network in (self._vgg, self._backbone):
            if network is not None:
                network.load()

    def load_shapes(self) -> None:
        """Makes the networks that the terms need to count what they cost: VGG-19 without its weights.

        Raises:
            InputError: a package is missing, or the weights of a backbone.
        """
        if self._vgg is not None:
            self._vgg.load_shapes()
        if self._backbone is not None:
            self._backbone.load()

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
        weights, both = self.weights, self.weights.features_of == "both"
        of_mrf = [self._vgg] if weights.id_mrf_weight > 0 else []
        compares = weights.perceptual_weight > 0 or weights.style_weight > 0
        of_comparison = [self._vgg if weights.features == _VGG19 else self._backbone] if compares else []
        with torch.no_grad():
            true = _maps(batch.image, [*of_mrf, *of_comparison])
        whole = _maps(made.fine, [*of_mrf, *(of_comparison if both else [])])
        terms = {}
        if of_mrf:
            terms["id_mrf"] = weights.id_mrf_weight * id_mrf_loss(whole, true)
        if of_comparison:
            seen = [*([whole] if both else []), _maps(filled, of_comparison)]
            compared = [{name: maps[name] for name in self._compared} for maps in seen]
            for name, weight, loss in (
                ("perceptual", weights.perceptual_weight, perceptual_loss),
                ("style", weights.style_weight, style_loss),
            ):
                if weight > 0:
                    terms[name] = weight * torch.stack([loss(maps, true) for maps in compared]).sum()
        return terms

    def feature_matching(self, fake: Sequence[CriticOutput], real: Sequence[CriticOutput]) -> Terms:
        """``feature_matching``: distance of the critics' features of the composite and of the ground truth."""
        return {"feature_matching": self.weights.feature_matching_weight * feature_matching_loss(fake, real)}


def _maps(image: Tensor, networks: Iterable[VGG19Features | BackboneFeatures | None]) -> dict[str, Tensor]:
    """The maps of an image by name, each network's once."""
    maps: dict[str, Tensor] = {}
    for network in dict.fromkeys(networks):
        assert network is not None
        maps |= network(image)
    return maps
