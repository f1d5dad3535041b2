"""The layer: against the whole method written as loops, and its promises."""

import pytest
import torch
from torch import Tensor

from lit_an.errors import InputError
from lit_an.metrics.layout import layout_statistics
from lit_an.norms import AttentiveNorm2d
from lit_an.norms.attentive.functional import regional_normalize
from lit_an.norms.attentive.orthogonality import Orthogonality, orthogonality_penalty
from tests.norms.oracles import oracle_layout, oracle_normalize


def oracle(norm: AttentiveNorm2d, x: Tensor) -> Tensor:
    """Evaluation-mode AN in float64, by the loops: x + ρ V̂(v(x), softmax(τ W x))."""
    x, entities = x.double(), norm.layout.entities.detach().double()
    filters, constants = entities.expand(len(x), -1, -1), torch.zeros(len(x), len(entities)).double()
    layout = oracle_layout(x, filters, constants, norm.layout.temperature)
    value_bias = None if norm.value.bias is None else norm.value.bias.detach().double()
    value = torch.nn.functional.conv2d(x, norm.value.weight.detach().double(), value_bias)
    weight = None if norm.weight is None else norm.weight.detach().double()
    bias = None if norm.bias is None else norm.bias.detach().double()
    scale = norm.residual_scale.detach().double()
    return x + scale * oracle_normalize(value, layout, weight, bias, norm.moments, norm.eps)


def made(**kwargs: object) -> AttentiveNorm2d:
    norm = AttentiveNorm2d(6, num_regions=4, **kwargs).eval()  # type: ignore[arg-type]
    with torch.no_grad():
        norm.residual_scale.fill_(1.0)
        if norm.weight is not None and norm.bias is not None:
            norm.weight.normal_()
            norm.bias.normal_()
    return norm


@pytest.mark.parametrize("moments", ["soft", "masked"])
@pytest.mark.parametrize("affine", [False, True])
@torch.no_grad()
def test_evaluation_equals_the_loop_oracle(moments: str, affine: bool) -> None:
    norm, x = made(moments=moments, affine=affine), torch.randn(2, 6, 5, 4)
    expected = oracle(norm, x)
    torch.testing.assert_close(norm(x).double(), expected, rtol=0, atol=1e-4)
    torch.testing.assert_close(norm.double()(x.double()), expected, rtol=0, atol=1e-10)


@torch.no_grad()
def test_float32_keeps_its_precision_beside_a_large_offset() -> None:
    norm, x = made(temperature=0.1), torch.randn(2, 6, 8, 8) + 1e3
    torch.testing.assert_close(norm(x).double(), oracle(norm, x), rtol=0, atol=1e-4)


@torch.no_grad()
def test_the_oracle_test_can_fail() -> None:
    """A slip the size of one missing term is far above the tolerance."""
    norm, x = made(), torch.randn(2, 6, 5, 4)
    other = made()
    other.load_state_dict(norm.state_dict())
    other.layout.temperature *= 1.05
    assert (norm(x).double() - oracle(other, x)).abs().max() > 1e-3


def test_it_begins_as_the_identity() -> None:
    x = torch.randn(2, 6, 8, 8)
    assert torch.equal(AttentiveNorm2d(6)(x), x)


def test_every_parameter_learns() -> None:
    norm = AttentiveNorm2d(16, num_regions=4, affine=True)
    with torch.no_grad():
        norm.residual_scale.fill_(0.5)
    norm(torch.randn(2, 16, 8, 8)).square().sum().backward()
    still = [name for name, p in norm.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert still == []


def test_one_region_is_instance_normalization_of_the_value() -> None:
    norm, x = AttentiveNorm2d(6, num_regions=1), torch.randn(2, 6, 8, 8)
    with torch.no_grad():
        norm.residual_scale.fill_(1.0)
    torch.testing.assert_close(norm(x), x + torch.nn.functional.instance_norm(norm.value(x)), rtol=0, atol=1e-4)


def test_bfloat16_autocast_stays_close_and_keeps_the_input_type() -> None:
    norm, x = made(), torch.randn(2, 6, 16, 16)
    exact = oracle(norm, x)
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        half = norm(x.bfloat16())
        assert half.dtype == torch.bfloat16
        wide = norm(x)
    assert ((wide.double() - exact).norm() / exact.norm()) < 2e-2


@pytest.mark.parametrize("form", ["unit_rows", "frobenius", "published"])
def test_the_penalty_is_of_the_entities_and_needs_no_forward_pass(form: Orthogonality) -> None:
    norm = AttentiveNorm2d(8, num_regions=3, orthogonality=form)
    assert norm.penalty().item() == pytest.approx(orthogonality_penalty(norm.layout.entities, form).item())


@pytest.mark.parametrize("channels", [16, 64, 256])
def test_the_published_start_at_every_width(channels: int) -> None:
    """τ √C is 1.6, as the paper's 0.1 at 256 channels; key, query and value are Glorot's, without bias."""
    norm = AttentiveNorm2d(channels)
    assert norm.layout.temperature == pytest.approx(1.6 / channels**0.5)
    narrow = channels // 8
    for convolution, bound in (
        (norm.layout.key, (6 / (channels + narrow)) ** 0.5),
        (norm.layout.query, (6 / (channels + narrow)) ** 0.5),
        (norm.value, (6 / (2 * channels)) ** 0.5),
    ):
        largest = convolution.weight.abs().max().item()
        assert 0.8 * bound < largest <= bound
        assert convolution.bias is None or not convolution.bias.any()
    layout = norm.layout.eval()(torch.randn(4, channels, 16, 16))
    assert 5.5 < layout_statistics(layout, layout).effective_regions_per_position < 9


@pytest.mark.parametrize(
    ("kwargs", "sentence"),
    [
        ({"num_regions": 0}, "num_regions must be at least 1, got 0"),
        ({"temperature": 0.0}, "temperature must be greater than 0 and finite, got 0.0"),
        ({"temperature": float("inf")}, "temperature must be greater than 0 and finite, got inf"),
        ({"temperature": float("nan")}, "temperature must be greater than 0 and finite, got nan"),
        ({"eps": 0.0}, "eps must be greater than 0 and finite, got 0.0"),
        ({"orthogonality": "rows"}, "orthogonality must be 'unit_rows', 'frobenius' or 'published', got 'rows'"),
        ({"moments": "hard"}, "moments must be 'soft' or 'masked', got 'hard'"),
    ],
)
def test_arguments_out_of_range_are_refused_in_one_sentence(kwargs: dict[str, object], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        AttentiveNorm2d(8, **kwargs)  # type: ignore[arg-type]


def test_more_regions_than_positions_are_refused_in_training_only() -> None:
    norm, x = AttentiveNorm2d(8, num_regions=17), torch.randn(1, 8, 4, 4)
    with pytest.raises(InputError, match="num_regions=17"):
        norm(x)
    assert torch.isfinite(norm.eval()(x)).all()


@pytest.mark.parametrize("hooked", [False, True])
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@torch.no_grad()
def test_a_centered_layout_is_that_of_the_filters_without_their_mean(
    training: bool, hooked: bool, dtype: torch.dtype
) -> None:
    """By every path: W (x − mean over the map), beside what self-sampling adds to it."""
    norm = AttentiveNorm2d(8, num_regions=4, centered=True).to(dtype).train(training)
    plain = AttentiveNorm2d(8, num_regions=4).to(dtype).train(training)
    plain.load_state_dict(norm.state_dict())
    x = torch.randn(2, 8, 6, 6, dtype=dtype) + torch.randn(1, 8, 1, 1, dtype=dtype)
    for one in (norm, plain):
        one.residual_scale.fill_(0.7)
        one.layout.query.bias.fill_(0.4)  # type: ignore[union-attr]  # else self-sampling's constants are 0
        one.layout.sampling_scale.fill_(1.0)
        if hooked:
            one.layout.key.register_forward_hook(lambda *_: None)
    torch.manual_seed(3)
    without_mean = norm.layout.temperature * torch.einsum("nc,bc->bn", norm.layout.entities, x.mean((2, 3)))
    expected = (plain.layout(x).log() - without_mean[:, :, None, None]).softmax(1)
    torch.manual_seed(3)
    layout = norm.layout(x)
    torch.testing.assert_close(layout, expected, rtol=1e-4, atol=1e-5)
    torch.manual_seed(3)
    value = torch.nn.functional.conv2d(x, norm.value.weight)
    torch.testing.assert_close(norm(x), x + 0.7 * regional_normalize(value, layout), rtol=1e-3, atol=1e-4)


def test_a_centered_layout_passes_on_the_gradient_of_the_mean() -> None:
    norm = AttentiveNorm2d(4, num_regions=3, centered=True, self_sampling=False).double()
    with torch.no_grad():
        norm.residual_scale.fill_(0.7)
    x = torch.randn(1, 4, 3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(norm, (x,))
    assert torch.autograd.gradgradcheck(norm, (x,))


def test_affine_adds_a_gain_and_a_shift_of_each_region_and_channel() -> None:
    norm = AttentiveNorm2d(6, num_regions=4, affine=True)
    assert norm.weight is not None
    assert norm.bias is not None
    assert torch.equal(norm.weight, torch.ones(4, 6))
    assert torch.equal(norm.bias, torch.zeros(4, 6))
    plain = AttentiveNorm2d(6, num_regions=4)
    assert plain.weight is None
    assert plain.bias is None
    assert not plain.layout.centered


@torch.no_grad()
def test_autocast_changes_nothing_in_training() -> None:
    norm, x = made().train(), torch.randn(2, 6, 8, 8)
    norm.layout.sampling_scale.fill_(1.0)
    torch.manual_seed(3)
    expected = norm(x)
    torch.manual_seed(3)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(norm(x), expected, rtol=1e-4, atol=1e-5)
