"""The config of a run folder, for a command line that names a checkpoint and no config."""

from pathlib import Path

from lit_an.command_line.checkpoint import AUTO
from lit_an.errors import InputError
from lit_an.files import user_path

_NAME = "config.yaml"
_OTHER_SOURCES = ("--config", "-c", "--model", "--data", "--help", "-h")


def config_of_run(options: list[str]) -> Path | None:
    """The config that a command goes on with: ``config.yaml`` of the run folder of ``--ckpt_path``.

    Args:
        options: of the command line, after the command.

    Returns:
        The file; None if the options need none: they name a config, or no checkpoint.

    Raises:
        InputError: a checkpoint or a run folder is named, but no config, and there is none in the run folder.
    """
    given = _value(options, "--ckpt_path")
    if given is None or any(option.partition("=")[0] in _OTHER_SOURCES for option in options):
        return None
    folder = _value(options, "--run_folder")
    if given == AUTO and folder is None:
        raise InputError("--ckpt_path auto needs --config or --run_folder, which say what the run's folder is called")
    path = user_path(folder if given == AUTO and folder is not None else given)
    if not path.exists():
        if given == AUTO:
            raise InputError(f"--run_folder {path}: there is no such folder yet; name the run's config with --config")
        raise InputError(
            f"--ckpt_path {path}: there is no such file or folder; give a .ckpt file of a run or its run folder"
        )
    place = path if path.is_dir() else path.parent
    places = [place.parent, place] if place.name == "checkpoints" else [place, place.parent]
    found = next((folder / _NAME for folder in places if (folder / _NAME).is_file()), None)
    if found is None:
        raise InputError(f"{path}: there is no {_NAME} in its run folder; name the run's config with --config")
    return found


def _value(options: list[str], name: str) -> str | None:
    """The last value of an option."""
    value = None
    for option, following in zip(options, [*options[1:], None], strict=False):
        if option == name:
            value = following
        elif option.startswith(f"{name}="):
            value = option.partition("=")[2]
    return value
