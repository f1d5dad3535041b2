"""What a digest, the check of finite numbers and the wait for the disk cost a checkpoint.

    python benchmarks/checkpoints.py [--megabytes 300] [--repeats 9] [--folder .]

Saves the state of a generator with its average and Adam's moments in each way, in turns, and prints medians, and the
share of ``torch.save`` beside it. The folder should be on the disk that runs are written to.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from lit_an.checkpoints.digest import check_content, seal
from lit_an.checkpoints.files import load_checkpoint, sync, write_file
from lit_an.checkpoints.format import write_entries
from lit_an.tensors.finite import first_non_finite, tensors_of_checkpoint


def checkpoint_of(megabytes: int) -> dict[str, Any]:
    """Weights, average and two moments of tensors as a ResNet generator has them, 1 to 16 MB each."""
    torch.manual_seed(0)
    sizes, left = [], megabytes * 250_000 // 4
    while left > 0:
        sizes.append(min(left, 250_000 * (1 + len(sizes) % 16)))
        left -= sizes[-1]
    weights = [torch.randn(size) for size in sizes]
    moments = {number: {"exp_avg": x * 0.1, "exp_avg_sq": x.square()} for number, x in enumerate(weights)}
    stored: dict[str, Any] = {
        "state_dict": {f"generator.{number}": x for number, x in enumerate(weights)},
        "optimizer_states": [{"state": moments, "param_groups": []}],
    }
    write_entries(stored, iteration=1, average={str(number): x * 0.9 for number, x in enumerate(weights)})
    return stored


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--folder", default=".", help="where a folder is made for the files")
    given = parser.parse_args()
    stored = checkpoint_of(given.megabytes)
    with tempfile.TemporaryDirectory(prefix="checkpoints_", dir=given.folder) as folder:
        path = Path(folder, "a.ckpt")

        def save() -> None:
            path.unlink(missing_ok=True)  # some file systems wait for the disk when a file is written over
            with path.open("wb") as file:
                torch.save(stored, file)

        def save_all() -> None:
            path.unlink(missing_ok=True)
            write_file(stored, path)

        parts: dict[str, Callable[[], object]] = {
            "torch.save": save,
            "digest": lambda: seal(path),
            "finite numbers": lambda: first_non_finite(
                tensors_of_checkpoint(stored, average=stored["lit_an"]["average"])
            ),
            "wait for the disk": lambda: sync(path),
            "save, digest and wait": save_all,
            "check of the content": lambda: check_content(path),
            "load with its check": lambda: load_checkpoint(path, mapped=False),
        }
        times: dict[str, list[float]] = {name: [] for name in parts}
        for _ in range(given.repeats + 1):
            for name, part in parts.items():
                start = time.perf_counter()
                part()
                times[name].append(time.perf_counter() - start)
        size = path.stat().st_size / 1e6
    print(f"a checkpoint of {size:.0f} MB in {len(stored['state_dict']) * 4} tensors, medians of {given.repeats}")
    bare = statistics.median(times["torch.save"][1:])
    for name, seconds in times.items():
        median = statistics.median(seconds[1:])  # the first run warms up
        print(f"{name:24} {median * 1e3:8.1f} ms {median / bare:7.1%} of torch.save {size / median / 1e3:7.2f} GB/s")


if __name__ == "__main__":
    main()
