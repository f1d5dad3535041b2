"""Images with holes for inpainting, from any source."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from lit_an.batch import Draw, InpaintingBatch
from lit_an.data.base import ImageData, Squares
from lit_an.data.cropping import Crop, Cropping
from lit_an.data.sources.base import SPLITS, Pictures, Source, Split
from lit_an.masks.base import HoleShape
from lit_an.masks.rectangle import Rectangle
from lit_an.seeds import mix_seed

HOLE = 2  # the part of a draw's seed that chooses its hole


class HoleSquares(Squares[InpaintingBatch]):
    """The images of one split, each with a hole.

    The hole of a ``Draw`` is chosen by its seed, that of an ``int`` by the number, the split and ``seed`` alone.

    Args:
        pictures: of the split.
        cropping: how they become squares.
        flip: mirror what a ``Draw`` asks for, image and regions alike, if its seed says so.
        holes: the shape of the holes.
        split: which this is.
        seed: chooses the fixed holes.
    """

    def __init__(
        self, pictures: Pictures, cropping: Cropping, flip: bool, holes: HoleShape, split: Split, seed: int
    ) -> None:
        super().__init__(pictures, cropping, flip)
        self.holes, self.split, self.seed = holes, split, seed

    def items(
        self, wanted: Sequence[Draw | int], indices: Sequence[int], image: Tensor, regions: Tensor | None
    ) -> list[InpaintingBatch]:
        maps: Sequence[Any] = [None] * len(indices) if regions is None else regions.unbind()
        return [
            InpaintingBatch(one, self._hole(item), part) for one, item, part in zip(image, wanted, maps, strict=True)
        ]

    def _hole(self, item: Draw | int) -> Tensor:
        side = self.cropping.image_size
        if isinstance(item, Draw):
            return self.holes.draw(side, side, mix_seed(item.seed, HOLE), None)
        return self.holes.draw(side, side, mix_seed(self.seed, SPLITS.index(self.split), item), item)


class InpaintingData(ImageData[InpaintingBatch]):
    """Batches of images and holes, ``lit_an.batch.InpaintingBatch``.

    In training a hole is a function of the draw's seed. In validation and test, image ``i`` has one hole that never
    changes: the same for any number of workers, devices and images in a batch.

    Args:
        source: where the pictures are; its classes, if any, are ignored.
        image_size: side of the images in pixels.
        mask: shape of the holes; None takes ``lit_an.masks.Rectangle``.
        val_mask: shape of the holes of validation and test; None takes that of ``mask``.
        crop, min_scale: see ``lit_an.data.ImageData``; None takes what the source suggests.
        batch_size: images of one discriminator step on one device.
        kwargs: see ``lit_an.data.ImageData``.

    Raises:
        InputError: a number out of its range, or an unknown ``crop``.
    """

    def __init__(
        self,
        source: Source,
        image_size: int,
        *,
        mask: HoleShape | None = None,
        val_mask: HoleShape | None = None,
        crop: Crop | None = None,
        min_scale: float | None = None,
        batch_size: int = 16,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            source,
            image_size,
            crop=source.crop if crop is None else crop,
            min_scale=source.min_scale if min_scale is None else min_scale,
            batch_size=batch_size,
            **kwargs,
        )
        self.mask = Rectangle() if mask is None else mask
        self.val_mask = self.mask if val_mask is None else val_mask

    def squares(self, split: Split, pictures: Pictures) -> HoleSquares:
        holes = self.mask if split == "train" else self.val_mask
        return HoleSquares(pictures, self.cropping, self.flip, holes, split, self.seed)
