"""A whole training step of the 128 px recipes beside BigGAN-PyTorch's, in one process.

    python benchmarks/peer_step.py FOLDER [--rounds 5] [--batch 4] [--threads 2] [--attention-side 32] [--json FILE]

FOLDER is a checkout of github.com/ajbrock/BigGAN-PyTorch; nothing in it is changed. A step is one of the discriminator
and one of the generator on images of noise in 1000 classes, with both optimizers and the average of the generator's
weights, in float32. The sides take turns, one step each; seconds are what the processors do, of all threads, and the
ratios of a round are of neighbors in time.

- Theirs: ``train_fns.GAN_training_function`` as it stands, with the arguments of their
  ``scripts/launch_SAGAN_bs128x2_ema.sh`` but for one device, one part of the batch, and attention at --attention-side
  in both networks. Optimizers are those that their networks make.
- Ours: ``imagenet128_sagan.yaml``, and ``imagenet128_an.yaml`` with AN in place of attention (and none in the
  discriminator), in a loop by hand over the task's loss terms, with the recipe's optimizers and ``GeneratorEMA``.
  Lightning's loop adds below 0.1 % (benchmarks/train_step.py).

--attention-side is where all of them have attention or AN: 32 in the paper and our recipes, 64 in their script.

Both have the same layers and widths; ours have xavier weights, theirs too. Differs: their conditional norms hold tables
of gains and biases, ours linear layers on one-hot classes of the same size; their attention subsamples keys and values,
ours does as its recipe says.
"""

import os

os.environ["OMP_WAIT_POLICY"] = "passive"  # threads that wait do no work; read when PyTorch is loaded

import argparse
import contextlib
import importlib
import io
import json
import logging
import statistics
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path

import pytorch_lightning as pl
import torch

sys.path.insert(0, str(Path(__file__).parent.parent))
sys.path.insert(0, str(Path(__file__).parent))
from recipes import build, config_of

from callbacks import GeneratorEMA
from lit_an.batch import ClassBatch
from lit_an.command_line.allocator import keep_freed_memory
from lit_an.errors import InputError
from lit_an.files import replacing

CONFIGS = Path(__file__).parent.parent / "configs/class_conditional"
OURS = {"self-attention": "imagenet128_sagan.yaml", "AN": "imagenet128_an.yaml"}
THEIRS = "BigGAN-PyTorch"
SCRIPT = "scripts/launch_SAGAN_bs128x2_ema.sh"
NEEDED = ("BigGAN.py", "layers.py", "losses.py", "train_fns.py", "utils.py", SCRIPT)
SIDE, CLASSES = 128, 1000

Step = Callable[[], None]


def noise(batch: int) -> ClassBatch:
    return ClassBatch(torch.rand(batch, 3, SIDE, SIDE) * 2 - 1, torch.randint(0, CLASSES, (batch,)))


def our_step(config: str, batch: int, attention_side: int) -> tuple[Step, int]:
    """One iteration of a recipe, and the number of its parameters."""
    recipe = config_of(CONFIGS / config)
    for network in ("generator", "discriminator"):
        arguments = recipe["model"]["init_args"][network].get("init_args", {})
        if "long_range_resolution" in arguments:
            arguments["long_range_resolution"] = attention_side
    task = build(recipe, "cpu")
    generator_optimizer, discriminator_optimizer = (made["optimizer"] for made in task.configure_optimizers())
    average = GeneratorEMA(0.9999)
    trainer = pl.Trainer(callbacks=[average], logger=False, enable_checkpointing=False, accelerator="cpu")
    average.setup(trainer, task, "fit")
    average.on_fit_start(trainer, task)
    sides = [
        (task.generator, task.discriminator_terms, discriminator_optimizer),
        (task.discriminator, task.generator_terms, generator_optimizer),
    ]

    def step() -> None:
        images = noise(batch)
        for other, terms, optimizer in sides:
            other.requires_grad_(False)
            torch.stack(list(terms(images).values())).sum().backward()
            optimizer.step()
            optimizer.zero_grad()
            other.requires_grad_(True)
        task.iteration += 1
        average.on_train_batch_end(trainer, task, None, images, 0)

    return step, sum(parameter.numel() for parameter in task.parameters())


def their_step(folder: Path, batch: int, attention_side: int) -> tuple[Step, int]:
    """One iteration of theirs, and the number of its parameters.

    Raises:
        InputError: the folder is no checkout, or lacks what the step needs.
    """
    for name in NEEDED:
        if not (folder / name).is_file():
            raise InputError(
                f"{str(folder)!r} has no {name}; give the folder of a checkout of github.com/ajbrock/BigGAN-PyTorch"
            )
    sys.path.insert(0, str(folder.resolve()))
    # What their modules import for data sets and progress bars, which a step does not use.
    for name in ("h5py", "tqdm"):
        if importlib.util.find_spec(name) is None:
            sys.modules[name] = types.ModuleType(name)
            sys.modules[name].tqdm = sys.modules[name].trange = None  # type: ignore[attr-defined]
    try:
        model, utils, train_fns = (importlib.import_module(name) for name in ("BigGAN", "utils", "train_fns"))
    except ImportError as error:
        raise InputError(f"{str(folder)!r}: its code cannot be imported here: {error}") from error
    finally:
        del sys.path[0]

    words = (folder / SCRIPT).read_text().replace("\\\n", " ").split("train.py", 1)[1].split()
    parser = utils.prepare_parser()
    config = vars(parser.parse_args([word for word in words if word.strip("\\'")]))
    config |= {"batch_size": batch, "num_D_accumulations": 1, "num_G_accumulations": 1, "parallel": False}
    config |= {"G_attn": str(attention_side), "D_attn": str(attention_side)}
    config |= {"resolution": SIDE, "n_classes": CLASSES}
    config |= {f"{network}_activation": utils.activation_dict[config[f"{network}_nl"]] for network in "GD"}
    with contextlib.redirect_stdout(io.StringIO()):
        generator, discriminator = model.Generator(**config), model.Discriminator(**config)
        target = model.Generator(**{**config, "skip_init": True, "no_optim": True})
        average = utils.ema(generator, target, config["ema_decay"], config["ema_start"])
    latent, label = utils.prepare_z_y(batch, generator.dim_z, CLASSES, device="cpu")
    state = {"itr": 0}
    joined = model.G_D(generator, discriminator)
    train = train_fns.GAN_training_function(generator, discriminator, joined, latent, label, average, state, config)

    def step() -> None:
        images = noise(batch)
        state["itr"] += 1
        train(images.image, images.label)

    return step, sum(p.numel() for network in (generator, discriminator) for p in network.parameters())


def seconds(step: Step) -> float:
    start = time.process_time()
    step()
    return time.process_time() - start


def measured(steps: dict[str, Step], rounds: int) -> dict[str, list[float]]:
    """Seconds of each step in each round, after one that does not count."""
    found: dict[str, list[float]] = {name: [] for name in steps}
    for count in range(rounds + 1):
        for name, step in steps.items():
            taken = seconds(step)
            if count:
                found[name].append(taken)
        if count:
            print("  ".join(f"{name} {values[-1]:.2f} s" for name, values in found.items()), flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--attention-side", type=int, choices=(8, 16, 32, 64), default=32)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    for name in ("rounds", "batch", "threads"):
        if getattr(options, name) < 1:
            parser.error(f"--{name} must be at least 1, got {getattr(options, name)}")
    try:
        made = {THEIRS: their_step(options.folder, options.batch, options.attention_side)}
    except InputError as error:
        parser.error(str(error))
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    torch.set_num_threads(options.threads)
    keep_freed_memory()
    made |= {name: our_step(config, options.batch, options.attention_side) for name, config in OURS.items()}
    print("million parameters: " + ", ".join(f"{name} {count / 1e6:.1f}" for name, (_, count) in made.items()))
    found = measured({name: step for name, (step, _) in made.items()}, options.rounds)

    print(f"\nseconds of processor time a step, medians; batch {options.batch}, {options.threads} threads, float32")
    for name, values in found.items():
        print(f"  {name:16}{statistics.median(values):8.2f}  ({min(values):.2f} to {max(values):.2f})")
    ratios = {name: [t / o for t, o in zip(found[THEIRS], found[name], strict=True)] for name in OURS}
    for name, values in ratios.items():
        each = ", ".join(f"{ratio:.2f}" for ratio in values)
        print(f"{THEIRS} ÷ ours with {name}: {statistics.median(values):.2f}  (of {each})")
    if options.json is not None:
        with replacing(options.json) as temporary:
            temporary.write_text(json.dumps({"options": vars(options), "seconds": found}, default=str, indent=1))


if __name__ == "__main__":
    main()
