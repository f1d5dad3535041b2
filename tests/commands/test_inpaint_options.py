"""``inpaint`` says in one sentence what is wrong with its options."""

from pathlib import Path

import pytest

import cli
from lit_an.errors import InputError
from lit_an.trained.generator import load_generator


def run_inpaint(checkpoint: Path, *more: object) -> int:
    return cli.main(["inpaint", *(str(each) for each in more), f"--ckpt_path={checkpoint}", "--device=cpu"])


def said(capsys: pytest.CaptureFixture[str]) -> str:
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    return line


BAD_INPUT = {
    "no holes": ([], "give one of --masks, --color_key and --hole_shape, to say where the holes are; got none"),
    "two kinds of holes": (["--color_key=red", "--masks={images}"], "got --masks and --color_key"),
    "no images": (["--images=/no/such", "--color_key=red"], "--images /no/such: there is no such file or folder"),
    "no masks": (["--masks=/no/such"], "--masks /no/such: there is no such file or folder"),
    "color": (["--color_key=#ggg"], "--color_key '#ggg' is not a color; write it like ff00ff or magenta"),
    "quality": (["--color_key=red", "--quality=0"], "quality must be from 1 to 100, got 0"),
    "threshold": (["--color_key=red", "--threshold=2"], "threshold must be at least 0 and below 1, got 2"),
    "inverted": (
        ["--color_key=red", "--inverted"],
        "--inverted is about --masks, but the holes are those of --color_key",
    ),
    "tolerance": (
        ["--masks={images}", "--tolerance=3"],
        "--tolerance is about --color_key, but the holes are those of",
    ),
    "seed": (["--masks={images}", "--seed=3"], "--seed is about --hole_shape, but the holes are those of --masks"),
    "quality of PNG": (
        ["--color_key=red", "--quality=9", "--format=png"],
        "--quality is of JPEG, which --format png is",
    ),
    "dilate": (["--color_key=red", "--dilate=-1"], "dilate must be at least 0, got -1"),
    "tile": (["--color_key=red", "--tile=2000"], "a tile of 2000×2000 px is more than max_pixels=1048576"),
    "device": (["--color_key=red", "--device=tpu9"], "--device tpu9 is not available on this machine; choose cpu"),
}


@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input_gets_one_sentence(
    case: str, checkpoint: Path, folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    images, _ = folders
    more, sentence = BAD_INPUT[case]
    argv = ["inpaint", f"--ckpt_path={checkpoint}", f"--images={images}"]
    assert cli.main([*argv, *(each.format(images=images) for each in more)]) == 2
    assert sentence in said(capsys)
    assert not (checkpoint.parents[1] / "predictions").exists(), "nothing is left behind"


def test_a_checkpoint_that_is_not_there_is_what_is_told(
    checkpoint: Path, folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    images, _ = folders
    argv = [f"--images={images}", "--color_key=red"]
    assert run_inpaint(Path("/no/such.ckpt"), *argv) == 2
    assert "/no/such.ckpt: there is no such file, nor a run folder with checkpoints" in said(capsys)
    config = checkpoint.parents[1] / "config.yaml"
    moved = config.rename(config.with_name("moved.yaml"))
    assert run_inpaint(checkpoint, *argv) == 2
    assert "there is no config.yaml in its run folder; name the run's config with --config" in said(capsys)
    assert cli.main(["inpaint", "--config", str(moved), *argv, "--ckpt_path", str(checkpoint), "--device=cpu"]) == 0
    moved.write_text("model: 3")
    assert run_inpaint(checkpoint, *argv, f"--config={moved}") == 2
    assert "it has no model with a class_path; give the config that the run was made with" in said(capsys)


def test_the_loader_of_the_other_task_says_what_it_takes(checkpoint: Path) -> None:
    sentence = "is not a class-conditional generator: it has no latent_dim; give a checkpoint of ClassConditionalGAN"
    with pytest.raises(InputError, match=sentence):
        load_generator(checkpoint)
