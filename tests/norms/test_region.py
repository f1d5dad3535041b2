"""Region normalization against the paper's equations as literal loops, and at its edges."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lit_an.errors import InputError
from lit_an.norms import NORMS, LearnedRegionNorm2d, RegionNorm2d
from lit_an.norms.region import Statistics

STATISTICS: list[Statistics] = ["image", "batch"]


def oracle(x: Tensor, hole: Tensor, statistics: Statistics, eps: float = 1e-5) -> Tensor:
    """Each region's positions gathered one by one, their mean and spread, region by region and channel by channel."""
    batch, channels, height, width = x.shape
    output = torch.zeros_like(x)
    groups = [[b] for b in range(batch)] if statistics == "image" else [list(range(batch))]
    for group in groups:
        for region in (True, False):
            positions = [
                (b, row, column)
                for b in group
                for row in range(height)
                for column in range(width)
                if bool(hole[b, 0, row, column]) == region
            ]
            for c in range(channels):
                values = [x[b, c, row, column].item() for b, row, column in positions]
                mean = sum(values) / max(1, len(values))
                variance = sum((value - mean) ** 2 for value in values) / max(1, len(values))
                for (b, row, column), value in zip(positions, values, strict=True):
                    output[b, c, row, column] = (value - mean) / (variance + eps) ** 0.5
    return output


def case(height: int = 6, width: int = 5) -> tuple[Tensor, Tensor]:
    """Features whose regions differ, in float64, and their mask."""
    mask = (torch.rand(3, 1, height, width, dtype=torch.float64) > 0.6).double()
    return torch.randn(3, 4, height, width, dtype=torch.float64) * (1 + mask) + 5 * mask, mask


@pytest.mark.parametrize("statistics", STATISTICS)
def test_basic_equals_the_equations(statistics: Statistics) -> None:
    x, mask = case()
    norm = RegionNorm2d(4, statistics=statistics).double()
    with torch.no_grad():
        norm.weight.normal_()
        norm.bias.normal_()
    gain = torch.where(mask == 1, norm.weight[0].view(-1, 1, 1), norm.weight[1].view(-1, 1, 1))
    shift = torch.where(mask == 1, norm.bias[0].view(-1, 1, 1), norm.bias[1].view(-1, 1, 1))
    torch.testing.assert_close(norm(x, mask), oracle(x, mask, statistics) * gain + shift)


@pytest.mark.parametrize("statistics", STATISTICS)
def test_learned_equals_the_equations(statistics: Statistics) -> None:
    x, _ = case(9, 8)
    norm = LearnedRegionNorm2d(4, threshold=0.5, kernel_size=3, statistics=statistics).double()
    pooled = torch.stack([sum(x[:, c] for c in range(4)) / 4, torch.maximum(x[:, :2], x[:, 2:]).amax(1)], 1)
    response = 1 / (1 + torch.exp(-F.conv2d(pooled, norm.response.weight, padding=1)))
    assert 0 < (response >= 0.5).double().mean() < 1
    gain = F.conv2d(response, norm.gain.weight, norm.gain.bias, padding=1)
    shift = F.conv2d(response, norm.shift.weight, norm.shift.bias, padding=1)
    expected = oracle(x, response >= 0.5, statistics) * (1 + gain) + shift
    torch.testing.assert_close(norm(x), expected)


def test_learned_starts_from_the_papers_threshold_and_the_published_kernels() -> None:
    norm = LearnedRegionNorm2d(16)
    assert norm.threshold == 0.8
    assert norm.response.weight.shape == (1, 2, 7, 7)
    assert norm.gain.weight.shape == norm.shift.weight.shape == (1, 1, 7, 7)
    assert sum(parameter.numel() for parameter in norm.parameters()) == 98 + 2 * 50


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_one_region_is_instance_or_batch_normalization(share: float) -> None:
    x = torch.randn(3, 4, 6, 5) * 3 + 1
    mask = torch.full((3, 1, 6, 5), share)
    torch.testing.assert_close(RegionNorm2d(4)(x, mask), F.instance_norm(x), rtol=1e-4, atol=1e-5)
    expected = F.batch_norm(x, None, None, training=True)
    torch.testing.assert_close(RegionNorm2d(4, statistics="batch")(x, mask), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("statistics", STATISTICS)
def test_swapping_hole_and_known_swaps_the_parameters_only(statistics: Statistics) -> None:
    x, mask = case()
    norm = RegionNorm2d(4, statistics=statistics, affine=False).double()
    torch.testing.assert_close(norm(x, mask), norm(x, 1 - mask))


@pytest.mark.parametrize("statistics", STATISTICS)
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (4, 4)])
def test_regions_of_one_position_and_maps_of_one(size: tuple[int, int], statistics: Statistics) -> None:
    x = torch.randn(1, 4, *size, requires_grad=True)
    mask = torch.zeros(1, 1, *size)
    mask[..., 0, 0] = 1
    norm = RegionNorm2d(4, statistics=statistics)
    with torch.no_grad():
        norm.bias.fill_(3)
    y = norm(x, mask)
    torch.testing.assert_close(y[..., 0, 0], torch.full((1, 4), 3.0))
    y.square().sum().backward()
    assert x.grad.isfinite().all()


@pytest.mark.parametrize("name", ["region_batch", "spade"])
def test_a_mask_may_be_of_any_type(name: str) -> None:
    norm, x, mask = NORMS.create(name, 4).eval(), torch.randn(2, 4, 3, 5), (torch.rand(2, 1, 6, 10) > 0.5).float()
    for other in (mask.bool(), (255 * mask).to(torch.uint8)):
        assert torch.equal(norm(x, other), norm(x, mask))


def test_the_mask_is_brought_to_the_map_by_the_nearest_pixel() -> None:
    x, _ = case(4, 4)
    mask = (torch.rand(3, 1, 9, 14) > 0.5).double()
    rows, columns = [0, 2, 4, 6], [0, 3, 7, 10]  # ⌊i · 9 / 4⌋, ⌊j · 14 / 4⌋
    norm = RegionNorm2d(4).double()
    torch.testing.assert_close(norm(x, mask), norm(x, mask[:, :, rows][..., columns]))


def test_running_statistics_are_those_of_the_regions() -> None:
    x, mask = case()
    norm = RegionNorm2d(4, statistics="batch", momentum=1.0).double()
    norm(x, mask)
    in_hole = x.transpose(0, 1)[mask.expand(-1, 4, -1, -1).transpose(0, 1) == 1].view(4, -1)
    torch.testing.assert_close(norm.moments.running_mean[0], in_hole.mean(1))
    torch.testing.assert_close(norm.moments.running_var[0], in_hole.var(1))
    before = norm.moments.running_mean.clone(), norm.moments.running_var.clone()
    norm(x + 1, torch.zeros_like(mask))  # a batch without a hole has nothing to say of holes
    assert torch.equal(norm.moments.running_mean[0], before[0][0])
    assert torch.equal(norm.moments.running_var[0], before[1][0])
    assert not torch.equal(norm.moments.running_mean[1], before[0][1])


@pytest.mark.parametrize("statistics", STATISTICS)
def test_at_evaluation_an_image_does_not_depend_on_its_companions(statistics: Statistics) -> None:
    x, mask = case()
    norm = RegionNorm2d(4, statistics=statistics).double()
    norm(x, mask)
    norm.eval()
    torch.testing.assert_close(norm(x, mask)[:1], norm(x[:1], mask[:1]))


@pytest.mark.parametrize("make", [RegionNorm2d, LearnedRegionNorm2d])
@pytest.mark.parametrize("statistics", STATISTICS)
def test_can_be_differentiated_twice(make: type[RegionNorm2d], statistics: Statistics) -> None:
    torch.manual_seed(3)
    norm = make(2, statistics=statistics).double()
    mask = (torch.rand(2, 1, 3, 3) > 0.5).double()
    x = torch.randn(2, 2, 3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: norm(x, mask), x)
    assert torch.autograd.gradgradcheck(lambda x: norm(x, mask), x)


@pytest.mark.parametrize("make", [RegionNorm2d, LearnedRegionNorm2d])
def test_moments_are_those_of_float32_under_autocast(make: type[RegionNorm2d]) -> None:
    x = (torch.randn(2, 4, 8, 8) + 100).bfloat16()
    mask = (torch.rand(2, 1, 8, 8) > 0.5).float()
    norm = make(4)
    with torch.autocast("cpu", torch.bfloat16):
        half = norm(x, mask)
    assert half.dtype == torch.bfloat16
    assert torch.equal(half, norm(x.float(), mask).bfloat16())


@pytest.mark.parametrize("statistics", STATISTICS)
def test_an_exported_graph_takes_any_batch(statistics: Statistics) -> None:
    norm = RegionNorm2d(4, statistics=statistics).double().eval()
    batch = torch.export.Dim("batch", min=1, max=64)
    x, mask = case()
    exported = torch.export.export(norm, (x, mask), dynamic_shapes=({0: batch}, {0: batch})).module()
    x, mask = torch.cat([x, -x]), torch.cat([mask, mask])
    torch.testing.assert_close(exported(x, mask), norm(x, mask))


def test_an_offset_does_no_harm() -> None:
    x, mask = case()
    norm = RegionNorm2d(4)
    expected = norm(x.float(), mask.float())
    torch.testing.assert_close(norm(x.float() + 1000, mask.float()), expected, rtol=1e-2, atol=1e-3)


def test_the_learned_response_learns_through_gain_and_shift() -> None:
    norm = LearnedRegionNorm2d(4)
    (norm(torch.randn(2, 4, 8, 8)) * torch.randn(2, 4, 8, 8)).sum().backward()
    assert all(parameter.grad.any() for parameter in norm.parameters())


def test_basic_asks_for_the_mask() -> None:
    norm, x = RegionNorm2d(4), torch.randn(2, 4, 8, 8)
    with pytest.raises(InputError, match=r"norm 'region_batch' needs a mask of shape \(2, 1, H, W\), got none"):
        norm(x)
    with pytest.raises(InputError, match=r"needs a mask of shape \(2, 1, H, W\), got \(2, 3\)"):
        norm(x, torch.randn(2, 3))


@pytest.mark.parametrize(
    ("kwargs", "sentence"),
    [
        ({"threshold": 1.5}, "norm 'region_learned': threshold must be between 0 and 1, got 1.5"),
        ({"kernel_size": 4}, "norm 'region_learned': kernel_size must be odd and at least 1, got 4"),
        ({"statistics": "layer"}, "region normalization: statistics must be 'image' or 'batch', got 'layer'"),
    ],
)
def test_bad_arguments_get_one_sentence(kwargs: dict[str, object], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        LearnedRegionNorm2d(4, **kwargs)  # type: ignore[arg-type]
