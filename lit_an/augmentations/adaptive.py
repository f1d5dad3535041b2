"""Adaptive discriminator augmentation (ADA): its probability adapts to the discriminator's overfitting."""

import math

import torch
import torch.distributed
from torch import Tensor

from lit_an.augmentations.base import AUGMENTATIONS, Augmentation
from lit_an.augmentations.color import hue_matrix, luma_flip_matrix, recolor, saturation_matrix
from lit_an.augmentations.geometry import resample, resampling_matrix, turned
from lit_an.errors import InputError
from lit_an.tensors.precision import without_autocast

# Strengths, as published: the largest whole-pixel shift as a share of the side, and standard deviations.
_SHIFT, _LOG_SCALE, _FRACTION = 0.125, 0.2, 0.125
_BRIGHTNESS, _LOG_CONTRAST, _LOG_SATURATION = 0.2, 0.5, 1.0


@AUGMENTATIONS.register("ada")
class AdaptiveAugmentation(Augmentation):
    """Applies each transformation to each image with probability p, and adapts p to a target.

    The transformations: mirroring, quarter turns, shifts by whole pixels, scaling, stretching, shifts by fractions of
    the side; brightness, contrast, mirrored luma, hue, saturation. p rises while E sign D(real) is above ``target``,
    a sign of overfitting, and falls while it is below.

    ``state()`` in the middle of a window of ``adapt_every`` batches holds one rank's share of the window: with several
    ranks, a resumed run has another sum in that window.

    Args:
        target: desired E sign D(real), -1 < target < 1.
        images_to_full: images over which p goes from 0 to 1, ≥ 1.
        adapt_every: discriminator batches between changes of p, ≥ 1; ranks synchronize only then.
        probability: initial p, 0 ≤ p ≤ 1.
        max_probability: upper limit of p, 0 < p ≤ 1. Above about 0.8 augmentations leak into the generated images.

    Raises:
        InputError: a number out of range.

    Source: Karras et al., "Training generative adversarial networks with limited data", NeurIPS 2020 (arXiv
    2006.06676), sections 2 and 3, appendix B; strengths, speed and window of the authors' code.
    Differs: no rotation by arbitrary angles, which is not a product of two matrices; shrinking filters with a triangle,
    not a wavelet; borders are mirrored at their pixels' centers.

    Example:
        >>> image = torch.randn(2, 3, 8, 8)
        >>> torch.equal(AdaptiveAugmentation()(image), image)  # p = 0 at the start
        True
    """

    def __init__(
        self,
        target: float = 0.6,
        images_to_full: int = 500_000,
        adapt_every: int = 4,
        probability: float = 0.0,
        max_probability: float = 1.0,
    ) -> None:
        for name, value, good, rule in (
            ("target", target, -1 < target < 1, "between -1 and 1"),
            ("images_to_full", images_to_full, images_to_full >= 1, "at least 1"),
            ("adapt_every", adapt_every, adapt_every >= 1, "at least 1"),
            ("max_probability", max_probability, 0 < max_probability <= 1, "greater than 0 and at most 1"),
            ("probability", probability, 0 <= probability <= max_probability, f"from 0 to {max_probability}"),
        ):
            if not good:
                raise InputError(f"AdaptiveAugmentation: {name} must be {rule}, got {value}")
        self.target, self.images_to_full, self.adapt_every = target, images_to_full, adapt_every
        self.max_probability = max_probability
        # Tensors on the images' device, never read by the host; not buffers, which DDP would overwrite with rank 0's.
        self._probability, self._signs = torch.tensor(probability), torch.zeros(())
        self._images = self._batches = 0

    def __call__(self, image: Tensor) -> Tensor:
        self._place(image)
        return _recolored(_moved(image, self._probability), self._probability)

    def observe(self, real_logits: Tensor) -> None:
        self._place(real_logits)
        # A NaN counts as undecided: one would make the probability NaN to the end of the run.
        signs = real_logits.detach().float().sign().nan_to_num()
        # The mean of an image's logits, where it has several, so that each image counts once.
        self._signs = self._signs + signs.reshape(len(signs), -1).mean(1).sum()
        self._images += len(real_logits)
        self._batches += 1
        if self._batches == self.adapt_every:
            self._adapt()

    def _adapt(self) -> None:
        signs, images = self._signs, self._images
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.all_reduce(signs)
            images *= torch.distributed.get_world_size()
        direction = (signs / images - self.target).sign()
        moved = self._probability + direction * (images / self.images_to_full)
        self._probability = moved.clamp(0, self.max_probability)
        self._signs, self._images, self._batches = torch.zeros_like(signs), 0, 0

    def _place(self, like: Tensor) -> None:
        self._probability, self._signs = self._probability.to(like.device), self._signs.to(like.device)

    def scalars(self) -> dict[str, Tensor]:
        return {"augmentation_probability": self._probability}

    def state(self) -> dict[str, float]:
        return {
            "probability": float(self._probability),
            "signs": float(self._signs),
            "images": self._images,
            "batches": self._batches,
        }

    def load_state(self, state: dict[str, float]) -> None:
        self._probability, self._signs = torch.tensor(state["probability"]), torch.tensor(state["signs"])
        self._images, self._batches = int(state["images"]), int(state["batches"])


def _moved(image: Tensor, probability: Tensor) -> Tensor:
    """Mirrored, turned, shifted, scaled, stretched and shifted again, in this order, in one product."""
    draw = _Draws(image, probability)
    image, *reversed_axes = turned(image, draw.coin(), draw.sometimes(torch.randint(4, draw.size, device=draw.device)))
    log_scale, log_stretch = draw.normal(_LOG_SCALE), draw.normal(_LOG_SCALE)
    shifts, fractions = draw.uniform(_SHIFT, 2), draw.normal(_FRACTION, 2)  # (2, B): rows, columns
    weights = []
    for axis, (size, is_reversed) in enumerate(zip(image.shape[2:], reversed_axes, strict=True)):
        # Rows are shrunk by the stretch that widens columns.
        step = torch.exp2(-(log_scale + (2 * axis - 1) * log_stretch))
        center = (size - 1) / 2
        output = torch.arange(size, device=draw.device) - center
        position = (output - size * fractions[axis][:, None]) * step[:, None]
        position = position - (size * shifts[axis]).round()[:, None]
        position = torch.where(is_reversed[:, None], -position, position) + center
        weights.append(resampling_matrix(position, size, step))
    return resample(image, *weights)


def _recolored(image: Tensor, probability: Tensor) -> Tensor:
    draw = _Draws(image, probability)
    offset, contrast = draw.normal(_BRIGHTNESS), torch.exp2(draw.normal(_LOG_CONTRAST))
    matrix = luma_flip_matrix(draw.coin().float()) * contrast[:, None, None]
    saturation, hue = torch.exp2(draw.normal(_LOG_SATURATION)), draw.uniform(math.pi)
    with without_autocast(image):  # half precision would shift colors
        matrix = saturation_matrix(saturation) @ hue_matrix(hue) @ matrix
    # Brightness comes first: the matrix moves its offset, too.
    return recolor(image, matrix, matrix.sum(2) * offset[:, None])


class _Draws:
    """Random numbers (B,) or (axes, B), those of an image all 0 with probability 1 − p."""

    def __init__(self, image: Tensor, probability: Tensor) -> None:
        self.size, self.device, self.probability = (len(image),), image.device, probability

    def sometimes(self, value: Tensor) -> Tensor:
        """``value`` where it happens, 0 elsewhere."""
        happens = torch.rand(self.size, device=self.device) < self.probability
        return torch.where(happens, value, torch.zeros_like(value))

    def coin(self) -> Tensor:
        """True or False with equal probability."""
        return self.sometimes(torch.rand(self.size, device=self.device) < 0.5)

    def uniform(self, largest: float, *axes: int) -> Tensor:
        """From -largest to largest."""
        return self.sometimes((2 * torch.rand(*axes, *self.size, device=self.device) - 1) * largest)

    def normal(self, deviation: float, *axes: int) -> Tensor:
        """Normal around 0."""
        return self.sometimes(torch.randn(*axes, *self.size, device=self.device) * deviation)
