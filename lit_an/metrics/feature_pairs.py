"""Checks the features of two sets of images before they are compared."""

from torch import Tensor

from lit_an.errors import InputError


def check_features(what: str, fake: Tensor, real: Tensor, least: int) -> None:
    """Checks that two sets of features can be compared.

    Args:
        what: the figure, for the sentence.
        fake, real: (M, D) and (N, D).
        least: smallest M and N.

    Raises:
        InputError: other shapes, or fewer images.
    """
    shapes = f"got {tuple(fake.shape)} and {tuple(real.shape)}"
    if fake.dim() != 2 or real.dim() != 2 or fake.shape[1] != real.shape[1]:
        raise InputError(f"{what} takes features (M, D) and (N, D) of one network, {shapes}")
    if min(len(fake), len(real)) < least:
        raise InputError(f"{what} needs at least {least} images of either side, {shapes}")
