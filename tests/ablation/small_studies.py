"""Run folders as trainings leave them, in which curves, times and pictures are made up."""

import csv
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image

from lit_an.ablation.analysis.runs import Point, Run
from lit_an.ablation.analysis.study import Study

# FID at the end, seconds an iteration, parameters of the generator.
VARIANTS: dict[str, tuple[float, float, float]] = {
    "attentive": (38.0, 0.21, 1.31e6),
    "self_attention": (39.2, 0.34, 1.32e6),
    "instance": (44.5, 0.17, 1.28e6),
    "none": (47.8, 0.15, 1.28e6),
}
ITERATIONS = 1000


def small_run(variant: str, seed: int, curves: Mapping[str, Sequence[tuple[float, ...]]], **more: Any) -> Run:
    """A run without a folder; a point is (iteration, value) or (iteration, seconds, value)."""

    def point(told: tuple[float, ...]) -> Point:
        time = told[1] if len(told) == 3 else math.nan
        return Point(int(told[0]), time, time, told[-1])

    points = {name: tuple(map(point, found)) for name, found in curves.items()}
    return Run(Path("runs", variant, f"seed_{seed}"), {"norm": variant}, seed, points, **more)


def small_study(values: Mapping[str, Mapping[int, float]], figure: str = "fid", **more: Any) -> Study:
    """A figure of each variant and seed, all at iteration 100."""
    runs = [
        small_run(name, seed, {figure: [(100, value)]})
        for name, found in values.items()
        for seed, value in found.items()
    ]
    return Study("small", tuple(runs), **{"baseline": next(iter(values)), **more})


def write_run(
    folder: Path, variant: str = "attentive", seed: int = 0, iterations: int = ITERATIONS, **config: Any
) -> Path:
    """A run folder with a config, a table of metrics, results, pictures and facts."""
    folder.mkdir(parents=True)
    generator = {"init_args": {"image_size": 64, "long_range": variant}}
    if variant == "attentive":
        generator["init_args"]["long_range_kwargs"] = {"num_regions": 16}
    told = {
        "seed_everything": seed,
        "model": {"init_args": {"generator": {"class_path": "lit_an.networks.ResNetGenerator", **generator}}},
        "data": {"init_args": {"source": {"init_args": {"root": f"/data/{seed}"}}, "num_workers": seed}},
        "run_folder": str(folder),
        "iterations": ITERATIONS,
        **config,
    }
    (folder / "config.yaml").write_text(f"# pytorch_lightning==2.6.6\n{yaml.safe_dump(told)}")
    end, pace, parameters = VARIANTS[variant]
    random, own = np.random.default_rng(seed), np.random.default_rng([seed, len(variant)])
    shift = random.normal(0, 1.5)
    columns: list[dict[str, float]] = []
    for iteration in range(50, iterations + 1, 50):
        falling = math.exp(-iteration / 300)
        row = {
            "step": iteration,
            "train/generator/adversarial": 0.5 + falling + own.normal(0, 0.1),
            "time/seconds": pace * iteration * (1 + 0.01 * seed),
            "time/processor_seconds": 1.8 * pace * iteration * (1 + 0.01 * seed),
            "time/images_per_second": 32 / pace,
        }
        if variant == "attentive":
            row |= {f"layout/long_range/usage/{region:02d}": 1 / 16 for region in range(16)}
            row["layout/long_range/effective_regions"] = 15.9 - 6 * (1 - falling) + own.normal(0, 0.2)
            row["layout/long_range/effective_regions_per_position"] = 15.5 - 11 * (1 - falling) + own.normal(0, 0.2)
            row["layout/long_range/position_entropy"] = 2.7 - 1.2 * (1 - falling)
            row["layout/long_range/degenerate_iterations"] = 0 if iteration > 200 else iteration
        if iteration % 200 == 0:
            fid = end + 150 * falling + shift + own.normal(0, 0.4)
            figures = {
                "fid": fid,
                "kid": fid / 2500,
                "kid_deviation": 0.001,
                "inception_score": 4.2 - fid / 40,
                "precision": min(0.9, 25 / fid),
                "recall": 0.3 + own.normal(0, 0.02),
                "density": 20 / fid,
                "coverage": 24 / fid,
                "fid_floor": 11.0,
            }
            row["val/fid"] = fid
            few = "fid: 800 generated images are too few for 1280 features; compare figures of the same counts only"
            write_json(folder / f"metrics_val_{iteration:07d}.json", {"figures": figures, "warnings": [few]})
        columns.append(row)
    names = list(dict.fromkeys(name for row in columns for name in row))
    with (folder / "metrics.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(columns)
    for tag, size in (
        ("samples", (150, 260)),
        *([("layouts/long_range", (300, 200))] if variant == "attentive" else []),
    ):
        for iteration in (10, iterations):
            write_picture(folder / tag / f"iteration_{iteration:07d}.png", size, iteration + seed)
    facts = {
        "command": [
            "/home/someone/lit_an/cli.py",
            "fit",
            "--config=base.yaml",
            f"--model.generator.long_range={variant}",
        ],
        "versions": {"torch": "2.14.1", "pytorch_lightning": "2.6.6"},
        "code": "c0de" * 16,
        "git": {"commit": "abcdef0123456789", "is_changed": seed == 2},
        "machine": {"cpu": "Some Processor 3 GHz", "threads": 2, "device": "cpu"},
        "parameters": {"generator": parameters, "discriminator": 0.93e6},
        "operations": {"generator": parameters * 90, "discriminator": 2.2e8},
        "peak_memory": 1.4e9 + 1e7 * seed,
        "starts": [{"command": ["cli.py", "fit"], "time": "2026-01-02T10:00:00+0000", "iteration": 0}],
        "ended": "2026-01-02T10:06:00+0000",
    }
    write_json(folder / "run.json", facts)
    return folder


def write_runs(folder: Path, seeds: Sequence[int] = (1, 2, 3)) -> Path:
    """Run folders of all variants."""
    for variant in VARIANTS:
        for seed in seeds:
            write_run(folder / variant / f"seed_{seed}", variant, seed)
    return folder


def write_record(run_folder: Path, **content: Any) -> None:
    """The file that the bench writes beside a run folder."""
    told = {"arguments": ["fit"], "config_hash": "f" * 64, "code": "c" * 64, "status": "done", **content}
    write_json(run_folder.with_name(f"{run_folder.name}.json"), told)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content))


def write_picture(path: Path, size: tuple[int, int], seed: int) -> None:
    """Smooth colors."""
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 9, 3)).astype(np.uint8)
    Image.fromarray(coarse).resize((size[1], size[0]), Image.Resampling.BICUBIC).save(path)
