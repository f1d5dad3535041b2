"""What a plan costs: a few iterations of each variant, measured before anything is started."""

import csv
import hashlib
import itertools
import json
import os
import platform
import statistics
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import OmegaConf

from lit_an.ablation.bench.plan import Variant, arguments_of, config_hash
from lit_an.errors import InputError
from lit_an.files import json_text, replacing
from lit_an.files.configs import load_config
from lit_an.machine.workers import named_launcher

FILE = "costs.json"
# The first iterations are slower: memory is touched for the first time, algorithms are chosen.
_ITERATIONS, _LEFT_OUT = 6, 2
_PATIENCE = 600  # seconds
# Nothing but iterations.
_BARE = (
    f"--iterations={_ITERATIONS}",
    "--trainer.val_check_interval=null",
    "--trainer.log_every_n_steps=1",
    "--trainer.enable_checkpointing=false",
)


class Cost(NamedTuple):
    """Cost of one run of a variant.

    Attributes:
        iterations: that it makes; None without a length.
        iteration: seconds of one.
        start: seconds from the start of the process to the first iteration, and at its end.
        error: why nothing could be measured: what the process printed last.
    """

    iterations: int | None
    iteration: float = float("nan")
    start: float = float("nan")
    error: str = ""

    @property
    def seconds(self) -> float:
        """Of the training of one run, without validations and pictures; NaN if it is unknown."""
        return float("nan") if self.iterations is None else self.start + self.iterations * self.iteration


def cost_of(
    variant: Variant, seed: int, command: Sequence[str], environment: Mapping[str, str], output: Path, code: str
) -> Cost:
    """The cost of a variant, measured now; read, if it was measured here before.

    Args:
        variant: of a plan.
        seed: of the run that is measured.
        command: what starts a command line of lit_an.
        environment: variables of its process in addition to those of this one.
        output: folder whose ``costs.json`` keeps what was measured.
        code: hash of the code.
    """
    known = _read(output / FILE)
    facts = [config_hash(variant, seed), code, platform.node(), sorted(environment.items())]
    key = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]
    if key in known:
        return Cost(iterations_of(variant), known[key]["iteration"], known[key]["start"])
    cost = _measured(variant, seed, command, environment)
    if not cost.error:
        known[key] = {"variant": variant.name, "iteration": cost.iteration, "start": cost.start}
        with replacing(output / FILE) as temporary:
            temporary.write_text(json_text(known), encoding="utf-8")
    return cost


def _measured(variant: Variant, seed: int, command: Sequence[str], environment: Mapping[str, str]) -> Cost:
    with tempfile.TemporaryDirectory(prefix="lit_an_cost_") as scratch:
        run = Path(scratch, "run")
        argv = [*command, "fit", *arguments_of(variant, seed), *_BARE, f"--run_folder={run}"]
        began = time.monotonic()
        try:
            done = subprocess.run(
                argv,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_PATIENCE,
                env={**os.environ, **environment, **named_launcher()},
            )
        except subprocess.TimeoutExpired:
            return Cost(iterations_of(variant), error=f"{_ITERATIONS} iterations take more than {_PATIENCE} s")
        passed = time.monotonic() - began
        if done.returncode != 0:
            lines = [line for line in done.stderr.splitlines() if line.strip()]
            return Cost(iterations_of(variant), error=lines[-1] if lines else f"exit code {done.returncode}")
        with (run / "metrics.csv").open(newline="") as file:
            seconds = [float(row["time/seconds"]) for row in csv.DictReader(file) if row.get("time/seconds")]
    of_each = [after - before for before, after in itertools.pairwise(seconds)][_LEFT_OUT - 1 :]
    return Cost(iterations_of(variant), statistics.median(of_each), passed - seconds[-1])


def iterations_of(variant: Variant) -> int | None:
    """Iterations of a run, as its options or its configs say.

    Raises:
        InputError: that is no number, or a config cannot be read.
    """
    given = variant.options.get("iterations")
    if given is None:
        merged: Any = OmegaConf.merge(*(load_config(path) for path in variant.configs))
        given = merged.get("iterations")
    if given is None:
        return None
    if not str(given).isdecimal():
        raise InputError(f"ablate: iterations of {variant.name} must be a whole number, got {given!r}")
    return int(given)


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
