"""Runs one part of the report and writes its rows as they come; ``processes.py`` starts it."""

import sys
import warnings
from pathlib import Path

from lit_an.device_checks.parts import PARTS
from lit_an.device_checks.results import Result
from lit_an.device_checks.rows import Setting
from lit_an.machine.workers import end_with_launcher


def main(part: str, device: str, dry_run: str, file: str, folder: str) -> None:
    """Computes the part; its rows go to the file, its own files to the folder."""
    warnings.filterwarnings("ignore")  # the rows say what is wrong
    result = Result(part=part)
    for row in PARTS[part].rows(Setting(device, dry_run == "dry_run", Path(folder))):
        result.rows.append(row)
        result.write(Path(file))
    result.is_complete = True
    result.write(Path(file))


if __name__ == "__main__":
    end_with_launcher()
    main(*sys.argv[1:])
