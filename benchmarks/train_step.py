"""Where a training iteration goes, and what Lightning's loop adds to a loop written by hand over the same modules.

    python benchmarks/train_step.py [--config FILE] [--iterations 60] [--rounds 3] [--random-images BATCH]
                                    [--processor-time] [--override KEY=VALUE …]

Milliseconds per iteration: medians over iterations of parts timed in one run. "Loop" is what is left: Lightning's loop,
its hooks and the data loader. The ratio at the end compares whole iterations of the two loops, interleaved.
--random-images trains on noise in two classes, for a config whose data is not here. --processor-time counts what the
processors do, of all threads, instead of what the clock on the wall says; it is for machines that others use too.
"""

import os
import sys

if "--processor-time" in sys.argv:
    os.environ["OMP_WAIT_POLICY"] = "passive"  # threads that wait do no work; read when PyTorch is loaded

import argparse
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from pytorch_lightning import Callback

sys.path.insert(0, str(Path(__file__).parent.parent))
import cli
import lit_an.command_line.trainer_cli as trainer_cli
from lit_an.norms import AttentiveNorm2d
from lit_an.tasks.batch_parts import split_batch
from lit_an.tasks.turns import train_only

QUICKSTART = Path(__file__).parent.parent / "configs/class_conditional/earth_quickstart.yaml"
Times = dict[str, list[float]]
NORM = "attentive normalization"
WARM = 3  # iterations that do not count
now = time.process_time if "--processor-time" in sys.argv else time.perf_counter


def timed(times: Times, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, its milliseconds added to a list."""

    def run(*args: Any, **kwargs: Any) -> Any:
        start = now()
        result = function(*args, **kwargs)
        times[name].append(1000 * (now() - start))
        return result

    return run


class Clock(Callback):
    """Times what it can reach from inside a run: the two updates, the optimizers, the other callbacks, the whole."""

    def __init__(self) -> None:
        self.times: Times = defaultdict(list)
        self._last = 0.0

    def on_train_start(self, trainer: Any, task: Any) -> None:
        update = task._update

        def timed_update(network: Any, *args: Any) -> Any:
            side = "generator's update" if network is task.generator else "discriminator's update"
            return timed(self.times, side, update)(network, *args)

        task._update = timed_update
        task.training_step = timed(self.times, "training step", self._with_norms(task, task.training_step))
        task._log_terms = timed(self.times, "logging terms", task._log_terms)
        for name in ("see", "seen"):
            watch = task._numbers.watch
            setattr(watch, name, timed(self.times, f"watching terms ({name})", getattr(watch, name)))
        task.check_finite = timed(self.times, "judging a state", task.check_finite)
        trainer.save_checkpoint = timed(self.times, "writing a checkpoint", trainer.save_checkpoint)
        for optimizer in trainer.optimizers:
            optimizer.register_step_pre_hook(lambda *args: self.times["_pre"].append(now()))
            optimizer.register_step_post_hook(
                lambda *args: self.times["optimizer steps"].append(1000 * (now() - self.times["_pre"][-1]))
            )
        for callback in trainer.callbacks:
            if callback is not self:
                name = f"callback {type(callback).__name__}"
                callback.on_train_batch_end = timed(self.times, name, callback.on_train_batch_end)

    def _with_norms(self, task: Any, training_step: Callable[..., Any]) -> Callable[..., Any]:
        """The step; what its attentive norms take is added up, forward and backward."""
        spent = [0.0]

        def start(*args: Any) -> None:
            spent[0] -= 1000 * now()

        def stop(*args: Any) -> None:
            spent[0] += 1000 * now()

        for module in task.modules():
            if isinstance(module, AttentiveNorm2d):
                module.register_forward_pre_hook(start), module.register_forward_hook(stop)
                module.register_full_backward_pre_hook(start), module.register_full_backward_hook(stop)

        def run(*args: Any) -> Any:
            spent[0] = 0.0
            result = training_step(*args)
            self.times[NORM].append(spent[0])
            return result

        return run

    def on_train_batch_start(self, *args: Any) -> None:
        moment = now()
        if self._last:
            self.times["whole iteration"].append(1000 * (moment - self._last))
        self._last = moment


def lightning_run(config: Path, iterations: int, overrides: list[str], folder: Path) -> tuple[Times, Any]:
    """Trains with the command line's own code; returns the times and the command line object."""
    clock = Clock()
    made: list[Any] = []

    class TimedCli(trainer_cli.TrainerCli):
        def instantiate_trainer(self, **kwargs: Any) -> Any:
            made.append(self)
            trainer = super().instantiate_trainer(**kwargs)
            trainer.callbacks.insert(0, clock)
            return trainer

    original, trainer_cli.TrainerCli = trainer_cli.TrainerCli, TimedCli  # type: ignore[misc]
    try:
        argv = ["fit", f"--config={config}", f"--iterations={iterations}", f"--run_folder={folder}"]
        if cli.main([*argv, "--trainer.limit_val_batches=0", "--trainer.enable_model_summary=false", *overrides]):
            sys.exit("the run failed")
    finally:
        trainer_cli.TrainerCli = original  # type: ignore[misc]
    return clock.times, made[0]


def hand_written(run: Any, iterations: int) -> list[float]:
    """The same networks, losses, optimizers, average and batches in a plain loop; milliseconds per iteration."""
    task, ema = run.model, next(c for c in run.trainer.callbacks if type(c).__name__ == "GeneratorEMA")
    loader = iter(run.datamodule.train_dataloader())
    generator_optimizer, discriminator_optimizer = run.trainer.optimizers
    precision = run.trainer.precision_plugin.forward_context

    def update(network: Any, optimizer: Any, terms: Callable[[Any], Any], batch: Any) -> None:
        parts = split_batch(batch, task.accumulate)
        with train_only(network, task.generator, task.discriminator):
            for part in parts:
                with precision():
                    loss = torch.stack(list(terms(part).values())).sum() / len(parts)
                loss.backward()
            optimizer.step()
            optimizer.zero_grad()

    milliseconds = []
    for _ in range(iterations):
        start = now()
        batch = next(loader)
        parts = split_batch(batch, task.discriminator_steps)
        if task.trains_discriminator():
            for part in parts:
                if part is parts[-1]:
                    with precision():
                        task.before_last_step(part)
                update(task.discriminator, discriminator_optimizer, task.discriminator_terms, part)
        update(task.generator, generator_optimizer, task.generator_terms, parts[-1])
        ema.on_train_batch_end(run.trainer, task, None, batch, 0)
        milliseconds.append(1000 * (now() - start))
    return milliseconds


def random_images(folder: Path, batch_size: int) -> list[str]:
    """Noise in two classes as JPEGs, and the arguments that train on it."""
    random = np.random.default_rng(0)
    for index in range(4 * batch_size):
        for split in ("train", "val"):
            path = folder / split / f"n{index % 2:08d}" / f"{index}.jpg"  # as ImageNet calls classes
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(random.integers(0, 256, (144, 160, 3), dtype=np.uint8)).save(path)
    data = {"source.root": folder, "batch_size": batch_size, "num_workers": 0}
    return ["--model.generator.num_classes=2", *(f"--data.{name}={value}" for name, value in data.items())]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=QUICKSTART)
    parser.add_argument("--iterations", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--random-images", type=int, metavar="BATCH")
    parser.add_argument("--processor-time", action="store_true")
    parser.add_argument("--override", nargs="*", default=[], metavar="KEY=VALUE")
    options = parser.parse_args()
    overrides = [f"--{override}" for override in options.override]
    ratios = []
    with tempfile.TemporaryDirectory() as temporary:
        if options.random_images:
            overrides += random_images(Path(temporary, "images"), options.random_images)
        for number in range(options.rounds):
            times, run = lightning_run(options.config, options.iterations, overrides, Path(temporary, f"run{number}"))
            by_hand = hand_written(run, options.iterations)
            whole = statistics.median(times["whole iteration"][WARM:])
            ratios.append(whole / statistics.median(by_hand[WARM:]))
    print(
        f"\nmilliseconds per iteration, medians; {torch.get_num_threads()} threads, "
        f"{'processor time' if options.processor_time else 'by the wall'}"
    )
    for name, values in times.items():
        if not name.startswith("_"):
            print(f"  {name:36}{statistics.median(values[WARM:] or values):8.3f}  ({len(values)} times)")
    inside = sum(statistics.median(values[WARM:]) for name, values in times.items() if name.startswith("callback"))
    step = statistics.median(times["training step"][WARM:])
    print(f"  {'loop (whole − step − callbacks)':36}{whole - step - inside:8.2f}")
    each = ", ".join(f"{ratio:.3f}" for ratio in ratios)
    print(f"Lightning's loop ÷ loop by hand: {statistics.median(ratios):.3f}  (of {each})")


if __name__ == "__main__":
    main()
