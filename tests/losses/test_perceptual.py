"""Losses of feature maps against loops, and who gets their gradients."""

import pytest
import torch
from torch import Tensor

from lit_an.batch import CriticOutput
from lit_an.errors import InputError
from lit_an.losses import feature_matching_loss, perceptual_loss, style_loss


def maps() -> dict[str, Tensor]:
    return {
        "relu1_1": torch.randn(2, 3, 4, 4, dtype=torch.float64),
        "relu2_1": torch.randn(2, 5, 2, 2, dtype=torch.float64),
    }


def mean_difference(a: Tensor, b: Tensor) -> float:
    values = [abs(x - y) for x, y in zip(a.flatten().tolist(), b.flatten().tolist(), strict=True)]
    return sum(values) / len(values)


def test_the_perceptual_loss_is_a_weighted_sum_of_means() -> None:
    prediction, target = maps(), maps()
    each = {name: mean_difference(prediction[name], target[name]) for name in prediction}
    assert perceptual_loss(prediction, target).item() == pytest.approx(each["relu1_1"] + each["relu2_1"])
    weighted = perceptual_loss(prediction, target, {"relu2_1": 0.3})
    assert weighted.item() == pytest.approx(0.3 * each["relu2_1"])


def test_the_perceptual_loss_in_a_hole() -> None:
    prediction, target = maps(), maps()
    mask = torch.zeros(2, 1, 8, 8, dtype=torch.float64)
    mask[:, :, :4, :4] = 1  # a quarter of the first map, one position of the second
    in_hole = [
        mean_difference(prediction["relu1_1"][:, :, :2, :2], target["relu1_1"][:, :, :2, :2]),
        mean_difference(prediction["relu2_1"][:, :, :1, :1], target["relu2_1"][:, :, :1, :1]),
    ]
    assert perceptual_loss(prediction, target, mask=mask).item() == pytest.approx(sum(in_hole))


def test_the_perceptual_loss_in_a_hole_of_a_wide_image() -> None:
    prediction, target = (torch.randn(1, 3, 2, 5, dtype=torch.float64) for _ in range(2))
    mask = torch.zeros(1, 1, 4, 10, dtype=torch.float64)
    mask[..., :2, 6:] = 1
    expected = mean_difference(prediction[..., :1, 3:], target[..., :1, 3:])
    loss = perceptual_loss({"pool1": prediction}, {"pool1": target}, mask=mask)
    assert loss.item() == pytest.approx(expected)


def test_a_hole_smaller_than_a_position_still_counts_in_full() -> None:
    prediction, target = maps(), maps()
    mask = torch.zeros(2, 1, 64, 64, dtype=torch.float64)
    mask[:, :, 5, 5] = 1
    expected = mean_difference(prediction["relu2_1"][:, :, 0, 0], target["relu2_1"][:, :, 0, 0])
    assert perceptual_loss(prediction, target, {"relu2_1": 1.0}, mask).item() == pytest.approx(expected)


def gram_in_loops(features: Tensor) -> Tensor:
    batch, channels, height, width = features.shape
    gram = torch.zeros(batch, channels, channels, dtype=torch.float64)
    for b in range(batch):
        for i in range(channels):
            for j in range(channels):
                gram[b, i, j] = (features[b, i] * features[b, j]).sum() / (channels * height * width)
    return gram


def test_the_style_loss_compares_gram_matrices() -> None:
    prediction, target = maps(), maps()
    each = {n: mean_difference(gram_in_loops(prediction[n]), gram_in_loops(target[n])) for n in prediction}
    assert style_loss(prediction, target).item() == pytest.approx(each["relu1_1"] + each["relu2_1"])
    assert style_loss(prediction, target, {"relu1_1": 2.0}).item() == pytest.approx(2 * each["relu1_1"])


def test_style_does_not_depend_on_places() -> None:
    target = {"relu1_1": torch.randn(2, 3, 4, 4)}
    moved = {"relu1_1": target["relu1_1"].flatten(2)[..., torch.randperm(16)].view(2, 3, 4, 4)}
    assert style_loss(moved, target).item() == pytest.approx(0, abs=1e-6)
    assert perceptual_loss(moved, target).item() > 0.1


def test_half_precision_does_not_overflow() -> None:
    large = {"relu1_1": torch.full((1, 4, 64, 64), 100.0, dtype=torch.float16)}
    nothing = {"relu1_1": torch.zeros(1, 4, 64, 64, dtype=torch.float16)}
    with torch.autocast("cpu", torch.bfloat16):
        assert style_loss(large, nothing).item() == pytest.approx(2500)
        assert perceptual_loss(large, nothing, mask=torch.ones(1, 1, 64, 64)).item() == pytest.approx(100)


def outputs(*shapes: tuple[tuple[int, ...], ...]) -> tuple[CriticOutput, ...]:
    return tuple(CriticOutput(torch.randn(2), tuple(torch.randn(shape) for shape in critic)) for critic in shapes)


def test_feature_matching_is_the_mean_over_layers_and_the_sum_over_critics() -> None:
    shapes = (((2, 3, 4, 4), (2, 5, 2, 2)), ((2, 7),))
    fake, real = outputs(*shapes), outputs(*shapes)
    expected = 0.0
    for f, r in zip(fake, real, strict=True):
        layers = [mean_difference(a, b) for a, b in zip(f.features, r.features, strict=True)]
        expected += sum(layers) / len(layers)
    assert feature_matching_loss(fake, real).item() == pytest.approx(expected, rel=1e-5)


def test_a_critic_without_features_has_no_say() -> None:
    fake, real = outputs(((2, 3),), ()), outputs(((2, 3),), ())
    torch.testing.assert_close(feature_matching_loss(fake, real), feature_matching_loss(fake[:1], real[:1]))
    with pytest.raises(InputError, match="needs critics that return features; none of the 1 does"):
        feature_matching_loss(fake[1:], real[1:])


def test_gradients_go_to_the_prediction_alone() -> None:
    prediction, target = ({"relu1_1": torch.randn(2, 3, 4, 4, requires_grad=True)} for _ in range(2))
    loss = perceptual_loss(prediction, target) + style_loss(prediction, target)
    loss = loss + feature_matching_loss(
        [CriticOutput(torch.zeros(2), tuple(prediction.values()))],
        [CriticOutput(torch.zeros(2), tuple(target.values()))],
    )
    loss.backward()
    assert prediction["relu1_1"].grad is not None
    assert target["relu1_1"].grad is None
