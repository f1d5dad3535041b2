"""The command plot: curves of one run or several, and what it refuses."""

import importlib.util
from pathlib import Path

import pytest
from PIL import Image

import cli
from tests.run_report.run_folders import make_run

pytest.importorskip("matplotlib")


def test_each_run_gets_its_curves(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [make_run(tmp_path / name) for name in ("one", "two")]
    assert cli.main(["plot", *map(str, runs)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said == [f"The curves are in {run / 'curves.png'}" for run in runs]
    for run in runs:
        with Image.open(run / "curves.png") as picture:
            assert picture.width > 1000
    assert not list(tmp_path.rglob(".lit_an-*"))


def test_several_runs_in_one_figure_while_one_is_still_written(tmp_path: Path) -> None:
    runs = [make_run(tmp_path / name) for name in ("one", "two")]
    with (runs[1] / "metrics.csv").open("a") as file:
        file.write("210,1.7")
    target = tmp_path / "deep" / "both.PNG"
    assert cli.main(["plot", "--to", str(target), *map(str, runs)]) == 0
    assert target.is_file()
    assert not list(tmp_path.glob("*/curves.png"))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ([], "plot: no run is given"),
        (["{run}", "--to", "x.jpg"], "--to x.jpg is no PNG; give a name that ends in .png"),
        (["{run}/missing"], "is no folder; give the folder of a run"),
        (["{run}/samples"], "has no curves: there are no figures in metrics.csv"),
        (["{run}", "--too", "x.png"], "too"),
    ],
)
def test_bad_input_is_one_sentence(
    options: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(tmp_path / "run")
    try:
        code = cli.main(["plot", *(option.replace("{run}", str(run)) for option in options)])
    except SystemExit as ended:  # the parser's own
        code = int(str(ended.code))
    error = capsys.readouterr().err
    assert code == 2
    assert sentence in error
    assert "Traceback" not in error
    assert not (run / "curves.png").exists()


def test_without_matplotlib_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "matplotlib" else find(name))
    assert cli.main(["plot", str(make_run(tmp_path / "run"))]) == 2
    said = capsys.readouterr().err
    assert "plot needs the package matplotlib, which is not installed; pip install 'lit_an[plot]'" in said
