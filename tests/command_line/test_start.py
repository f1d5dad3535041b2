"""Where a run starts: a file, a run folder or ``auto``, with or without a config; and ``check`` of checkpoints."""

import logging
import shutil
from pathlib import Path

import pytest
import torch

import cli
from tests.command_line.small_runs import SMALL_CLASSES, arguments, load
from tests.small_disk import fill, small_disk
from tests.training import logged_rows


def iteration(folder: Path) -> int:
    return load(folder)["state_dict"]["_extra_state"]["iteration"]  # type: ignore[index, no-any-return]


def periods(folder: Path) -> list[int]:
    """Of the schedules of both networks."""
    return [state["T_max"] for state in load(folder)["lr_schedulers"]]  # type: ignore[attr-defined]


def spoil(path: Path) -> None:
    """Changes a bit of the largest tensor."""
    stored = torch.load(path, weights_only=True)
    largest = max((tensor for tensor in stored["state_dict"].values() if torch.is_tensor(tensor)), key=torch.numel)
    data = bytearray(path.read_bytes())
    data[data.index(largest.numpy().tobytes()) + 3] ^= 64
    path.write_bytes(data)


@pytest.fixture(scope="module")
def trained(image_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained") / "run"
    more = ["--trainer.callbacks=callbacks.Checkpointing", "--trainer.callbacks.every_iterations=1"]
    assert cli.main(arguments(image_folder, folder, *more)) == 0
    return folder


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A run of two iterations with a checkpoint of each, for one test alone."""
    shutil.copytree(trained, tmp_path / "run")
    checkpoints = tmp_path / "run" / "checkpoints"
    assert (trained / "checkpoints" / "last.ckpt").samefile(trained / "checkpoints" / "iteration_0000002.ckpt")
    (checkpoints / "iteration_0000002.ckpt").unlink()
    (checkpoints / "iteration_0000002.ckpt").hardlink_to(checkpoints / "last.ckpt")
    return tmp_path / "run"


def test_the_same_command_line_begins_and_goes_on(
    image_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """In a folder that holds files of a run which was killed before its first checkpoint."""
    monkeypatch.chdir(tmp_path)
    caplog.set_level(logging.INFO)
    folder = tmp_path / "runs" / "earth32_pixels"
    folder.mkdir(parents=True)
    (folder / "metrics.csv").write_text("step,train/generator/adversarial\n1,5.0\n9,7.0\n")
    argv = [a for a in arguments(image_folder, folder) if not a.startswith(("--run_folder", "--iterations"))]
    for number in (1, 2, 3):
        assert cli.main([*argv, "--ckpt_path=auto", f"--iterations={number}"]) == 0
        monkeypatch.delenv("LIT_AN_RUN_FOLDER")
        monkeypatch.delenv("LIT_AN_CHECKPOINT")
        assert iteration(folder) == number
    assert [path.name for path in folder.parent.iterdir()] == ["earth32_pixels"]
    assert "has no checkpoint yet, so a new run begins there" in caplog.text
    assert "resuming from runs/earth32_pixels/checkpoints/last.ckpt" in caplog.text
    assert sorted(logged_rows(folder, "train/generator")) == [1, 2, 3]


@pytest.mark.parametrize("kind", ["folder", "checkpoints", "auto"])
def test_a_damaged_checkpoint_is_passed_over_in_a_sentence(kind: str, image_folder: Path, run: Path) -> None:
    spoil(run / "checkpoints" / "last.ckpt")  # and with it the second, the same file
    given = {"folder": run, "checkpoints": run / "checkpoints", "auto": "auto"}[kind]
    with pytest.warns(UserWarning, match=r"passed over: .*last\.ckpt: .*damaged"):
        assert cli.main([*arguments(image_folder, run), f"--ckpt_path={given}", "--iterations=3"]) == 0
    assert iteration(run) == 3
    assert sorted(logged_rows(run, "train/generator")) == [1, 2, 3]


def test_without_a_whole_checkpoint_nothing_begins(
    image_folder: Path, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (run / "checkpoints").iterdir():
        path.write_bytes(path.read_bytes()[:-100])
    with pytest.warns(UserWarning, match="passed over"):
        assert cli.main([*arguments(image_folder, run), f"--ckpt_path={run}"]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert "none of the checkpoints" in line
    assert "move them away to begin anew" in line


def test_what_is_no_run_is_refused(image_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is begun among other files."""
    for more in ([f"--ckpt_path={image_folder}"], ["--ckpt_path=auto", f"--run_folder={image_folder}"]):
        assert cli.main([*arguments(image_folder, tmp_path / "new"), *more]) == 2
        assert f"the folder {image_folder} holds no run" in capsys.readouterr().err
    empty = tmp_path / "empty"
    empty.mkdir()
    for command in ("validate", "test"):
        argv = [a for a in arguments(image_folder, empty, command=command) if not a.startswith("--iterations")]
        assert cli.main([*argv, f"--ckpt_path={empty}"]) == 2
        assert "holds no checkpoint yet; train it with fit" in capsys.readouterr().err
    assert cli.main(["sample", f"--ckpt_path={empty}"]) == 2
    assert "is a folder that holds no run" in capsys.readouterr().err


def test_a_run_whose_end_is_not_saved_ends_with_74(image_folder: Path, tmp_path: Path) -> None:
    """The disk has room for the logs and none for a checkpoint."""
    with small_disk(tmp_path / "disk", 8 << 20) as disk:
        fill(disk, leave=300_000)
        with pytest.warns(UserWarning, match="iteration 2 is not saved"), pytest.raises(SystemExit) as ended:
            cli.main(arguments(image_folder, disk / "run"))
        assert not list(disk.rglob("*.ckpt"))
    assert ended.value.code == 74


def test_a_run_folder_alone_says_its_config(
    run: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.INFO)
    last = run / "checkpoints" / "last.ckpt"
    for argv in (
        ["fit", f"--ckpt_path={run}", "--iterations=3"],
        ["fit", "--ckpt_path", "auto", "--run_folder", str(run), "--iterations=4"],
        ["fit", "--ckpt_path", str(last), "--iterations=5"],
        ["validate", f"--ckpt_path={run}"],
        ["test", f"--ckpt_path={last}"],
        ["sample", f"--ckpt_path={run}", "--samples_per_class=1"],
    ):
        caplog.clear()
        assert cli.main(argv) == 0
        for name in ("LIT_AN_RUN_FOLDER", "LIT_AN_CHECKPOINT"):
            monkeypatch.delenv(name, raising=False)
        assert argv[0] == "sample" or f"no --config: the run's own is used, {run / 'config.yaml'}" in caplog.text
        assert argv[0] == "fit" or ("resuming" not in caplog.text and "Loaded model weights" not in caplog.text)
    assert iteration(run) == 5
    assert (run / "predictions" / "iteration_0000005").is_dir()
    assert cli.main(["fit", f"--ckpt_path={run}", "--weights_only=false"]) == 2
    assert "holds nothing to execute" in capsys.readouterr().err


def test_a_longer_run_has_longer_schedules(image_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those whose length is that of the run in its config."""
    decay = "{class_path: torch.optim.lr_scheduler.CosineAnnealingLR, init_args: {T_max: '${iterations}'}}"
    config = tmp_path / "own.yaml"
    config.write_text(
        f"base: {SMALL_CLASSES}\nmodel: {{init_args: {{generator_scheduler: &decay {decay}, discriminator_scheduler: "
        "*decay}}\n"
    )
    folder = tmp_path / "run"
    argv = [each.replace(SMALL_CLASSES, str(config)) for each in arguments(image_folder, folder)]
    more = ("--model.discriminator_scheduler.T_max=5", "--trainer.callbacks=callbacks.Checkpointing")
    assert cli.main([*argv, *more, "--iterations=1", "--trainer.val_check_interval=null"]) == 0
    assert periods(folder) == [1, 5]
    monkeypatch.delenv("LIT_AN_RUN_FOLDER")
    assert cli.main(["fit", f"--ckpt_path={folder}", "--iterations=2"]) == 0
    assert periods(folder) == [2, 5]


def test_a_folder_that_is_taken_is_said_to_go_on_from(
    image_folder: Path, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments(image_folder, run)) == 2
    assert f"or go on with that run: --ckpt_path {run}" in capsys.readouterr().err


def test_check_says_what_is_in_checkpoints(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", str(run)]) == 0
    said = capsys.readouterr().out
    assert said.count("numbers        all finite") == 2
    assert f"{run / 'checkpoints' / 'iteration_0000002.ckpt'}, which is last.ckpt" in said
    assert "iteration      2, 8 images seen" in said
    assert "classes        3: blue, green, red" in said

    spoil(run / "checkpoints" / "iteration_0000001.ckpt")
    assert cli.main(["check", str(run), str(tmp_path / "none"), str(tmp_path)]) == 2
    said = capsys.readouterr().out
    assert said.count("NOT WHOLE") == 1
    assert "NONE           there is no such file, nor a run folder with checkpoints" in said
    assert "NONE           the folder holds no checkpoints; to check the images in it, give a config: check " in said
    assert said.count("numbers        all finite") == 1
