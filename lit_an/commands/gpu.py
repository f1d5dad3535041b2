"""``python cli.py gpu``: whether everything works on this machine's GPU, and how fast it is."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lit_an.commands.option_types import Names
from lit_an.errors import InputError
from lit_an.files import explain_write_errors, printable, replacing, user_path
from lit_an.registry import nearest

_PARTS_FOLDER = "_parts"


def run(
    only: Names | None = None,
    device: str = "cuda",
    minutes: float = 10.0,
    dry_run: bool = False,
    anew: bool = False,
    to: str = "gpu-report.md",
) -> int:
    """Computes everything on the GPU and on the CPU, trains, measures, and writes a report; goes on where it ended.

    Args:
        only: names of parts, such as norms,layers. Default: all.
        device: the GPU, as PyTorch names it.
        minutes: for all parts together, > 0; what is not begun by then is begun by the next call.
        dry_run: do the same on the CPU with tiny shapes, to see that the parts run.
        anew: compute again what an earlier call has computed.
        to: a .md file; the figures of its parts stand in a folder beside it.

    Returns:
        0 if all parts are whole and nothing differs or failed, else 1.

    Raises:
        InputError: there is no such GPU or no such part.
    """
    import torch

    from lit_an.code_version import code_hash, library_versions
    from lit_an.device_checks.parts import PARTS
    from lit_an.device_checks.processes import run_parts
    from lit_an.device_checks.report import report
    from lit_an.machine.facts import machine_facts

    names = _chosen(only, list(PARTS))
    if minutes <= 0:
        raise InputError(f"gpu: --minutes must be above 0, got {minutes:g}")
    path = user_path(to)
    if path.suffix.lower() != ".md":
        raise InputError(f"gpu: --to {to} is no Markdown file; give a name that ends in .md")
    place = "cpu" if dry_run else _gpu(device)
    machine = machine_facts(torch.device(place))
    key: dict[str, Any] = {"code": code_hash(), "versions": library_versions(), "device": machine["device"]}
    folder = path.with_name(path.stem + _PARTS_FOLDER)
    with explain_write_errors(path.parent, "gpu"):
        path.parent.mkdir(parents=True, exist_ok=True)
        _forget(folder, names if anew else ())
        results = run_parts(names, place, dry_run, folder, 60 * minutes, key, lambda line: print(line, flush=True))
        command = shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
        with replacing(path) as temporary:
            temporary.write_text(report(results, machine, library_versions(), command), encoding="utf-8")
    problems = sum(result.problems() for result in results)
    open_parts = sum(not result.is_complete for result in results)
    print(f"{problems} problem{'s' * (problems != 1)}, {open_parts} of {len(results)} parts not whole")
    print(f"The report is in {printable(path)}")
    return int(problems > 0 or open_parts > 0)


def _chosen(only: Names | None, known: list[str]) -> list[str]:
    wanted = known if only is None else [name.strip() for text in only for name in text.split(",")]
    for name in wanted:
        if name not in known:
            raise InputError(f"gpu: there is no part {name!r}{nearest(name, known)} Known: {', '.join(known)}")
    return [name for name in known if name in wanted]


def _gpu(device: str) -> str:
    import torch

    if not torch.cuda.is_available():
        raise InputError(
            f"gpu: PyTorch {torch.__version__} finds no GPU here; --dry_run does the same on the CPU with tiny shapes"
        )
    try:
        found = torch.device(device)
    except RuntimeError as error:
        raise InputError(f"gpu: --device {device} is no device; give cuda or cuda:N") from error
    if found.type != "cuda" or (found.index or 0) >= torch.cuda.device_count():
        raise InputError(f"gpu: there is no GPU {device}; there are {torch.cuda.device_count()}: cuda:0 and up")
    return device


def _forget(folder: Path, names: Sequence[str]) -> None:
    for name in names:
        (folder / f"{name}.json").unlink(missing_ok=True)
