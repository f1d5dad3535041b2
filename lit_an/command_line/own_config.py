"""The config of a run for commands that name a checkpoint or a run folder and no config."""

import argparse
from pathlib import Path

from pytorch_lightning.utilities.rank_zero import rank_zero_info

from lit_an.command_line.checkpoint import AUTO
from lit_an.files import user_path


def with_own_config(options: list[str]) -> list[str]:
    """Adds ``--config`` with the ``config.yaml`` of the run, if ``--ckpt_path`` is given without a config.

    Args:
        options: of ``fit``, ``validate`` or ``test``.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    for name in ("--config", "-c", "--ckpt_path", "--run_folder"):
        parser.add_argument(name, nargs="?")
    try:
        given, _ = parser.parse_known_args(options)
    except argparse.ArgumentError:  # what is wrong with them, the command's own parser says
        return options
    place = given.run_folder if given.ckpt_path == AUTO else given.ckpt_path
    if given.config or given.c or place is None:
        return options
    config = _config_of(user_path(place))
    if config is None:
        return options
    rank_zero_info(f"no --config: the run's own is used, {config}")
    return [f"--config={config}", *options]


def _config_of(path: Path) -> Path | None:
    """``config.yaml`` beside a checkpoint or of a run folder."""
    folder = path if path.is_dir() else path.parent
    places = [folder / "config.yaml", folder.parent / "config.yaml"]
    return next((place for place in places if place.is_file()), None)
