"""Splits a training batch into the discriminator's steps and into the parts of an accumulated gradient."""

from typing import Any

from lit_an.errors import InputError


def batch_size(batch: Any) -> int:
    """Number of images in a named tuple of tensors."""
    return len(batch[0])


def split_batch(batch: Any, parts: int) -> list[Any]:
    """Splits a named tuple of tensors into parts of equal size, in order; None stays None.

    Args:
        batch: its fields are (B, …), or None.
        parts: ≥ 1.

    Raises:
        InputError: B is not a multiple of ``parts``.
    """
    if parts == 1:
        return [batch]
    size = batch_size(batch)
    if size % parts:
        raise InputError(
            f"a training batch of {size} images cannot be split into {parts} equal parts; set data.batch_size and "
            "data.batches_per_iteration so that discriminator_steps × accumulate divides it"
        )
    fields = [[None] * parts if field is None else field.chunk(parts) for field in batch]
    return [type(batch)(*part) for part in zip(*fields, strict=True)]
