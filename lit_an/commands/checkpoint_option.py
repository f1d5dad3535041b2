"""The option ``--ckpt_path`` of commands that train nothing: a checkpoint, a run folder, an export, or the showcase."""

import sys
from pathlib import Path
from typing import NamedTuple

from lit_an.checkpoints.folder import newest_whole
from lit_an.checkpoints.places import checkpoints_in, is_run_folder
from lit_an.commands.matching_command import Command, check_command, is_export
from lit_an.errors import InputError
from lit_an.files import printable, user_path
from lit_an.showcase.models import SHOWCASE, Name, showcase
from lit_an.trained.checkpoints import run_folder_of
from lit_an.trained.exported import DESCRIPTION, load_exported, load_exported_inpainter
from lit_an.trained.generator import TrainedGenerator, load_generator
from lit_an.trained.inpainter import TrainedInpainter, load_inpainter
from lit_an.trained.network import TrainedNetwork

_SHOWCASE_OF: dict[Command, Name] = {"sample": "class_conditional", "inpaint": "inpainting"}


class Chosen(NamedTuple):
    """The generator that a command is to use.

    Attributes:
        path: a ``.ckpt`` file, or the folder or JSON file of an export.
        config: the config it was trained with; None for ``config.yaml`` of its run folder.
    """

    path: Path
    config: Path | None

    @property
    def shown(self) -> str | None:
        """The showcase's name for it; None for a user's own."""
        place = self.path.resolve()
        return place.relative_to(SHOWCASE.resolve()).parts[0] if SHOWCASE.resolve() in place.parents else None

    @property
    def folder(self) -> Path:
        """What is made with it goes below here: its run folder, or for the showcase, which may be read-only and is no
        place for a user's files, the current folder."""
        return run_folder_of(self.path) if self.shown is None else Path()

    def generator(self) -> TrainedGenerator:
        """Loads a class-conditional generator."""
        return load_exported(self.path) if is_export(self.path) else load_generator(self.path, self.config)

    def inpainter(self) -> TrainedInpainter:
        """Loads an inpainting generator."""
        return load_exported_inpainter(self.path) if is_export(self.path) else load_inpainter(self.path, self.config)

    def output(self, given: str | None, name: str, suffix: str = "") -> Path:
        """The folder to write predictions to.

        Args:
            given: from the command line.
            name: of the default, below ``predictions``, but for the showcase, whose folder is named after it.
            suffix: of either name.
        """
        if given is not None:
            return user_path(given)
        return self.folder / "predictions" / f"{name if self.shown is None else f'showcase_{self.shown}'}{suffix}"


def chosen_for(command: Command, ckpt_path: str | None, config: str | None, needs_data: bool = False) -> Chosen:
    """The generator that the options of a command name, or the showcase's without ``--ckpt_path``.

    Args:
        command: it must be the one for the generator's task.
        ckpt_path, config: from the command line.
        needs_data: whether the command reads the config's data too.

    Raises:
        InputError: see ``checkpoint_at``; a generator for another command; a config that nothing would be read from.
    """
    path = showcase(_SHOWCASE_OF[command]) if ckpt_path is None else checkpoint_at(ckpt_path)
    chosen = Chosen(path, None if config is None else user_path(config))
    if is_export(path) and config is not None and not needs_data:
        of = "the generator that comes with lit_an" if ckpt_path is None else f"the export {printable(path)}"
        raise InputError(f"--config {printable(config)}: {of} describes its network itself; omit --config")
    check_command(command, *chosen)
    return chosen


def say_showcase(ckpt_path: str | None, network: TrainedNetwork) -> None:
    """Without ``--ckpt_path``, says on stderr which generator is used, and how to use one's own."""
    if ckpt_path is None:
        folder = showcase(network.task)
        print(
            f"Without --ckpt_path, this uses the {network.task.replace('_', '-')} generator that comes with lit_an, "
            f"{network.description.iteration} iterations on satellite images ({printable(folder / 'README.md')}); "
            "--ckpt_path RUN_FOLDER takes your own",
            file=sys.stderr,
            flush=True,
        )


def checkpoint_at(given: str) -> Path:
    """The file that ``--ckpt_path`` means: the newest whole checkpoint of a run folder, or what is given.

    Each newer checkpoint that is not whole is named on stderr.

    Args:
        given: a ``.ckpt`` file, a run folder, or the folder or JSON file of an export.

    Raises:
        InputError: a folder that holds no run, no checkpoint, or damaged ones only.
    """
    path = user_path(given)
    if not path.is_dir() or (path / DESCRIPTION).is_file():
        return path
    place = checkpoints_in(path)
    if place is None:
        what = "holds no checkpoint yet" if is_run_folder(path) else "is a folder that holds no run"
        raise InputError(f"--ckpt_path {printable(path)} {what}; give a run folder or a .ckpt file of one")
    newest = newest_whole(place)
    for sentence in newest.damaged:
        print(f"warning: passed over: {printable(sentence)}", file=sys.stderr)
    if newest.path is None:
        raise InputError(f"--ckpt_path {printable(path)}: none of its checkpoints can be used; give another run")
    return newest.path
