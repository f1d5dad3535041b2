"""The hash of a fixed set of masks, which names it in a result."""

from collections.abc import Iterable

import torch
from torch import Tensor

from lit_an.content_hash import ContentHash


def mask_set_hash(masks: Iterable[Tensor], count: int) -> str:
    """A hash of what masks there are, in their order, whatever file, format or shape they came from.

    It is the same that ``ContentHash(count)`` makes of the same masks in batches on several processes, by
    ``add_masks(mask, index)``. In a run of several processes each of them must call it, with all masks.

    Args:
        masks: (1, H, W) each, 1 = hole; those of the images 0, 1, …, in that order.
        count: how many.

    Returns:
        64 hexadecimal digits.

    Example:
        >>> one, other = torch.zeros(1, 4, 4), torch.ones(1, 4, 4)
        >>> mask_set_hash([one, other], 2) == mask_set_hash([other, one], 2)
        False
    """
    content = ContentHash(count)
    for number, mask in enumerate(masks):
        content.add_masks(mask[None], torch.tensor([number]))
    return content.hexdigest()
