"""P-IDS and U-IDS: how well a linear classifier separates inpainted from real images."""

import importlib
import warnings
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from lit_an.errors import needs_package


class DiscriminativeScores(NamedTuple):
    """How often a linear classifier takes inpainted images for real; larger is better. Papers report per cent.

    Attributes:
        p_ids: in [0, 1], share of the pairs whose inpainted image looks more real than the real one; 0.5 at best.
        u_ids: in [0, 1], share of all images that are misclassified; 0.5 at best.
        converged: whether the classifier converged within its 1000 iterations.
    """

    p_ids: float
    u_ids: float
    converged: bool


def discriminative_scores(fake: Tensor, real: Tensor) -> DiscriminativeScores:
    """Paired and unpaired inception discriminative score of features.

    The classifier is scored on its training data, as published. With no more images than features, a plane separates
    any two sets, and both scores are meaningless.

    Args:
        fake, real: (N, D), N ≥ 1; row i of both is of the same image.

    Raises:
        InputError: scikit-learn is missing.

    Source: Zhao et al., "Large scale image completion via co-modulated generative adversarial networks", ICLR 2021
    (arXiv 2103.10428), section 4, and its code: scikit-learn's ``LinearSVC(dual=False)`` with its other defaults.

    Example:
        >>> same = torch.tensor([[0.0], [1.0], [2.0]])
        >>> discriminative_scores(same, same).u_ids, discriminative_scores(same, same + 9).u_ids
        (0.5, 0.0)
    """
    classifier, warning = _classifier()
    sides = [side.double().cpu().numpy() for side in (real, fake)]
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", warning)
        features, is_real = np.concatenate(sides), np.repeat([1, 0], [len(side) for side in sides])
        classifier.fit(features, is_real)
    mistaken = 1 - float(classifier.score(features, is_real))
    realism = [torch.from_numpy(classifier.decision_function(side)) for side in sides]
    paired = float((realism[1] > realism[0]).double().mean())
    return DiscriminativeScores(paired, mistaken, not any(issubclass(one.category, warning) for one in said))


def _classifier() -> tuple[Any, type[Warning]]:
    try:
        svm = importlib.import_module("sklearn.svm")
        exceptions = importlib.import_module("sklearn.exceptions")
    except ImportError as error:
        raise needs_package("p_ids and u_ids need", "scikit-learn", "inpainting", error) from error
    # Newton steps solve the primal problem, without randomness.
    return svm.LinearSVC(dual=False), exceptions.ConvergenceWarning
