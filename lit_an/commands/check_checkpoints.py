"""``python cli.py check CHECKPOINT …``: what is in a checkpoint, and whether it is whole."""

import argparse
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from lit_an.checkpoints.digest import check_content
from lit_an.checkpoints.files import load_checkpoint
from lit_an.checkpoints.format import format_of, read_entries
from lit_an.checkpoints.places import LAST, checkpoints_in
from lit_an.errors import InputError
from lit_an.files import printable, user_path
from lit_an.tensors.finite import first_non_finite, tensors_of_checkpoint

_NETWORKS = ("generator", "discriminator")


def run(options: list[str]) -> int:
    """Prints a table for each checkpoint.

    Args:
        options: paths of checkpoints and of run folders.

    Returns:
        0: all are whole and hold finite numbers; 2: some are not, or are no checkpoints.
    """
    parser = argparse.ArgumentParser(
        prog=f"{Path(sys.argv[0]).name} check", description="Says what is in checkpoints, and whether they are whole."
    )
    parser.add_argument("paths", nargs="+", metavar="CHECKPOINT", help="a .ckpt file, or a run folder for all of its")
    given = parser.parse_args(options).paths
    good = True
    for path, also in (found for name in given for found in _checkpoints_at(user_path(name))):
        print(f"\n{printable(path)}{also}")
        try:
            lines, is_good = _lines(path)
        except InputError as error:
            subject = "NOT WHOLE" if path.is_file() else "NONE"
            lines, is_good = [(subject, str(error).removeprefix(f"{path}: "))], False
        good &= is_good
        for subject, text in lines:
            print(f"  {subject:14} {text}")
    return 0 if good else 2


def _checkpoints_at(path: Path) -> list[tuple[Path, str]]:
    """The files of a path; of a run folder each once, with its other name."""
    place = checkpoints_in(path) if path.is_dir() else None
    if place is None:
        return [(path, "")]
    last = place / LAST
    files = sorted(place.glob("*.ckpt"))
    same = [file for file in files if file != last and last.is_file() and file.samefile(last)]
    return [(file, f", which is {LAST}" if file in same else "") for file in files if file != last or not same]


def _lines(path: Path) -> tuple[list[tuple[str, str]], bool]:
    """The table of a checkpoint, and whether it is fit for use."""
    if path.is_dir():
        raise InputError(
            "the folder holds no checkpoints; to check the images in it, give a config: "
            f"check --config CONFIG --data.source.root {shlex.quote(str(path))}"
        )
    digest = check_content(path)
    stored = load_checkpoint(path)
    entries = read_entries(stored, str(path))
    state = stored["state_dict"]
    bad = first_non_finite(tensors_of_checkpoint(stored, entries.average))
    lines = [
        ("whole", f"{path.stat().st_size / 1e6:,.1f} MB, " + (f"digest {digest[:12]}" if digest else "no digest")),
        ("format", f"{format_of(stored)}, by PyTorch Lightning {stored.get('pytorch-lightning_version', 'unknown')}"),
        ("task", entries.task or "not stored: an older checkpoint"),
        ("iteration", _progress(entries.iteration, state.get("_extra_state"), entries.processes)),
    ]
    lines += [(network, _size(state, network)) for network in _NETWORKS]
    average = f"{len(entries.average)} tensors" if entries.average else "none: the live weights are all there is"
    optimizers = [kind.get("optimizer") or "" for kind in entries.optimizer_kinds]
    lines += [
        ("average", average),
        ("optimizers", ", ".join(name.rpartition(".")[2] for name in optimizers) or "not named: an older checkpoint"),
    ]
    if entries.class_names:
        lines.append(("classes", _shortened(entries.class_names)))
    lines.append(("numbers", "all finite" if bad is None else f"NOT FINITE, first in {bad}: the training diverged"))
    return lines, bad is None


def _progress(iteration: int | None, counters: Any, processes: int | None) -> str:
    seen = counters.get("images_seen") if isinstance(counters, dict) else None
    text = "not stored" if iteration is None else f"{iteration:,}"
    text += "" if seen is None else f", {seen:,} images seen"
    return text + ("" if processes is None else f", {processes} process{'es' * (processes > 1)}")


def _size(state: Mapping[str, Any], network: str) -> str:
    tensors = [tensor for name, tensor in state.items() if name.startswith(f"{network}.") and torch.is_tensor(tensor)]
    return f"{sum(tensor.numel() for tensor in tensors):,} numbers in {len(tensors)} tensors"


def _shortened(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:6]) + (", …" if len(names) > 6 else "")
    return f"{len(names)}: {printable(shown)}"
