"""The inpainting generator: any size, nothing leaks out of the hole, every norm in both slots, the published layers."""

import copy
import itertools

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lit_an.errors import InputError
from lit_an.networks import CoarseToFineGenerator
from lit_an.networks.mirroring import mirrored
from lit_an.norms import NORMS, AttentiveNorm2d, NoNorm, RegionNorm2d
from lit_an.norms.registry import condition_kind
from lit_an.tensors.clipping import clip

FITTING = [name for name in NORMS.names() if condition_kind(name) != "vector"]


def scene(height: int = 32, width: int = 32, batch: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    """Images in [-1, 1] and masks with a different rectangle in each."""
    mask = torch.zeros(batch, 1, height, width)
    for index in range(batch):
        mask[index, :, 2 + index : height // 2, 3 : width // 2 + index] = 1
    return torch.rand(batch, 3, height, width) * 2 - 1, mask


def loosened(network: nn.Module) -> nn.Module:
    """The network with norms that begin as the identity taken out of it."""
    for module in network.modules():
        if hasattr(module, "residual_scale"):
            nn.init.constant_(module.residual_scale, 0.5)
    return network


@pytest.mark.parametrize("size", [(8, 8), (32, 32), (64, 64), (100, 68), (31, 45), (9, 21)])
def test_images_of_any_size(size: tuple[int, int]) -> None:
    image, mask = scene(*size)
    network = CoarseToFineGenerator(width=4).eval()
    for result in network(image, mask):
        assert result.shape == image.shape
        assert result.dtype == torch.float32
        assert result.abs().max() <= 1


@pytest.mark.parametrize("norms", [{}, {"norm": "spade", "long_range": "region_batch"}], ids=["without", "of masks"])
def test_a_mask_may_be_of_any_type(norms: dict[str, str]) -> None:
    image, mask = scene(13, 18)
    network = loosened(CoarseToFineGenerator(width=2, **norms)).eval()  # type: ignore[arg-type]
    expected = network(image, mask).fine
    for other in (mask.bool(), mask.double(), (255 * mask).to(torch.uint8)):
        assert torch.equal(network(image, other).fine, expected)


def test_bytes_are_no_images() -> None:
    image, mask = scene()
    with pytest.raises(InputError, match=r"takes floating-point images in \[-1, 1\], got torch.uint8"):
        CoarseToFineGenerator(width=2)((100 * image).to(torch.uint8), mask)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("size", [(32, 32), (37, 42)])
@pytest.mark.parametrize("filling", [0.7, float("nan"), float("inf")])
def test_nothing_leaks_out_of_the_hole(filling: float, size: tuple[int, int], training: bool) -> None:
    image, mask = scene(*size)
    network = loosened(CoarseToFineGenerator(width=4, norm="batch")).train(training)
    torch.manual_seed(1)
    expected = network(image, mask)
    torch.manual_seed(1)
    result = network(torch.where(mask == 1, filling, image), mask)
    assert torch.equal(result.coarse, expected.coarse)
    assert torch.equal(result.fine, expected.fine)


def test_the_known_pixels_and_the_mask_reach_the_result() -> None:
    image, mask = scene()
    network = loosened(CoarseToFineGenerator(width=4)).eval()
    expected = network(image, mask).fine
    brighter = image.clone()
    brighter[:, :, -1, -1] += 0.5
    assert not torch.equal(network(brighter, mask).fine, expected)
    assert not torch.equal(network(image.masked_fill(mask > 0, 0), mask * 0).fine, expected)


def test_the_fine_stage_sees_the_known_pixels_and_the_coarse_ones_in_the_hole() -> None:
    image, mask = scene()
    network, seen = CoarseToFineGenerator(width=4).eval(), []
    network.dilated.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    network.long_range.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    coarse = network(image, mask).coarse
    expected = torch.cat([image * (1 - mask) + coarse * mask, torch.ones_like(mask), mask], 1)
    torch.testing.assert_close(seen, [expected, expected])


@pytest.mark.parametrize("initialization", ["xavier", "orthogonal"])
def test_the_gradient_reaches_every_parameter(initialization: str) -> None:
    image, mask = scene()
    network = loosened(CoarseToFineGenerator(width=8, norm="region_batch", initialization=initialization))  # type: ignore[arg-type]
    coarse, fine = network(image, mask)
    (coarse * torch.randn_like(coarse) + fine * torch.randn_like(fine)).sum().backward()
    without = [
        name
        for name, parameter in network.named_parameters()
        if parameter.grad is None or not parameter.grad.isfinite().all() or not parameter.grad.any()
    ]
    # Moments that do not see an offset give none to a constant, such as the bias of a query to a softmax.
    assert [name for name in without if "layout.key" not in name and not name.endswith("conv.bias")] == []


@pytest.mark.parametrize("name", FITTING)
def test_every_norm_fits_the_long_range_slot(name: str) -> None:
    image, mask = scene()
    network = loosened(CoarseToFineGenerator(width=4, long_range=name)).eval()
    first, second = network(image, mask), network(image, mask)
    assert first.fine.shape == image.shape
    assert torch.equal(first.fine, second.fine)


@pytest.mark.parametrize("name", [name for name in FITTING if name != "self_attention"])
def test_every_norm_fits_the_norm_slot(name: str) -> None:
    network = CoarseToFineGenerator(width=4, norm=name, long_range="none")
    assert network(*scene()).fine.isfinite().all()


def test_norms_are_given_the_mask() -> None:
    image, mask = scene()
    network, seen = CoarseToFineGenerator(width=4, norm="region_batch", long_range="region_batch"), []
    for module in network.modules():
        if isinstance(module, RegionNorm2d):
            module.register_forward_hook(lambda module, inputs, output: seen.append(inputs[1]))
    network(image, mask)
    assert len(seen) == 16 + 18 + 6
    assert all(torch.equal(condition, mask) for condition in seen)


def test_a_norm_that_needs_a_class_is_refused() -> None:
    sentence = r"norm 'conditional_batch' needs a class vector, which this network does not have; it is"
    with pytest.raises(InputError, match=sentence):
        CoarseToFineGenerator(width=4, norm="conditional_batch")


def test_an_stands_between_convolution_and_elu_at_a_quarter_of_the_resolution() -> None:
    network, seen = CoarseToFineGenerator(), []
    norms = [module for module in network.modules() if isinstance(module, AttentiveNorm2d)]
    assert [norm.num_features for norm in norms] == [128]
    assert network.long_range[5].norm is norms[0]
    assert sum(isinstance(module, NoNorm) for module in network.modules()) == 39
    norms[0].register_forward_hook(lambda module, inputs, output: seen.append((inputs[0], output)))
    block = network.long_range[5]
    block.register_forward_hook(lambda module, inputs, output: seen.append((block.conv(inputs[0]), output)))
    with torch.no_grad():
        network(*scene(64, 64, batch=1))
    (normed, out_of_norm), (convolved, out_of_block) = seen
    assert normed.shape == (1, 128, 16, 16)
    torch.testing.assert_close(normed, convolved)
    torch.testing.assert_close(out_of_block, F.elu(out_of_norm))


def test_the_convolutions_are_the_published_ones() -> None:
    """The authors' table (inpaint-attnorm/net/network.py): features, kernel, stride and dilation, layer by layer."""
    w = 32
    encoder = [(w, 5, 1, 1), (2 * w, 3, 2, 1), (2 * w, 3, 1, 1), (4 * w, 3, 2, 1), *[(4 * w, 3, 1, 1)] * 2]
    dilated = [(4 * w, 3, 1, rate) for rate in (2, 4, 8, 16)]
    pair = [(4 * w, 3, 1, 1)] * 2
    decoder = [(n, 3, 1, 1) for n in (4 * w, 4 * w, 2 * w, 2 * w, w, w // 2, 3)]
    published = {"coarse": encoder + dilated + decoder, "dilated": encoder + dilated, "long": encoder + pair}
    expected = [*published["coarse"], *published["dilated"], *published["long"], *decoder]
    network = CoarseToFineGenerator(width=w, long_range="none")
    found = []
    for part in ("coarse", "coarse_to_image", "dilated", "long_range", "fine", "fine_to_image"):
        for module in getattr(network, part).modules():
            if isinstance(module, nn.Conv2d):
                found.append((module.out_channels, module.kernel_size[0], module.stride[0], module.dilation[0]))
    assert found == expected
    inputs = [5, *[n for n, *_ in published["coarse"][:-1]], 5, *[n for n, *_ in published["dilated"][:-1]]]
    inputs += [5, *[n for n, *_ in published["long"][:-1]], 8 * w, *[n for n, *_ in decoder[:-1]]]
    count = sum(i * o * k * k + o for i, (o, k, *_) in zip(inputs, expected, strict=True))
    assert sum(parameter.numel() for parameter in network.parameters()) == count == 3_767_558


def test_channels_last_changes_nothing() -> None:
    image, mask = (each.double() for each in scene(40, 32))
    network = loosened(CoarseToFineGenerator(width=8, norm="region_batch")).double().eval()
    expected = network(image, mask).fine
    last = copy.deepcopy(network).to(memory_format=torch.channels_last)
    result = last(image.to(memory_format=torch.channels_last), mask).fine
    torch.testing.assert_close(result, expected, rtol=1e-10, atol=1e-12)


def test_bfloat16_autocast_gives_images_in_float32() -> None:
    image, mask = scene()
    network = loosened(CoarseToFineGenerator(width=8, norm="region_batch"))
    exact = network.eval()(image, mask).fine
    with torch.autocast("cpu", torch.bfloat16):
        coarse, fine = network(image, mask)
    assert coarse.dtype == fine.dtype == torch.float32
    assert (fine - exact).abs().mean() < 0.1
    (coarse + fine).sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in network.parameters() if parameter.grad is not None)


def test_one_graph_when_compiled() -> None:
    image, mask = scene(32, 30)
    network = loosened(CoarseToFineGenerator(width=4, norm="region_batch")).eval()
    compiled = torch.compile(network, fullgraph=True, backend="eager")
    with torch.no_grad():
        torch.testing.assert_close(compiled(image, mask).fine, network(image, mask).fine)


@pytest.mark.parametrize("padding", ["reflect", "replicate"])
def test_other_borders_at_small_and_odd_sizes(padding: str) -> None:
    network = CoarseToFineGenerator(width=4, padding=padding)  # type: ignore[arg-type]
    assert network(*scene(8, 33)).fine.shape == (2, 3, 8, 33)


@pytest.mark.parametrize("shape", [(5, 7), (1, 4), (2, 2)])
def test_mirrored_is_the_walk_between_the_borders(shape: tuple[int, int]) -> None:
    def walk(length: int, before: int, after: int) -> list[int]:
        forth_and_back = [*range(length), *range(length - 2, 0, -1)]
        return [forth_and_back[position % len(forth_and_back)] for position in range(-before, length + after)]

    x = torch.randn(2, 3, *shape)
    for left, right, top, bottom in itertools.product((0, 1, 19), repeat=4):
        expected = x[:, :, walk(shape[0], top, bottom)][:, :, :, walk(shape[1], left, right)]
        assert torch.equal(mirrored(x, left, right, top, bottom), expected)


def test_a_clipped_image_recovers_where_a_plain_clip_would_not() -> None:
    x = torch.tensor([5.0, -5.0, 0.3], requires_grad=True)
    target = torch.tensor([0.5, -0.5, 0.5])
    for _ in range(60):
        (clip(x) - target).square().sum().backward()
        with torch.no_grad():
            x -= 0.2 * x.grad
            x.grad = None
    torch.testing.assert_close(x.detach(), target)


def test_a_clipped_image_goes_no_further_out() -> None:
    x = torch.tensor([1.5, -1.5], requires_grad=True)
    (clip(x) * torch.tensor([-1.0, 1.0])).sum().backward()
    assert x.grad.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("kwargs", "sentence"),
    [
        ({"width": 3}, "width must be even and at least 2, got 3"),
        ({"norm": "bach"}, "unknown norm 'bach', did you mean 'batch'"),
        ({"long_range_kwargs": {"num_region": 3}}, "has no argument 'num_region', did you mean 'num_regions'"),
        ({"padding": "mirror"}, "padding must be 'zeros', 'reflect' or 'replicate', got 'mirror'"),
        ({"initialization": "zeros"}, "initialization must be 'orthogonal' or 'xavier', got 'zeros'"),
    ],
)
def test_bad_arguments_get_one_sentence(kwargs: dict[str, object], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        CoarseToFineGenerator(**{"width": 4, **kwargs})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("image", "mask", "sentence"),
    [
        ((1, 3, 7, 9), (1, 1, 7, 9), r"takes images \(B, 3, H, W\), H and W at least 8, got \(1, 3, 7, 9\)"),
        ((1, 1, 8, 8), (1, 1, 8, 8), r"takes images \(B, 3, H, W\), H and W at least 8, got \(1, 1, 8, 8\)"),
        ((2, 3, 8, 8), (1, 1, 8, 8), r"the mask of images \(2, 3, 8, 8\) must be \(2, 1, 8, 8\), got \(1, 1, 8, 8\)"),
        ((1, 3, 8, 8), (1, 8, 8), r"must be \(1, 1, 8, 8\), got \(1, 8, 8\)"),
    ],
)
def test_shapes_that_do_not_fit_get_one_sentence(image: tuple[int, ...], mask: tuple[int, ...], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        CoarseToFineGenerator(width=2)(torch.zeros(image), torch.zeros(mask))
