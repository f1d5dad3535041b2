"""The report: what its page says and holds, its tables, its files."""

import csv
import dataclasses
import io
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("scipy", reason="the extra 'ablation' is not installed")
pytest.importorskip("matplotlib", reason="the extra 'ablation' is not installed")

from lit_an.ablation.analysis.study import Missing, Study, study_of
from lit_an.ablation.report.embedding import pictures_of
from lit_an.ablation.report.files import write_report
from lit_an.ablation.report.sentences import tables_of
from lit_an.ablation.report.tables import latex, tex
from lit_an.errors import InputError, OutputError
from tests.ablation.small_studies import VARIANTS, small_run, small_study, write_runs

VOID = ("img", "input", "meta", "wbr")


class Reader(HTMLParser):
    """Elements with their attributes, texts, and whether all that opens is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return study_of(write_runs(tmp_path_factory.mktemp("runs")))


@pytest.fixture(scope="module")
def folder(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("report")
    told = dataclasses.replace(
        study,
        name="Norms <b>&",
        missing=(Missing("none, seed 4", "ended with exit code 3 <script>"),),
        notes=("A note.",),
        plan="vary:\n  norm: [a, b]",
        commands=("python cli.py ablate plan.yaml",),
    )
    assert set(write_report(told, place)) == {path for path in place.rglob("*") if path.is_file()}
    return place


@pytest.fixture(scope="module")
def page(folder: Path) -> Reader:
    return Reader((folder / "index.html").read_text())


def test_the_page_needs_no_other_file(page: Reader) -> None:
    assert page.open == []
    links = [attributes.get(name) for _, attributes in page.elements for name in ("src", "href") if name in attributes]
    assert links
    assert all(str(link).startswith("data:image/") for link in links)
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"script", "link", "iframe", "object", "b&"}


def test_text_of_users_is_text(page: Reader) -> None:
    assert "Norms <b>&" in page.text
    assert "none, seed 4: ended with exit code 3 <script>." in page.text


def test_tables_and_pictures_say_what_they_are(page: Reader) -> None:
    assert all(attributes.get("alt") for attributes in page.all("img"))
    assert all(attributes.get("scope") in ("col", "row") for attributes in page.all("th"))
    assert len(page.all("caption")) == len(page.all("table")) >= 6
    assert page.all("html") == [{"lang": "en"}]


def test_the_page_has_all_sections_in_order(page: Reader) -> None:
    heads = [
        "Norms <b>&",
        "Missing, failed or not to be compared",
        "Results at equal iterations",
        "Results at equal time",
        "Learning curves",
    ]
    heads += ["Samples", "Layouts", "Cost", "How it was made"]
    places = [page.text.rindex(head) for head in heads]
    assert places == sorted(places)
    for said in (
        "4 variants that differ in long_range, with 3 seeds each (seeds 1, 2, 3), 1,000 iterations",
        "processor time, since the runs are of CPUs",
        "paired t",
        "python cli.py ablate plan.yaml",
        "python cli.py fit --config=base.yaml",
        "vary:\n  norm: [a, b]",
        "torch 2.14.1",
        "Some Processor 3 GHz",
        "1.31 M",
        "abcdef01+",
        "2026-01-02 10:00Z",
        "800 generated images are too few",
    ):
        assert said in page.text
    assert "/home/someone" not in page.text


def test_pictures_are_of_the_same_seed_and_pixel_for_pixel(study: Study, folder: Path) -> None:
    import base64

    text = (folder / "index.html").read_text()
    shown = [base64.b64decode(found) for found in re.findall(r"data:image/(?:webp|png);base64,([\w+/=]+)", text)]
    expected = [run.pictures["samples"] for run in study.runs if run.seed == 1]
    expected += [
        run.pictures["layouts/long_range"] for run in study.runs if run.seed == 1 and run.variant == "attentive"
    ]
    assert len(shown) == len(expected) == 5
    for content, path in zip(shown, sorted(expected, key=lambda path: "layouts" in str(path)), strict=True):
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(content))), np.asarray(Image.open(path)))


def test_results_csv_has_every_value(study: Study, folder: Path) -> None:
    with (folder / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["variant", "seed", "figure", "iteration", "seconds", "processor_seconds", "value"]
    assert len(rows) == sum(len(points) for run in study.runs for points in run.curves.values())
    run = study.of("none")[1]
    point = run.curves["fid"][-1]
    (row,) = (
        row
        for row in rows
        if (row["variant"], row["seed"], row["figure"], row["iteration"]) == ("none", "2", "fid", "1000")
    )
    assert [float(row[name]) for name in ("seconds", "processor_seconds", "value")] == list(point[1:])


def test_differences_csv_has_both_intervals(folder: Path) -> None:
    with (folder / "differences.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["compared_at"] for row in rows} == {"equal iterations", "equal time"}
    assert {row["variant"] for row in rows} == set(VARIANTS) - {"attentive"}
    for row in rows:
        low, high, inner_low, inner_high = (
            float(row[n]) for n in ("t_low", "t_high", "bootstrap_low", "bootstrap_high")
        )
        assert low <= inner_low <= float(row["difference"]) <= inner_high <= high


def test_charts_are_pictures(folder: Path) -> None:
    names = {path.stem for path in (folder / "charts").iterdir()}
    assert {"fid_iterations", "fid_time", "layout_long_range_effective_regions_iterations"} <= names
    for path in (folder / "charts").iterdir():
        with Image.open(path) as chart:
            assert np.asarray(chart.convert("L")).std() > 5


def test_latex_is_balanced_and_escaped(folder: Path, study: Study) -> None:
    text = (folder / "table.tex").read_text()
    for name in ("table", "tabular"):
        assert text.count(rf"\begin{{{name}}}") == text.count(rf"\end{{{name}}}") == 4
    assert all(text.count(rule) == 4 for rule in (r"\toprule", r"\midrule", r"\bottomrule"))
    assert r"self\_attention" in text
    assert text.isascii()
    widths = {line.count("&") - line.count(r"\&") for line in text.splitlines() if line.endswith(r"\\")}
    assert widths == {3, 4}, "two tables of four figures and two of three"
    assert tex("a_b & 5 % {x} \\") == r"a\_b \& 5 \% \{x\} \textbackslash{}"
    assert tex("<1|2>") == r"\textless{}1\textbar{}2\textgreater{}", "LaTeX's first font has other characters there"


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="LaTeX is not installed")
def test_latex_sets_the_tables_within_the_page(folder: Path, tmp_path: Path) -> None:
    head = r"\documentclass{article}\usepackage{booktabs}\usepackage[a4paper,margin=2cm]{geometry}\begin{document}"
    lists = small_study({name: {0: 1.0, 1: 2.0} for name in ("[32, 64]", "*", "[64, 64]")})
    tables = [(folder / "table.tex").read_text(encoding="utf-8"), latex(lists, tables_of(lists))]
    paper = "\n".join([head, *tables, r"\end{document}"])
    (tmp_path / "paper.tex").write_text(paper, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", timeout=60)
    assert done.returncode == 0, done.stdout
    assert (tmp_path / "paper.pdf").is_file()
    assert "Overfull" not in done.stdout


def test_the_same_study_gives_the_same_bytes(study: Study, tmp_path: Path) -> None:
    small = dataclasses.replace(study, figures=("fid",))
    one, other = (
        {path.name: path.read_bytes() for path in write_report(small, tmp_path / name)} for name in ("one", "other")
    )
    assert one == other


@pytest.mark.parametrize("runs", [(), (small_run("a", 0, {}),), (small_run("a", 0, {"own": [(1, 2.0)]}),)])
def test_a_study_with_next_to_nothing_has_a_page(runs: tuple, tmp_path: Path) -> None:
    written = write_report(Study("empty", runs, "a", missing=(Missing("a, seed 1", "failed"),)), tmp_path)
    text = Reader(written[0].read_text()).text
    assert "a, seed 1: failed." in text
    assert "No figure with a known direction was measured in two runs" in text


def test_a_figure_that_is_measured_once_has_no_curve(tmp_path: Path) -> None:
    runs = tuple(small_run(n, 0, {"fid": [(1, 5.0)], "recall": [(1, 0.1), (2, 0.2)]}) for n in "ab")
    write_report(Study("once", runs, "a"), tmp_path)
    assert [path.name for path in (tmp_path / "charts").iterdir()] == ["recall_iterations.png"]
    text = Reader((tmp_path / "index.html").read_text()).text
    assert "Without a curve, since measured fewer than twice: FID." in text


def test_thirty_variants_fit(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    runs = [
        small_run(
            f"variant {n} of a long name, with much in it",
            s,
            {"fid": [(i, i + n, 50 - n + random.random()) for i in (1, 2, 3)]},
        )
        for n in range(30)
        for s in (0, 1)
    ]
    written = write_report(Study("many", tuple(runs), runs[0].variant), tmp_path)
    assert "30 variants" in Reader(written[0].read_text()).text


def test_the_documented_snippet_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    document = (Path(__file__).parents[3] / "docs" / "ablation_report.md").read_text(encoding="utf-8")
    (snippet,) = re.findall(r"^```python\n(.*?)^```", document, re.MULTILINE | re.DOTALL)
    write_runs(tmp_path / "runs", seeds=(1,))
    monkeypatch.chdir(tmp_path)
    exec(compile(snippet, "ablation_report.md", "exec"), {})
    told = [
        line.split("`")[1::2]
        for line in document.splitlines()
        if line.startswith(("| `index", "| `table", "| `results", "| `differ"))
    ]
    names = {name for found in told for name in found if "." in name}
    assert {path.name for path in (tmp_path / "report").iterdir()} == names | {"charts"}


def test_a_missing_package_gets_one_sentence(study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(InputError, match=r"report needs the package matplotlib, .*; pip install 'lit_an\[ablation\]'"):
        write_report(study, tmp_path)


def test_a_picture_that_is_none_is_named_and_nothing_is_written(study: Study, tmp_path: Path) -> None:
    (tmp_path / "iteration_0000001.png").write_bytes(b"no picture")
    run = dataclasses.replace(study.runs[0], pictures={"samples": tmp_path / "iteration_0000001.png"})
    with pytest.raises(InputError, match=r"iteration_0000001\.png cannot be read as a picture"):
        write_report(dataclasses.replace(study, runs=(run,)), tmp_path / "report")
    assert not (tmp_path / "report").exists()


def test_a_picture_too_wide_for_webp_is_embedded_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "iteration_0000001.png"
    Image.new("RGB", (16_384, 2)).save(path)
    runs = (small_run("a", 0, {}, pictures={"samples": path}),)
    (picture,) = pictures_of(Study("s", runs, "a"))["samples"]
    assert (picture.kind, picture.content) == ("image/png", path.read_bytes())
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(InputError, match="cannot be read as a picture"):
        pictures_of(Study("s", runs, "a"))


def test_a_folder_that_is_a_file_gets_one_sentence(study: Study, tmp_path: Path) -> None:
    (tmp_path / "report").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        write_report(dataclasses.replace(study, figures=("fid",)), tmp_path / "report")
