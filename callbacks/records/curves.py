"""The curves of a run as a picture, at its end."""

import importlib.util
from pathlib import Path

import pytorch_lightning as pl
from pytorch_lightning import Callback
from pytorch_lightning.utilities.rank_zero import rank_zero_warn

from callbacks.checkpointing import was_stopped
from lit_an.errors import InputError, OutputError
from lit_an.run_report.reading import TABLE
from lit_an.tasks.adversarial import AdversarialTask


class RunCurves(Callback):
    """Writes ``<run folder>/curves.png`` at the end of a training, as the command ``plot`` does.

    Without matplotlib it does nothing. A run that a signal stops is not at its end. Every run of the command line has
    it.
    """

    def on_fit_end(self, trainer: pl.Trainer, task: AdversarialTask) -> None:
        folder = Path(trainer.default_root_dir)
        if not trainer.is_global_zero or was_stopped(trainer) or not (folder / TABLE).is_file():
            return
        if importlib.util.find_spec("matplotlib") is None:
            return
        # Imported here, since it takes a second and is no requirement.
        from lit_an.run_report.curves import FILE, write_curves

        try:
            write_curves([folder], folder / FILE)
        except (InputError, OutputError) as error:
            rank_zero_warn(f"{error}; the run ends without {FILE}", category=UserWarning)
