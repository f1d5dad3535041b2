"""ID-MRF against the literal slow loops in float64, its gradients, and what it must not depend on."""

import math
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import lit_an.losses.id_mrf as id_mrf_module
from lit_an.losses import ID_MRF_WEIGHTS, id_mrf_loss, id_mrf_of_maps


def unit(vector: list[float]) -> list[float]:
    length = math.sqrt(sum(x * x for x in vector))
    return [x / length for x in vector]


def id_mrf_in_loops(prediction: Tensor, target: Tensor, bandwidth: float = 0.5) -> float:
    """As GMCNN describes it, with distances and the published constants."""
    losses = []
    for generated, real in zip(prediction.flatten(2).mT.tolist(), target.flatten(2).mT.tolist(), strict=True):
        channels = range(len(real[0]))
        mean = [sum(s[c] for s in real) / len(real) for c in channels]
        generated = [unit([v[c] - mean[c] for c in channels]) for v in generated]
        real = [unit([s[c] - mean[c] for c in channels]) for s in real]
        claims = []
        for v in generated:
            distances = [(1 - sum(v[c] * s[c] for c in channels)) / 2 for s in real]
            relative = [d / (min(distances) + 1e-5) for d in distances]
            similarity = [math.exp((1 - r) / bandwidth) for r in relative]
            claims.append([x / sum(similarity) for x in similarity])
        best = [max(row[s] for row in claims) for s in range(len(real))]
        losses.append(-math.log(sum(best) / len(best)))
    return sum(losses) / len(losses)


def maps(*shape: int) -> tuple[Tensor, Tensor]:
    return torch.randn(*shape, dtype=torch.float64), torch.randn(*shape, dtype=torch.float64)


@pytest.mark.parametrize("similarities_at_once", [1, 50, 2**22])
@pytest.mark.parametrize("bandwidth", [0.5, 0.2])
def test_it_is_the_literal_loop(bandwidth: float, similarities_at_once: int) -> None:
    prediction, target = maps(2, 5, 4, 3)
    ours = id_mrf_of_maps(prediction, target, bandwidth, similarities_at_once)
    assert ours.item() == pytest.approx(id_mrf_in_loops(prediction, target, bandwidth), rel=1e-9)


def test_maps_may_differ_in_size() -> None:
    prediction, target = torch.randn(1, 5, 2, 3, dtype=torch.float64), torch.randn(1, 5, 4, 4, dtype=torch.float64)
    assert id_mrf_of_maps(prediction, target).item() == pytest.approx(id_mrf_in_loops(prediction, target))


@pytest.mark.parametrize("similarities_at_once", [7, 2**22])
def test_its_gradient_is_right(similarities_at_once: int) -> None:
    prediction, target = maps(2, 3, 2, 3)
    loss = partial(id_mrf_of_maps, target=target, similarities_at_once=similarities_at_once)
    assert torch.autograd.gradcheck(loss, prediction.requires_grad_())


def test_pieces_change_neither_the_value_nor_the_gradient() -> None:
    prediction, target = (x.float() for x in maps(2, 16, 8, 8))
    prediction.requires_grad_()
    whole, pieces = (id_mrf_of_maps(prediction, target, similarities_at_once=n) for n in (2**22, 300))
    torch.testing.assert_close(whole, pieces)
    torch.testing.assert_close(*(torch.autograd.grad(loss, prediction)[0] for loss in (whole, pieces)))


class LargestTensor(TorchDispatchMode):
    """Remembers the largest tensor that any operation gave, backward passes included."""

    numel = 0

    def __torch_dispatch__(self, func: object, types: object, args: tuple = (), kwargs: dict | None = None) -> object:
        result = func(*args, **(kwargs or {}))  # type: ignore[operator]
        sizes = [x.numel() for x in tree_leaves(result) if isinstance(x, Tensor)]
        self.numel = max([self.numel, *sizes])
        return result


def test_memory_is_bounded() -> None:
    """No array of all 2 · 256 · 256 similarities comes to be, neither on the way there nor back."""
    prediction, target = maps(2, 4, 16, 16)
    with LargestTensor() as whole:
        id_mrf_of_maps(prediction.requires_grad_(), target).backward()
    with LargestTensor() as pieces:
        id_mrf_of_maps(prediction.requires_grad_(), target, similarities_at_once=2**13).backward()
    assert (whole.numel, pieces.numel) == (2**17, 2**13)


def test_pieces_are_computed_again_only_for_a_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    computed: list[int] = []
    claims = id_mrf_module._claims

    def counting(*args: Any) -> Tensor:
        computed.append(1)
        return claims(*args)

    monkeypatch.setattr(id_mrf_module, "_claims", counting)
    prediction, target = maps(1, 4, 4, 4)
    with torch.no_grad():
        id_mrf_of_maps(prediction.requires_grad_(), target, similarities_at_once=64)
    assert len(computed) == 4
    loss = id_mrf_of_maps(prediction, target, similarities_at_once=64)
    assert len(computed) == 8
    loss.backward()
    assert len(computed) == 12
    assert not id_mrf_of_maps(prediction.detach(), target).requires_grad
    assert len(computed) == 13


def test_what_is_alike_costs_less() -> None:
    """Itself, something near, something unrelated, and the same patch everywhere: in this order."""
    _, target = maps(1, 32, 6, 6)
    near, noise = target + 0.5 * torch.randn_like(target), torch.randn_like(target)
    uniform = target[..., :1, :1].expand_as(target)
    losses = [id_mrf_of_maps(x, target).item() for x in (target, near, noise, uniform)]
    assert losses == sorted(losses)
    assert losses[0] == pytest.approx(0, abs=1e-6)
    assert losses[-1] == pytest.approx(math.log(36), rel=1e-3)  # claims one of 36


def test_gradient_descent_finds_the_patches() -> None:
    prediction, target = maps(1, 16, 3, 3)
    optimizer = torch.optim.Adam([prediction.requires_grad_()], lr=0.05)
    before = id_mrf_of_maps(prediction, target).item()
    for _ in range(60):
        optimizer.zero_grad()
        id_mrf_of_maps(prediction, target).backward()
        optimizer.step()
    assert id_mrf_of_maps(prediction, target).item() < 0.5 * before


def test_it_depends_neither_on_a_shared_scale_nor_offset_nor_on_places() -> None:
    prediction, target = maps(2, 8, 4, 4)
    loss = id_mrf_of_maps(prediction, target)
    offset = torch.randn(2, 8, 1, 1, dtype=torch.float64)
    torch.testing.assert_close(id_mrf_of_maps(7 * prediction + offset, 7 * target + offset), loss)
    order = torch.randperm(16)
    torch.testing.assert_close(id_mrf_of_maps(prediction.flatten(2)[..., order], target), loss)
    torch.testing.assert_close(id_mrf_of_maps(prediction, target.flatten(2)[..., order]), loss)


def test_an_image_is_judged_without_its_neighbors() -> None:
    prediction, target = maps(3, 8, 4, 4)
    apart = [id_mrf_of_maps(prediction[i : i + 1], target[i : i + 1]) for i in range(3)]
    torch.testing.assert_close(id_mrf_of_maps(prediction, target), torch.stack(apart).mean())


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_a_flat_target_gives_finite_gradients(level: float) -> None:
    target = torch.full((1, 8, 4, 4), level)
    for prediction in (target.clone(), target + torch.randn_like(target)):
        prediction.requires_grad_()
        loss = id_mrf_of_maps(prediction, target)
        (gradient,) = torch.autograd.grad(loss, prediction)
        assert loss.isfinite()
        assert gradient.isfinite().all()


def test_it_computes_in_float32_under_autocast() -> None:
    prediction, target = (x.float().requires_grad_() for x in maps(1, 8, 4, 4))
    outside = id_mrf_of_maps(prediction, target)
    with torch.autocast("cpu", torch.bfloat16):
        inside = id_mrf_of_maps(prediction, target)
        halved = id_mrf_of_maps(prediction.bfloat16(), target.bfloat16())
    assert inside.item() == outside.item()
    assert halved.dtype == torch.float32
    assert halved.item() == pytest.approx(outside.item(), rel=0.05)
    (gradient,) = torch.autograd.grad(inside, prediction)  # recomputed as it was computed
    torch.testing.assert_close(gradient, torch.autograd.grad(outside, prediction)[0], atol=0, rtol=0)


def test_the_target_gets_no_gradient() -> None:
    prediction, target = maps(1, 8, 4, 4)
    target.requires_grad_()
    id_mrf_of_maps(prediction.requires_grad_(), target).backward()
    assert prediction.grad is not None
    assert target.grad is None


def test_the_loss_is_the_published_sum_over_layers() -> None:
    prediction = {
        "relu3_2": torch.randn(1, 4, 4, 4),
        "relu4_2": torch.randn(1, 6, 2, 2),
        "relu1_1": torch.randn(1, 2, 8, 8),
    }
    target = {name: torch.randn_like(x) for name, x in prediction.items()}
    third, fourth = (id_mrf_of_maps(prediction[name], target[name]) for name in ("relu3_2", "relu4_2"))
    style, content = third + fourth, fourth
    torch.testing.assert_close(id_mrf_loss(prediction, target), style + content)
    torch.testing.assert_close(id_mrf_loss(prediction, target, {"relu3_2": 0.5}), 0.5 * third)
    assert dict(ID_MRF_WEIGHTS) == {"relu3_2": 1.0, "relu4_2": 2.0}
