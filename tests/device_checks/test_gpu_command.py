"""The command gpu: real processes, on the CPU; what fails, hangs or is missing leaves the rest of the report."""

import re
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import cli
from lit_an.device_checks.parts import PARTS
from lit_an.device_checks.processes import run_parts
from lit_an.device_checks.report import report
from lit_an.device_checks.results import Result
from lit_an.device_checks.rows import Row
from lit_an.machine.facts import machine_facts

ROOT = Path(__file__).parent.parent.parent
KEY = {"code": "1"}


def arguments(folder: Path, *options: str) -> list[str]:
    return ["gpu", f"--to={folder / 'gpu-report.md'}", *options]


def gpu(folder: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(ROOT / "cli.py"), *arguments(folder, *options)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)


def test_a_dry_run_reports_and_a_second_call_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = gpu(tmp_path, "--dry_run", "--only", "augmentations")
    assert first.returncode == 0, first.stdout + first.stderr
    text = (tmp_path / "gpu-report.md").read_text()
    assert "No problem was found." in text
    assert re.search(r"^\| diffaugment \| ok \| \S+ \| 0.0001 \| \S+ \| 0.0001 \|$", text, re.MULTILINE)
    assert "dry run" in text.splitlines()[0]
    again = arguments(tmp_path, "--dry_run", "--only", "augmentations", "--minutes", "0.01")
    assert cli.main(again) == 0
    assert "1 of 1, augmentations: 3 rows, from an earlier call" in capsys.readouterr().out
    assert cli.main([*again, "--anew"]) == 1
    assert "augmentations: not begun, the time is up" in capsys.readouterr().out
    assert "not begun: the time was up" in (tmp_path / "gpu-report.md").read_text()


@pytest.mark.slow
def test_a_whole_dry_run(tmp_path: Path) -> None:
    done = gpu(tmp_path, "--dry_run", "--minutes", "30")
    text = (tmp_path / "gpu-report.md").read_text()
    assert done.returncode == 0, done.stdout + text
    assert all(f"## {name}\n" in text for name in PARTS)
    assert re.search(r"^\| imagenet128_an \| measured \| 2 \|", text, re.MULTILINE)
    assert re.search(r"^\| places256_an \| measured \| 2 \|", text, re.MULTILINE)
    assert "iteration 9 on cpu again | ok" in text
    assert re.search(r"^\| 128 px from JPEGs of 144 px, 0 workers \| measured \| \S+ \|$", text, re.MULTILINE)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ((), "finds no GPU here; --dry_run does the same on the CPU with tiny shapes"),
        (("--dry_run", "--only=normes"), "there is no part 'normes', did you mean 'norms'? Known: norms, networks,"),
        (("--dry_run", "--minutes=0"), "--minutes must be above 0, got 0"),
        (("--dry_run", "--to=report.txt"), "--to report.txt is no Markdown file; give a name that ends in .md"),
    ],
)
def test_what_cannot_be_done_is_refused_in_a_sentence(
    options: tuple[str, ...], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments(tmp_path, *options)) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: gpu: ")
    assert sentence in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_device_that_fails_leaves_a_report(tmp_path: Path) -> None:
    """Every row of the one part fails, the process of the other dies."""
    results = run_parts(["augmentations", "layers"], "cuda", False, tmp_path, 100, KEY, lambda line: None)
    rows, died = results
    assert rows.is_complete
    assert {row.verdict for row in rows.rows} == {"failed"}
    assert not died.is_complete
    assert died.ended.startswith("exit code 1: ")
    assert (rows.problems(), died.problems()) == (3, 1)
    text = report(results, machine_facts(torch.device("cpu")), {"torch": "2"}, "cli.py gpu")
    assert "- augmentations: ada failed: " in text
    assert "- layers: exit code 1: " in text


def test_a_part_that_takes_too_long_is_ended_with_what_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So are its runs, and its files are gone."""
    (tmp_path / "files").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "files"))
    monkeypatch.setitem(PARTS, "trainings", replace(PARTS["trainings"], seconds=6))
    said: list[str] = []
    (result,) = run_parts(["trainings"], "cpu", True, tmp_path, 100, KEY, said.append)
    assert result.ended.startswith("stopped after 6 s")
    assert not result.is_complete
    stored = Result.read(tmp_path / "trainings.json")
    assert stored == result
    assert not list((tmp_path / "files").iterdir())
    alive = subprocess.run(["pgrep", "-f", str(tmp_path / "files")], capture_output=True, text=True, check=False).stdout
    assert not alive.strip()


@pytest.mark.parametrize(("key", "is_kept"), [(KEY, True), ({"code": "0"}, False)])
def test_results_of_other_code_are_computed_anew(key: dict[str, str], is_kept: bool, tmp_path: Path) -> None:
    """What would be computed is not begun, since there is no time."""
    Result("augmentations", [Row("a", "ok")], True, key=key).write(tmp_path / "augmentations.json")
    (result,) = run_parts(["augmentations"], "cpu", True, tmp_path, 0, KEY, lambda line: None)
    assert (len(result.rows) == 1) == is_kept
    assert result.is_complete == is_kept


@pytest.mark.parametrize("content", ["", "{", "[]", '{"rows": [{"subject": "a"}]}', '{"part": "a", "rows": 3}'])
def test_a_file_that_is_no_result_is_computed_anew(content: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(content)
    assert Result.read(tmp_path / "a.json") is None
