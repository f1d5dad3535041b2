"""Labeled images for class-conditional generation, from any source that has classes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lit_an.batch import ClassBatch, Draw
from lit_an.data.base import ImageData, Squares
from lit_an.data.cropping import Cropping
from lit_an.data.sources.base import Pictures, Source, Split
from lit_an.data.transforms import dequantize
from lit_an.errors import InputError


class ClassSquares(Squares[ClassBatch]):
    """The labeled images of one split.

    Args:
        pictures: of the split.
        cropping: how they become squares.
        flip: mirror what a ``Draw`` asks for, image and regions alike, if its seed says so.
        labels: of the pictures, (N,).
        noise: dequantize what a ``Draw`` asks for.
    """

    def __init__(self, pictures: Pictures, cropping: Cropping, flip: bool, labels: np.ndarray, noise: bool) -> None:
        super().__init__(pictures, cropping, flip)
        self.label, self.noise = torch.from_numpy(labels), noise

    def items(
        self, wanted: Sequence[Draw | int], indices: Sequence[int], image: Tensor, regions: Tensor | None
    ) -> list[ClassBatch]:
        images: Sequence[Tensor] = image.unbind()
        if self.noise:
            images = [
                dequantize(one, item.seed) if isinstance(item, Draw) else one
                for one, item in zip(images, wanted, strict=True)
            ]
        maps: Sequence[Any] = [None] * len(indices) if regions is None else regions.unbind()
        return [ClassBatch(*parts) for parts in zip(images, self.label[list(indices)], maps, strict=True)]


class ClassData(ImageData[ClassBatch]):
    """Batches of labeled images, ``lit_an.batch.ClassBatch``.

    Args:
        source: where the pictures are; it must have classes.
        image_size: side of the images in pixels.
        dequantize: in training, fill the steps between 8-bit values with noise, as SNGAN-projection does; see
            ``lit_an.data.transforms.dequantize``.
        kwargs: see ``lit_an.data.ImageData``.

    Raises:
        InputError: a number out of its range, or a source without classes.
    """

    def __init__(self, source: Source, image_size: int, *, dequantize: bool = False, **kwargs: Any) -> None:
        super().__init__(source, image_size, **kwargs)
        self.dequantize = dequantize
        if source.class_names is None:
            raise InputError(
                f"data: {type(source).__name__} has no classes, which ClassData needs; take a source that has, such as "
                f"lit_an.data.sources.ImageFolder, or lit_an.data.InpaintingData"
            )

    @property
    def class_names(self) -> list[str]:
        """Names of the classes in the order of their labels."""
        return list(self.source.class_names or [])

    def squares(self, split: Split, pictures: Pictures) -> ClassSquares:
        labels = pictures.labels
        if labels is None:
            raise InputError(
                f"data: the images of the split {split!r} of {type(self.source).__name__} have no labels; "
                f"add the list that says them"
            )
        return ClassSquares(pictures, self.cropping, self.flip, labels, self.dequantize)
