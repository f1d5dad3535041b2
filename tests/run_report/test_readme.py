"""The README of a run folder: its figures, its links, what it escapes."""

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from lit_an.run_report.readme import _CONTENTS, Progress, program_of, readme_of
from tests.run_report.run_folders import make_run, write_json

FACTS = {"command": ["cli.py", "fit", "--config", "a b.yaml"], "versions": {"torch": "2.9"}, "git": None}


def progress(state: str = "training", inpaints: bool = False, length: int | None = 400) -> Progress:
    return Progress(state, 200, length, "2026-01-02 03:04 +0000", inpaints, "lit-an", FACTS)


def rows_of(text: str, name: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith(f"| {name} |")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_figures_have_arrows_their_best_and_what_is_beside_them(tmp_path: Path) -> None:
    text = readme_of(make_run(tmp_path / "run"), progress())
    assert rows_of(text, "FID") == [["FID", "↓", "30", "200", "30 (200)", "mean 90, floor 9"]]
    assert rows_of(text, "Recall") == [["Recall", "↑", "0.1", "200", "0.2 (100)", ""]]
    assert "**training**: iteration 200 of 400, 1 min 40 s of iterations" in text
    assert rows_of(text, r"train/generator/adversarial") == [["train/generator/adversarial", "1.8", "200"]]


def test_links_are_relative_and_lead_to_the_last_pictures(tmp_path: Path) -> None:
    run = make_run(tmp_path / "a run")
    (run / "samples" / "history.webp").write_bytes(b"")
    (run / "layouts/long_range/odd (1)").mkdir()
    odd = run / "layouts/long_range/odd (1)/iteration_0000150.png"
    odd.write_bytes((run / "samples/iteration_0000200.png").read_bytes())
    text = readme_of(run, progress())
    linked = [unquote(link) for link in re.findall(r"\]\(([^)]*)\)", text)]
    assert all((run / link).exists() for link in linked)
    assert {"samples/iteration_0000200.png", "layouts/long_range/iteration_0000200.png", "samples/history.webp"} < {
        *linked
    }
    assert odd.relative_to(run).as_posix() in linked


def test_a_run_that_went_back_shows_what_it_has_made_again(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    back = readme_of(run, progress()._replace(iteration=150))
    assert rows_of(back, "FID")[0][3] == "100"
    assert "iteration_0000200.png" not in back


def test_it_says_how_to_go_on(tmp_path: Path) -> None:
    run = make_run(tmp_path / "it's")
    text = readme_of(run, progress())
    quoted = str(run).replace("'", "'\"'\"'")
    assert f"    lit-an fit --ckpt_path '{quoted}'\n" in text
    assert f"    lit-an sample --ckpt_path '{quoted}'\n" in text
    ended = readme_of(run, progress("finished", inpaints=True, length=200))
    assert f"    lit-an fit --ckpt_path '{quoted}' --iterations 400\n" in ended
    assert f"    lit-an inpaint --ckpt_path '{quoted}' --images PHOTOS --masks MASKS\n" in ended
    assert "lit-an sample" not in ended


def test_it_says_how_the_run_was_made(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    assert "    python cli.py fit --config 'a b.yaml'\n" in readme_of(run, progress())
    starts = [{"iteration": 0, "time": "monday"}, {"iteration": 120, "time": "tuesday"}]
    git = {"commit": "abc", "is_changed": True}
    write_json(run / "run.json", command=["lit-an", "fit"], git=git, parameters={"generator": 1234567}, starts=starts)
    text = readme_of(run, progress())
    assert "    lit-an fit\n" in text
    assert rows_of(text, "commit")[0][1] == "`abc`, with changed files"
    assert rows_of(text, "parameters")[0][1] == "generator 1,234,567"
    assert rows_of(text, "starts")[0][1] == "iteration 0 at monday; iteration 120 at tuesday"
    (run / "run.json").write_text("{broken")
    assert "--config 'a b.yaml'" in readme_of(run, progress())


@pytest.mark.parametrize("name", _CONTENTS)
def test_what_is_there_is_explained_and_nothing_else(name: str, tmp_path: Path) -> None:
    file = tmp_path / name.replace("*", "1")
    shown = f"`{name}`" if "*" in name else f"[{name}]({name})"
    assert f"| {shown} |" not in readme_of(tmp_path, progress())
    file.write_text("{}")
    assert f"| {shown} |" in readme_of(tmp_path, progress())


def test_an_empty_folder_and_odd_names_have_a_readme(tmp_path: Path) -> None:
    folder = tmp_path / "a_*b*_|c"
    folder.mkdir()
    assert readme_of(folder, progress(length=None)).startswith("# a\\_\\*b\\*\\_\\|c\n\n**training**: iteration 200.")


@pytest.mark.parametrize(
    ("argv", "program"),
    [(["/usr/bin/lit-an"], "lit-an"), (["/x y/cli.py", "fit"], "python '/x y/cli.py'"), ([], "lit-an")],
)
def test_commands_are_called_as_the_run_was(argv: list[str], program: str) -> None:
    assert program_of(argv) == program
