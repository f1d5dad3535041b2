"""Networks compiled for training: which passes are compiled, and that nothing else changes."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import torch._inductor.config
from pytorch_lightning.callbacks import Callback
from torch import Tensor, nn

from callbacks import GeneratorEMA, LayoutCalibration
from lit_an.errors import InputError
from lit_an.norms.recording import recorded_layouts
from lit_an.tasks.compiling import CompiledForward, compile_networks, uncompile_networks
from tests.randomizing import randomized
from tests.training import make_data, make_inpainting_task, make_photographs, make_task, make_trainer

EAGER_GRAPHS = "aot_eager"  # traces and differentiates as inductor does, and generates no code


@pytest.fixture(autouse=True)
def nothing_compiled() -> None:
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()


def fit(folder: Path, images: Path, task: Any, iterations: int, *callbacks: Callback, **kwargs: Any) -> Any:
    make = make_data if hasattr(task, "num_classes") else partial(make_photographs, batch_size=3)
    options = {"val_check_interval": 2, "limit_val_batches": 4}  # the last batch is smaller
    trainer = make_trainer(folder, task, iterations, list(callbacks), **options)
    trainer.fit(task, datamodule=make(images), **kwargs)
    return trainer


class Gradients(Callback):
    """Keeps the gradients of the first update of each network, whose weights are the same in all runs."""

    def __init__(self) -> None:
        self.seen: list[Tensor] = []
        self.names: set[str] = set()

    def on_before_optimizer_step(self, trainer: Any, task: Any, optimizer: Any) -> None:
        self.names = set(task.state_dict())
        if len(self.seen) < 2:
            parameters = (p for group in optimizer.param_groups for p in group["params"])
            self.seen.append(torch.cat([p.grad.flatten() for p in parameters]))


def graphs() -> int:
    return int(torch._dynamo.utils.counters["stats"]["unique_graphs"])


KINDS: dict[str, tuple[Any, int]] = {
    # Generator: without and with gradients; discriminator or each of two critics: its own update and the generator's.
    "r1": (partial(make_task, r1_weight=1.0), 4),
    "inpainting": (partial(make_inpainting_task, gradient_penalty_weight=10.0), 6),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["r1", "inpainting"])
def test_a_compiled_run_has_the_gradients_of_an_eager_one(kind: str, tmp_path: Path, image_folder: Path) -> None:
    """With penalties, calibration, the average, and validations whose last batch is smaller: no further graph."""
    make, expected = KINDS[kind]
    found = []
    for backend in (None, EAGER_GRAPHS):
        task, kept = randomized(make(compile=backend), deviation=0.1), Gradients()
        before = graphs()
        fit(tmp_path / str(backend), image_folder, task, 3, LayoutCalibration(), GeneratorEMA(0.9), kept)
        assert graphs() - before == (0 if backend is None else expected)
        found.append(kept)
        assert not any("forward" in vars(module) for module in task.modules()), "the network is left as it was"
    assert not torch._dynamo.utils.counters["graph_break"]
    assert found[0].names == found[1].names
    for eager, compiled in zip(found[0].seen, found[1].seen, strict=True):
        torch.testing.assert_close(compiled, eager, rtol=1e-3, atol=1e-4 * float(eager.abs().max()))


class SaveAt(Callback):
    def on_train_batch_end(self, trainer: Any, task: Any, *args: Any) -> None:
        if task.iteration == 2:
            trainer.save_checkpoint(Path(trainer.default_root_dir, "two.ckpt"))


@pytest.mark.slow
def test_a_compiled_run_resumes_bit_for_bit(tmp_path: Path, image_folder: Path) -> None:
    whole, rest = (randomized(make_task(compile=EAGER_GRAPHS), deviation=0.1) for _ in range(2))
    fit(tmp_path, image_folder, whole, 4, GeneratorEMA(0.9), SaveAt())
    torch._dynamo.reset()
    fit(tmp_path, image_folder, rest, 4, GeneratorEMA(0.9), ckpt_path=tmp_path / "two.ckpt", weights_only=True)
    torch.testing.assert_close(rest.state_dict(), whole.state_dict(), rtol=0, atol=0)


def test_only_first_derivatives_in_training_are_compiled() -> None:
    task = randomized(make_task())
    generator, discriminator = task.generator, task.discriminator
    seen: list[str] = []

    def backend(graph: Any, inputs: Any) -> Any:
        def run(*arguments: Any) -> Any:
            seen.append("compiled")
            return graph(*arguments)

        return run

    compile_networks(generator, discriminator, "eager")
    for network in (generator, discriminator):
        network.forward._compiled = torch.compile(network.forward._written, backend=backend, dynamic=False)

    def runs_compiled(network: nn.Module, *inputs: Tensor) -> bool:
        seen.clear()
        network(*inputs)
        return bool(seen)

    image, label = torch.randn(2, 3, 32, 32), torch.tensor([0, 1])
    assert runs_compiled(discriminator, image, label)
    assert not runs_compiled(discriminator, image.requires_grad_(), label), "a gradient penalty"
    discriminator.requires_grad_(False)
    assert runs_compiled(discriminator, image, label), "the generator's update"
    discriminator.eval()
    assert not runs_compiled(discriminator, image.detach(), label)
    latent = torch.randn(2, 8)
    with recorded_layouts(generator) as recorded, torch.no_grad():
        assert runs_compiled(generator, latent, label)
    assert recorded, "layouts of a compiled network are read as of another"
    uncompile_networks(generator, discriminator)
    assert not isinstance(generator.forward, CompiledForward)
    assert not runs_compiled(generator, latent, label)


def test_buffers_that_a_pass_keeps_do_not_change() -> None:
    """As inductor keeps the vectors of spectral norm, whose next values another pass computes in place."""
    network = randomized(make_task()).discriminator
    image, label = torch.randn(2, 3, 32, 32), torch.tensor([0, 1])
    compile_networks(nn.Identity(), network, EAGER_GRAPHS)
    network(image, label)
    kept = dict(network.named_buffers())
    copies = {name: buffer.clone() for name, buffer in kept.items()}
    network(image, label)
    network(image.requires_grad_(), label)
    torch.testing.assert_close(kept, copies, rtol=0, atol=0)
    now = dict(network.named_buffers())
    assert now.keys() == kept.keys()
    assert any(not torch.equal(buffer, copies[name]) for name, buffer in now.items())


def test_what_cannot_be_compiled_is_one_sentence() -> None:
    with pytest.raises(InputError, match=r"compile must be null or a backend of torch.compile \(.*inductor.*'fast'"):
        make_task(compile="fast")
    network, x = nn.Sequential(nn.Linear(3, 3), nn.GELU()), torch.ones(2, 3)
    sentence = r"--model.compile {}: Sequential cannot be compiled on this machine \({}.*\); leave the option out"
    with pytest.raises(InputError, match=sentence.format("tvm", "(No module named|Please install)")):
        CompiledForward(network, "tvm")(x)
    no_compiler = {"cpp.cxx": ("/nowhere/c++",), "force_disable_caches": True}
    with (
        torch._inductor.config.patch(no_compiler),
        pytest.raises(InputError, match=sentence.format("inductor", r"No working C\+\+ compiler")),
    ):
        CompiledForward(network, "inductor")(x)


@pytest.mark.slow
def test_generated_code_has_the_gradients_of_an_eager_run(tmp_path: Path, image_folder: Path) -> None:
    found = []
    for backend in (None, "inductor"):
        task, kept = randomized(make_task(compile=backend, r1_weight=1.0), deviation=0.1), Gradients()
        fit(tmp_path / str(backend), image_folder, task, 1, kept)
        found.append(kept.seen)
    for eager, compiled in zip(*found, strict=True):
        assert (compiled - eager).norm() <= 2e-3 * eager.norm()  # the second is taken after a step of Adam
