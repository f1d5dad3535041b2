"""What every data module for inpainting shares: photographs are cut, mirrored, and given a hole."""

from pathlib import Path

from torch import Tensor
from torch.utils.data import Dataset

from lit_an.batch import Draw, InpaintingBatch
from lit_an.data.base import ImageData, Split
from lit_an.data.cropping import Crop, Cropping, check_cropping
from lit_an.data.photos import Photos
from lit_an.data.transforms import flips, mirror
from lit_an.data.walking import LeftOut
from lit_an.masks.base import HoleShape
from lit_an.masks.rectangle import Rectangle
from lit_an.seeds import mix_seed

# Parts of a draw's seed, so that the crop says nothing about the hole; and of the seed of a fixed hole.
CROP, HOLE = 1, 2
SPLIT_NUMBERS = {"train": 0, "val": 1, "test": 2}


class MaskedSplit(Dataset[InpaintingBatch]):
    """The photographs of one split, each with a hole.

    A ``Draw`` is cut, mirrored and masked by its seed. An ``int`` gives the same item always: as much of the image as
    can be shown, and a hole that depends on its number, the split and ``seed`` alone.

    Args:
        photos: the photographs.
        cropping: how they become squares.
        holes: the shape of the holes.
        flip: mirror what a ``Draw`` asks for, image and regions alike, if its seed says so.
        split: which this is.
        seed: chooses the fixed holes.
    """

    def __init__(
        self, photos: Photos, cropping: Cropping, holes: HoleShape, flip: bool, split: Split, seed: int
    ) -> None:
        self.photos, self.cropping, self.holes, self.flip = photos, cropping, holes, flip
        self.split, self.seed = split, seed

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, item: Draw | int) -> InpaintingBatch:
        """One image; raises InputError if it cannot be read."""
        return self._drawn(item) if isinstance(item, Draw) else self._fixed(item)

    def name(self, index: int) -> str:
        """What tables call an image."""
        return self.photos.name(index)

    def file(self, index: int) -> Path | None:
        """Where an image lies, if it has a file of its own."""
        return self.photos.file(index)

    @property
    def folder(self) -> Path | None:
        """Where the files lie, if there are any."""
        return getattr(self.photos, "folder", None)

    @property
    def left_out(self) -> LeftOut:
        """What lies there and is not taken."""
        return getattr(self.photos, "left_out", LeftOut())

    def _drawn(self, draw: Draw) -> InpaintingBatch:
        image, regions = self._square(draw.index, mix_seed(draw.seed, CROP))
        mask = self._hole(mix_seed(draw.seed, HOLE), None)
        if self.flip and flips(draw.seed):
            image, regions = mirror(image), None if regions is None else mirror(regions)
        return InpaintingBatch(image, mask, regions)

    def _fixed(self, index: int) -> InpaintingBatch:
        image, regions = self._square(index, None)
        mask = self._hole(mix_seed(self.seed, SPLIT_NUMBERS[self.split], index), index)
        return InpaintingBatch(image, mask, regions)

    def _square(self, index: int, seed: int | None) -> tuple[Tensor, Tensor | None]:
        photo = self.photos.photo(index, self.cropping.side_to_read(seed))
        return self.cropping.cut(photo.image, photo.regions, seed)

    def _hole(self, seed: int, index: int | None) -> Tensor:
        return self.holes.draw(self.cropping.image_size, self.cropping.image_size, seed, index)


class MaskedImages(ImageData[InpaintingBatch]):
    """Base of the data modules that yield ``InpaintingBatch``.

    A subclass gives the photographs of a split (``photos``); cutting, mirroring and holes are done here. In training
    all three are functions of the draw's seed. In validation and test, image ``i`` is shown as it is, with one hole
    that never changes: the same for any number of workers, ranks and images in a batch.

    Args:
        image_size: side of the images in pixels.
        mask: shape of the holes; None takes ``lit_an.masks.Rectangle``.
        val_mask: shape of the holes of validation and test; None takes that of ``mask``.
        crop: ``centre`` takes the centre square of the short side, ``random`` in training a square at a random place
            whose side is a random share of the short side, ``resize`` the whole image, squeezed.
        min_scale: least share of ``random``, 0 < min_scale ≤ 1.
        batch_size: images of one discriminator step on one device.
        batches_per_iteration: batches that one training iteration takes: the task's ``discriminator_steps``.
        num_workers: loader processes; 0 loads in the training process.
        flip: mirror training images left to right at random.
        seed: chooses the order of the training images, what is random about them, and the holes of validation.

    Raises:
        InputError: a number out of its range, or an unknown ``crop``.
    """

    def __init__(
        self,
        image_size: int,
        mask: HoleShape | None = None,
        val_mask: HoleShape | None = None,
        crop: Crop = "centre",
        min_scale: float = 0.5,
        batch_size: int = 16,
        batches_per_iteration: int = 1,
        num_workers: int = 0,
        flip: bool = True,
        seed: int = 0,
    ) -> None:
        super().__init__(image_size, batch_size, batches_per_iteration, num_workers, flip, seed)
        self.cropping = Cropping(image_size, crop, min_scale)
        check_cropping(self.cropping)
        self.mask = Rectangle() if mask is None else mask
        self.val_mask = self.mask if val_mask is None else val_mask
        self._splits: dict[Split, MaskedSplit] = {}

    def photos(self, split: Split) -> Photos:
        """The photographs of a split, in an order that never changes."""
        raise NotImplementedError

    def dataset(self, split: Split) -> MaskedSplit:
        """The data set of a split; listed once."""
        if split not in self._splits:
            holes = self.mask if split == "train" else self.val_mask
            self._splits[split] = MaskedSplit(self.photos(split), self.cropping, holes, self.flip, split, self.seed)
        return self._splits[split]

    # Lightning declares a name that it never reads.
    def name(self, split: Split, index: int) -> str:  # type: ignore[override]
        """What tables call an image: its path below the folder of its split, or a number."""
        return self.dataset(split).name(index)
