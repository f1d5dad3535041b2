"""What the page says of hole areas and of layouts against ground truth."""

import re
from pathlib import Path
from typing import Any

from lit_an.ablation.page_scores import by_hole_area, layout_truth
from lit_an.ablation.runs import Point, Run
from lit_an.ablation.study import Study


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
    return {"figures": {"hole_psnr": psnr}, "by_bin": by_bin, "baselines": {"mean": mean}}


def test_figures_by_hole_area_are_means_over_seeds_beside_fillings() -> None:
    runs = [
        _run(variant, seed, results=_filled(base + seed)) for variant, base in (("a", 20), ("b", 30)) for seed in (0, 2)
    ]
    page = by_hole_area(Study("s", tuple(runs), "a", figures=("hole_psnr",)))
    assert _cells(page) == [
        ["Variant", "00-10 %", "20-30 %"],
        ["a", "21.0 ± 1.4", "17.0 ± 1.4"],
        ["b", "31.0 ± 1.4", "27.0 ± 1.4"],
        ["mean filling", "–", "11.5"],
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
    runs = [_run("none", 0), *(_run("attentive", seed, layout_scores=_scores(0.5 + seed / 10)) for seed in (0, 1))]
    page = layout_truth(Study("s", tuple(runs), "none"))
    assert _cells(page) == [
        ["Layout", "mIoU ↑", "ARI ↑"],
        ["learned", "0.550 ± 0.071", "0.500 ± 0.000"],
        ["untrained", "0.300 ± 0.000", "–"],
        ["one region", "0.100 ± 0.000", "0.00 ± 0.00"],
    ]
    assert "generator.norm, against a classifier of pixels that was fitted to real images, its first region" in page


def test_layouts_of_several_variants_are_told_apart() -> None:
    runs = [_run(variant, 0, layout_scores=_scores(0.5, "none")) for variant in ("N = 4", "N = 8")]
    page = layout_truth(Study("s", tuple(runs), "N = 4"))
    names = [row[0] for row in _cells(page)]
    assert names[1:4] == ["N = 4, learned", "N = 4, untrained", "N = 4, one region"]
    assert names[4] == "N = 8, learned"
    assert "generator.norm, without ground truth." in page


def test_other_runs_have_neither_part() -> None:
    study = Study("s", (_run("a", 0),), "a")
    assert by_hole_area(study) is None
    assert layout_truth(study) is None
