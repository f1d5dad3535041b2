"""``python cli.py plot``: the curves of runs as pictures, also while they go on."""

import importlib.util
from pathlib import Path

from lit_an.errors import InputError, needs_package
from lit_an.files import printable, user_path


def spell_out(options: list[str]) -> list[str]:
    """The options as a parser takes them: folders stand without a name.

    Example:
        >>> spell_out(["runs/a", "runs/b", "--to", "both.png"])
        ['--runs+=runs/a', '--runs+=runs/b', '--to', 'both.png']
    """
    spelled: list[str] = []
    for place, option in enumerate(options):
        is_value = place > 0 and options[place - 1] in ("--to", "--runs", "--runs+")
        spelled.append(option if option.startswith("-") or is_value else f"--runs+={option}")
    return spelled


def run(runs: list[str] | None = None, to: str | None = None) -> int:
    """Draws losses, metrics, learning rates, layouts and speed of runs; needs matplotlib (extra plot).

    Args:
        runs: run folders; they may stand without --runs.
        to: a .png file for the curves of all runs together. Default: curves.png in the folder of each run.

    Returns:
        0.

    Raises:
        InputError: no run, a folder without curves, or matplotlib is missing.
    """
    if not runs:
        raise InputError("plot: no run is given; name run folders, such as: plot runs/earth_quickstart")
    if to is not None and Path(to).suffix.lower() != ".png":
        raise InputError(f"plot: --to {to} is no PNG; give a name that ends in .png")
    if importlib.util.find_spec("matplotlib") is None:
        raise needs_package("plot needs", "matplotlib", "plot")
    from lit_an.run_report.curves import FILE, write_curves

    folders = [user_path(folder) for folder in runs]
    wanted = [(folders, user_path(to))] if to is not None else [([folder], folder / FILE) for folder in folders]
    for together, path in wanted:
        write_curves(together, path)
        print(f"The curves are in {printable(path)}", flush=True)
    return 0
