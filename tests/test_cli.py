"""The command line as a person uses it: real processes for what a process shows, the same function for the rest."""

import os
import re
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest
import torch

import cli
from lit_an.norms import NORMS
from lit_an.norms.registry import condition_kind
from tests.command_line.small_runs import ROOT, SMALL_CLASSES, arguments, load, start


@pytest.fixture(scope="module")
def finished_run(image_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished") / "run"
    assert cli.main(arguments(image_folder, folder)) == 0
    return folder


# Shows 2: the swap by one key

FITTING = [name for name in NORMS.names() if condition_kind(name) != "mask"]


@pytest.mark.parametrize("name", FITTING)
def test_every_registered_norm_in_every_slot_that_it_fits(name: str, image_folder: Path, tmp_path: Path) -> None:
    """All slots at once; tests/networks has one at a time."""
    slots = [f"--model.generator.long_range={name}"]
    if name != "self_attention":
        slots.append(f"--model.init_args.generator.init_args.norm={name}")
    if condition_kind(name) == "none":
        slots += [f"--model.discriminator.long_range={name}", "--model.discriminator.long_range_resolution=8"]
    assert cli.main(arguments(image_folder, tmp_path / "run", *slots, "--iterations=1", "--trainer.logger=false")) == 0
    assert load(tmp_path / "run")["global_step"] == 2


def test_a_norm_for_inpainting_in_a_class_conditional_network_is_one_sentence(
    image_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments(image_folder, tmp_path / "run", "--model.generator.long_range=region_batch")) == 2
    sentence = "long_range 'region_batch' needs a mask, which this network does not have; it is for inpainting networks"
    assert sentence in capsys.readouterr().err


def test_arguments_of_a_norm_are_overridden_one_by_one(image_folder: Path, tmp_path: Path) -> None:
    assert cli.main(arguments(image_folder, tmp_path / "run", "--model.generator.long_range_kwargs.num_regions=5")) == 0
    assert load(tmp_path / "run")["state_dict"]["generator.long_range.layout.entities"].shape[0] == 5  # type: ignore[index]
    assert "num_regions: 5" in (tmp_path / "run" / "config.yaml").read_text()


# What a run leaves, and what reads it


def test_a_run_leaves_everything_in_one_folder(finished_run: Path) -> None:
    expected = {
        "README.md",
        "checkpoints/iteration_0000002.ckpt",
        "checkpoints/last.ckpt",
        "config.yaml",
        "curves.png",
        "metrics.csv",
        "reals.png",
        "run.json",
        *(f"{tag}/iteration_000000{n}.png" for tag in ("samples", "layouts/long_range") for n in range(3)),
        *(f"{tag}/history.webp" for tag in ("samples", "layouts/long_range")),
    }
    files = {str(file.relative_to(finished_run)) for file in finished_run.rglob("*") if file.is_file()}
    events = {name for name in files if name.startswith("events.out.tfevents")}
    assert len(events) == 1
    assert files - events - {"hparams.yaml"} == expected
    assert "num_regions: 16" in (finished_run / "config.yaml").read_text()


@pytest.mark.parametrize("command", ["validate", "test"])
def test_other_commands_read_a_run(command: str, finished_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint = finished_run / "checkpoints" / "last.ckpt"
    argv = [command, f"--config={finished_run / 'config.yaml'}", f"--ckpt_path={checkpoint}"]
    before = checkpoint.read_bytes()
    assert cli.main(argv) == 0
    assert checkpoint.read_bytes() == before
    assert f"{'val' if command == 'validate' else 'test'}/generator/adversarial" in capsys.readouterr().out


def test_interrupting_and_going_on_loses_nothing(image_folder: Path, tmp_path: Path) -> None:
    """Shows 4, in real processes: SIGTERM in the middle, then --ckpt_path."""
    folder = tmp_path / "run"
    argv = arguments(image_folder, folder, "--iterations=100000")
    process = start(argv)
    deadline = time.monotonic() + 120
    while not (folder / "samples" / "iteration_0000002.png").exists() and time.monotonic() < deadline:
        time.sleep(0.2)
    time.sleep(1)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 128 + signal.SIGTERM, output
    assert "Stopping on SIGTERM; the checkpoint is written" in output
    stopped = load(folder)
    iteration = stopped["state_dict"]["_extra_state"]["iteration"]  # type: ignore[index]
    assert iteration > 1
    assert stopped["global_step"] == 2 * iteration
    assert stopped["lit_an"]["average"].keys() > {"stem.parametrizations.weight.original"}  # type: ignore[index]
    assert len(stopped["optimizer_states"]) == 2  # type: ignore[arg-type]

    checkpoint = folder / "checkpoints" / "last.ckpt"
    rows = (folder / "metrics.csv").read_text().count("\n")
    argv = [*arguments(image_folder, folder, f"--iterations={iteration + 3}"), f"--ckpt_path={checkpoint}"]
    assert cli.main(argv) == 0
    resumed = load(folder)
    assert resumed["state_dict"]["_extra_state"] == {  # type: ignore[index]
        "iteration": iteration + 3,
        "images_seen": 4 * (iteration + 3),
    }
    assert resumed["global_step"] == 2 * (iteration + 3)
    steps = {int(state["step"]) for states in resumed["optimizer_states"] for state in states["state"].values()}  # type: ignore[attr-defined]
    assert steps == {iteration + 3}
    assert (folder / "metrics.csv").read_text().count("\n") > rows
    assert (folder / "config_before_resume_1.yaml").exists()


def test_two_processes_train_as_one(image_folder: Path, tmp_path: Path) -> None:
    """--trainer.devices 2 with the CPU, out of the box: one run folder, images of both ranks counted."""
    folder = tmp_path / "run"
    process = start(arguments(image_folder, folder, "--trainer.devices=2", "--data.batch_size=2"))
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    checkpoint = load(folder)
    assert checkpoint["state_dict"]["_extra_state"] == {"iteration": 2, "images_seen": 8}  # type: ignore[index]
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    pictures = [path.name for path in sorted((folder / "samples").glob("iteration_*"))]
    assert pictures == [f"iteration_{iteration:07d}.png" for iteration in (0, 1, 2)], "of the first process alone"
    assert (folder / "metrics.csv").read_text().count("\n") >= 4


# Bad input: one sentence, a non-zero exit, nothing left behind


def test_bad_input_leaves_no_folder(image_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    argv = [a for a in arguments(image_folder, tmp_path) if "run_folder" not in a]
    assert cli.main([*argv, "--model.generator.num_classes=4"]) == 2
    assert list(tmp_path.glob("runs/*")) == []


def test_a_run_is_named_after_its_first_config(
    image_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    argv = [a for a in arguments(image_folder, tmp_path, "--trainer.logger=false") if "run_folder" not in a]
    for folder in ("earth32_pixels", "earth32_pixels_2"):
        assert cli.main(argv) == 0
        assert (tmp_path / "runs" / folder / "checkpoints" / "last.ckpt").exists()


def test_a_misspelled_key_names_itself_and_exits_with_2(
    image_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:  # the parser's
        cli.main(arguments(image_folder, tmp_path / "run", "--model.generator.base_wdth=3"))
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "base_wdth" in said
    assert "Traceback" not in said


def test_a_broken_image_is_named_also_from_a_worker(image_folder: Path, tmp_path: Path) -> None:
    import shutil

    broken = tmp_path / "images"
    shutil.copytree(image_folder, broken)
    for file in broken.glob("*/*.jpg"):
        file.write_bytes(file.read_bytes()[:100])
    process = start(arguments(broken, tmp_path / "run", "--data.num_workers=1"))
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 2, output
    (line,) = [line for line in output.splitlines() if line.startswith("error: ")]
    assert re.search(r"images/(blue|green|red)/\d\d\.jpg", line)


def test_a_missing_extra_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name, package=None: None)
    argv = ["fit", f"--config={SMALL_CLASSES}", f"--run_folder={tmp_path / 'run'}", "--iterations=1"]
    assert cli.main(argv) == 2
    assert "pip install 'lit_an[quickstart]'" in capsys.readouterr().err


def test_a_checkpoint_of_another_architecture_is_refused(
    finished_run: Path, image_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = arguments(image_folder, tmp_path / "run", "--model.generator.base_width=4")
    assert cli.main([*argv, f"--ckpt_path={finished_run / 'checkpoints' / 'last.ckpt'}"]) == 2
    assert "the checkpoint is of another architecture: it holds generator." in capsys.readouterr().err


def test_the_help_of_all_options_imports_nothing_heavy() -> None:
    """What takes seconds is imported where it is used."""
    script = (
        "import sys, cli\n"
        "try:\n    cli.main(['fit', '--help_all'])\nexcept SystemExit:\n    pass\n"
        "heavy = ('torchvision', 'tensorboard', 'matplotlib', 'lit_an.data', 'lit_an.networks', 'PIL')\n"
        "print('HEAVY', [name for name in heavy if name in sys.modules])\n"
    )
    bare = (
        "import sys, pytorch_lightning.cli\n"
        "heavy = ('torchvision', 'tensorboard', 'matplotlib', 'PIL')\n"
        "print('HEAVY', [name for name in heavy if name in sys.modules])\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    outputs = [
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment).stdout
        for code in (script, bare)
    ]
    ours, theirs = (set(re.findall(r"'([\w.]+)'", output.splitlines()[-1])) for output in outputs)
    assert ours <= theirs, f"--help_all imports {ours - theirs} that LightningCLI does not"
    for word in ("--iterations", "--run_folder", "--model", "--data", "--ckpt_path"):
        assert word in outputs[0]


@pytest.mark.parametrize(
    ("supported", "precision", "warns"),
    [(False, "bf16-mixed", True), (True, "bf16-mixed", False), (False, "32-true", False)],
)
def test_half_precision_on_a_cpu_that_has_none_gets_a_word(
    supported: bool, precision: str, warns: bool, image_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: supported)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        more = (f"--trainer.precision={precision}", "--iterations=1", "--trainer.logger=false")
        assert cli.main(arguments(image_folder, tmp_path / "run", *more)) == 0
    assert warns == any("this CPU has no bfloat16 arithmetic" in str(warning.message) for warning in caught)
