"""Where a run's files go: one folder for each run, never over another's."""

import itertools
from pathlib import Path

from lit_an.errors import InputError


def name_of_first_config(arguments: list[str]) -> str:
    """The stem of the first config file on a command line, or ``run``.

    Example:
        >>> name_of_first_config(["fit", "--config", "configs/earth.yaml", "--config=more.yaml"])
        'earth'
    """
    words = [word for argument in arguments for word in argument.split("=", 1)]
    given = (value for flag, value in itertools.pairwise(words) if flag in ("-c", "--config"))
    return Path(next(given, "run")).stem


def choose(chosen: str | None, checkpoint: str | None, name: str, fits: bool, rank: int = 0) -> str:
    """Where a run's files go; never over another run's, also when two start at once.

    Args:
        chosen: ``--run_folder``, or None.
        checkpoint: ``--ckpt_path``, or None; a run that goes on stays in its folder.
        name: of the config.
        fits: whether this run trains.
        rank: of this process; only the first makes the folder, since the others write nothing.

    Raises:
        InputError: the chosen folder holds another run, or the checkpoint does not exist.
    """
    origin = None
    if checkpoint is not None:
        path = Path(checkpoint)
        if not path.is_file():
            raise InputError(
                f"--ckpt_path {checkpoint}: there is no such file; give a .ckpt file of a run's checkpoints folder"
            )
        origin = path.parent.parent if path.parent.name == "checkpoints" else path.parent
    if chosen is not None:
        folder = Path(chosen)
        if fits and _holds_a_run(folder) and (origin is None or folder.resolve() != origin.resolve()):
            raise InputError(
                f"--run_folder {chosen} holds a run already; choose another folder, or go on with "
                f"--ckpt_path {folder / 'checkpoints' / 'last.ckpt'}"
            )
        return str(folder)
    if origin is not None:
        return str(origin)
    return str(_claim(Path("runs", name), rank))


def _holds_a_run(folder: Path) -> bool:
    return folder.is_dir() and any(folder.iterdir())


def _claim(wanted: Path, rank: int) -> Path:
    """Makes the first folder of wanted, wanted_2, wanted_3, … that does not exist yet."""
    for number in itertools.count(1):
        folder = wanted if number == 1 else wanted.with_name(f"{wanted.name}_{number}")
        try:
            if rank == 0:
                folder.mkdir(parents=True)
        except FileExistsError:
            continue
        return folder
    raise AssertionError("itertools.count has no end")


def give_back(folder: str | None) -> None:
    """Takes away a run folder that holds nothing yet but the event file that TensorBoard opens early."""
    if folder is None or not Path(folder).is_dir():
        return
    files = list(Path(folder).iterdir())
    if all(file.name.startswith("events.out.tfevents") for file in files):
        for file in files:
            file.unlink()
        Path(folder).rmdir()


def where_to_look(folder: str) -> str:
    """What a finished run left in its folder, for a person."""
    places = {
        "samples": "sample grids over time",
        "inpainting": "filled holes over time, stage by stage",
        "layouts": "region maps over time",
        "predictions": "predicted images",
        "metrics.csv": "the curves as a table",
        "config.yaml": "the full config",
        "checkpoints/last.ckpt": "go on with --ckpt_path",
    }
    lines = [f"  {Path(folder, place)}: {what}" for place, what in places.items() if Path(folder, place).exists()]
    return "\n".join([f"\nThe run is in {folder}", *lines, f"  tensorboard --logdir {folder}: all of it"])
