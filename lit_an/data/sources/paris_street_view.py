"""Paris StreetView as the authors of Context Encoders hand it out."""

import os
from pathlib import Path

from lit_an.data.sources.base import FilePictures, Source, Split
from lit_an.data.sources.listing import did_you_mean, existing_folder, list_photographs
from lit_an.errors import InputError

TRAIN = "paris_train_original"
EVALUATION = ("paris_eval_gt", "paris_eval/paris_eval_gt")


class ParisStreetView(Source):
    """Paris StreetView: 14,900 views of streets to train on, of 936 × 537 pixels, and 100 to evaluate with.

    ``root`` holds ``paris_train_original`` (files such as ``48.842502_2.344968_90_-004.JPG``) and ``paris_eval_gt``
    (``001_im.png`` … ``100_im.png``), this also inside ``paris_eval``, as it unpacks. Both ``val`` and ``test`` are
    those 100; the holes of ``paris_eval_corrupted`` are not used. They are smaller than 256 pixels, which
    ``python cli.py check`` says.

    With the suggested ``min_scale`` of 1, inpainting trains on squares of the full height at a random place.

    Differs: EdgeConnect cuts each view into three such squares, left, middle and right, once.

    Args:
        root: the folder; ``~`` is expanded.

    Raises:
        InputError: a folder that is missing or not laid out like that; later, a folder without images.

    Source: Pathak et al., "Context encoders: feature learning by inpainting", CVPR 2016, whose authors
    send the images to those who ask; sizes and cutting from Nazeri et al., "EdgeConnect", ICCVW 2019.
    """

    min_scale = 1.0

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = existing_folder(root, f"{TRAIN} and {EVALUATION[0]}")
        if not is_paris(self.root):
            raise InputError(
                f"data: root={str(self.root)!r} has no folder {TRAIN!r}{did_you_mean(self.root, is_paris)}"
            )

    def open(self, split: Split, image_size: int) -> FilePictures:
        folder = self.root / TRAIN if split == "train" else self._evaluation()
        listed = list_photographs(folder)
        return FilePictures(folder, listed.paths, left_out=listed.left_out)

    def _evaluation(self) -> Path:
        for name in EVALUATION:
            if (self.root / name).is_dir():
                return self.root / name
        raise InputError(f"data: {str(self.root)!r} has no folder {EVALUATION[0]!r}; unpack paris_eval there")


def is_paris(root: Path) -> bool:
    """Whether a folder holds the training images of Paris StreetView."""
    return (root / TRAIN).is_dir()
