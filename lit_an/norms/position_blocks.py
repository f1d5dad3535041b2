"""A feature map in blocks that fit a cache, projected to values and a layout; the memory they need is kept."""

import threading
from collections.abc import Iterator

import torch
from torch import Tensor

# Elements of one block of the input on the CPU: with what is computed beside it, about the second-level caches.
_BLOCK = 1 << 18
_SMALLEST_BLOCK = 64
# Up to so many elements of a map, its values and layout are kept from one pass over its blocks to the next.
_KEPT = 1 << 22

# Temporaries of a block, kept from call to call: fresh ones would cost as much in page faults as the arithmetic.
_SCRATCH = threading.local()

Block = tuple[slice, slice]
Projected = tuple[Tensor, Tensor]


class PositionBlocks:
    """A map in blocks of positions, or of images where they are small, and its projection to values and layout.

    Everything in a block follows the memory order of the map: for channels-last maps a (g, C, n) tensor is a
    transposed view, and products are taken from the other side, so that nothing is ever copied to another order.
    A row of ones below the channels carries the constants of the logits, and gathers their gradient.
    """

    def __init__(
        self,
        x: Tensor,
        value_weight: Tensor,
        filters: Tensor,
        constants: Tensor | None,
        temperature: float,
        offset: Tensor | None = None,
    ) -> None:
        self.type = torch.promote_types(x.dtype, torch.float32)
        self.map = x.flatten(2)
        self.batch, self.channels, self.length = self.map.shape
        self.num_regions = filters.shape[1]
        self.channels_last = self.map.stride(1) == 1 and self.map.stride(2) != 1
        self.temperature, self.has_constants = temperature, constants is not None
        self.offset = self.map.mean(2, keepdim=True, dtype=self.type) if offset is None else offset  # (B, C, 1)
        filters = filters.to(self.type)
        base = filters @ self.offset  # (B, N, 1)
        base = base if constants is None else base + constants[:, :, None]
        self.to_value = value_weight.to(self.type).expand(self.batch, -1, -1)  # (B, C, C)
        self.to_logits = torch.cat([filters, base], 2) * temperature  # (B, N, C + 1)
        self.places = list(self._places())
        self.kept: dict[int, Projected] = {}

    def __iter__(self) -> Iterator[tuple[slice, slice, Tensor, Tensor]]:
        """Images, positions, values (g, C, n) and layout (g, N, n) of each block."""
        keep = self.map.numel() <= _KEPT or len(self.places) == 1
        for index, block in enumerate(self.places):
            if index not in self.kept:
                projected = self.project(block, str(index) if keep else "")
                if keep:
                    self.kept[index] = projected
            yield *block, *(self.kept[index] if keep else projected)

    def _places(self) -> Iterator[Block]:
        if self.map.device.type != "cpu":
            yield slice(0, self.batch), slice(0, self.length)
            return
        positions = max(_SMALLEST_BLOCK, _BLOCK // self.channels)
        images = max(1, positions // self.length)
        for image in range(0, self.batch, images):
            for position in range(0, self.length, positions):
                yield slice(image, image + images), slice(position, position + positions)

    def centred(self, block: Block) -> Tensor:
        """(g, C + 1, n): a block of the input without its channel means, and a row of ones; scratch."""
        x = self.map[block[0], :, block[1]]
        centred = self.scratch("centred", len(x), self.channels + 1, x.shape[2])
        torch.sub(x, self.offset[block[0]], out=centred[:, :-1])
        centred[:, -1] = 1
        return centred

    def scratch(self, name: str, images: int, rows: int, positions: int) -> Tensor:
        """An uninitialized (g, rows, n) tensor in the memory order of the map, the same memory at each call."""
        if self.offset.device.type != "cpu":
            return self.fresh(images, rows, positions)  # other devices cache what was freed
        size, key = images * rows * positions, f"{name} {self.type}"
        kept: Tensor | None = getattr(_SCRATCH, key, None)
        if kept is None or kept.numel() < size:
            with torch.inference_mode(False):  # else it could not be written to in training afterwards
                kept = torch.empty(size, dtype=self.type)
            setattr(_SCRATCH, key, kept)
        if self.channels_last:
            return kept[:size].view(images, positions, rows).mT
        return kept[:size].view(images, rows, positions)

    def product(self, left: Tensor, right: Tensor, out: Tensor) -> Tensor:
        """left @ right, written to ``out``, which has the memory order of the map."""
        if self.channels_last:
            torch.bmm(right.mT, left.mT, out=out.mT)
        else:
            torch.bmm(left, right, out=out)
        return out

    def add_product(self, to: Tensor, left: Tensor, right: Tensor, out: Tensor) -> Tensor:
        """to + left @ right, written to ``out``, which may be ``to`` and has the memory order of the map."""
        if self.channels_last:
            torch.baddbmm(to.mT, right.mT, left.mT, out=out.mT)
        else:
            torch.baddbmm(to, left, right, out=out)
        return out

    def project(self, block: Block, name: str) -> Projected:
        """Values (g, C, n) and layout (g, N, n) of a block; scratch under this name."""
        centred = self.centred(block)
        images, _, positions = centred.shape
        logits = self.scratch("logits", images, self.num_regions, positions)
        self.product(self.to_logits[block[0]], centred, out=logits)
        layout = self.scratch(f"layout {name}", images, self.num_regions, positions)
        value = self.scratch(f"value {name}", images, self.channels, positions)
        self.product(self.to_value[block[0]], centred[:, :-1], out=value)
        return value, torch.softmax(logits, 1, out=layout)

    def fresh(self, images: int, rows: int, positions: int) -> Tensor:
        """An uninitialized (g, rows, n) tensor in the memory order of the map."""
        if self.channels_last:
            return self.offset.new_empty(images, positions, rows).mT
        return self.offset.new_empty(images, rows, positions)
