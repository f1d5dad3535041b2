"""Saves the config of a run without its paths, so that the run can be repeated anywhere."""

from pathlib import Path
from typing import Any

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.cli import SaveConfigCallback

from lit_an.files import replacing

# Arguments of a single call, which a new run from the saved config must not repeat.
_OF_THE_CALL = ("ckpt_path", "run_folder")


class SaveConfig(SaveConfigCallback):
    """Writes the full config to ``<run folder>/config.yaml`` after the first iteration; keeps the one it replaces.

    It is not written in ``setup``, so that a run that fails for bad input leaves no file.
    """

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Does nothing: the config is written after the first iteration."""

    def on_train_batch_end(self, trainer: Trainer, *args: Any) -> None:
        if self.already_saved:
            return
        self.already_saved = True
        if not trainer.is_global_zero:
            return
        path = Path(trainer.default_root_dir, "config.yaml")
        config = self.config.clone()
        for name in _OF_THE_CALL:
            config[name] = None
        text = self.parser.dump(config, skip_none=False)
        if path.exists() and path.read_text() != text:
            earlier = len(list(path.parent.glob("config_before_resume_*.yaml")))
            path.replace(path.with_name(f"config_before_resume_{earlier + 1}.yaml"))
        with replacing(path) as temporary:
            temporary.write_text(text)
