"""What each ImageNet recipe costs: parameters, arithmetic, memory, speed here, and hours elsewhere by computation.

    python benchmarks/recipes.py [--json FILE] [--repeats 5]

Arithmetic and memory come from one real iteration (all losses, forward and backward, every discriminator step) on
torch's meta device, where tensors have shapes and no numbers. FLOPs are those of convolutions, matrix products and
attention, two for a multiply-add, counted for 4 images and scaled linearly. Memory is what autograd keeps for the
backward pass of the larger of the two updates, each block of memory once, and the state of training; what kernels need
for a moment is not in it. Speed is measured: the fastest of some whole iterations, optimizers included, of 4 images at
a quarter of the width, in float32 on this CPU; recipes take turns. Hours are computed from FLOPs.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from jsonargparse import ArgumentParser
from omegaconf import OmegaConf
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from lit_an.config_files import load_config

sys.path.insert(0, str(Path(__file__).parent.parent))
from lit_an.batch import ClassBatch
from lit_an.command_line.allocator import keep_freed_memory
from lit_an.files import replacing
from lit_an.tasks import AdversarialTask, ClassConditionalGAN

RECIPES = sorted(Path(__file__).parent.parent.glob("configs/class_conditional/imagenet128_*.yaml"))
PAPER = next(path for path in RECIPES if path.stem == "imagenet128_an")
# Dense bfloat16 of one H100 SXM, NVIDIA's data sheet, and the share of it that the hours assume.
H100_FLOPS, DEVICES, UTILIZATION = 989e12, 8, 0.3
PAPER_ITERATIONS, PAPER_BATCH = 880_000, 256
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
PART = 32  # images at a time on each of eight devices, in every recipe but SN-GAN's


def added_product(sums: list[int], left: list[int], right: list[int], **kwargs: Any) -> int:
    """FLOPs of ``sums.baddbmm_(left, right)``, from shapes: AN's, in place, which torch's counter does not know."""
    return 2 * left[0] * left[1] * left[2] * right[2]


class NoModules(nullcontext):
    """In the place of what tells torch's counter the module it is in, and cannot follow a gradient penalty."""

    parents = frozenset({"Global"})


def counter() -> FlopCounterMode:
    """Counts the FLOPs inside."""
    counts = FlopCounterMode(display=False, custom_mapping={torch.ops.aten.baddbmm_: added_product})
    counts.mod_tracker = NoModules()  # type: ignore[assignment]
    return counts


@contextmanager
def meta_device() -> Iterator[None]:
    """Meta tensors can be trained inside: ``torch.autocast``, even to switch it off, does not know their device."""
    original: Any = torch.autocast

    def autocast(device_type: str, *args: Any, **kwargs: Any) -> Any:
        return nullcontext() if device_type == "meta" else original(device_type, *args, **kwargs)

    torch.autocast = autocast  # type: ignore[assignment, misc]
    try:
        yield
    finally:
        torch.autocast = original  # type: ignore[misc]


def config_of(path: Path) -> dict[str, Any]:
    """A recipe with its links resolved."""
    resolved: Any = OmegaConf.to_container(load_config(path), resolve=True)
    return resolved


def build(
    config: dict[str, Any],
    device: str,
    width: int | None = None,
    switches: dict[str, Any] | None = None,
    **generator: Any,
) -> ClassConditionalGAN:
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
        task: ClassConditionalGAN = parser.instantiate(parser.parse_object({"model": model})).model
    return task


def batch_for(task: ClassConditionalGAN, images: int, device: str) -> ClassBatch:
    """Random images; as every cost here, theirs do not depend on what they show."""
    side = int(task.generator.image_size)  # type: ignore[arg-type]
    with torch.device(device):
        return ClassBatch(torch.rand(images, 3, side, side) * 2 - 1, torch.zeros(images, dtype=torch.long))


def update(task: ClassConditionalGAN, network: nn.Module, batch: ClassBatch, middle: Callable[[], None]) -> None:
    """Forward, ``middle`` and backward of one network's side of the game."""
    other = task.discriminator if network is task.generator else task.generator
    other.requires_grad_(False)
    terms = task.generator_terms if network is task.generator else task.discriminator_terms
    loss = torch.stack(list(terms(batch).values())).sum()
    middle()
    loss.backward()
    other.requires_grad_(True)


def flops_per_image(task: ClassConditionalGAN, images: int = 4) -> float:
    """FLOPs of one iteration for each image of a discriminator step's batch."""
    batch, total = batch_for(task, images, "meta"), 0
    for network, times in ((task.discriminator, task.discriminator_steps), (task.generator, 1)):
        with counter() as counted:
            update(task, network, batch, lambda: None)
        total += times * counted.get_total_flops()
    return total / images


@contextmanager
def kept_for_backward(task: nn.Module) -> Iterator[dict[int, int]]:
    """Bytes of each block of memory that autograd saves inside, but for parameters and buffers."""
    own = {tensor.untyped_storage()._cdata for tensor in [*task.parameters(), *task.buffers()]}
    kept: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own:
            kept[storage._cdata] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        yield kept


def bytes_kept(task: ClassConditionalGAN, images: int) -> int:
    """The larger of the two updates' bytes."""
    batch, sizes = batch_for(task, images, "meta"), []
    for network in (task.discriminator, task.generator):
        with kept_for_backward(task) as kept:
            update(task, network, batch, lambda kept=kept: sizes.append(sum(kept.values())))  # type: ignore[misc]
    return max(sizes)


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def memory(task: ClassConditionalGAN, images: int) -> tuple[float, float]:
    """Bytes kept for each image, and all that one device holds while it trains on ``images`` at a time; float32."""
    small, large = bytes_kept(task, 4), bytes_kept(task, 8)
    each = (large - small) / 4
    generator, discriminator = count(task.generator), count(task.discriminator)
    # Weights, two moments of Adam, one gradient at a time, the generator's average.
    state = 4 * (3 * (generator + discriminator) + max(generator, discriminator) + generator)
    return each, state + (small - 4 * each) + images * each


def seconds_of_iteration(task: ClassConditionalGAN, batch: ClassBatch, optimizers: list[Any]) -> float:
    """One whole iteration."""
    start = time.perf_counter()
    for network, optimizer in zip((task.discriminator, task.generator), optimizers, strict=True):
        for _ in range(task.discriminator_steps if network is task.discriminator else 1):
            update(task, network, batch, lambda: None)
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
        runs.append((task, batch_for(task, images, "cpu"), made[::-1]))
    seconds = [[seconds_of_iteration(*run) for run in runs] for _ in range(repeats + 1)][1:]
    fastest = (min(times) for times in zip(*seconds, strict=True))
    return [
        (width, images * task.discriminator_steps / time)
        for width, (task, *_), time in zip(widths, runs, fastest, strict=True)
    ]


def hours(flops: float) -> float:
    """On eight H100s at the assumed utilization."""
    return flops / (DEVICES * H100_FLOPS * UTILIZATION) / 3600


def costs(path: Path, width: int, speed: float) -> dict[str, Any]:
    """All figures of one recipe; its speed at a width is known."""
    config = config_of(path)
    batch = config["data"]["init_args"]["batch_size"]
    part = min(PART, batch // DEVICES)
    with meta_device():
        task = build(config, "meta")
        each = flops_per_image(task)
        without = flops_per_image(build(config, "meta", long_range="none", long_range_kwargs=None))
        kept, total = memory(task, part)
    return {
        "recipe": path.stem,
        "generator_parameters": count(task.generator),
        "discriminator_parameters": count(task.discriminator),
        "batch": batch,
        "discriminator_steps": task.discriminator_steps,
        "flops_per_image": each,
        "flops_per_iteration": each * batch,
        "long_range_share": (each - without) / each,
        "bytes_kept_per_image": kept,
        "part": part,
        "bytes_on_a_device": total,
        "width_here": width,
        "images_per_second_here": speed,
        "iterations": config["iterations"],
        "hours_of_paper": hours(each * PAPER_BATCH * PAPER_ITERATIONS),
        "hours_of_recipe": hours(each * batch * config["iterations"]),
    }


def with_switches(config: dict[str, Any]) -> dict[str, float]:
    """FLOPs for each image with each switch."""
    with meta_device():
        return {name: flops_per_image(build(config, "meta", switches=switches)) for name, switches in SWITCHES.items()}


COLUMNS: dict[str, Callable[[dict[str, Any]], str]] = {
    "recipe": lambda row: f"`{row['recipe']}`",
    "parameters G + D, million": lambda row: (
        f"{row['generator_parameters'] / 1e6:.1f} + {row['discriminator_parameters'] / 1e6:.1f}"
    ),
    "GFLOPs an image": lambda row: f"{row['flops_per_image'] / 1e9:.1f}",
    "batch × D steps": lambda row: f"{row['batch']} × {row['discriminator_steps']}",
    "TFLOPs an iteration": lambda row: f"{row['flops_per_iteration'] / 1e12:.1f}",
    "of it in the generator's long-range layer": lambda row: f"{100 * row['long_range_share']:.2f} %",
    "kept for backward, MB an image": lambda row: f"{row['bytes_kept_per_image'] / 1e6:.0f}",
    "on a device, GB (images at a time)": lambda row: f"{row['bytes_on_a_device'] / 1e9:.1f} ({row['part']})",
    "images/s here (width)": lambda row: f"{row['images_per_second_here']:.1f} ({row['width_here']})",
    "hours, 880k × 256": lambda row: f"{row['hours_of_paper']:.1f}",
    "its iterations": lambda row: f"{row['iterations'] // 1000}k",
    "hours, its own": lambda row: f"{row['hours_of_recipe']:.1f}",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    keep_freed_memory()
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}", flush=True)
    rows = []
    speeds = images_per_second([config_of(path) for path in RECIPES], options.repeats)
    for path, speed in zip(RECIPES, speeds, strict=True):
        rows.append(costs(path, *speed))
        print(f"| {' | '.join(show(rows[-1]) for show in COLUMNS.values())} |", flush=True)
    print(f"\n| switched on in `{PAPER.stem}` | GFLOPs an image | more |\n|---|---|---|")
    plain = next(row["flops_per_image"] for row in rows if row["recipe"] == PAPER.stem)
    for name, flops in with_switches(config_of(PAPER)).items():
        print(f"| {name} | {flops / 1e9:.1f} | {100 * (flops / plain - 1):.1f} % |")
    print(f"\nthreads: {torch.get_num_threads()}; torch {torch.__version__}")
    if options.json:
        with replacing(options.json) as temporary:
            temporary.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
