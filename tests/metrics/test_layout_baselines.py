"""What layouts are compared with: k-means against scikit-learn, grids, chance; the classifier of pixels."""

import warnings

import numpy as np
import pytest
import torch

from lit_an.metrics.layout.baselines import cluster_layout, fit_clusters, grid_layout, random_layout
from lit_an.metrics.layout.methods import LEARNED, Baselines, Seen
from lit_an.metrics.layout.segmenter import fit_segmenter, pixel_features, segmenter_quality


@pytest.mark.parametrize(("count", "spread"), [(4, 0.3), (6, 0.3), (5, 3.0)])
def test_clusters_are_as_tight_as_those_of_scikit_learn(count: int, spread: float) -> None:
    cluster = pytest.importorskip("sklearn.cluster", reason="the extra 'inpainting' is not installed")
    means = 4 * torch.randn(count, 3, dtype=torch.float64)
    points = (means[:, None] + spread * torch.randn(count, 100, 3, dtype=torch.float64)).flatten(0, 1)
    centers = fit_clusters(points, count)
    inertia = torch.cdist(points, centers).square().amin(1).sum()
    other = cluster.KMeans(count, n_init=10, random_state=0).fit(points.numpy())
    assert inertia.item() == pytest.approx(other.inertia_, rel=0.02)
    nearest = cluster_layout(points.t().reshape(1, 3, count, 100), centers).argmax(1).flatten()
    for region in range(count):  # of Lloyd's iterations nothing moves any more
        assert torch.allclose(points[nearest == region].mean(0), centers[region])


def test_few_different_points_are_no_error() -> None:
    assert fit_clusters(torch.ones(5, 2), 4).tolist() == [[1, 1]] * 4
    assert sorted(set(fit_clusters(torch.tensor([[0.0], [1.0]]), 3).flatten().tolist())) == [0, 1]


@pytest.mark.parametrize(("regions", "size"), [(16, (32, 32)), (5, (8, 6)), (1, (4, 4)), (7, (9, 11))])
def test_the_grid_has_all_regions_in_blocks_of_about_equal_size(regions: int, size: tuple[int, int]) -> None:
    layout = grid_layout(regions, size)
    assert layout.shape == (regions, *size)
    assert torch.equal(layout.sum(0), torch.ones(size))
    sizes = layout.sum((1, 2))
    assert sizes.min() > 0
    assert sizes.max() <= 2.6 * sizes.min(), "as far as the positions allow"
    for region in layout:
        rows, columns = region.nonzero(as_tuple=True)
        assert region.sum() == (rows.max() - rows.min() + 1) * (columns.max() - columns.min() + 1), "a rectangle"


def test_chance_is_a_function_of_the_image_alone() -> None:
    many = random_layout(torch.arange(5), 4, (8, 8))
    assert torch.equal(random_layout(torch.tensor([3]), 4, (8, 8))[0], many[3])
    assert not torch.equal(many[2], many[3])
    assert (many.mean((0, 2, 3)) - 0.25).abs().max() < 0.1


def test_baselines_have_as_many_regions_and_a_region_is_the_same_in_all_images() -> None:
    features, image = torch.randn(3, 6, 8, 8), torch.rand(3, 3, 16, 16) * 2 - 1
    seen = Seen(image, features, torch.randn(3, 5, 8, 8).softmax(1))
    baselines = Baselines(seen, [lambda x: x[:, :5].softmax(1), lambda x: x[:, 1:].softmax(1)], positions=40)
    layouts = baselines.layouts(seen, torch.arange(3))
    assert next(iter(layouts)) == LEARNED
    assert len(layouts) == 8
    for name, layout in layouts.items():
        assert layout.shape == (3, 5, 8, 8), name
        assert torch.allclose(layout.sum(1), torch.ones(3, 8, 8)), name
    again = baselines.layouts(Seen(image.flip(0), features.flip(0), seen.layout.flip(0)), torch.tensor([2, 1, 0]))
    for name, layout in layouts.items():
        assert torch.equal(again[name].flip(0), layout), name


def test_pixel_features_are_those_of_the_loop_and_see_no_position() -> None:
    image = torch.rand(1, 3, 20, 17, dtype=torch.float64) * 2 - 1
    features = pixel_features(image)[0].numpy()
    pixels = image[0].numpy()
    for row, column in ((0, 0), (10, 8), (19, 5)):
        expected = [pixels[:, row, column]]
        for side in (5, 15):
            h = side // 2
            window = pixels[:, max(0, row - h) : row + h + 1, max(0, column - h) : column + h + 1]
            expected += [window.mean((1, 2)), window.std((1, 2))]
        assert features[:, row, column] == pytest.approx(np.concatenate(expected), abs=1e-6)
    flat = pixel_features(torch.full((1, 3, 20, 17), 0.3))
    assert torch.allclose(flat, flat[:, :, :1, :1].expand_as(flat), atol=1e-3)


def colored(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Images of three regions in blocks, each of another color with noise."""
    regions = torch.randint(0, 3, (count, 4, 4)).repeat_interleave(8, 1).repeat_interleave(8, 2)
    colors = torch.tensor([[-0.5, -0.5, 0.5], [0.5, -0.2, -0.5], [0.2, 0.6, 0.0]])
    return (colors[regions].movedim(3, 1) + 0.3 * torch.randn(count, 3, 32, 32)).clamp(-1, 1), regions


def test_the_segmenter_learns_colors_and_says_how_well() -> None:
    segmenter = fit_segmenter(*colored(24))
    images, regions = colored(12)
    quality = segmenter_quality(segmenter, images, regions)
    assert quality.accuracy > 0.9
    assert quality.commonest == pytest.approx(float(torch.bincount(regions.flatten()).max() / regions.numel()))
    assert quality.accuracy == pytest.approx(float((segmenter.segment(images) == regions).double().mean()))


def test_the_segmenter_is_that_of_scikit_learn() -> None:
    linear = pytest.importorskip("sklearn.linear_model", reason="the extra 'inpainting' is not installed")
    images, regions = colored(6)
    images = images[:, :, ::4, ::4].contiguous()
    regions = regions[:, ::4, ::4].contiguous()
    segmenter = fit_segmenter(images, regions, pixels=200, decay=1e-2)
    features = pixel_features(images).double().movedim(1, -1).flatten(0, 2)
    x = ((features - segmenter.mean) / segmenter.deviation).numpy()
    # Of all pixels, as many draws from few are nearly that.
    other = linear.LogisticRegression(C=1 / (1e-2 * len(x)), max_iter=2000).fit(x, regions.flatten().numpy())
    mine = segmenter.segment(images).flatten().numpy()
    assert (mine == other.predict(x)).mean() > 0.97


def test_a_validation_in_inference_mode_can_fit_it() -> None:
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("error")
        images, regions = colored(6)
        assert segmenter_quality(fit_segmenter(images, regions), images, regions).accuracy > 0.8
