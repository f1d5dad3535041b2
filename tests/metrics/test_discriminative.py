"""P-IDS and U-IDS: by hand, against the published recipe, and without scikit-learn."""

import sys

import numpy as np
import pytest
import torch

from lit_an.errors import InputError
from lit_an.metrics.discriminative import discriminative_scores


def needs_sklearn() -> None:
    pytest.importorskip("sklearn", reason="the extra 'inpainting' is not installed")


def test_one_feature_by_hand() -> None:
    """Five real images lie right of 0, one left of it; inpainted ones are their mirror: a plane at 0 errs twice."""
    needs_sklearn()
    real = torch.tensor([[1.0], [2.0], [3.0], [2.5], [1.5], [-0.5]])
    scores = discriminative_scores(-real, real)
    assert scores.u_ids == pytest.approx(2 / 12)
    # Realism grows with the feature, so the last pair alone is the wrong way round.
    assert scores.p_ids == pytest.approx(1 / 6)
    assert scores.converged


def test_pairs_are_of_the_same_row() -> None:
    needs_sklearn()
    real = torch.tensor([[0.0], [10.0]])
    fake = torch.tensor([[-1.0], [9.0]])
    # Real images are the larger ones of each pair; crosswise, one inpainted image beats its partner.
    assert discriminative_scores(fake, real).p_ids == 0.0
    assert discriminative_scores(fake.flip(0), real).p_ids == 0.5
    assert discriminative_scores(fake, real).u_ids == discriminative_scores(fake.flip(0), real).u_ids


def test_one_distribution_is_near_a_half_and_two_are_far_from_it() -> None:
    needs_sklearn()
    real, fake = torch.randn(2, 800, 3)
    same, apart = discriminative_scores(fake, real), discriminative_scores(fake + 2, real)
    assert 0.42 < same.u_ids <= 0.5
    assert 0.42 < same.p_ids < 0.58
    assert apart.u_ids < 0.1
    assert apart.p_ids < same.p_ids


def test_it_is_the_published_recipe_and_deterministic() -> None:
    svm = pytest.importorskip("sklearn.svm", reason="the extra 'inpainting' is not installed")
    real, fake = torch.randn(60, 5), torch.randn(60, 5) + 0.5
    classifier = svm.LinearSVC(dual=False)
    both, label = np.concatenate([real.numpy(), fake.numpy()]), np.array([1] * 60 + [0] * 60)
    classifier.fit(both, label)
    paired = (classifier.decision_function(fake.numpy()) > classifier.decision_function(real.numpy())).mean()
    scores = discriminative_scores(fake, real)
    assert scores.u_ids == pytest.approx(1 - classifier.score(both, label))
    assert scores.p_ids == pytest.approx(paired)
    assert discriminative_scores(fake, real) == scores


def test_no_more_images_than_features_are_always_told_apart() -> None:
    """What the small-set guard is for: images of one distribution, and yet a score of 0."""
    needs_sklearn()
    real, fake = torch.randn(2, 20, 60)
    assert discriminative_scores(fake, real).u_ids == 0.0


def test_without_scikit_learn_the_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.svm", None)
    with pytest.raises(InputError, match=r"need the package scikit-learn, .*; pip install 'lit_an\[inpainting\]'"):
        discriminative_scores(torch.zeros(2, 1), torch.ones(2, 1))
