"""The hash of a fixed set of masks, which names it in a result."""

from collections.abc import Iterable

import torch
from torch import Tensor

from lit_an.tensors.content_hash import ContentHash


def mask_set_hash(masks: Iterable[Tensor], count: int) -> str:
    """A hash of masks in their order, independent of files and formats.

    It equals the hash of ``ContentHash(count)`` for the same masks added by ``add_masks(mask, index)`` in batches on
    several processes. In a run of several processes, each must call it with all masks.

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
