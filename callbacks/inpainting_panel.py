"""Panels of an inpainting generator's stages over time."""

import pytorch_lightning as pl
from pytorch_lightning.utilities.rank_zero import rank_zero_warn
from torch import Tensor

from callbacks.image_logging import PictureLogger
from lit_an.batch import InpaintingBatch
from lit_an.errors import InputError
from lit_an.metrics.feature_networks.lpips import Lpips
from lit_an.metrics.feature_networks.lpips_weights import file_at_hand
from lit_an.metrics.image_scores import round_to_8_bits
from lit_an.metrics.pixel_errors import pixel_errors
from lit_an.pictures.panels import inpainting_panel
from lit_an.tasks.adversarial import AdversarialTask
from lit_an.tasks.inpainting import InpaintingGAN
from lit_an.tensors.holes import composite


class InpaintingPanelLogger(PictureLogger):
    """Logs a panel of the same held-out images and holes: ground truth, erased, coarse, fine, composite.

    With averaged weights where there are any. Beside each row: the name of the image, PSNR of the composite in dB, and
    LPIPS (AlexNet) if its weights are on this machine, of the whole image and of the hole; nothing is downloaded.

    Args:
        every_iterations: iterations between panels, ≥ 1; one more at the end of training.
        early: also after 0, 1, 2, 5, 10, 20, 50, 100, … iterations, up to ``every_iterations``.
        rows: images, one a row, ≥ 1.

    Raises:
        InputError: a number below 1; when the run starts, a task that does not inpaint.
    """

    folder = "inpainting"

    def __init__(self, every_iterations: int = 500, rows: int = 8, early: bool = True) -> None:
        super().__init__(every_iterations, early)
        if rows < 1:
            raise InputError(f"InpaintingPanelLogger: rows must be at least 1, got {rows}")
        self.rows = rows
        self._lpips: Lpips | None = None

    def on_train_start(self, trainer: pl.Trainer, task: AdversarialTask) -> None:
        super().on_train_start(trainer, task)
        if not isinstance(task, InpaintingGAN):
            raise InputError(
                f"InpaintingPanelLogger needs a task that fills holes, and {type(task).__name__} does not; "
                f"use SampleGridLogger"
            )

    def begin(self, trainer: pl.Trainer, task: AdversarialTask) -> None:
        """Reads the weights of LPIPS, if they are there."""
        weights = file_at_hand("alex")
        if weights is None:
            return
        try:
            self._lpips = Lpips("alex", str(weights))
        except InputError as error:
            rank_zero_warn(f"InpaintingPanelLogger: no LPIPS beside the pictures ({error})", category=UserWarning)

    def log_pictures(self, trainer: pl.Trainer, task: AdversarialTask) -> None:
        assert isinstance(task, InpaintingGAN)
        batch, made, names = task.inpainted_preview(self.rows)
        said = self._scores(batch, composite(batch.image, made.fine, batch.mask))
        captions = [f"{name}\n{scores}" for name, scores in zip(names, said, strict=True)]
        footer = f"{self.footer(trainer, task)}   in brackets: of the hole"
        panel = inpainting_panel(batch.image, batch.mask, made.coarse, made.fine, captions, footer)
        self.log_image(trainer, "inpainting", panel, task.iteration)

    def _scores(self, batch: InpaintingBatch, filled: Tensor) -> list[str]:
        """The scores of each composite, as lines of text; that of the hole in brackets."""
        image, filled, mask = (part.detach().cpu() for part in (batch.image, filled, batch.mask))
        image, filled = round_to_8_bits(image), round_to_8_bits(filled)
        errors = pixel_errors(image, filled, mask)
        lines = [f"PSNR {whole:.1f} ({hole:.1f})" for whole, hole in zip(errors.psnr, errors.hole_psnr, strict=True)]
        if self._lpips is None or min(image.shape[-2:]) < self._lpips.smallest:
            return lines
        distance = self._lpips(image, filled, mask)
        return [
            f"{line}\nLPIPS {whole:.3f} ({hole:.3f})"
            for line, whole, hole in zip(lines, distance.lpips, distance.hole_lpips, strict=True)
        ]
