"""How long ``python cli.py fit --help`` takes, against the bare import of LightningCLI.

    python benchmarks/startup.py [--repeats 5]

Prints medians of interleaved runs in fresh processes, and their ratio (aim: at most 1.5).
"""

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

COMMANDS = {
    "import LightningCLI": [sys.executable, "-c", "from pytorch_lightning.cli import LightningCLI"],
    "cli.py fit --help": [sys.executable, str(Path(__file__).parent.parent / "cli.py"), "fit", "--help"],
}


def seconds(command: list[str]) -> float:
    """Wall time of one run."""
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    for command in COMMANDS.values():
        seconds(command)  # fills the file cache
    runs = [[seconds(command) for command in COMMANDS.values()] for _ in range(repeats)]
    bare, ours = (statistics.median(column) for column in zip(*runs, strict=True))
    for name, value in zip(COMMANDS, (bare, ours), strict=True):
        print(f"{name:22} {value:6.2f} s")
    print(f"{'ratio':22} {ours / bare:6.2f}")


if __name__ == "__main__":
    main()
