"""Reconstruction losses against loops over pixels, and the confidence map against the literal dense convolution."""

import math
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lit_an.errors import InputError
from lit_an.losses import confidence_map, context_l1, hole_l1, perceptual_loss, wgan_gradient_penalty


def some_masks() -> Tensor:
    mask = torch.zeros(2, 1, 5, 6, dtype=torch.float64)
    mask[0, :, 1:4, 2:5] = 1
    mask[1, :, 0, 0] = 1
    return mask


def some_images() -> tuple[Tensor, Tensor]:
    return torch.randn(2, 3, 5, 6, dtype=torch.float64), torch.randn(2, 3, 5, 6, dtype=torch.float64)


def l1_in_loops(prediction: Tensor, image: Tensor, weight: Tensor, area: list[float]) -> float:
    batch, channels, height, width = image.shape
    losses = []
    for b in range(batch):
        total = 0.0
        for c in range(channels):
            for y in range(height):
                for x in range(width):
                    total += abs(float(prediction[b, c, y, x] - image[b, c, y, x])) * float(weight[b, 0, y, x])
        losses.append(total / (channels * area[b]))
    return sum(losses) / batch


def test_hole_l1_is_the_mean_over_each_hole() -> None:
    (prediction, image), mask = some_images(), some_masks()
    expected = l1_in_loops(prediction, image, mask, [9, 1])
    assert hole_l1(prediction, image, mask).item() == pytest.approx(expected)


def test_confidence_weights_pixels_but_not_the_divisor() -> None:
    (prediction, image), mask = some_images(), some_masks()
    confidence = mask * torch.rand_like(mask)
    expected = l1_in_loops(prediction, image, confidence, [9, 1])
    assert hole_l1(prediction, image, mask, confidence).item() == pytest.approx(expected)


def test_the_published_reductions_of_hole_l1() -> None:
    """TensorFlow: the mean over all pixels, or over the rectangle; PyTorch: that mean by the mean of the mask."""
    (prediction, image), mask = some_images(), some_masks()[:1].expand(2, -1, -1, -1)  # the batch shares one mask
    confidence = confidence_map(mask, kernel_size=3)
    everywhere = ((prediction - image).abs() * confidence).mean()
    torch.testing.assert_close(hole_l1(prediction, image, mask, confidence, area=5 * 6), everywhere)
    rectangle = ((prediction - image).abs() * confidence)[:, :, 0:4, 1:5].mean()  # one pixel wider than its hole
    torch.testing.assert_close(hole_l1(prediction, image, mask, confidence, area=4 * 4), rectangle)
    torch.testing.assert_close(hole_l1(prediction, image, mask, confidence), everywhere / mask.mean())


def test_context_l1_is_the_mean_over_the_known_pixels() -> None:
    (prediction, image), mask = some_images(), some_masks()
    expected = l1_in_loops(prediction, image, 1 - mask, [5 * 6 - 9, 5 * 6 - 1])
    assert context_l1(prediction, image, mask).item() == pytest.approx(expected)


def test_the_published_reduction_of_context_l1() -> None:
    (prediction, image), mask = some_images(), some_masks()[:1].expand(2, -1, -1, -1)
    published = ((prediction - image).abs() * (1 - mask)).mean() / (1 - mask).mean()
    torch.testing.assert_close(context_l1(prediction, image, mask), published)


def test_each_loss_sees_its_own_side_of_the_mask() -> None:
    (prediction, image), mask = some_images(), some_masks()
    prediction.requires_grad_()
    (of_hole,) = torch.autograd.grad(hole_l1(prediction, image, mask, confidence_map(mask, 3)), prediction)
    (of_context,) = torch.autograd.grad(context_l1(prediction, image, mask), prediction)
    assert ((of_hole != 0) == (mask > 0)).all()
    assert ((of_context != 0) == (mask == 0)).all()


def test_an_image_counts_the_same_whatever_its_hole_and_its_batch() -> None:
    (prediction, image), mask = some_images(), some_masks()
    for loss in (hole_l1, context_l1):
        assert loss(image + 0.25, image, mask).item() == pytest.approx(0.25)
        apart = [loss(prediction[i : i + 1], image[i : i + 1], mask[i : i + 1]) for i in range(2)]
        torch.testing.assert_close(loss(prediction, image, mask), torch.stack(apart).mean())


def test_nothing_to_compare_counts_nothing() -> None:
    prediction, image = some_images()
    empty = torch.zeros(2, 1, 5, 6, dtype=torch.float64)
    assert hole_l1(prediction, image, empty).item() == 0
    assert context_l1(prediction, image, 1 - empty).item() == 0


def test_half_precision_does_not_overflow() -> None:
    image = torch.zeros(1, 64, 64, 64, dtype=torch.float16)
    mask = torch.ones(1, 1, 64, 64)
    assert hole_l1(image + 1, image, mask).item() == 1  # the sum, 2 ** 18, is beyond half precision


@pytest.mark.parametrize("loss", [hole_l1, context_l1])
def test_shapes_that_would_broadcast_are_refused(loss: object) -> None:
    image = torch.zeros(3, 3, 4, 4)
    with pytest.raises(
        InputError, match=r"the mask \(B, 1, H, W\), got \(3, 3, 4, 4\), \(3, 3, 4, 4\) and \(3, 4, 4\)"
    ):
        loss(image, image, torch.zeros(3, 4, 4))  # type: ignore[operator]
    with pytest.raises(InputError, match="one shape"):
        loss(image[:, :1], image, torch.zeros(3, 1, 4, 4))  # type: ignore[operator]


def test_confidence_of_another_shape_is_refused() -> None:
    image, mask = torch.zeros(3, 3, 4, 4), torch.zeros(3, 1, 4, 4)
    with pytest.raises(InputError, match=r"confidence must have the mask's shape \(3, 1, 4, 4\), got \(1, 4, 4\)"):
        hole_l1(image, image, mask, torch.zeros(1, 4, 4))


def dense_confidence(mask: Tensor, kernel: Tensor, iterations: int = 7) -> Tensor:
    """The recurrence with one dense 2-D convolution after another, padded as TensorFlow does."""
    before, after = (kernel.shape[-1] - 1) // 2, kernel.shape[-1] // 2
    confidence = torch.zeros_like(mask)
    for _ in range(iterations):
        known = F.pad(1 - mask + confidence, (before, after, before, after))
        confidence = F.conv2d(known, kernel[None, None]) * mask
    return confidence


def gaussian(size: int, deviation: float) -> Tensor:
    kernel = torch.zeros(size, size, dtype=torch.float64)
    for y in range(size):
        for x in range(size):
            square = (y - (size - 1) / 2) ** 2 + (x - (size - 1) / 2) ** 2
            kernel[y, x] = math.exp(-square / (2 * deviation**2))
    return kernel / kernel.sum()


def published_kernel(size: int = 64, sigma: float = 1 / 40) -> Tensor:
    """What the published codes blur with: differences of the normal distribution between ± σ standard deviations."""
    step = (2 * sigma + (2 * sigma + 1) / size) / size
    edges = [-sigma - (2 * sigma + 1) / size / 2 + step * i for i in range(size + 1)]
    mass = [0.5 * (math.erf(b / 2**0.5) - math.erf(a / 2**0.5)) for a, b in pairwise(edges)]
    kernel = torch.tensor([[math.sqrt(a * b) for a in mass] for b in mass], dtype=torch.float64)
    return kernel / kernel.sum()


def holes(height: int, width: int) -> Tensor:
    mask = (torch.rand(2, 1, height // 8, width // 8, dtype=torch.float64) < 0.4).double()
    return F.interpolate(mask, (height, width), mode="nearest")


@pytest.mark.parametrize(("kernel_size", "deviation"), [(9, 4.0), (8, 2.5), (1, 1.0), (64, 40.0)])
def test_confidence_is_the_literal_convolution(kernel_size: int, deviation: float) -> None:
    mask = holes(24, 40)  # the largest kernel is larger than the image
    expected = dense_confidence(mask, gaussian(kernel_size, deviation))
    torch.testing.assert_close(confidence_map(mask, kernel_size, deviation), expected)


def test_confidence_at_the_published_size() -> None:
    mask = torch.zeros(1, 1, 256, 256)
    mask[..., 64:192, 64:192] = 1
    ours = confidence_map(mask)
    torch.testing.assert_close(ours, confidence_map(mask, kernel_size=64, standard_deviation=40, iterations=7))
    torch.testing.assert_close(ours.double(), confidence_map(mask.double()), atol=1e-5, rtol=0)
    assert ours[0, 0, 128, 64].item() > 0.8
    assert ours[0, 0, 128, 128].item() < 0.5


def test_the_default_blur_is_a_quarter_of_the_smaller_side() -> None:
    for height, width, size in ((24, 40, 6), (40, 24, 6), (8, 64, 2)):
        mask = holes(height, width)
        torch.testing.assert_close(confidence_map(mask), confidence_map(mask, size, 0.625 * size, 7))
    tiny = torch.ones(1, 1, 1, 2)
    torch.testing.assert_close(confidence_map(tiny), confidence_map(tiny, kernel_size=1))


def test_the_published_kernel_is_a_box() -> None:
    kernel = published_kernel()
    assert (kernel * 64**2 - 1).abs().max() < 6e-4
    mask = holes(48, 48)
    ours = confidence_map(mask, 64, math.inf, iterations=2)
    torch.testing.assert_close(ours, dense_confidence(mask, kernel, iterations=2), atol=1e-3, rtol=0)


def test_confidence_scales_with_the_image() -> None:
    large, small = (torch.zeros(1, 1, side, side) for side in (128, 64))
    large[..., 32:96, 40:80] = small[..., 16:48, 20:40] = 1
    between = F.avg_pool2d(confidence_map(large), 2) - confidence_map(small)
    assert between.abs().max() < 0.03


def test_confidence_is_of_the_hole_and_falls_inwards() -> None:
    mask = torch.zeros(1, 1, 33, 33)
    mask[..., 6:27, 6:27] = 1
    confidence = confidence_map(mask, kernel_size=9)
    assert ((confidence > 0) == (mask == 1)).all()
    assert confidence.max() < 1
    inwards = confidence[0, 0, 16, 6:17]
    assert (inwards.diff() < 0).all()
    torch.testing.assert_close(confidence, confidence.flip(2, 3))
    torch.testing.assert_close(confidence, confidence.mT)


def test_confidence_keeps_its_precision_under_autocast() -> None:
    mask = holes(32, 32).float()
    with torch.autocast("cpu", torch.bfloat16):
        inside = confidence_map(mask)
    torch.testing.assert_close(inside, confidence_map(mask), atol=0, rtol=0)


@pytest.mark.parametrize(
    "bad", [{"kernel_size": 0, "standard_deviation": 1.0}, {"iterations": 0}, {"standard_deviation": 0.0}]
)
def test_confidence_refuses_what_makes_no_kernel(bad: dict[str, float]) -> None:
    with pytest.raises(InputError, match="must be at least 1 and standard_deviation above 0, got"):
        confidence_map(torch.zeros(1, 1, 8, 8), **bad)  # type: ignore[arg-type]


@pytest.mark.parametrize(("kind", "one"), [(torch.bool, True), (torch.uint8, 255), (torch.int64, 1)])
def test_a_mask_of_any_type_is_the_same_hole(kind: torch.dtype, one: int) -> None:
    mask, (prediction, image) = some_masks().float(), some_images()
    other = torch.where(mask > 0, one, 0).to(kind)
    for loss in (hole_l1, context_l1):
        assert torch.equal(loss(prediction, image, mask), loss(prediction, image, other))
    assert torch.equal(confidence_map(mask), confidence_map(other))
    maps = [{"map": F.avg_pool2d(each, 2)} for each in (prediction, image)]
    assert torch.equal(perceptual_loss(*maps, mask=mask), perceptual_loss(*maps, mask=other))
    torch.manual_seed(0)
    expected = wgan_gradient_penalty(lambda x: x.square().sum((1, 2, 3)), image, prediction, mask)
    torch.manual_seed(0)
    assert torch.equal(wgan_gradient_penalty(lambda x: x.square().sum((1, 2, 3)), image, prediction, other), expected)
