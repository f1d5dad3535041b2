"""ID-MRF: every patch of the truth should be the nearest neighbor of some generated patch (GMCNN)."""

from collections.abc import Mapping
from types import MappingProxyType

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from lit_an.tensors.precision import at_least_float32, without_autocast

EPSILON = 1e-5  # added to the distance to the nearest neighbor

ID_MRF_WEIGHTS: Mapping[str, float] = MappingProxyType({"relu3_2": 1.0, "relu4_2": 2.0})
"""The published layers: a style term of conv3_2 and conv4_2, and a content term, the same function, of conv4_2."""


def id_mrf_loss(
    prediction: Mapping[str, Tensor],
    target: Mapping[str, Tensor],
    weights: Mapping[str, float] = ID_MRF_WEIGHTS,
    bandwidth: float = 0.5,
) -> Tensor:
    """Σ over layers of weight · ``id_mrf_of_maps``; ≥ 0, smaller is better.

    Reduction: sum over layers, mean over the batch.

    Args:
        prediction, target: feature maps of generated images and of the truth, by layer; ``VGG19Features`` gives them.
        weights: the layers to compare, and their weights.
        bandwidth: as in ``id_mrf_of_maps``.

    Source: GMCNN (arXiv 1810.08771), section 3.2.
    """
    return torch.stack(
        [w * id_mrf_of_maps(prediction[name], target[name], bandwidth) for name, w in weights.items()]
    ).sum()


def id_mrf_of_maps(
    prediction: Tensor, target: Tensor, bandwidth: float = 0.5, similarities_at_once: int = 2**22
) -> Tensor:
    """−log of the mean over target positions of their best match to a generated position; ≥ 0.

    Reduction: mean over the batch.

    With d(v, s) the cosine distance, in [0, 1], of a generated vector v and a target's vector s, both less the target's
    mean: RS(v, s) = softmax over s of −d(v, s) / (h (min_s d(v, s) + ε)), and the loss −log mean_s max_v RS(v, s). A
    generated map of which many vectors claim the same few of the target's leaves the others unclaimed. Where vectors
    lie does not matter, nor a factor or an offset that both maps share.

    Args:
        prediction: (B, C, …), features of generated images.
        target: (B, C, …), features of the truth; its gradient is not taken.
        bandwidth: h > 0; smaller is sharper.
        similarities_at_once: of the B · P · Q similarities of positions, how many exist at a time: generated positions
            are processed in chunks, each recomputed in the backward pass. The peak is about 4 arrays of this size
            (2**22: 16 MiB each) rather than of B · P · Q; ``benchmarks/inpainting_losses.py`` measures it.

    Source: Wang et al., "Image inpainting via generative multi-column convolutional neural networks" (GMCNN), NeurIPS
        2018 (arXiv 1810.08771), section 3.2; after the contextual loss of Mechrez et al., ECCV 2018 (arXiv 1803.02077).

    Differs: the published codes take distances where the paper writes similarities, and do not leave s itself out of
        the maximum; so do we. The TensorFlow codes of GMCNN and attentive normalization exchange the two images and
        take the mean over the batch, which would make an image's loss depend on its neighbors; GMCNN's PyTorch code
        takes the mean over channels and adds up the batch. The directions here are the paper's and the PyTorch code's,
        the mean is that of each target over its positions, and the batch is averaged.

    Example:
        >>> features = torch.eye(4).view(1, 4, 2, 2)  # four positions, all different
        >>> round(float(id_mrf_of_maps(features[..., :1, :1], features)), 3)  # one patch claims one of four: ln 4
        1.386
        >>> float(id_mrf_of_maps(features, features)) < 1e-6  # each claims its own
        True
    """
    with without_autocast(prediction):
        generated, real = (at_least_float32(x).flatten(2) for x in (prediction, target.detach()))
        mean = real.mean(2, keepdim=True)
        # The direction of vectors shorter than eps is noise, so they get no gradient.
        generated, real = (F.normalize(x - mean, dim=1, eps=1e-4) for x in (generated, real))  # (B, C, P), (B, C, Q)
        rows = max(1, similarities_at_once // (real.shape[0] * real.shape[2]))
        claims = [_claims_recomputed(piece, real, bandwidth) for piece in generated.mT.split(rows, dim=1)]
        return -torch.stack(claims).amax(0).mean(1).log().mean()


def _claims_recomputed(generated: Tensor, real: Tensor, bandwidth: float) -> Tensor:
    if not (torch.is_grad_enabled() and generated.requires_grad):
        return _claims(generated, real, bandwidth)
    return checkpoint(_claims, generated, real, bandwidth, use_reentrant=False, preserve_rng_state=False)


def _claims(generated: Tensor, real: Tensor, bandwidth: float) -> Tensor:
    """(B, Q): how strongly the generated vectors (B, P, C) claim each of the real ones (B, C, Q), at best."""
    similarity = generated @ real
    nearest = similarity.max(2, keepdim=True).values.clamp(max=1)  # above 1 by rounding only
    # The distance is (1 − similarity) / 2; what all s share leaves the softmax as it is.
    sharpness = 1 / (bandwidth * (1 - nearest + 2 * EPSILON))
    return ((similarity - nearest.detach()) * sharpness).softmax(2).max(1).values
