"""A feature map in blocks that fit a cache, projected to values and a layout; the memory they need is kept."""

import threading
from collections.abc import Iterator

import torch
from torch import Tensor

# Elements of one block of the input: on a CPU, with what is computed beside it, about the second-level caches; on
# other devices enough to keep them busy, and little beside the map.
_BLOCK, _BLOCK_ELSEWHERE = 1 << 18, 1 << 24
_SMALLEST_BLOCK = 64
# Temporaries of a block, kept from call to call: fresh ones would cost as much in page faults as the arithmetic.
_SCRATCH = threading.local()
_LARGEST_SCRATCH = 1 << 22  # elements; what is larger is given back

Block = tuple[slice, slice]


class PositionBlocks:
    """A map in blocks of strips, and its projection to values and layout.

    A strip is n positions of one image, a block g strips, all of size (g, rows, n) in scratch memory. There are as many
    strips as threads, of several images or several lanes of one: a batched product then gives each thread a strip of
    its own, where the threads of one thin product would wait for each other (``benchmarks/products.py``).

    Everything in a block follows the memory order of the map: for channels-last maps a (g, C, n) tensor is a
    transposed view, and products are taken from the other side, so that nothing is ever copied to another order.
    Products write scratch and not the map: into rows with gaps between them torch takes one strip after the other.

    ``values`` (B, C, L) is new memory, in float32 or better. Who has read a block of it for the last time may write
    the result there: so neither values nor result are ever in memory twice.
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
        to_value = value_weight.to(self.type).expand(self.batch, -1, -1)  # (B, C, C)
        to_logits = torch.cat([filters, base], 2) * temperature  # (B, N, C + 1)
        # Values and logits are one product; the row of ones below the channels carries the constants of the logits.
        self.joint = torch.cat([torch.constant_pad_nd(to_value, (0, 1)), to_logits], 1)  # (B, C + N, C + 1)
        self.values = torch.empty_like(self.map, dtype=self.type)
        self.threads = torch.get_num_threads() if x.device.type == "cpu" else 1
        self.lanes = self._lanes()
        self.places = list(self._places())
        self._keep_layouts = self.num_regions * self.length * self.batch <= _LARGEST_SCRATCH
        self._layouts: list[Tensor] = []

    def _lanes(self) -> int:
        """Parts of equal length that each image is cut into: 1 where there are images enough for the threads."""
        lanes = 1
        while self.batch < self.threads and lanes < self.threads and self.length % (2 * lanes) == 0:
            lanes *= 2
        return lanes

    def _places(self) -> Iterator[Block]:
        budget = (_BLOCK if self.map.device.type == "cpu" else _BLOCK_ELSEWHERE) // self.channels  # positions
        length = self.length // self.lanes
        images = 1 if self.lanes > 1 else max(self.threads, budget // length)
        images = max(1, min(images, self.batch))
        positions = min(length, max(_SMALLEST_BLOCK, budget // (images * self.lanes)))
        for image in range(0, self.batch, images):
            for position in range(0, length, positions):
                yield slice(image, image + images), slice(position, position + positions)

    def strips(self, tensor: Tensor, block: Block) -> Tensor:
        """(g, C, n): a block of a tensor (B, C, L), as a view."""
        images, positions = block
        return tensor.unflatten(2, (self.lanes, -1)).transpose(1, 2)[images, :, :, positions].flatten(0, 1)

    def coefficients(self, tensor: Tensor, block: Block) -> Tensor:
        """(g, rows, columns): what belongs to the images of a block, of a tensor (B, rows, columns)."""
        mine = tensor[block[0]]
        return mine.expand(self.lanes, -1, -1) if self.lanes > 1 else mine

    def sums(self, rows: int, columns: int) -> Tensor:
        """Zeros (B, lanes, rows, columns) to add products of blocks to; the lanes of an image are to be summed up."""
        return self.offset.new_zeros(self.batch, self.lanes, rows, columns)

    def project(self) -> Iterator[tuple[Block, Tensor, Tensor]]:
        """The first pass: each block, its values (g, C, n), in scratch memory, and its layout (g, N, n)."""
        for index, block in enumerate(self.places):
            centered = self.centered(block)
            both = self.scratch("both", centered, self.channels + self.num_regions)
            value, logits = self.product(self.coefficients(self.joint, block), centered, both).split(
                [self.channels, self.num_regions], 1
            )
            self.strips(self.values, block).copy_(value)
            layout = self.scratch(f"layout {index}" if self._keep_layouts else None, centered, self.num_regions)
            self._layouts.append(torch.softmax(logits, 1, out=layout))
            yield block, value, layout

    def again(self) -> Iterator[tuple[Block, Tensor, Tensor]]:
        """The second pass: each block, its values (g, C, n), in the memory of ``values``, and its layout (g, N, n)."""
        for block, layout in zip(self.places, self._layouts, strict=True):
            yield block, self.strips(self.values, block), layout

    def centered(self, block: Block) -> Tensor:
        """(g, C + 1, n): a block of the input without its channel means, and a row of ones; scratch."""
        x = self.strips(self.map, block)
        centered = self.scratch("centered", x, self.channels + 1)
        torch.sub(x, self.coefficients(self.offset, block), out=centered[:, :-1])
        centered[:, -1] = 1
        return centered

    def scratch(self, name: str | None, like: Tensor, rows: int) -> Tensor:
        """An uninitialized (g, rows, n) tensor in the memory order of the map, the same memory for the same name.

        Args:
            name: None for memory of its own.
            like: (g, any, n).
            rows: of the result.
        """
        group, _, positions = like.shape
        memory = self._memory(name, group * rows * positions)
        if self.channels_last:
            return memory.view(group, positions, rows).mT
        return memory.view(group, rows, positions)

    def _memory(self, name: str | None, size: int) -> Tensor:
        if name is None or self.offset.device.type != "cpu":  # other devices cache what was freed
            return self.offset.new_empty(size)
        key = f"{name} {self.type}"
        kept: Tensor | None = getattr(_SCRATCH, key, None)
        if kept is None or kept.numel() < size:
            with torch.inference_mode(False):  # else it could not be written to in training afterwards
                kept = torch.empty(size, dtype=self.type)
            setattr(_SCRATCH, key, kept)
        return kept[:size]

    def product(self, left: Tensor, right: Tensor, out: Tensor) -> Tensor:
        """left @ right, written to ``out``, which is scratch."""
        if self.channels_last:
            torch.bmm(right.mT, left.mT, out=out.mT)
        else:
            torch.bmm(left, right, out=out)
        return out

    def add_product(self, sums: Tensor, block: Block, left: Tensor, right: Tensor) -> None:
        """Adds left @ rightᵀ, summed over the positions of each strip, to the ``sums`` of the block's images."""
        sums[block[0]].flatten(0, 1).baddbmm_(left, right.mT)
