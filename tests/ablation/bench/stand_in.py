"""A program in the place of a training: it makes a run folder step by step, saves when it is asked to, and goes on."""

import json
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import NoReturn

from lit_an.machine.workers import end_with_launcher

STEPS = 5


def main() -> None:
    end_with_launcher()
    given = dict(option.removeprefix("--").partition("=")[::2] for option in sys.argv[2:])
    folder = Path(given["run_folder"])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "environment.json").write_text(json.dumps(dict(os.environ)))
    saved = folder / "saved"
    steps = int(saved.read_text()) if saved.exists() else 0

    def save(number: int, frame: FrameType | None) -> NoReturn:
        saved.write_text(str(steps))
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, save)
    with (folder / "starts").open("a") as file:
        file.write(f"{steps}\n")
    if given.get("fails") == "true":
        sys.exit("error: it cannot be trained")
    if given.get("dies") == "true":
        os.kill(os.getpid(), signal.SIGKILL)
    while steps < STEPS:
        time.sleep(float(given.get("pause", "0")))
        steps += 1
        print(f"iteration {steps} of {STEPS}", flush=True)
    (folder / "metrics.csv").write_text(f"step,train/x\n{steps},1\n")


if __name__ == "__main__":
    main()
