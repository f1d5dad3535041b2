"""The curves of runs: which charts there are, and what is drawn."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lit_an.errors import InputError
from lit_an.run_report.charts_of_run import curves_in
from tests.run_report.run_folders import make_run

curves = pytest.importorskip("lit_an.run_report.curves", exc_type=ImportError)


def has_color(content: bytes, color: tuple[int, int, int]) -> bool:
    pixels = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    return bool((pixels == color).all(axis=-1).any())


def test_a_run_has_a_chart_for_each_kind_of_figure(tmp_path: Path) -> None:
    made = curves_in(make_run(tmp_path / "run"))
    assert made.name == "run"
    assert list(made.charts) == [
        "Losses of the generator",
        "Losses of the discriminator",
        "FID (lower is better)",
        "Recall (higher is better)",
        "Learning rates",
        "Regions in use (effective number)",
        "Entropy of the membership of a position, nats",
        "Strength of the residual ρ",
        "Images per second",
    ]
    assert made.charts["FID (lower is better)"] == {"": {100: 40.0, 200: 30.0}}
    assert made.levels["FID (lower is better)"] == {"mean": 90.0, "floor": 9.0}
    assert made.charts["Losses of the generator"]["adversarial"][200] == pytest.approx(1.8)
    assert made.charts["Learning rates"].keys() == {"generator"}


def test_the_picture_can_be_read_in_gray(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two runs differ in their markers, two lines of a chart in their dashes."""
    drawn: list[dict[str, Any]] = []
    from matplotlib.axes import Axes

    plot = Axes.plot

    def watched(axes: Axes, x: Any, y: Any, **style: Any) -> Any:
        drawn.append({"x": list(x), "y": list(y), **style})
        return plot(axes, x, y, **style)

    monkeypatch.setattr(Axes, "plot", watched)
    runs = [curves_in(make_run(tmp_path / name, shift=shift)) for name, shift in (("one", 0.0), ("two", 0.5))]
    content = curves.picture_of(runs)
    losses = [line for line in drawn if line["y"] and line["y"][0] in (1.99, 2.49)]
    assert [line["x"] for line in losses] == [list(range(10, 201, 10))] * 2
    assert losses[0]["marker"] != losses[1]["marker"]
    assert losses[0]["color"] != losses[1]["color"]
    drawn.clear()
    alone = curves.picture_of(runs[:1])
    lines = {line["label"]: line for line in drawn if line["label"] in ("adversarial", "orthogonality")}
    for look in ("color", "linestyle", "marker"):
        assert lines["adversarial"][look] != lines["orthogonality"][look]
    green = (0, 158, 115)
    assert not has_color(content, green), "two runs have two colors"
    assert not has_color(alone, green)
    assert has_color(curves.picture_of([*runs, *runs]), green)


def test_a_long_curve_is_averaged() -> None:
    x, y = curves._averaged({step: float(step % 2) for step in range(100_001)})
    assert len(x) <= 500
    assert abs(y.mean() - 0.5) < 0.01
    assert (y > 0.4).all()
    x, y = curves._averaged({3: 1.0, 1: 2.0})
    assert (x.tolist(), y.tolist()) == ([1, 3], [2, 1])


def test_one_point_and_zeros_have_a_picture(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("step,layout/a/dead_regions\n0,0.0\n")
    assert has_color(curves.picture_of([curves_in(tmp_path)]), (0, 0, 0))


@pytest.mark.parametrize("content", [None, "", "step,a\n", "step,a\n1,nan\n"])
def test_a_folder_without_curves_is_one_sentence(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "metrics.csv").write_text(content)
    with pytest.raises(InputError, match=r"has no curves: there are no figures in metrics\.csv"):
        curves_in(tmp_path)
    (tmp_path / "metrics.csv").write_text("epoch,step,train_loss\n0,9,0.5\n0,19,0.4\n")  # of another project
    with pytest.raises(InputError, match=r"no curves that plot knows: metrics\.csv has epoch, train_loss; give"):
        curves_in(tmp_path)
    (tmp_path / "metrics.csv").write_text("step,train/generator/a\n1,2,3\n")
    with pytest.raises(InputError, match=r"metrics\.csv: a row of step 1 has more values"):
        curves_in(tmp_path)
    with pytest.raises(InputError, match="missing is no folder"):
        curves_in(tmp_path / "missing")
