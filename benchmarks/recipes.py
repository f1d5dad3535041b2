"""What each recipe costs: parameters, arithmetic, memory, speed here, and memory and hours of machines by computation.

    python benchmarks/recipes.py [--json FILE] [--repeats 5] [--price_per_hour PRICE]

Arithmetic, traffic and memory are counted by ``lit_an.training_costs`` in one whole iteration (all losses, forward and
backward, every discriminator step) on torch's meta device, where tensors have shapes and no numbers. VGG-19's features
are counted without its weights. Hours are computed: the roofline of every operation with the figures of a data sheet,
over the assumed efficiency, and no less than the assumed time of the host for every operation. Loading, validation,
pictures and the exchange between devices are not counted.

Speed is measured: the fastest of some whole iterations, optimizers included, of 4 images at a quarter of the width, in
float32 on this CPU; recipes take turns. ``--repeats 0`` leaves it out.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jsonargparse import ArgumentParser
from omegaconf import OmegaConf
from torch import nn

from lit_an.files.configs import load_config

sys.path.insert(0, str(Path(__file__).parent.parent))
from lit_an.batch import ClassBatch
from lit_an.command_line.allocator import keep_freed_memory
from lit_an.files import replacing
from lit_an.tasks import AdversarialTask, ClassConditionalGAN
from lit_an.tasks.turns import train_only
from lit_an.training_costs.devices import DEVICES, EFFICIENCY, USABLE, Device
from lit_an.training_costs.estimate import Setting, estimate, fitting_parts, parameters
from lit_an.training_costs.iteration import count_iteration
from lit_an.training_costs.valueless import without_values

CONFIGS = Path(__file__).parent.parent / "configs"
RECIPES = sorted(CONFIGS.glob("class_conditional/imagenet128_*.yaml"))
PAPER = next(path for path in RECIPES if path.stem == "imagenet128_an")
INPAINTING = [CONFIGS / f"inpainting/{name}.yaml" for name in ("places256_an", "celebahq256_an", "paris256_an")]
PAPER_ITERATIONS, PAPER_BATCH = 880_000, 256
MIXED = "bf16-mixed"  # configs/trainer/bf16.yaml
# What is switched on in the second table, in the paper's recipe.
SWITCHES: dict[str, dict[str, Any]] = {
    "DiffAugment": {"augmentation": "diffaugment"},
    "ADA": {"augmentation": "ada"},
    "R1 in every iteration": {"r1_weight": 1.0},
    "relativistic game with R1 and R2 in every iteration": {
        "adversarial_loss": "relativistic",
        "r1_weight": 1.0,
        "r2_weight": 1.0,
    },
}


class Machine(NamedTuple):
    """Equal devices, and the overlay for them."""

    count: int
    device: Device
    overlay: str

    @property
    def name(self) -> str:
        return f"{self.count} × {self.device.name}, {self.device.memory / 1e9:.0f} GB"


BY_NAME = {device.name: device for device in DEVICES}
MACHINES = (
    Machine(1, BY_NAME["RTX 4090"], "one_gpu"),
    Machine(1, BY_NAME["A100 80 GB SXM"], "one_gpu"),
    Machine(8, BY_NAME["H100 SXM"], "eight_gpus"),
)


def config_of(path: Path) -> dict[str, Any]:
    """A recipe with its links resolved."""
    resolved: Any = OmegaConf.to_container(load_config(path), resolve=True)
    return resolved


def build(
    config: dict[str, Any],
    device: str = "meta",
    width: int | None = None,
    switches: dict[str, Any] | None = None,
    **generator: Any,
) -> Any:
    """The task of a recipe on a device, with another width, switches of the task or arguments of its generator."""
    model = json.loads(json.dumps(config["model"]))
    model["init_args"].update(switches or {})
    if width is not None:
        for network in ("generator", "discriminator"):
            model["init_args"][network]["init_args"]["base_width"] = width
    model["init_args"]["generator"]["init_args"].update(generator)
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(AdversarialTask, "model")
    with torch.device(device):
        return parser.instantiate(parser.parse_object({"model": model})).model


def flops_per_image(task: AdversarialTask, size: int = 128, images: int = 4) -> float:
    """FLOPs of one iteration for each image of a discriminator step's batch."""
    copied = without_values(task)
    copied.accumulate = 1
    return count_iteration(copied, images, size).flops / images


def kept_per_image(task: AdversarialTask, precision: str, size: int = 128) -> float:
    """Bytes that are in use between the forward and the backward pass for each image."""
    copied = without_values(task)
    copied.accumulate = 1
    small, large = (count_iteration(copied, images, size, precision).kept for images in (4, 8))
    return (large - small) / 4


def by_machine(path: Path, machine: Machine) -> dict[str, Any]:
    """How a recipe is trained on a machine, and what that costs."""
    config = config_of(path)
    data = config["data"]["init_args"]
    batch, size = data["batch_size"], data["image_size"]
    task = build(config)
    setting = Setting(batch // machine.count, size, MIXED, machine.count)
    parts = fitting_parts(task, setting, USABLE * machine.device.memory)
    assert parts is not None, f"{path.stem} does not fit {machine.name}"
    own, task.accumulate = task.accumulate, parts.accumulate
    costs = estimate(task, setting, config["iterations"])
    hours = costs.expected_seconds(machine.device, tf32=True) / 3600
    options = [f"--config configs/trainer/{machine.overlay}.yaml --config configs/trainer/bf16.yaml"]
    overlay: Any = OmegaConf.to_container(load_config(CONFIGS / f"trainer/{machine.overlay}.yaml"))
    if overlay["data"]["init_args"]["batch_size"] != setting.images:
        options.append(f"--data.batch_size {setting.images}")
    options += [f"--model.accumulate {parts.accumulate}"] if parts.accumulate != own else []
    return {
        "recipe": path.stem,
        "machine": machine.name,
        "images": setting.images,
        "accumulate": parts.accumulate,
        "options": " ".join(options),
        "memory": costs.memory,
        "iterations": config["iterations"],
        "launches": costs.counts[-1].launches,
        "hours": hours,
        "device_hours": machine.count * hours,
        "bound": costs.expected_bound(machine.device, tf32=True),
    }


def update(task: ClassConditionalGAN, network: nn.Module, batch: ClassBatch) -> None:
    """Forward and backward of one network's side of the game."""
    terms = task.generator_terms if network is task.generator else task.discriminator_terms
    with train_only(network, task.generator, task.discriminator):
        torch.stack(list(terms(batch).values())).sum().backward()  # type: ignore[no-untyped-call]


def seconds_of_iteration(task: ClassConditionalGAN, batch: ClassBatch, optimizers: list[Any]) -> float:
    """One whole iteration."""
    start = time.perf_counter()
    for network, optimizer in zip((task.discriminator, task.generator), optimizers, strict=True):
        for _ in range(task.discriminator_steps if network is task.discriminator else 1):
            update(task, network, batch)
            optimizer.step()
            optimizer.zero_grad()
    return time.perf_counter() - start


def images_per_second(configs: list[dict[str, Any]], repeats: int, images: int = 4) -> list[tuple[int, float]]:
    """A quarter of the width, and real images a second at it in the fastest iteration; recipes take turns."""
    torch.manual_seed(0)
    runs, widths = [], []
    for config in configs:
        widths.append(config["model"]["init_args"]["generator"]["init_args"]["base_width"] // 4)
        task = build(config, "cpu", widths[-1])
        networks = (task.generator, task.discriminator)
        made = [make(network.parameters()) for make, network in zip(task.make_optimizers, networks, strict=True)]
        side = int(task.generator.image_size)
        batch = ClassBatch(torch.rand(images, 3, side, side) * 2 - 1, torch.zeros(images, dtype=torch.long))
        runs.append((task, batch, made[::-1]))
    seconds = [[seconds_of_iteration(*run) for run in runs] for _ in range(repeats + 1)][1:]
    fastest = (min(times) for times in zip(*seconds, strict=True))
    return [
        (width, images * task.discriminator_steps / time)
        for width, (task, *_), time in zip(widths, runs, fastest, strict=True)
    ]


def costs(path: Path) -> dict[str, Any]:
    """The figures of one recipe that no machine has a part in, and the paper's length on eight devices."""
    config, machine = config_of(path), MACHINES[-1]
    batch = config["data"]["init_args"]["batch_size"]
    task = build(config)
    each = flops_per_image(task)
    without = flops_per_image(build(config, long_range="none", long_range_kwargs=None))
    whole = estimate(task, Setting(batch // machine.count, 128, MIXED, machine.count), 1)
    seconds = whole.expected_seconds(machine.device, tf32=True) * PAPER_ITERATIONS * PAPER_BATCH / batch
    return {
        "recipe": path.stem,
        "generator_parameters": parameters(task.generator),
        "discriminator_parameters": parameters(task.discriminator),
        "batch": batch,
        "discriminator_steps": task.discriminator_steps,
        "flops_per_image": each,
        "flops_per_iteration": each * batch,
        "long_range_share": (each - without) / each,
        "kept": kept_per_image(task, "32-true"),
        "kept_mixed": kept_per_image(task, MIXED),
        "hours_of_paper": seconds / 3600,
    }


Columns = dict[str, Callable[[dict[str, Any]], str]]
COLUMNS: Columns = {
    "recipe": lambda row: f"`{row['recipe']}`",
    "parameters G + D, million": lambda row: (
        f"{row['generator_parameters'] / 1e6:.1f} + {row['discriminator_parameters'] / 1e6:.1f}"
    ),
    "GFLOPs an image": lambda row: f"{row['flops_per_image'] / 1e9:.1f}",
    "batch × D steps": lambda row: f"{row['batch']} × {row['discriminator_steps']}",
    "TFLOPs an iteration": lambda row: f"{row['flops_per_iteration'] / 1e12:.1f}",
    "of it in the generator's long-range layer": lambda row: f"{100 * row['long_range_share']:.2f} %",
    "kept for backward, MB an image, float32": lambda row: f"{row['kept'] / 1e6:.0f}",
    "bf16": lambda row: f"{row['kept_mixed'] / 1e6:.0f}",
    "hours, 880k × 256, 8 H100": lambda row: f"{row['hours_of_paper']:.1f}",
}
SPEEDS: Columns = {"images/s here (width)": lambda row: f"{row['images_per_second']:.1f} ({row['width']})"}
BY_MACHINE: Columns = {
    "recipe": lambda row: f"`{row['recipe']}`",
    "machine": lambda row: row["machine"],
    "images a device, at once": lambda row: f"{row['images']}, {row['images'] // row['accumulate']}",
    "options": lambda row: f"`{row['options']}`",
    "GB a device": lambda row: f"{row['memory'] / 1e9:.1f}",
    "iterations": lambda row: f"{row['iterations'] // 1000}k",
    "hours": lambda row: f"{row['hours']:.1f}",
    "GPU hours": lambda row: f"{row['device_hours']:.0f}",
    "bound by": lambda row: row["bound"],
}


def header(columns: Columns) -> str:
    return f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}"


def line(columns: Columns, row: dict[str, Any]) -> str:
    return f"| {' | '.join(show(row) for show in columns.values())} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--price_per_hour", type=float, help="of one device, in any currency: adds a column")
    options = parser.parse_args()
    keep_freed_memory()
    columns, rows = {**COLUMNS, **(SPEEDS if options.repeats else {})}, [costs(path) for path in RECIPES]
    if options.repeats:
        speeds = images_per_second([config_of(path) for path in RECIPES], options.repeats)
        rows = [row | {"width": w, "images_per_second": s} for row, (w, s) in zip(rows, speeds, strict=True)]
    print("\n".join([header(columns), *(line(columns, row) for row in rows)]))
    print(f"\n| switched on in `{PAPER.stem}` | GFLOPs an image | more |\n|---|---|---|")
    plain = next(row["flops_per_image"] for row in rows if row["recipe"] == PAPER.stem)
    for name, switches in SWITCHES.items():
        flops = flops_per_image(build(config_of(PAPER), switches=switches))
        print(f"| {name} | {flops / 1e9:.1f} | {100 * (flops / plain - 1):.1f} % |")
    print(f"\nComputed, not measured; hours at an assumed {EFFICIENCY:.0%} of the roofline:\n")
    columns = dict(BY_MACHINE)
    if options.price_per_hour is not None:
        columns["price"] = lambda row: f"{row['device_hours'] * options.price_per_hour:.0f}"
    print(header(columns), flush=True)
    machines = []
    for path in (*RECIPES, *INPAINTING):
        for machine in MACHINES:
            machines.append(by_machine(path, machine))
            print(line(columns, machines[-1]), flush=True)
    print(f"\nthreads: {torch.get_num_threads()}; torch {torch.__version__}")
    if options.json:
        with replacing(options.json) as temporary:
            temporary.write_text(json.dumps({"recipes": rows, "machines": machines}, indent=1))


if __name__ == "__main__":
    main()
