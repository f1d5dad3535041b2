"""The format of checkpoints: what a run writes today, what earlier versions wrote, what later ones may write.

``files/layout_0`` holds the checkpoint and the export of a real run of two iterations, width 1, from before the format
had a number.
"""

import lzma
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

import cli
from lit_an.checkpoints.digest import seal
from lit_an.checkpoints.format import FORMAT
from lit_an.sampling import load_exported, load_generator, sample
from lit_an.trained.checkpoints import weights_hash
from tests.command_line.small_runs import arguments, data_options, load

LAYOUT_0 = Path(__file__).parent / "files" / "layout_0" / "run"
# Mean and standard deviation of the images of classes 0 to 2 and seeds 5 to 7, as that version made them.
IMAGES = [(-0.000242, 0.000674), (-0.000205, 0.001163), (-0.000036, 0.003794)]


@pytest.fixture
def older_run(tmp_path: Path) -> Path:
    """The run folder of an earlier version."""
    folder = tmp_path / "older"
    shutil.copytree(LAYOUT_0, folder)
    packed = folder / "checkpoints" / "last.ckpt.xz"
    packed.with_suffix("").write_bytes(lzma.decompress(packed.read_bytes()))
    return folder


@pytest.fixture(scope="module")
def run(image_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("format") / "run"
    assert cli.main(arguments(image_folder, folder)) == 0
    return folder


def with_format(run: Path, number: object, folder: Path) -> Path:
    """A copy of the run whose checkpoint says that it has another format."""
    shutil.copytree(run, folder)
    stored: dict[str, Any] = load(folder)
    stored["lit_an"]["format"] = number
    torch.save(stored, folder / "checkpoints" / "last.ckpt")
    seal(folder / "checkpoints" / "last.ckpt")
    return folder / "checkpoints" / "last.ckpt"


def figures(generator: Any) -> list[tuple[float, float]]:
    return [(float(image.mean()), float(image.std())) for image in sample(generator, [0, 1, 2], [5, 6, 7])]


def test_a_run_writes_its_entries_at_one_key(run: Path) -> None:
    stored: dict[str, Any] = load(run)
    entries = stored["lit_an"]
    assert (entries["format"], entries["iteration"], entries["class_names"]) == (FORMAT, 2, ["blue", "green", "red"])
    assert entries["task"] == "lit_an.tasks.class_conditional.ClassConditionalGAN"
    assert [kinds["optimizer"] for kinds in entries["optimizer_kinds"]] == ["torch.optim.adam.Adam"] * 2
    live = {name[10:] for name in stored["state_dict"] if name.startswith("generator.")}
    assert entries["average"].keys() == live
    names = {
        "format",
        "iteration",
        "class_names",
        "task",
        "optimizer_kinds",
        "average",
        "processes",
        "finite",
        "terms",
        "seconds",
    }
    assert set(entries) == names
    assert (entries["processes"], entries["finite"], entries["terms"]) == (1, True, {})
    assert not any("average" in state for state in stored["callbacks"].values())
    assert not stored.keys() & {"class_names", "optimizer_kinds"}


def test_an_earlier_checkpoint_gives_the_same_images(older_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint = older_run / "checkpoints" / "last.ckpt"
    generator = load_generator(checkpoint)
    stored: dict[str, Any] = load(older_run)
    average = stored["callbacks"]["GeneratorEMA"]["average"]
    assert weights_hash(generator.network.state_dict()) == weights_hash(average)
    assert (generator.description.iteration, generator.description.averaged) == (2, True)
    assert generator.class_names == ["blue", "green", "red"]
    assert figures(generator) == [pytest.approx(each, abs=2e-6) for each in IMAGES]
    assert cli.main(["sample", f"--ckpt_path={checkpoint}", "--samples_per_class=1"]) == 0
    assert len(list(older_run.glob("predictions/iteration_0000002/*/00000.png"))) == 3


def test_an_earlier_export_gives_the_same_images() -> None:
    exported = load_exported(LAYOUT_0 / "export")
    assert figures(exported) == [pytest.approx(each, abs=2e-6) for each in IMAGES]
    assert exported.class_names == ["blue", "green", "red"]


def test_a_run_goes_on_from_an_earlier_checkpoint(older_run: Path, image_folder: Path) -> None:
    """The third iteration starts from its average, and its optimizers have made three steps."""
    before: Any = load(older_run)["callbacks"]["GeneratorEMA"]["average"]  # type: ignore[index]
    argv = ["fit", f"--config={older_run / 'config.yaml'}", "--iterations=3"]
    # Its data modules are gone: their place is taken by a module and its source.
    argv += ["--data=lit_an.data.ClassData", "--data.image_size=32", *data_options(image_folder)]
    assert cli.main([*argv, f"--ckpt_path={older_run / 'checkpoints' / 'last.ckpt'}"]) == 0
    resumed: dict[str, Any] = load(older_run)
    entries = resumed["lit_an"]
    assert (entries["format"], entries["iteration"]) == (FORMAT, 3)
    steps = {int(state["step"]) for states in resumed["optimizer_states"] for state in states["state"].values()}
    assert steps == {3}
    name = "to_image.parametrizations.weight.original"
    decay = min(0.995, 4 / 13)
    expected = decay * before[name] + (1 - decay) * resumed["state_dict"][f"generator.{name}"]
    torch.testing.assert_close(entries["average"][name], expected)
    assert not any("average" in state for state in resumed["callbacks"].values())


@pytest.mark.parametrize("number", [FORMAT + 1, "two", None])
def test_a_newer_format_is_refused_in_one_sentence(
    number: object, run: Path, image_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = with_format(run, number, tmp_path / "newer")
    config = tmp_path / "newer" / "config.yaml"
    for command in ("sample", "export", "predict"):
        assert cli.main([command, f"--ckpt_path={checkpoint}"]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert f"{checkpoint}: it has format {number}, but this version of lit_an reads formats up to 2" in line
    assert cli.main(["fit", f"--config={config}", f"--ckpt_path={checkpoint}", "--iterations=3"]) == 2
    assert f"it has format {number}, but this version of lit_an reads" in capsys.readouterr().err


def test_the_config_is_not_needed_to_name_the_command(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = with_format(run, FORMAT, tmp_path / "alone")
    (tmp_path / "alone" / "config.yaml").unlink()
    assert cli.main(["predict", f"--ckpt_path={checkpoint}"]) == 2
    assert "is a checkpoint of ClassConditionalGAN: type python cli.py sample" in capsys.readouterr().err


def test_an_average_that_nothing_goes_on_with_is_told(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "run")
    argv = [f"--config={tmp_path / 'run' / 'config.yaml'}", "--trainer.callbacks=[callbacks.Checkpointing]"]
    checkpoint = tmp_path / "run" / "checkpoints" / "last.ckpt"
    with pytest.warns(UserWarning, match=r"add callbacks.GeneratorEMA to trainer.callbacks to continue it"):
        assert cli.main(["fit", *argv, f"--ckpt_path={checkpoint}", "--iterations=3"]) == 0
    assert "average" not in load(tmp_path / "run")["lit_an"]  # type: ignore[operator]
