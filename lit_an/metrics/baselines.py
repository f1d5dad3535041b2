"""Baselines of inpainting without learning, to compare a model's figures with.

How to add one: a subclass of ``Baseline`` under ``@BASELINES.register("name")``.
"""

import importlib

import numpy as np
import torch
from torch import Tensor

from lit_an.errors import needs_package
from lit_an.registry import Registry
from lit_an.tensors.holes import erase, is_hole


class Baseline:
    """Fills holes; like a model, it gets the whole image and must ignore the pixels in the hole.

    Attributes:
        slow: whether it is measured on a few images only.
    """

    slow = False

    def __call__(self, image: Tensor, mask: Tensor) -> Tensor:
        """(B, C, H, W) in [-1, 1]; values where the mask is 0 are ignored.

        Args:
            image: (B, C, H, W), in [-1, 1].
            mask: (B, 1, H, W), 1 = hole, 0 = known.
        """
        raise NotImplementedError


BASELINES: Registry[Baseline] = Registry("baseline")


@BASELINES.register("mean")
class MeanColor(Baseline):
    """The mean color of the known pixels; mid-gray where nothing is known.

    Example:
        >>> image = torch.tensor([[[[0.1, 0.3, 9.0]]]])
        >>> [round(value, 2) for value in MeanColor()(image, torch.tensor([[[[0.0, 0.0, 1.0]]]])).flatten().tolist()]
        [0.2, 0.2, 0.2]
    """

    def __call__(self, image: Tensor, mask: Tensor) -> Tensor:
        known = ~is_hole(mask)
        total = image.where(known, 0).sum(dim=(2, 3), keepdim=True)
        return (total / known.sum(dim=(2, 3), keepdim=True).clamp_min(1)).expand_as(image)


@BASELINES.register("biharmonic")
class Biharmonic(Baseline):
    """The biharmonic continuation of the known pixels, by scikit-image.

    0.6 s for a hole of 128 × 128 in an image of 256 × 256, on one core.

    Raises:
        InputError: scikit-image is missing.

    Source: Damelin, Hoang, "On surface completion and image inpainting by biharmonic functions", IJMMS 2018.
    """

    slow = True

    def __init__(self) -> None:
        try:
            self._restoration = importlib.import_module("skimage.restoration")
        except ImportError as error:
            raise needs_package("the baseline 'biharmonic' needs", "scikit-image", "inpainting", error) from error

    def __call__(self, image: Tensor, mask: Tensor) -> Tensor:
        filled = []
        known = erase(image, mask).double().cpu()
        for one, hole in zip(known.permute(0, 2, 3, 1).numpy(), is_hole(mask)[:, 0].cpu().numpy(), strict=True):
            found = self._restoration.inpaint_biharmonic(one, hole, channel_axis=-1)
            filled.append(torch.from_numpy(np.clip(found, -1, 1)).permute(2, 0, 1))
        return torch.stack(filled).to(image)
