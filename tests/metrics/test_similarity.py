"""SSIM against scikit-image and torchmetrics, MS-SSIM against the literal computation in float64."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics.functional.image import (
    multiscale_structural_similarity_index_measure,
    structural_similarity_index_measure,
)

from lit_an.errors import InputError
from lit_an.metrics.similarity import multiscale_similarity, structural_similarity


def soft(size: int, batch: int = 2) -> Tensor:
    return F.interpolate(torch.rand(batch, 3, 9, 9), (size, size), mode="bicubic").clamp(0, 1) * 2 - 1


def noisy(image: Tensor, strength: float = 0.2) -> Tensor:
    return (image + strength * torch.randn_like(image)).clamp(-1, 1)


def test_it_is_that_of_scikit_image() -> None:
    metrics = pytest.importorskip("skimage.metrics", reason="the extra 'inpainting' is not installed")
    image = soft(40)[..., :33]
    other = noisy(image)
    mask = torch.zeros(2, 1, 40, 33)
    mask[0, :, 8:20, 9:27] = mask[1, :, 30:34, 20:24] = 1
    found = structural_similarity(image, other, mask)
    for number in range(2):
        sides = [side[number].permute(1, 2, 0).double().numpy() for side in (image, other)]
        mean, full = metrics.structural_similarity(
            *sides,
            channel_axis=-1,
            data_range=2.0,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            full=True,
        )
        assert float(found.ssim[number]) == pytest.approx(mean, abs=1e-9)
        inside = full[mask[number, 0].numpy() > 0].mean()
        assert float(found.hole_ssim[number]) == pytest.approx(inside, abs=1e-9)


def test_the_map_is_that_of_torchmetrics_up_to_the_border() -> None:
    """A frame of 4 px, thinner than half a window: positions that the mean of the whole image leaves out."""
    image = soft(24)
    mask = torch.ones(2, 1, 24, 24)
    mask[..., 4:-4, 4:-4] = 0
    composite = torch.where(mask > 0, noisy(image), image)
    full = structural_similarity_index_measure(
        composite.double(), image.double(), data_range=2.0, reduction="none", return_full_image=True
    )[1]
    found = structural_similarity(image, composite, mask)
    torch.testing.assert_close(
        found.hole_ssim, (full.mean(1, keepdim=True) * mask).sum((1, 2, 3)) / mask.sum((1, 2, 3))
    )
    torch.testing.assert_close(found.ssim, full[..., 5:-5, 5:-5].mean((1, 2, 3)))
    assert (found.hole_ssim < found.ssim - 0.02).all()
    assert structural_similarity(image, image, mask).hole_ssim.tolist() == pytest.approx([1, 1], abs=1e-12)


def test_flat_images_of_float32_keep_their_digits() -> None:
    image = torch.full((1, 3, 32, 32), 0.7)
    other = image + 0.1
    # Without variance only the color counts: (2ab + c) / (a² + b² + c).
    expected = (2 * 0.7 * 0.8 + 4e-4) / (0.49 + 0.64 + 4e-4)
    assert float(structural_similarity(image, other, torch.ones(1, 1, 32, 32)).ssim) == pytest.approx(
        expected, abs=1e-6
    )


def literal(image: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """Means of similarity and contrast over all whole windows and channels, from their definitions."""
    offset = np.arange(11) - 5
    line = np.exp(-(offset**2) / (2 * 1.5**2))
    window = np.outer(line, line) / line.sum() ** 2
    first, second = (np.lib.stride_tricks.sliding_window_view(side, (11, 11), axis=(1, 2)) for side in (image, other))
    mean = [(side * window).sum((-2, -1)) for side in (first, second)]
    deviation = [side - m[..., None, None] for side, m in zip((first, second), mean, strict=True)]
    variance = [(d * d * window).sum((-2, -1)) for d in deviation]
    covariance = (deviation[0] * deviation[1] * window).sum((-2, -1))
    contrast = (2 * covariance + 0.06**2) / (variance[0] + variance[1] + 0.06**2)
    luminance = (2 * mean[0] * mean[1] + 0.02**2) / (mean[0] ** 2 + mean[1] ** 2 + 0.02**2)
    return float((luminance * contrast).mean()), float(contrast.mean())


def test_ms_ssim_is_the_product_of_its_scales() -> None:
    image = soft(178, batch=1)
    other = noisy(image, 0.5)
    first, second = image[0].double().numpy(), other[0].double().numpy()
    expected = 1.0
    for scale, weight in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333)):
        similarity, contrast = literal(first, second)
        expected *= (similarity if scale == 4 else contrast) ** weight
        first, second = (F.avg_pool2d(torch.from_numpy(side.copy())[None], 2)[0].numpy() for side in (first, second))
    found = multiscale_similarity(image, other)
    assert found.tolist() == pytest.approx([expected], abs=1e-9)
    # torchmetrics counts half-mirrored windows on the coarsest scale, too.
    theirs = multiscale_structural_similarity_index_measure(other, image, data_range=2.0, normalize="relu")
    assert float(theirs) == pytest.approx(expected, abs=2e-2)


def test_ms_ssim_of_identical_and_of_opposite_images() -> None:
    image = noisy(soft(176))
    assert multiscale_similarity(image, image).tolist() == pytest.approx([1, 1], abs=1e-12)
    assert multiscale_similarity(image, -image).tolist() == [0, 0]


def test_each_image_has_its_own_value() -> None:
    image = soft(40, batch=3)
    other, mask = noisy(image), torch.ones(3, 1, 40, 40)
    together = structural_similarity(image, other, mask)
    for number in range(3):
        part = slice(number, number + 1)
        alone = structural_similarity(image[part], other[part], mask[part])
        assert float(alone.ssim) == pytest.approx(float(together.ssim[number]), abs=1e-12)
        assert float(alone.hole_ssim) == pytest.approx(float(together.hole_ssim[number]), abs=1e-12)


def test_images_that_are_too_small_are_refused() -> None:
    image = torch.zeros(1, 3, 200, 10)
    with pytest.raises(InputError, match=r"^SSIM needs images of at least 11 px a side"):
        structural_similarity(image, image, image[:, :1])
    with pytest.raises(InputError, match="MS-SSIM needs images of at least 176 px a side"):
        multiscale_similarity(image, image)
