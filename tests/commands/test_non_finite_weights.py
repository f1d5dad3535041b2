"""Commands that use a checkpoint refuse weights and images that are not finite, and write nothing."""

from pathlib import Path

import pytest
import torch

import cli
from lit_an.checkpoints.files import write_file
from lit_an.errors import InputError
from lit_an.inpainting.tiling import Tiling, inpaint
from lit_an.sampling.images import sample
from lit_an.trained.generator import load_generator
from lit_an.trained.inpainter import load_inpainter
from tests.command_line.small_runs import arguments
from tests.inpainting.small_inpainter import write_run

LARGE = 3e38  # finite, but not what is computed with it


@pytest.fixture(scope="module")
def run(image_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["cli.py"])
        patch.delenv("LIT_AN_RUN_FOLDER", raising=False)
        assert cli.main(arguments(image_folder, folder, "--iterations=1")) == 0
    return folder


def spoiled(checkpoint: Path, value: float) -> tuple[Path, str]:
    """A copy beside the checkpoint with one value of the average replaced; its path, and the tensor's name."""
    stored = torch.load(checkpoint, weights_only=True)
    average = stored["lit_an"]["average"]
    name = next(name for name, tensor in reversed(average.items()) if tensor.is_floating_point() and tensor.dim() > 1)
    average[name][(0,) * average[name].dim()] = value
    path = checkpoint.with_name(f"spoiled_{value}.ckpt")
    write_file(stored, path)
    return path, name


def files_of(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


@pytest.mark.parametrize("command", ["sample", "export"])
def test_generation(command: str, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, name = spoiled(run / "checkpoints" / "last.ckpt", float("nan"))
    before = files_of(run)
    assert cli.main([command, f"--ckpt_path={path}"]) == 2
    said = capsys.readouterr().err
    assert f"error: {path}: the weights {name} are not finite numbers" in said
    assert said.strip().endswith("give an earlier checkpoint")
    assert "Traceback" not in said
    assert files_of(run) == before


@pytest.mark.parametrize("command", ["inpaint", "demo"])
def test_inpainting(command: str, tmp_path: Path, image_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if command == "demo":
        pytest.importorskip("gradio")
    path, name = spoiled(write_run(tmp_path / "run"), float("inf"))
    before = files_of(tmp_path)
    options = [f"--images={image_folder / 'red'}", "--color_key=ff00ff"] if command == "inpaint" else []
    assert cli.main([command, f"--ckpt_path={path}", *options]) == 2
    said = capsys.readouterr().err
    assert f"{path}: the weights {name} are not finite numbers" in said
    assert files_of(tmp_path) == before


def test_images_that_are_not_finite_are_refused_although_the_weights_are(run: Path, tmp_path: Path) -> None:
    generator = load_generator(run / "checkpoints" / "last.ckpt")
    with torch.no_grad():
        for parameter in generator.network.parameters():
            parameter.fill_(LARGE)
    with pytest.raises(InputError, match="2 of 2 generated images hold values that are not finite numbers"):
        sample(generator, [0, 1], [0, 0])
    inpainter = load_inpainter(write_run(tmp_path / "run"))
    with torch.no_grad():
        for parameter in inpainter.network.parameters():
            parameter.fill_(LARGE)
    image, mask = torch.rand(1, 3, 16, 16), torch.zeros(1, 1, 16, 16)
    mask[..., 4:8, 4:8] = 1
    for tiling in (Tiling(), Tiling(max_pixels=64)):
        with pytest.raises(InputError, match="the network fills it with values that are not finite numbers"):
            inpaint(inpainter, image, mask, tiling)


def test_a_learning_rate_that_is_far_too_large_ends_with_code_3(
    image_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    options = ["--iterations=50", "--model.generator_optimizer.lr=1e30", "--trainer.log_every_n_steps=5"]
    assert cli.main(arguments(image_folder, folder, *options)) == 3
    said = capsys.readouterr().err
    assert "is not finite since iteration" in said
    assert "no checkpoint from before is there: start again with a lower learning rate, or with --model" in said
    assert "Traceback" not in said
    assert not list(folder.glob("checkpoints/*.ckpt"))
