"""Switchable normalization against its equations in numpy, and its running statistics."""

import numpy as np
import pytest
import torch
from torch import nn

from lit_an.norms import SwitchableNorm2d, replace_norms
from lit_an.norms.running_statistics import estimate_statistics, running_statistics


def made(channels: int = 4, **kwargs: bool) -> SwitchableNorm2d:
    """With every parameter and running statistic at random."""
    norm = SwitchableNorm2d(channels, **kwargs).double()  # type: ignore[arg-type]
    with torch.no_grad():
        for parameter in norm.parameters():
            parameter.normal_()
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2)
    return norm


def softmax(logits: np.ndarray) -> np.ndarray:
    return np.exp(logits) / np.exp(logits).sum()


def oracle(norm: SwitchableNorm2d, x: np.ndarray) -> np.ndarray:
    """The paper's equations, image by image and channel by channel."""
    numbers = {name: value.detach().numpy() for name, value in norm.state_dict().items()}
    of_mean, of_var = softmax(numbers["mean_logits"]), softmax(numbers["variance_logits"])
    result = np.empty_like(x)
    for b in range(len(x)):
        for c in range(x.shape[1]):
            batch = (x[:, c].mean(), x[:, c].var())
            if not norm.training:
                batch = (numbers["running_mean"][c], numbers["running_var"][c])
            means = np.array([x[b, c].mean(), x[b].mean(), batch[0]])
            variances = np.array([x[b, c].var(), x[b].var(), batch[1]])
            normalized = (x[b, c] - of_mean @ means) / np.sqrt(of_var @ variances + norm.eps)
            result[b, c] = numbers["weight"][c] * normalized + numbers["bias"][c]
    return result


@pytest.mark.parametrize("training", [False, True])
def test_equals_its_equations(training: bool) -> None:
    norm, x = made().train(training), 2 * torch.randn(3, 4, 5, 6, dtype=torch.float64) + 1
    expected = oracle(norm, x.numpy())
    np.testing.assert_allclose(norm(x).detach().numpy(), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("affine", [False, True])
def test_gradients(training: bool, affine: bool) -> None:
    norm = made(3, affine=affine).train(training)
    x = torch.randn(2, 3, 3, 2, dtype=torch.float64, requires_grad=True)
    names = [name for name, _ in norm.named_parameters()]
    values = tuple(p.detach().clone().requires_grad_() for p in norm.parameters())
    buffers = {name: buffer.clone() for name, buffer in norm.named_buffers()}

    def function(x: torch.Tensor, *values: torch.Tensor) -> torch.Tensor:
        arguments = {**dict(zip(names, values, strict=True)), **buffers}
        return torch.func.functional_call(norm, arguments, (x,))

    assert torch.autograd.gradcheck(function, (x, *values))
    assert torch.autograd.gradgradcheck(function, (x, *values))


def test_it_starts_with_a_third_of_each() -> None:
    norm, x = SwitchableNorm2d(2, affine=False).double(), torch.randn(2, 2, 3, 3, dtype=torch.float64)
    mean = (x.mean((2, 3), keepdim=True) + x.mean((1, 2, 3), keepdim=True) + x.mean((0, 2, 3), keepdim=True)) / 3
    variances = [x.var(dims, correction=0, keepdim=True) for dims in ((2, 3), (1, 2, 3), (0, 2, 3))]
    torch.testing.assert_close(norm(x), (x - mean) / (sum(variances) / 3 + 1e-5).sqrt())


def test_running_statistics_are_those_of_batch_norm() -> None:
    norm, other, x = SwitchableNorm2d(3, momentum=0.3), nn.BatchNorm2d(3, momentum=0.3), torch.randn(4, 3, 5, 5) + 2
    for _ in range(2):
        norm(x), other(x)
    torch.testing.assert_close(norm.running_mean, other.running_mean)
    torch.testing.assert_close(norm.running_var, other.running_var)
    norm.eval()(x)
    torch.testing.assert_close(norm.running_mean, other.running_mean)


def test_it_takes_part_in_standing_statistics() -> None:
    network = nn.Sequential(SwitchableNorm2d(3))
    assert sorted(running_statistics(network)) == ["0.running_mean", "0.running_var"]
    batches = [torch.randn(4, 3, 5, 5) + number for number in range(3)]
    estimate_statistics(network, [(batch,) for batch in batches])
    expected = torch.stack([batch.mean((0, 2, 3)) for batch in batches]).mean(0)
    torch.testing.assert_close(network[0].running_mean, expected)
    assert network[0].momentum == 0.1


def test_a_batch_norm_gives_it_its_numbers() -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 1), nn.BatchNorm2d(8, eps=1e-4, momentum=0.3)).eval()
    former = network[1]
    for tensor in (former.weight.data, former.bias.data, former.running_mean, former.running_var):
        tensor.uniform_(0.5, 1.5)
    (row,) = replace_norms(network, "switchable").replaced
    assert row.carried == ("eps", "momentum", "weight", "bias", "running statistics")
    assert torch.equal(network[1].running_var, former.running_var)
    with torch.no_grad():  # of the batch alone
        for logits in (network[1].mean_logits, network[1].variance_logits):
            logits.copy_(torch.tensor([-1e4, -1e4, 0.0]))
    x = torch.randn(2, 8, 4, 4)
    torch.testing.assert_close(network[1](x), former(x))
