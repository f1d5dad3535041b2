"""What a user can get wrong in a run: one sentence, exit code 2, nothing left behind."""

from pathlib import Path

import pytest
import torch
from lightning_utilities.core.imports import RequirementCache

import cli
from tests.command_line.small_runs import arguments

WANDB = Path(__file__).parent.parent.parent / "configs/loggers/wandb.yaml"
WRONG: dict[str, tuple[list[str], str]] = {
    "unknown norm": (["--model.generator.norm=bach"], "unknown norm 'bach', did you mean 'batch'? Known: attentive, "),
    "misspelled argument": (
        ["--model.generator.long_range_kwargs.num_region=3"],
        "norm 'attentive' has no argument 'num_region', did you mean 'num_regions'?",
    ),
    "wrong type": (["--model.generator.long_range_kwargs.num_regions=many"], "num_regions must be int, got 'many'"),
    "num_regions below 1": (["--model.generator.long_range_kwargs.num_regions=0"], "num_regions must be at least 1"),
    "num_regions above the positions": (
        ["--model.generator.long_range_kwargs.num_regions=300"],
        "num_regions=300 needs at least as many positions to sample from, but the feature map has 16x16 = 256",
    ),
    "image size": (
        ["--model.generator.image_size=48"],
        "image_size=48 is not possible; choose one of 32, 64, 128, 256",
    ),
    "resolution": (
        ["--model.generator.long_range_resolution=20"],
        "long_range_resolution=20 never occurs; its feature maps have 8, 16, 32",
    ),
    "unknown loss": (["--model.adversarial_loss=hing"], "unknown adversarial loss 'hing', did you mean 'hinge'?"),
    "classes": (["--model.generator.num_classes=4"], "the data has 3 classes (blue, green, red) but"),
    "missing folder": (["--data.source.root=/no/such/folder"], "/no/such/folder"),
    "missing checkpoint": (["--ckpt_path=/no/such.ckpt"], "--ckpt_path /no/such.ckpt: there is no such file"),
    "negative R1": (["--model.r1_weight=-5"], "ClassConditionalGAN: r1_weight must be at least 0, got -5"),
    "negative R2": (["--model.r2_weight=-5"], "r2_weight must be at least 0"),
    "negative penalty": (["--model.gradient_penalty_weight=-1"], "gradient_penalty_weight must be at least 0"),
    "negative orthogonality": (["--model.orthogonality_weight=-1"], "orthogonality_weight must be at least 0"),
    "no number": (["--model.r1_weight=.nan"], "r1_weight must be at least 0, got nan"),
    "negative clipping": (["--model.gradient_clip_norm=-1"], "gradient_clip_norm must be at least 0, got -1"),
    "rate": (["--model.generator_optimizer.lr=-1"], "model.generator_optimizer: Invalid learning rate: -1"),
    "betas": (["--model.discriminator_optimizer.betas=[0.0, 1.5]"], "model.discriminator_optimizer: Invalid beta"),
    "plateau": (
        [
            "--model.generator_scheduler=pytorch_lightning.cli.ReduceLROnPlateau",
            "--model.generator_scheduler.monitor=x",
        ],
        "ReduceLROnPlateau depends on a metric",
    ),
    "size of the data": (
        ["--data.image_size=64"],
        "image_size differs: generator 32, discriminator 32, data 64; set the same",
    ),
    "size of a network": (["--model.discriminator.image_size=64"], "discriminator 64"),
    "fewer classes": (["--model.discriminator.num_classes=2"], "but the discriminator was made for 2"),
    "more classes": (["--model.discriminator.num_classes=9"], "but the discriminator was made for 9; set num_classes"),
    "iterations": (["--iterations=-5"], "iterations must be at least 1, got -5"),
    "seed": (["--seed_everything=99999999999"], "99999999999 is not in bounds"),
    "devices": (["--trainer.devices=0"], "devices"),
    "no GPU": (["--trainer.accelerator=gpu"], "accelerator gpu: PyTorch finds no GPU on this machine; give cpu"),
    "strategy": (["--trainer.strategy=ddp_spawn"], "--trainer.strategy ddp_spawn is not possible here: it may be auto"),
    "time": (["--trainer.max_time=abc"], "abc"),
    "max_steps": (["--trainer.max_steps=4"], "--iterations N is a run's length"),
    "whole limit": (["--trainer.limit_train_batches=1"], "the same batches would come again and again"),
    "precision": (["--trainer.precision=bf16-true"], "half precision needs the mixed ones"),
    "float16 on a CPU": (
        ["--trainer.precision=16-mixed", "--trainer.accelerator=cpu"],
        "--trainer.precision 16-mixed is not possible on a CPU, which has no mixed precision of float16; give 32-true",
    ),
    "log interval": (["--trainer.log_every_n_steps=0"], "iterations from one log to the next, at least 1"),
    "validation interval": (
        ["--trainer.val_check_interval=0"],
        "iterations from one validation to the next, at least 1",
    ),
    "checkpoint interval": (
        ["--trainer.callbacks=callbacks.Checkpointing", "--trainer.callbacks.every_iterations=-1"],
        "every_iterations must be at least 0, got -1",
    ),
    "interpolation": (["--data.image_size=${model.nope}"], "the config cannot be resolved"),
    "logger": (["--trainer.logger=WandbLogger"], "pytorch_lightning.loggers.WandbLogger: Requirement"),
    "logger of an overlay": ([f"--config={WANDB}"], "pytorch_lightning.loggers.WandbLogger: Requirement"),
    "monitor": (
        ["--trainer.callbacks=EarlyStopping", "--trainer.callbacks.monitor=val/nope", "--trainer.val_check_interval=1"],
        "Early stopping conditioned on metric `val/nope` which is not available",
    ),
    "other data": (
        ["--data=lit_an.data.InpaintingData", "--trainer.callbacks=[]"],
        "ClassConditionalGAN takes images with classes, and InpaintingData has none",
    ),
    "workers": (["--data.num_workers=-1"], "num_workers must be at least 0"),
    "optimizer on this device": (
        ["--model.generator_optimizer.capturable=true", "--model.generator_optimizer.fused=false"],
        "an optimizer cannot work like this: If capturable=True",
    ),
    "uneven batch": (["--model.accumulate=3"], "cannot be split into 3 equal parts"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_is_one_sentence_and_leaves_nothing(
    case: str,
    image_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    more, sentence = WRONG[case]
    if "logger" in case:  # its package may be installed
        monkeypatch.setattr("pytorch_lightning.loggers.wandb._WANDB_AVAILABLE", RequirementCache("wandb>=999"))
    try:
        code = cli.main(arguments(image_folder, tmp_path / "run", *more))
    except SystemExit as exit:  # the parser's
        code = exit.code  # type: ignore[assignment]
    captured = capsys.readouterr().err
    (line,) = [line for line in captured.splitlines() if line.startswith("error: ")]
    assert sentence in line
    assert code == 2
    assert "Traceback" not in captured
    assert case in ("monitor", "optimizer on this device") or list(tmp_path.iterdir()) == []


def test_a_trainer_that_is_null_is_refused(
    image_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("trainer: null\n")
    argv = [each for each in arguments(image_folder, tmp_path / "run") if not each.startswith("--trainer")]
    assert cli.main([*argv, f"--config={overlay}"]) == 2
    assert "error: trainer is null in the config" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["validate", "test"])
def test_what_was_never_trained_is_not_measured(
    command: str, image_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = [a for a in arguments(image_folder, tmp_path / "run", command=command) if not a.startswith("--iterations")]
    assert cli.main(argv) == 2
    assert f"error: {command} needs --ckpt_path" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["cut", "text", "empty", "foreign", "weights", "code", "missing"])
def test_a_file_that_is_no_checkpoint_is_named(
    kind: str, image_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "file.ckpt"
    touched = tmp_path / "touched"
    if kind == "cut":
        torch.save({"state_dict": {"generator.x": torch.zeros(9999)}}, path)
        path.write_bytes(path.read_bytes()[:5000])
    elif kind in ("foreign", "weights"):
        torch.save({"weights": torch.zeros(3)} if kind == "foreign" else torch.zeros(3), path)
    elif kind == "code":
        torch.save({"state_dict": _Touch(str(touched))}, path)
    elif kind != "missing":
        path.write_text("a: b" if kind == "text" else "")
    assert cli.main([*arguments(image_folder, tmp_path / "run"), f"--ckpt_path={path}"]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert line.startswith(f"error: --ckpt_path {path}: ")
    assert "; give " in line
    assert not touched.exists()
    assert not (tmp_path / "run").exists()


class _Touch:
    """What a hostile checkpoint does when it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> object:
        return Path.touch, (Path(self.path),)


def test_a_bug_of_ours_says_so(
    image_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object) -> None:
        raise AssertionError("an invariant")

    monkeypatch.setattr("lit_an.tasks.ClassConditionalGAN.discriminator_terms", broken)
    assert cli.main(arguments(image_folder, tmp_path / "run")) == 70
    said = capsys.readouterr().err
    assert "AssertionError: an invariant" in said
    assert "this is a bug of lit_an" in said
    assert torch.__version__ in said


SWITCHES = ["enable_progress_bar=false", "enable_checkpointing=false", "enable_model_summary=false", "logger=true"]


@pytest.mark.parametrize("switch", [*SWITCHES, "precision=64-true", "num_sanity_val_steps=1", "max_time=00:01:00:00"])
def test_what_can_be_asked_for_works(switch: str, image_folder: Path, tmp_path: Path) -> None:
    more = [f"--trainer.{switch}", "--model.r1_weight=1", "--model.gradient_penalty_weight=1"]
    assert cli.main(arguments(image_folder, tmp_path / "run", *more)) == 0
    assert (tmp_path / "run" / "checkpoints").exists() == (switch != "enable_checkpointing=false")
    assert (tmp_path / "run" / "metrics.csv").exists()
