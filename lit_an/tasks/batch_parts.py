"""Training batches: split into steps and parts of an accumulated gradient, and of one image size everywhere."""

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
    check_split(batch_size(batch), parts)
    fields = [[None] * parts if field is None else field.chunk(parts) for field in batch]
    return [type(batch)(*part) for part in zip(*fields, strict=True)]


def check_split(size: int, parts: int) -> None:
    """Checks that a batch of ``size`` images can be split into so many parts of equal size.

    Raises:
        InputError: it cannot.
    """
    if size % parts:
        raise InputError(
            f"a training batch of {size} images cannot be split into {parts} equal parts; set data.batch_size and "
            "data.batches_per_iteration so that discriminator_steps × accumulate divides it"
        )


def check_image_sizes(**parts: Any) -> None:
    """Checks that all parts that have an ``image_size`` have the same.

    Args:
        parts: networks and data by name; None has none.

    Raises:
        InputError: the sizes differ.
    """
    sizes = {name: part.image_size for name, part in parts.items() if hasattr(part, "image_size")}
    if len(set(sizes.values())) > 1:
        said = ", ".join(f"{name} {size}" for name, size in sizes.items())
        raise InputError(f"image_size differs: {said}; set the same for all of them")
