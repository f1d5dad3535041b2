"""Paris StreetView as the authors of Context Encoders hand it out."""

import os
from pathlib import Path

from lit_an.data.base import Split
from lit_an.data.cropping import Crop
from lit_an.data.listing import check_folder, did_you_mean, list_photographs
from lit_an.data.masked_images import MaskedImages
from lit_an.data.photos import PhotoFiles
from lit_an.errors import InputError
from lit_an.masks.base import HoleShape

TRAIN = "paris_train_original"
EVALUATION = ("paris_eval_gt", "paris_eval/paris_eval_gt")


class ParisStreetView(MaskedImages):
    """Paris StreetView: 14,900 views of streets to train on, of 936 × 537 pixels, and 100 to evaluate with.

    ``root`` holds ``paris_train_original`` (files such as ``48.842502_2.344968_90_-004.JPG``) and ``paris_eval_gt``
    (``001_im.png`` … ``100_im.png``), this also inside ``paris_eval``, as it unpacks. Both ``val`` and ``test`` are
    those 100; the holes of ``paris_eval_corrupted`` are not used. They are smaller than 256 pixels, which
    ``python cli.py check`` says.

    With the default ``min_scale`` of 1, training shows squares of the full height at a random place.

    Differs: EdgeConnect cuts each view into three such squares, left, middle and right, once.

    Args:
        root: the folder; ``~`` is expanded.
        image_size: side of the images in pixels.
        mask: shape of the holes; None takes ``lit_an.masks.Rectangle``.
        val_mask: shape of the holes of validation and test; None takes that of ``mask``.
        crop: ``random``, ``centre`` or ``resize``; see ``lit_an.data.MaskedImages``.
        min_scale: least share of the short side that a random crop shows, 0 < min_scale ≤ 1.
        batch_size: images of one discriminator step on one device.
        batches_per_iteration: batches that one training iteration takes: the task's ``discriminator_steps``.
        num_workers: loader processes; decoding is slow, so as many as there are cores to spare.
        flip: mirror training images left to right at random.
        seed: chooses the order of the training images, what is random about them, and the holes of validation.

    Raises:
        InputError: a folder that is missing or not laid out like that; later, from ``dataset``, a folder without
            images, or an image that cannot be read.

    Source: Pathak et al., "Context encoders: feature learning by inpainting", CVPR 2016, whose authors
    send the images to those who ask; sizes and cutting from Nazeri et al., "EdgeConnect", ICCVW 2019.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        image_size: int,
        mask: HoleShape | None = None,
        val_mask: HoleShape | None = None,
        crop: Crop = "random",
        min_scale: float = 1.0,
        batch_size: int = 16,
        batches_per_iteration: int = 1,
        num_workers: int = 0,
        flip: bool = True,
        seed: int = 0,
    ) -> None:
        super().__init__(
            image_size, mask, val_mask, crop, min_scale, batch_size, batches_per_iteration, num_workers, flip, seed
        )
        self.root = Path(root).expanduser()
        check_folder(self.root, f"{TRAIN} and {EVALUATION[0]}")
        if not is_paris(self.root):
            raise InputError(
                f"data: root={str(self.root)!r} has no folder {TRAIN!r}{did_you_mean(self.root, is_paris)}"
            )

    def photos(self, split: Split) -> PhotoFiles:
        folder = self.root / TRAIN if split == "train" else self._evaluation()
        listed = list_photographs(folder)
        return PhotoFiles(folder, listed.paths, listed.left_out)

    @property
    def has_test(self) -> bool:
        """Whether ``test`` is not just ``val`` again: it is."""
        return False

    def _evaluation(self) -> Path:
        for name in EVALUATION:
            if (self.root / name).is_dir():
                return self.root / name
        raise InputError(f"data: {str(self.root)!r} has no folder {EVALUATION[0]!r}; unpack paris_eval there")


def is_paris(root: Path) -> bool:
    """Whether a folder holds the training images of Paris StreetView."""
    return (root / TRAIN).is_dir()
