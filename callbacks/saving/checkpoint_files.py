"""How Lightning reads and writes checkpoint files."""

from pathlib import Path
from typing import Any

from lightning_fabric.plugins import CheckpointIO

from lit_an.checkpoints.files import load_checkpoint, write_file
from lit_an.files import replacing


class CheckpointFiles(CheckpointIO):
    """Lightning's access to checkpoint files: whole or not at all, checked when they are read."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        with replacing(path, durable=True) as temporary:
            write_file(checkpoint, temporary)

    def load_checkpoint(
        self, path: str | Path, map_location: Any = None, weights_only: bool | None = True
    ) -> dict[str, Any]:
        # Not mapped: the optimizers go on with these tensors.
        return load_checkpoint(path, mapped=False)

    def remove_checkpoint(self, path: str | Path) -> None:
        Path(path).unlink(missing_ok=True)
