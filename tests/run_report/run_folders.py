"""Run folders as a run writes them, without the run."""

import json
from pathlib import Path
from typing import Any

from PIL import Image

FIGURES = {100: {"fid": 40.0, "fid_floor": 9.0, "recall": 0.2}, 200: {"fid": 30.0, "fid_floor": 9.0, "recall": 0.1}}


def make_run(folder: Path, rows: int = 20, shift: float = 0.0) -> Path:
    """A class-conditional run of 200 iterations, logged every 10, validated and pictured twice."""
    folder.mkdir(parents=True)
    names = [
        "step",
        "train/generator/adversarial",
        "train/generator/orthogonality",
        "train/discriminator/adversarial",
        "train/generator/learning_rate",
        "layout/long_range/effective_regions",
        "layout/long_range/position_entropy",
        "layout/long_range/residual_strength",
        "time/seconds",
        "time/processor_seconds",
        "time/images_per_second",
    ]
    lines = [",".join(names)]
    for number in range(1, rows + 1):
        values = [10 * number, 2 - 0.01 * number + shift, 0.1, 1.0, 1e-3, 12, 2.1, 0.03, 5 * number, 5 * number, 64]
        lines.append(",".join(map(str, values)))
    (folder / "metrics.csv").write_text("\n".join(lines) + "\n")
    for iteration, figures in FIGURES.items():
        baselines = {"mean": {"images": 4, "figures": {"fid": 90.0}}}
        write_json(folder / f"metrics_val_{iteration:07d}.json", figures=figures, baselines=baselines)
        for tag in ("samples", "layouts/long_range"):
            path = folder / tag / f"iteration_{iteration:07d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (8, 8)).save(path)
    return folder


def write_json(path: Path, **content: Any) -> None:
    path.write_text(json.dumps(content))
