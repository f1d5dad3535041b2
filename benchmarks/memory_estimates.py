"""The estimated memory of a training beside the resident set of a process that makes one iteration on the CPU.

    python benchmarks/memory_estimates.py [--images 8]

Each configuration runs in two processes of its own. One builds networks, optimizers with their state (by an iteration
of two images) and the batch, and tells its resident set; the other makes iterations of the batch besides, and tells its
largest resident set. The difference is what an iteration needs: activations and gradients, workspaces of oneDNN and
gaps between blocks. It is compared with the counted peak without its batch. float32, one thread, 64 px; Linux.
"""

import argparse
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parent.parent))
from lit_an.batch import ClassBatch, InpaintingBatch
from lit_an.machine.memory import peak_memory
from lit_an.networks import CoarseToFineGenerator, GlobalAndLocalCritics, ProjectionDiscriminator, ResNetGenerator
from lit_an.tasks import AdversarialTask, ClassConditionalGAN, FillingWeights, InpaintingGAN
from lit_an.tasks.batch_parts import split_batch
from lit_an.tasks.turns import train_only
from lit_an.training_costs.iteration import count_iteration
from lit_an.training_costs.valueless import without_values

SIDE = 64
ADAM = partial(torch.optim.Adam, lr=1e-4, betas=(0.0, 0.9), fused=True)


def class_task(long_range: str, **options: Any) -> AdversarialTask:
    regions = {"num_regions": 16} if long_range == "attentive" else None
    generator = ResNetGenerator(
        SIDE, num_classes=10, base_width=32, long_range=long_range, long_range_resolution=32, long_range_kwargs=regions
    )
    return ClassConditionalGAN(
        generator, ProjectionDiscriminator(SIDE, num_classes=10, base_width=32), ADAM, ADAM, **options
    )


def inpainting_task(**options: Any) -> AdversarialTask:
    generator = CoarseToFineGenerator(width=16, long_range_kwargs={"num_regions": 16})
    critics = GlobalAndLocalCritics(SIDE, base_width=16)
    weights = FillingWeights(id_mrf_weight=0.0)
    return InpaintingGAN(generator, critics, ADAM, ADAM, **{"discriminator_steps": 1, "losses": weights, **options})


CONFIGURATIONS = {
    "attentive": partial(class_task, "attentive"),
    "attentive, accumulate 2": partial(class_task, "attentive", accumulate=2),
    "self-attention": partial(class_task, "self_attention"),
    "none": partial(class_task, "none"),
    "attentive, R1": partial(class_task, "attentive", r1_weight=1.0),
    "inpainting, WGAN-GP": inpainting_task,
    "inpainting, accumulate 2": partial(inpainting_task, accumulate=2),
    "inpainting, reconstruction alone": partial(inpainting_task, adversarial_from=None),
}


def update(task: AdversarialTask, side: str, optimizer: Any, batch: Any) -> None:
    """One update, as the task makes it."""
    terms = task.generator_terms if side == "generator" else task.discriminator_terms
    with train_only(getattr(task, side), task.generator, task.discriminator):
        for part in split_batch(batch, task.accumulate):
            loss = torch.stack(list(terms(part).values())).sum() / task.accumulate
            loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad()


def child(name: str, images: int, with_iteration: bool) -> None:
    """Prints the bytes of the resident set, after iterations of the largest one."""
    torch.manual_seed(0)
    task = CONFIGURATIONS[name]()
    optimizers: Any = dict(
        zip(("generator", "discriminator"), (each["optimizer"] for each in task.configure_optimizers()), strict=True)
    )

    def batch(count: int) -> Any:
        image = torch.rand(count, 3, SIDE, SIDE) * 2 - 1
        if isinstance(task, ClassConditionalGAN):
            return ClassBatch(image, torch.zeros(count, dtype=torch.long))
        mask = torch.zeros(count, 1, SIDE, SIDE)
        mask[..., 16:40, 16:40] = 1
        return InpaintingBatch(image, mask)

    def iterate(given: Any) -> None:
        sides = ["discriminator", "generator"] if task.trains_discriminator() else ["generator"]
        for side in sides:
            update(task, side, optimizers[side], given)

    iterate(batch(2 * task.accumulate))  # moments, and what libraries load
    given = batch(images)
    if with_iteration:
        iterate(given)
        iterate(given)
        print(peak_memory(torch.device("cpu")))
    else:
        print(int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE"))


def resident(name: str, images: int, with_iteration: bool) -> int:
    command = [sys.executable, __file__, "--child", name, "--images", str(images)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MALLOC_MMAP_THRESHOLD_": "65536"}
    done = subprocess.run(
        command + (["--with_iteration"] if with_iteration else []),
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    return int(done.stdout.split()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--with_iteration", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child, options.images, options.with_iteration)
        return
    print("| configuration | counted, MB | resident, MB | counted ÷ resident |\n|---|---|---|---|")
    for name, make in CONFIGURATIONS.items():
        task = without_values(make())
        channels = 3 if isinstance(task, ClassConditionalGAN) else 4
        counted = count_iteration(task, options.images, SIDE, on_cpu=True).peak
        counted -= options.images * channels * SIDE**2 * 4
        needed = resident(name, options.images, True) - resident(name, options.images, False)
        print(f"| {name} | {counted / 1e6:.1f} | {needed / 1e6:.1f} | {counted / needed:.2f} |", flush=True)


if __name__ == "__main__":
    main()
