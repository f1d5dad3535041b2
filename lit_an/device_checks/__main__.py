"""Runs one part and writes its rows as they come: ``python -m lit_an.device_checks PART DEVICE DRY_RUN FILE``."""

import sys
import tempfile
import warnings
from pathlib import Path

from lit_an.device_checks.parts import PARTS
from lit_an.device_checks.results import Result
from lit_an.device_checks.rows import Setting


def main(part: str, device: str, dry_run: str, file: str) -> None:
    """Computes the part."""
    warnings.filterwarnings("ignore")  # the rows say what is wrong
    result = Result(part=part)
    with tempfile.TemporaryDirectory(prefix="lit_an_gpu_") as folder:
        for row in PARTS[part].rows(Setting(device, dry_run == "dry_run", Path(folder))):
            result.rows.append(row)
            result.write(Path(file))
    result.is_complete = True
    result.write(Path(file))


if __name__ == "__main__":
    main(*sys.argv[1:])
