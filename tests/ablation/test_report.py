"""The report: what its page says and holds, its tables, its files."""

import csv
import dataclasses
import io
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("scipy", reason="the extra 'ablation' is not installed")
pytest.importorskip("matplotlib", reason="the extra 'ablation' is not installed")

from lit_an.ablation.report import write_report
from lit_an.ablation.sentences import doubts, tables_of, verdict, what_is_compared
from lit_an.ablation.study import Missing, Study, study_of
from lit_an.ablation.tables import markdown, tex
from lit_an.errors import InputError, OutputError
from lit_an.metrics.directions import KINDS
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
        "Missing or failed",
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
        "vary:\n  norm: [a, b]",
        "torch 2.14.1",
        "Some Processor 3 GHz",
        "1.31 M",
        "abcdef01+",
        "800 generated images are too few",
    ):
        assert said in page.text


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


def test_the_same_study_gives_the_same_bytes(study: Study, tmp_path: Path) -> None:
    small = dataclasses.replace(study, figures=("fid",))
    one, other = (
        {path.name: path.read_bytes() for path in write_report(small, tmp_path / name)} for name in ("one", "other")
    )
    assert one == other


def test_too_few_seeds_allow_no_verdict() -> None:
    (table, *_) = tables_of(small_study({"a": {0: 3.0}, "b": {0: 2.0}}))
    assert "fewer than 2 paired seeds allow no interval" in table.caption
    told = verdict(table.columns[0])
    assert told == "b has the lowest mean (2.000); with 1 seed that a shares, whether that is chance cannot be told"
    assert "**" not in markdown(small_study({"a": {0: 3.0}, "b": {0: 2.0}}), [table])


def test_what_cannot_be_told_apart_is_said_so() -> None:
    close = small_study({"a": {0: 3.0, 1: 4.0, 2: 5.0}, "b": {0: 3.5, 1: 3.0, 2: 5.2}})
    (table, *_) = tables_of(close)
    assert "but is not distinguishable from a with 3 seeds" in verdict(table.columns[0])
    assert "**" not in markdown(close, [table])
    apart = small_study({"a": {0: 3.0, 1: 4.0, 2: 5.0}, "b": {0: 1.5, 1: 2.4, 2: 3.6}})
    (table, *_) = tables_of(apart)
    assert "b has the lowest mean (2.50), distinguishable from the second, a, with 3 seeds" in verdict(table.columns[0])
    assert r"| b | **2.50 ± 1.05**<br>−1.50 [−1.75, −1.25]\* |" in markdown(apart, [table])


def test_a_best_mean_that_only_other_seeds_give_is_said_so() -> None:
    odd = small_study({"a": {0: 5.0, 1: 5.1, 2: -9.0}, "b": {0: 4.0, 1: 4.11}})
    (table, *_) = tables_of(odd)
    assert "a has the lowest mean" in verdict(table.columns[0])
    assert "but b is better over the 2 seeds that both have" in verdict(table.columns[0])
    assert "**" not in markdown(odd, [table])


def test_equal_means_have_no_best() -> None:
    (table, *_) = tables_of(small_study({"a": {0: 0.0, 1: 0.0}, "b": {0: 1.0, 1: 1.5}, "c": {0: 0.0, 1: 0.0}}))
    assert verdict(table.columns[0]) == "a and c have the lowest mean (0.00)"


@pytest.mark.parametrize(("count", "expected"), [(1, [1]), (4, [4]), (5, [2, 3]), (9, [3, 3, 3])])
def test_wide_tables_have_pieces_of_about_the_same_width(count: int, expected: list[int]) -> None:
    figures = list(KINDS)[:count]
    runs = tuple(small_run(name, 0, {figure: [(1, 1.0)] for figure in figures}) for name in "ab")
    (table,) = tables_of(Study("wide", runs, "a", tuple(figures)))
    assert [len(piece) for piece in table.pieces()] == expected
    assert [index for piece in table.pieces() for index in piece] == list(range(count))


def test_a_number_of_seeds_that_differs_is_said(study: Study) -> None:
    fewer = dataclasses.replace(study, runs=study.runs[:-1], figures=("fid",))
    text = markdown(fewer, tables_of(fewer))
    assert "(n = 2)" in text
    assert text.count("n =") == 2, "in one row of either table"
    assert "2 to 3 seeds each" in what_is_compared(fewer)


def test_runs_that_are_not_whole_are_named() -> None:
    runs = (
        *(small_run(n, 0, {"fid": [(100, 1.0), (200, 1.0)]}) for n in "ab"),
        small_run("b", 1, {"fid": [(100, 1.0)]}),
    )
    untimed = "No run recorded the time of its iterations, so nothing is compared at equal time."
    expected = ["b, seed 1: only 100 iterations of 200.", "a: no run of seed 1.", untimed]
    assert doubts(Study("s", runs, "a")) == expected
    assert [table.title for table in tables_of(Study("s", runs, "a"))] == ["Equal iterations"]
    told = Study("s", runs, "c", missing=(Missing("b, seed 1", "stopped"), Missing("a, seed 1", "failed")))
    assert doubts(told)[:2] == ["b, seed 1: stopped.", "a, seed 1: failed."]
    assert doubts(told)[3:] == ["The baseline, c, has no run, so there are no differences."]


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
    document = (Path(__file__).parents[2] / "docs" / "ablation_report.md").read_text(encoding="utf-8")
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
    with pytest.raises(InputError, match=r"the report needs the package matplotlib; pip install '\.\[ablation\]'"):
        write_report(study, tmp_path)


def test_a_picture_that_is_none_is_named_and_nothing_is_written(study: Study, tmp_path: Path) -> None:
    (tmp_path / "iteration_0000001.png").write_bytes(b"no picture")
    run = dataclasses.replace(study.runs[0], pictures={"samples": tmp_path / "iteration_0000001.png"})
    with pytest.raises(InputError, match=r"iteration_0000001\.png cannot be read as a picture"):
        write_report(dataclasses.replace(study, runs=(run,)), tmp_path / "report")
    assert not (tmp_path / "report").exists()


def test_a_folder_that_is_a_file_gets_one_sentence(study: Study, tmp_path: Path) -> None:
    (tmp_path / "report").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        write_report(dataclasses.replace(study, figures=("fid",)), tmp_path / "report")
