"""What the page says of hole areas and of layouts against ground truth."""

import dataclasses
import re
from pathlib import Path
from typing import Any

from lit_an.ablation.analysis.runs import Point, Run
from lit_an.ablation.analysis.study import Study
from lit_an.ablation.report.page_scores import by_hole_area, layout_truth


def _run(variant: str, seed: int, **more: Any) -> Run:
    curves = {"hole_psnr": (Point(10, 1.0, 1.0, 20.0),)}
    return Run(Path(variant, str(seed)), {"norm": variant}, seed, curves, **more)


def _cells(page: str | None) -> list[list[str]]:
    """The text of the rows of all tables."""
    assert page is not None
    rows = re.findall(r"<tr>(.*?)</tr>", page)
    return [[re.sub(r"<[^>]+>", "", cell) for cell in re.findall(r"<t[hd].*?</t[hd]>", row)] for row in rows]


def _filled(psnr: float) -> dict[str, Any]:
    by_bin = {"00-10": {"images": 5, "hole_psnr": psnr}, "20-30": {"images": 3, "hole_psnr": psnr - 4, "l1": 0.1}}
    mean = {"images": 8, "figures": {"hole_psnr": 15.0}, "by_bin": {"20-30": {"images": 3, "hole_psnr": 11.5}}}
    slow = {
        "images": 2,
        "figures": {},
        "by_bin": {"20-30": {"images": 2, "hole_psnr": 12.5}},
        "model": {"hole_psnr": psnr},
    }
    return {"figures": {"hole_psnr": psnr}, "by_bin": by_bin, "baselines": {"mean": mean, "slow": slow}}


def test_figures_by_hole_area_are_means_over_seeds_beside_fillings() -> None:
    runs = [
        _run(variant, seed, results={10: _filled(base + seed)})
        for variant, base in (("a", 20), ("b", 30))
        for seed in (0, 2)
    ]
    page = by_hole_area(Study("s", tuple(runs), "a", figures=("hole_psnr",)))
    assert _cells(page) == [
        ["Variant", "00-10 %", "20-30 %"],
        ["a", "21.0 ± 1.4", "17.0 ± 1.4"],
        ["b", "31.0 ± 1.4", "27.0 ± 1.4"],
        ["mean filling", "–", "11.5"],
        ["slow filling of 2 images", "–", "12.5"],
    ]
    assert "Images in each bin: 00-10 %: 5, 20-30 %: 3." in page
    assert "PSNR in holes ↑ by the share" in page


def _scores(learned: float, source: str = "segmenter") -> dict[str, Any]:
    methods = {
        "learned": {"miou": learned, "ari": 0.5},
        "untrained": {"miou": 0.3},
        "one region": {"miou": 0.1, "ari": 0.0},
    }
    truth = {"regions": "first_and_rest", "source": {"generator.norm": source}}
    return {"layers": {"generator.norm": {"methods": methods}}, "truth": truth}


def test_learned_layouts_stand_beside_their_baselines() -> None:
    runs = [
        _run("none", 0),
        *(_run("attentive", seed, layout_scores={10: _scores(0.5 + seed / 10)}) for seed in (0, 1)),
    ]
    page = layout_truth(Study("s", tuple(runs), "none"))
    assert _cells(page) == [
        ["Layout", "mIoU ↑", "ARI ↑"],
        ["learned", "0.550 ± 0.071", "0.500 ± 0.000"],
        ["untrained", "0.300 ± 0.000", "–"],
        ["one region", "0.100 ± 0.000", "0.00 ± 0.00"],
    ]
    assert "generator.norm, against a classifier of pixels that was fitted to real images, its first region" in page


def test_layouts_of_several_variants_are_told_apart() -> None:
    runs = [_run(variant, 0, layout_scores={10: _scores(0.5, "none")}) for variant in ("N = 4", "N = 8")]
    page = layout_truth(Study("s", tuple(runs), "N = 4"))
    names = [row[0] for row in _cells(page)]
    assert names[1:4] == ["N = 4, learned", "N = 4, untrained", "N = 4, one region"]
    assert names[4] == "N = 8, learned"
    assert "generator.norm, without ground truth, at iteration 10." in page


def test_bins_are_those_of_the_iteration_at_which_figures_are_compared() -> None:
    """The newest result of a longer run is not taken; a first run without results takes no fillings away."""
    points = tuple(Point(at, 1.0, 1.0, 20.0) for at in (10, 20))
    longer = _run("b", 0, results={10: _filled(30), 20: _filled(99)})
    without = _run("a", 1)
    runs = (without, _run("a", 0, results={10: _filled(20)}), dataclasses.replace(longer, curves={"hole_psnr": points}))
    page = by_hole_area(Study("s", runs, "a", figures=("hole_psnr",)))
    assert _cells(page)[1:] == [
        *(["a", "20.0", "16.0"], ["b", "30.0", "26.0"]),
        *(["mean filling", "–", "11.5"], ["slow filling of 2 images", "–", "12.5"]),
    ]
    assert "at iteration 10:" in page
    assert "Images in each bin: 00-10 %: 5, 20-30 %: 3." in page


def test_layout_scores_are_of_one_iteration_and_of_one_truth() -> None:
    longer = _run("b", 0, layout_scores={10: _scores(0.4), 20: _scores(0.9)})
    other = _run("c", 0, layout_scores={10: _scores(0.3, "region maps")})
    page = layout_truth(Study("s", (_run("a", 0, layout_scores={10: _scores(0.5)}), longer, other), "a"))
    learned = [row[:2] for row in _cells(page) if "learned" in row[0]]
    assert learned == [["a, learned", "0.500"], ["b, learned", "0.400"], ["learned", "0.300"]]
    assert page.count("at iteration 10.") == 2
    assert "against the region maps of the data" in page
    apart = (_run("a", 0, layout_scores={10: _scores(0.5)}), _run("b", 0, layout_scores={20: _scores(0.5)}))
    assert "at no iteration that variants share: a at 10; b at 20." in layout_truth(Study("s", apart, "a"))


def test_other_runs_have_neither_part() -> None:
    study = Study("s", (_run("a", 0),), "a")
    assert by_hole_area(study) is None
    assert layout_truth(study) is None
