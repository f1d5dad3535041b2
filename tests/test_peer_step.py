"""The benchmark beside BigGAN-PyTorch: our side of it, and one sentence without a checkout of theirs."""

import functools
import sys
from pathlib import Path
from typing import Any

import pytest
from torch.nn.modules.module import register_module_forward_hook

from lit_an.norms import AttentiveNorm2d
from lit_an.norms.self_attention import SelfAttention2d
from tests.benchmark_modules import loaded


@pytest.fixture(scope="module")
def benchmark() -> Any:
    return loaded("peer_step")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["{folder}"], "has no layers.py; give the folder of a checkout of github.com/ajbrock/BigGAN-PyTorch"),
        (["{folder}", "--rounds=0"], "--rounds must be at least 1, got 0"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_measured(
    arguments: list[str],
    sentence: str,
    benchmark: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "BigGAN.py").touch()
    monkeypatch.setattr(sys, "argv", ["peer_step.py", *(each.format(folder=tmp_path) for each in arguments)])
    with pytest.raises(SystemExit) as exit_:
        benchmark.main()
    assert exit_.value.code == 2
    printed = capsys.readouterr()
    assert sentence in printed.err
    assert printed.out == ""


@pytest.mark.parametrize(
    ("recipe", "layer", "layers"),
    [("imagenet128_sagan.yaml", SelfAttention2d, 2), ("imagenet128_an.yaml", AttentiveNorm2d, 1)],
)
def test_our_side_takes_a_step_with_its_layers_at_the_side_that_is_asked_for(
    recipe: str, layer: type, layers: int, benchmark: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benchmark, "build", functools.partial(benchmark.build, width=8))
    seen: set[tuple[Any, ...]] = set()

    def note(module: Any, inputs: tuple[Any, ...], output: Any) -> None:
        if isinstance(module, layer):
            seen.add((module, *inputs[0].shape[2:]))

    step, _ = benchmark.our_step(recipe, 2, 16)
    with register_module_forward_hook(note):
        step()
    assert len(seen) == layers
    assert {tuple(shape) for _, *shape in seen} == {(16, 16)}
