"""Commands: functions whose arguments are options, and names that are refused."""

import subprocess
import sys
from pathlib import Path

import pytest

import cli
from tests.inpainting.small_inpainter import write_run

ROOT = Path(__file__).parents[1]
EXPORT = ROOT / "tests/checkpoints/files/layout_0/run/export"


def test_a_command_is_a_function_whose_arguments_are_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a_command.py").write_text(
        "from lit_an.errors import InputError\n"
        "def run(folder: str, count: int = 1) -> int:\n"
        '    """Counts."""\n'
        "    if count < 0:\n"
        "        raise InputError(f'count must be at least 0, got {count}')\n"
        "    print(folder, count + 1)\n"
        "    return 1\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(cli.COMMANDS, "count", ("a_command", "count"))
    assert cli.main(["count", "--folder=here", "--count=4"]) == 1
    assert capsys.readouterr().out == "here 5\n"
    assert cli.main(["count", "--folder=here", "--count=-4"]) == 2
    assert capsys.readouterr().err == "error: count must be at least 0, got -4\n"
    with pytest.raises(SystemExit) as exit:
        cli.main(["count", "--folder=here", "--counts=4"])
    assert exit.value.code == 2
    assert "counts" in capsys.readouterr().err


def error_of(argv: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert cli.main(argv) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_predict_without_a_checkpoint_names_both_commands(capsys: pytest.CaptureFixture[str]) -> None:
    for options in ([], ["--samples_per_class=3"], ["--help_me"]):
        line = error_of(["predict", *options], capsys)
        assert line.startswith("error: predict is two commands now: sample generates images")
        assert "(python cli.py sample --ckpt_path FILE), inpaint fills holes" in line
        assert line.endswith("(python cli.py inpaint --ckpt_path FILE --images PICTURES --masks MASKS)")


def test_predict_names_the_command_for_its_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = write_run(tmp_path / "run")
    line = error_of(["predict", "--images=x", f"--ckpt_path={checkpoint}", "--color_key", "red"], capsys)
    said = (
        f"{checkpoint} is a checkpoint of InpaintingGAN: type python cli.py inpaint --ckpt_path {checkpoint} --images"
    )
    assert said in line
    assert "is a checkpoint of InpaintingGAN: type" in error_of(["predict", f"--ckpt_path={tmp_path / 'run'}"], capsys)
    monkeypatch.setattr("sys.argv", ["/usr/bin/lit-an"])
    line = error_of(["predict", "--ckpt_path", str(EXPORT), "--write=[png]"], capsys)
    assert line.endswith(f"is an export of a class-conditional generator: type lit-an sample --ckpt_path {EXPORT}")
    assert "/no/such.ckpt: there is no such file" in error_of(["predict", "--ckpt_path=/no/such.ckpt"], capsys)


@pytest.mark.parametrize("class_path", ["torch.nn.Linear", "lit_an.tasks.no_such_module.Task"])
def test_predict_says_that_a_task_has_no_command(
    class_path: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = write_run(tmp_path / "run")
    config = tmp_path / "other.yaml"
    text = (tmp_path / "run" / "config.yaml").read_text()
    config.write_text(text.replace("lit_an.tasks.InpaintingGAN", class_path))
    line = error_of(["predict", f"--ckpt_path={checkpoint}", f"--config={config}"], capsys)
    assert f"is a checkpoint of {class_path.rpartition('.')[2]}, which neither of sample and inpaint" in line


def test_a_task_made_from_a_known_one_has_its_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = write_run(tmp_path / "run")
    (tmp_path / "my_task.py").write_text(
        "from lit_an.tasks import InpaintingGAN\nclass MyTask(InpaintingGAN):\n    pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    config = tmp_path / "my config.yaml"
    text = (tmp_path / "run" / "config.yaml").read_text()
    config.write_text(text.replace("lit_an.tasks.InpaintingGAN", "my_task.MyTask"))
    line = error_of(["predict", f"--ckpt_path={checkpoint}", f"--config={config}"], capsys)
    assert f"of MyTask: type python cli.py inpaint --ckpt_path {checkpoint} --config '{config}' --images" in line


def test_each_command_names_the_other_for_a_checkpoint_of_the_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = write_run(tmp_path / "run")
    line = error_of(["sample", f"--ckpt_path={checkpoint}"], capsys)
    said = f"{checkpoint} is a checkpoint of InpaintingGAN, which is for another command: type python cli.py inpaint"
    assert said in line
    line = error_of(["inpaint", f"--ckpt_path={EXPORT}", f"--images={tmp_path}", "--color_key=red"], capsys)
    assert "which is for another command: type python cli.py sample --ckpt_path" in line
    assert list((tmp_path / "run").iterdir()) == [tmp_path / "run" / "checkpoints", tmp_path / "run" / "config.yaml"]


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_each_command_has_a_help_of_its_own(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code = cli.main([name, "--help"])
    except SystemExit as exit:
        code = int(exit.code or 0)
    assert code == 0
    shown = capsys.readouterr().out
    own = {"sample": "--samples_per_class", "inpaint": "--color_key", "check": "--max_overlap"}
    assert all((option in shown) == (name == owner) for owner, option in own.items())


def test_commands_without_a_trainer_do_not_import_lightning() -> None:
    code = (
        "import sys, cli\n"
        "for argv in (['--help'], ['fit', '--help'], ['sample', '--help'], ['inpaint', '--help']):\n"
        "    try:\n        cli.main(argv)\n    except SystemExit:\n        pass\n"
        "    print('LOADED', *[name for name in ('torch', 'pytorch_lightning') if name in sys.modules])\n"
    )
    shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT).stdout
    assert [line for line in shown.splitlines() if line.startswith("LOADED")] == [
        *["LOADED"] * 2,
        *["LOADED torch"] * 2,
    ]
