"""Kills runs at random moments and at named places, resumes them, and compares them with runs that nothing killed.

    python benchmarks/kill_resume.py --kills 20                    # both tasks, one process
    python benchmarks/kill_resume.py --kills 20 --processes 2      # two processes by DDP
    python benchmarks/kill_resume.py --kills 20 --workers 2        # loader processes

Every start is the same command line with ``--ckpt_path auto``. A run that ends before all kills are used is compared,
and a new one begins. Prints a line for each kill and the differences; exits with 1 if there are any, if a process
outlives its run, or if a run ends with another exit code than that of its kill.
"""

import argparse
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from kill_places import FILE_PLACES, PLACES, START
from run_comparison import differences, load

HERE = Path(__file__).parent
ROOT = HERE.parent
ITERATIONS = 60
GRACE = 60.0  # seconds that the other processes of a killed run may need to end
CONFIGS = {
    "class_conditional": "configs/class_conditional/earth32_pixels.yaml",
    "inpainting": "configs/inpainting/earth_inpainting.yaml",
}
TASKS = {
    "class_conditional": ["--model.generator.base_width=2", "--model.discriminator.base_width=2"],
    "inpainting": ["--model.generator.width=2", "--model.discriminator.base_width=2"],
}
CALLBACKS = {
    "class_conditional": """\
    - {class_path: callbacks.SampleGridLogger, init_args: {every_iterations: 12, columns: 4}}
""",
    "inpainting": """\
    - {class_path: callbacks.InpaintingPanelLogger, init_args: {every_iterations: 12, rows: 2}}
    - class_path: callbacks.InpaintingMetrics
      init_args: {images: 8, extractor: null, lpips: null, baselines: [mean], baseline_images: 4}
""",
}
OVERLAY = """trainer:
  log_every_n_steps: 3
  val_check_interval: 10
  limit_val_batches: 3
  callbacks:
    - {{class_path: callbacks.GeneratorEMA, init_args: {{decay: 0.9}}}}
    - {{class_path: callbacks.SemanticLayoutLogger, init_args: {{every_iterations: 12, images_per_row: 2}}}}
{callbacks}    - {{class_path: callbacks.Checkpointing, init_args: {{every_iterations: 5, keep: 2}}}}
"""


@dataclass
class Soak:
    """Runs of one task, and what was found.

    Attributes:
        task: a key of ``TASKS``.
        processes: of each run.
        scratch: folder of the runs.
        options: further arguments of ``fit``.
        faults: what differs, processes that outlived their run, and runs that ended otherwise than by their kill.
        hit: how often each place was reached.
    """

    task: str
    processes: int
    scratch: Path
    options: list[str]
    faults: list[str] = field(default_factory=list)
    hit: Counter[str] = field(default_factory=Counter)

    def command(self, folder: Path) -> list[str]:
        """The command line of every start in a folder."""
        overlay = self.scratch / "overlay.yaml"
        overlay.write_text(OVERLAY.format(callbacks=CALLBACKS[self.task]))
        several = ["--trainer.devices=2", "--trainer.strategy=ddp"] if self.processes == 2 else []
        return [
            "fit",
            f"--config={ROOT / CONFIGS[self.task]}",
            f"--config={overlay}",
            f"--run_folder={folder}",
            "--ckpt_path=auto",
            f"--iterations={ITERATIONS}",
            "--data.batch_size=4",
            *TASKS[self.task],
            *several,
            *self.options,
        ]

    def start(self, folder: Path, plan: dict[str, object]) -> tuple[int, float]:
        """Starts a run; returns its exit code and its seconds, and looks for processes that outlive it."""
        temporary = self.scratch / "tmp"
        temporary.mkdir(exist_ok=True)
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": str(temporary)}
        begun = time.monotonic()
        with (self.scratch / "output.txt").open("a") as output:
            output.write(f"\n=== {json.dumps(plan)}\n")
            output.flush()
            process = subprocess.Popen(
                [sys.executable, str(HERE / "kill_places.py"), json.dumps(plan), *self.command(folder)],
                stdout=output,
                stderr=output,
                env=environment,
                start_new_session=True,
            )
            code = process.wait()
        if not _ended(process.pid):
            self.faults.append(f"a process outlives the run that {plan} ended")
            os.killpg(process.pid, signal.SIGKILL)
        return code, time.monotonic() - begun

    def compare(self, straight: Path, killed: Path) -> None:
        """Adds the differences of a run that was killed."""
        self.faults += differences(straight, killed)
        shutil.rmtree(killed)


def _ended(group: int) -> bool:
    """Whether all processes of a group end within the grace period."""
    deadline = time.monotonic() + GRACE
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


def plans(processes: int, seconds: float, seed: int) -> Iterator[dict[str, object]]:
    """Where the kills come, without an end: each place in turn, and as many at random moments of the training."""
    draw = random.Random(seed)
    places = list(PLACES)
    draw.shuffle(places)
    for number in itertools.count():
        place = "training" if number % 2 else places[number // 2 % len(places)]
        delay, times = 0.0, draw.randint(1, 3)
        if place == START:
            delay = draw.uniform(0, 5)
        elif place == "training":
            delay, times = draw.uniform(0, seconds), 1
        elif place == "writing a checkpoint":
            delay = draw.uniform(0.0005, 0.03)
        elif place in ("first iteration", "writing the config", "metrics.csv gets a column"):
            times = 1
        # Mostly without a chance to do anything; sometimes as a scheduler or a terminal does it.
        graceful = place in ("training", "validation") and draw.random() < 0.3
        sent = draw.choice([signal.SIGTERM, signal.SIGINT]) if graceful else signal.SIGKILL
        # Only the first process writes files.
        rank = 0 if place in FILE_PLACES else draw.randrange(processes)
        yield {"place": place, "signal": int(sent), "delay": delay, "times": times, "rank": rank}


def soak(task: str, kills: int, processes: int, options: list[str], scratch: Path, seed: int) -> Soak:
    """Kills and resumes runs of a task."""
    run = Soak(task, processes, scratch, options)
    straight = scratch / "straight" / "run"  # pictures have the name of their run folder
    code, seconds = run.start(straight, {"place": "none", "rank": -1})
    if code != 0:
        raise SystemExit(f"the run that nothing kills failed: {scratch / 'output.txt'}")
    print(f"{task}, {processes} process{'es' * (processes > 1)}: a run that nothing kills took {seconds:.0f} s")
    killed, ended, starts = scratch / "killed" / "run", True, plans(processes, seconds / 4, seed)
    while run.hit.total() < kills:
        plan = next(starts)
        code, _ = run.start(killed, plan)
        ended = code == 0
        sent = int(str(plan["signal"]))
        # Of two processes one may end first, and the other says that it is lost.
        if not ended and code not in (-sent, 128 + sent, *((75,) if processes == 2 else ())):
            run.faults.append(f"exit code {code} is not that of {plan}: {scratch / 'output.txt'}")
        at = load(killed)["state_dict"]["_extra_state"]["iteration"] if _has_checkpoint(killed) else 0
        if ended:
            run.compare(straight, killed)
        else:
            run.hit[str(plan["place"])] += 1
        name = signal.Signals(sent).name
        how = "ended before it" if ended else f"exit code {code}, goes on from {at}"
        count = f"{run.hit.total():3}/{kills}"
        print(f"  {count} {name:7} {plan['place']}, process {plan['rank']}: {how}", flush=True)
    if not ended:
        code, _ = run.start(killed, {"place": "none", "rank": -1})
        if code != 0:
            run.faults.append(f"the last start ended with {code}: {scratch / 'output.txt'}")
        else:
            run.compare(straight, killed)
    return run


def _has_checkpoint(folder: Path) -> bool:
    return (folder / "checkpoints" / "last.ckpt").is_file()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20, help="kills of each task")
    parser.add_argument("--task", choices=[*TASKS, "both"], default="both")
    parser.add_argument("--processes", type=int, choices=[1, 2], default=1)
    parser.add_argument("--workers", type=int, default=0, help="loader processes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", action="store_true", help="keep the runs and their output")
    given = parser.parse_args()
    faults: list[str] = []
    for task in TASKS if given.task == "both" else [given.task]:
        scratch = Path(tempfile.mkdtemp(prefix="kill_resume_"))
        options = [f"--data.num_workers={given.workers}"]
        run = soak(task, given.kills, given.processes, options, scratch, given.seed)
        faults += run.faults
        said = ", ".join(f"{place} {times}" for place, times in sorted(run.hit.items()))
        print(f"{task}: {run.hit.total()} kills ({said}); {len(run.faults) or 'no'} differences")
        for fault in run.faults:
            print(f"  {fault}")
        if given.keep or run.faults:
            print(f"  kept: {scratch}")
        else:
            shutil.rmtree(scratch)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
