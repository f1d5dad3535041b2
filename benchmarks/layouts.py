"""How sharp semantic layouts start, and what the forms of the orthogonality penalty make of them.

    python benchmarks/layouts.py                                   # tables; some minutes
    python benchmarks/layouts.py --runs RUN… --plot docs/layouts.png   # and the curves of training runs beside them

Features are independent, normal and of the standard deviation named, the map is 32×32, 16 regions, the layout is in
evaluation mode. Printed: effective regions per position, exp of the mean entropy: 16 is uniform, 1 is hard. "The
penalty alone" moves the filters by Adam on that term and nothing else, which shows where it leads; in a training the
game pulls too. ``--runs`` takes run folders whose ``metrics.csv`` has the figures of ``SemanticLayoutLogger``.
"""

import argparse
import csv
from pathlib import Path
from typing import get_args

import torch

from lit_an.metrics.layout import layout_statistics
from lit_an.norms.attentive.orthogonality import Orthogonality, orthogonality_penalty
from lit_an.norms.attentive.semantic_layout import SemanticLayout

WIDTHS = (16, 32, 64, 128, 256)
TEMPERATURES = (0.1, 0.2, 0.4, 1.0, None)
FORMS = get_args(Orthogonality)
# Channels, learning rate, Adam's betas, iterations, of the paper's recipes for either task.
TASKS = {
    "class-conditional": (256, 1e-4, (0.0, 0.9), 25_000),
    "inpainting": (128, 1e-5, (0.5, 0.9), 150_000),
}
LABELS = {"unit_rows": "unit_rows (default)", "frobenius": "frobenius (paper's formula)", "published": "published code"}
# Distinct for color-blind readers (Okabe, Ito).
COLORS = {"unit_rows": "#0072B2", "frobenius": "#D55E00", "published": "#009E73"}


@torch.no_grad()
def regions_per_position(layout: SemanticLayout, deviation: float) -> float:
    torch.manual_seed(1)
    features = deviation * torch.randn(8, layout.entities.shape[1], 32, 32)
    return layout_statistics(layout.eval()(features), features).effective_regions_per_position.item()


def fresh_table(deviation: float) -> None:
    print(f"\na fresh layout, features of deviation {deviation}")
    print("temperature" + "".join(f"{f'C = {channels}':>10}" for channels in WIDTHS))
    for temperature in TEMPERATURES:
        torch.manual_seed(0)
        layouts = (SemanticLayout(channels, temperature=temperature) for channels in WIDTHS)
        values = (regions_per_position(layout, deviation) for layout in layouts)
        print(f"{temperature or '1.6 / √C':>11}" + "".join(f"{value:10.1f}" for value in values))


def penalty_alone(task: str, form: Orthogonality) -> list[tuple[int, float, float, float]]:
    """(iteration, length of the rows, regions per position at deviations 1 and 0.5), evenly spaced."""
    channels, rate, betas, iterations = TASKS[task]
    torch.manual_seed(0)
    layout = SemanticLayout(channels)
    optimizer = torch.optim.Adam([layout.entities], lr=rate, betas=betas, fused=True)
    found = []
    for iteration in range(iterations + 1):
        if iteration % (iterations // 25) == 0:
            length = layout.entities.detach().norm(dim=1).mean().item()
            found.append((iteration, length, *(regions_per_position(layout, deviation) for deviation in (1.0, 0.5))))
        optimizer.zero_grad()
        orthogonality_penalty(layout.entities, form).backward()
        optimizer.step()
    return found


def curve_of_run(run: Path) -> tuple[str, list[int], list[float]]:
    """The form of the penalty, and regions per position over the iterations, of a run folder."""
    config = (run / "config.yaml").read_text()
    form = next((form for form in FORMS if f"orthogonality: {form}" in config), "unit_rows")
    with (run / "metrics.csv").open() as file:
        name = "layout/long_range/effective_regions_per_position"
        rows = [(int(row["step"]), float(row[name])) for row in csv.DictReader(file) if row.get(name)]
    return form, *map(list, zip(*rows, strict=True))  # type: ignore[return-value]


def draw(alone: dict[str, list[tuple[int, float, float, float]]], runs: list[Path], path: Path) -> None:
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), sharey=True, layout="constrained")
    for form, rows in alone.items():
        for column, style in ((2, "-"), (3, "--")):
            label = LABELS[form] if column == 2 else None
            # Two of the curves are one: the lower lies wide under the upper.
            width = 4.0 if form == "unit_rows" else 1.5
            values = [row[column] for row in rows]
            left.plot([row[0] for row in rows], values, style, color=COLORS[form], label=label, linewidth=width)
    left.set(title="the penalty alone, C = 256, Adam, rate 1e-4", xlabel="iteration", ylabel="regions at a position")
    left.plot([], [], "-k", label="features of deviation 1")
    left.plot([], [], "--k", label="features of deviation 0.5")
    for run in runs:
        form, iterations, values = curve_of_run(run)
        right.plot(iterations, values, color=COLORS[form], linewidth=1.2)
    right.set(title="narrow GANs on EarthTiles, C = 32, rate 4e-4", xlabel="iteration")
    for axes in (left, right):
        axes.axhline(16, color="0.7", linewidth=0.8)
        axes.set_ylim(0, 16.8)
        axes.grid(alpha=0.25)
    left.legend(fontsize=8, loc="lower right")
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", nargs="*", type=Path, default=[], help="run folders of trainings")
    parser.add_argument("--plot", type=Path, help="write the curves of the penalty alone and of the runs to this file")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for deviation in (1.0, 0.5):
        fresh_table(deviation)
    kept = {}
    for task, (channels, rate, _, iterations) in TASKS.items():
        print(f"\nthe penalty alone, {task}: C = {channels}, rate {rate:g}, to iteration {iterations}")
        print("form        iteration  length of rows  regions, deviation 1  deviation 0.5")
        for form in FORMS:
            rows = penalty_alone(task, form)
            if task == "class-conditional":
                kept[form] = rows
            for iteration, length, one, half in (rows[0], rows[10], rows[20], rows[-1]):
                print(f"{form:10}{iteration:11}{length:16.2f}{one:22.2f}{half:15.2f}")
    for run in arguments.runs:
        form, iterations, values = curve_of_run(run)
        marks = [
            min(range(len(iterations)), key=lambda i, at=at: abs(iterations[i] - at)) for at in (200, 1000, 2500, 5000)
        ]
        print(f"{run.name}: {form}", *(f"{values[i]:.2f} at {iterations[i]}" for i in marks), sep="  ")
    if arguments.plot:
        draw(kept, arguments.runs, arguments.plot)


if __name__ == "__main__":
    main()
