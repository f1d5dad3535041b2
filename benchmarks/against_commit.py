"""How long an iteration takes in this tree, against another commit of the repository.

    python benchmarks/against_commit.py COMMIT [--config FILE] [--iterations 20] [--rounds 5] [--override KEY=VALUE …]

Trains the config in both trees in turns, for N and for 3 N iterations in processes of their own, and takes an
iteration's share of the difference, so that start-up and end do not count. Prints medians and the range of the ratio,
in processor time and on the clock on the wall.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent


def seconds(tree: Path, options: list[str], iterations: int) -> tuple[float, float]:
    """Processor time and wall time of a run."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "cli.py",
            "fit",
            *options,
            f"--iterations={iterations}",
            f"--run_folder={folder}/run",
        ]
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(command, cwd=tree, check=True, capture_output=True, env={**os.environ, "PYTHONPATH": str(tree)})
        wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


def per_iteration(tree: Path, options: list[str], iterations: int) -> tuple[float, float]:
    """Processor time and wall time of an iteration."""
    short, long = (seconds(tree, options, count) for count in (iterations, 3 * iterations))
    return (long[0] - short[0]) / (2 * iterations), (long[1] - short[1]) / (2 * iterations)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commit")
    parser.add_argument("--config", default="configs/class_conditional/earth_quickstart.yaml")
    parser.add_argument("--iterations", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--override", nargs="*", default=[], metavar="KEY=VALUE")
    given = parser.parse_args()
    options = [f"--config={given.config}", *(f"--{override}" for override in given.override)]
    with tempfile.TemporaryDirectory() as folder:
        other = Path(folder, "other")
        subprocess.run(["git", "worktree", "add", "--quiet", "--detach", other, given.commit], cwd=ROOT, check=True)
        try:
            rounds = []
            for number in range(given.rounds):
                trees = (other, ROOT) if number % 2 else (ROOT, other)
                found = {tree: per_iteration(tree, options, given.iterations) for tree in trees}
                rounds.append((found[other], found[ROOT]))
                print(f"round {number + 1}: {rounds[-1]}", file=sys.stderr)
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", other], cwd=ROOT, check=True)
    for kind, name in enumerate(("processor time", "wall time")):
        before, now = (statistics.median(each[tree][kind] for each in rounds) for tree in (0, 1))
        ratios = sorted(each[1][kind] / each[0][kind] for each in rounds)
        print(
            f"{name:14} {before * 1e3:7.1f} ms before, {now * 1e3:7.1f} ms now, ratio {statistics.median(ratios):.3f} "
            f"({ratios[0]:.3f} to {ratios[-1]:.3f})"
        )


if __name__ == "__main__":
    main()
