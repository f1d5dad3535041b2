"""The Inception score from the logits of any network."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

_SEED = 2020  # of torch-fidelity


class ScoreSums(NamedTuple):
    """Running sums over images for each of S splits; sums of two sets are merged by adding the fields.

    Attributes:
        num_images: (S,).
        probability: (S, K), sum of the class probabilities.
        negative_entropy: (S,), sum of Σ p log p.
    """

    num_images: Tensor
    probability: Tensor
    negative_entropy: Tensor


def splits_of(num_images: int, splits: int) -> Tensor:
    """(num_images,), int64: the split of each image. Images are shuffled and cut into runs, as torch-fidelity does."""
    order = np.random.RandomState(_SEED).permutation(num_images)
    split = np.empty(num_images, dtype=np.int64)
    for number in range(splits):
        split[order[number * num_images // splits : (number + 1) * num_images // splits]] = number
    return torch.from_numpy(split)


def score_sums(logits: Tensor, split: Tensor, splits: int) -> ScoreSums:
    """Sums of a batch.

    Args:
        logits: (B, K).
        split: (B,), int64, the split of each image.
        splits: S.
    """
    log_p = logits.double().log_softmax(1)
    p = log_p.exp()
    member = torch.nn.functional.one_hot(split, splits).double().T  # (S, B)
    return ScoreSums(member.sum(1), member @ p, member @ (p * log_p).sum(1))


def inception_score(sums: ScoreSums) -> tuple[float, float]:
    """Mean and standard deviation over the splits of exp E KL(p(y|x) ‖ p(y)), in [1, K]; larger is better.

    Source: Salimans et al., "Improved techniques for training GANs", NeurIPS 2016, section 4.

    Example:
        >>> sure = torch.tensor([[100.0, 0.0], [0.0, 100.0]])
        >>> inception_score(score_sums(sure, torch.tensor([0, 0]), 1))
        (2.0, 0.0)
    """
    marginal = sums.probability / sums.num_images[:, None]  # (S, K)
    marginal_term = torch.special.xlogy(marginal, marginal).sum(1)
    scores = (sums.negative_entropy / sums.num_images - marginal_term).exp()
    return float(scores.mean()), float(scores.std(correction=0))
