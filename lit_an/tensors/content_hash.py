"""One hash of many images or masks, independent of batches and processes."""

import hashlib

import torch
from torch import Tensor

from lit_an.images.pixels import to_pixels
from lit_an.tensors.holes import is_hole


class ContentHash:
    """Hashes ``count`` labeled images or masks, added batch by batch.

    The hash depends on the items and their numbers, not on the order of batches or on the process that adds them.

    Args:
        count: images or masks over all processes.

    Example:
        >>> content = ContentHash(2)
        >>> content.add(torch.zeros(2, 3, 4, 4), torch.tensor([0, 1]), torch.tensor([0, 1]))
        >>> len(content.hexdigest())
        64
    """

    def __init__(self, count: int) -> None:
        self._digests = torch.zeros(count, 32, dtype=torch.uint8)
        self.image_size: tuple[int, ...] = ()

    def add(self, images: Tensor, label: Tensor, index: Tensor) -> None:
        """Adds (B, 3, H, W) images in [-1, 1] with their labels (B,) and numbers (B,)."""
        self.image_size = tuple(images.shape[-2:])
        pixels = to_pixels(images).to(torch.uint8).cpu().numpy()
        for one, name, number in zip(pixels, label.tolist(), index.tolist(), strict=True):
            self._put(number, f"{one.shape} {name} ".encode() + one.tobytes())

    def add_masks(self, mask: Tensor, index: Tensor) -> None:
        """Adds (B, 1, H, W) masks of 0 and 1 with their numbers (B,)."""
        self.image_size = tuple(mask.shape[-2:])
        for one, number in zip(is_hole(mask).cpu().numpy(), index.tolist(), strict=True):
            self._put(number, f"mask {one.shape} ".encode() + one.tobytes())

    def _put(self, number: int, content: bytes) -> None:
        digest = hashlib.sha256(content).digest()
        self._digests[number] = torch.frombuffer(bytearray(digest), dtype=torch.uint8)

    def hexdigest(self, device: torch.device | str = "cpu") -> str:
        """The hash over all processes; each must call this. ``device``: one that supports collective operations.

        Several processes may add the same number, as happens when a sampler pads the last batch.
        """
        digests = self._digests
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            digests = digests.to(device)
            # A process holds zeros for the items that it did not add.
            torch.distributed.all_reduce(digests, torch.distributed.ReduceOp.MAX)
        return hashlib.sha256(digests.cpu().numpy().tobytes()).hexdigest()
