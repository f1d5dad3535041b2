"""Metrics that compare an inpainted image with the original, and their table over many images."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from lit_an.errors import InputError
from lit_an.files import replacing
from lit_an.metrics.feature_networks.extractors import to_pixels
from lit_an.metrics.feature_networks.lpips import Lpips
from lit_an.metrics.pixel_errors import pixel_errors
from lit_an.metrics.similarity import SMALLEST_MS_SSIM, SMALLEST_SSIM, multiscale_similarity, structural_similarity

Scores = dict[str, Tensor]


def image_scores(image: Tensor, composite: Tensor, mask: Tensor, lpips: Lpips | None = None) -> Scores:
    """``hole_share`` and every metric of each image that its size allows, by name; all (B,), float64.

    ``l1``, ``psnr``, ``ssim``, ``ms_ssim`` and ``lpips`` are of the whole image, ``hole_…`` of the hole alone. Both
    images are first rounded to 256 levels, so that a tensor and its PNG have the same figures.

    Args:
        image: (B, 3, H, W), in [-1, 1], the truth.
        composite: (B, 3, H, W), in [-1, 1], the truth with its hole filled.
        mask: (B, 1, H, W), 1 = hole, 0 = known.
        lpips: on the images' device; None leaves ``lpips`` and ``hole_lpips`` out.

    Raises:
        InputError: the mask has values other than 0 and 1.

    Example:
        >>> image, mask = torch.zeros(2, 3, 16, 16), torch.ones(2, 1, 16, 16)
        >>> list(image_scores(image, image, mask))
        ['hole_share', 'l1', 'psnr', 'hole_l1', 'hole_psnr', 'ssim', 'hole_ssim']
    """
    strange = mask[(mask != 0) & (mask != 1)]
    if strange.numel():
        raise InputError(f"mask must be 0 (known) or 1 (hole) everywhere, got {float(strange[0]):g}")
    image, composite, side = round_to_8_bits(image), round_to_8_bits(composite), min(image.shape[-2:])
    scores = {"hole_share": mask.double().mean(dim=(1, 2, 3)), **pixel_errors(image, composite, mask)._asdict()}
    if side >= SMALLEST_SSIM:
        scores |= structural_similarity(image, composite, mask)._asdict()
    if side >= SMALLEST_MS_SSIM:
        scores["ms_ssim"] = multiscale_similarity(image, composite)
    if lpips is not None and side >= lpips.smallest:
        scores |= lpips(image, composite, mask)._asdict()
    return scores


def too_small(image_size: Sequence[int], lpips: Lpips | None) -> list[str]:
    """A sentence for each metric that ``image_scores`` leaves out because the images are too small.

    Example:
        >>> too_small((128, 256), None)
        ['ms_ssim: absent, since images of 128 × 256 px are smaller than the 176 px that it needs']
    """
    needed = {"ssim": SMALLEST_SSIM, "ms_ssim": SMALLEST_MS_SSIM}
    if lpips is not None:
        needed["lpips"] = lpips.smallest
    size = " × ".join(map(str, image_size))
    return [
        f"{name}: absent, since images of {size} px are smaller than the {least} px that it needs"
        for name, least in needed.items()
        if min(image_size) < least
    ]


def round_to_8_bits(images: Tensor) -> Tensor:
    """Rounds images in [-1, 1] to the 256 levels of an 8-bit file, as float32."""
    return to_pixels(images) / 127.5 - 1


class ScoreCollector:
    """Collects the scores of ``count`` images, numbered 0 to count - 1, each of them once, on any number of processes.

    As in ``FeatureCollector``, results do not depend on which process processes an image.

    Args:
        count: images over all processes, ≥ 1.
    """

    def __init__(self, count: int) -> None:
        self._seen = torch.zeros(count, dtype=torch.float64)
        self._columns: Scores = {}

    def add(self, scores: Mapping[str, Tensor], index: Tensor) -> None:
        """Adds a batch: (B,) of each name, the same names each time; ``index`` (B,), the number of each image."""
        assert not self._columns or list(scores) == list(self._columns)
        for name, values in scores.items():
            column = self._columns.setdefault(name, torch.zeros_like(self._seen))
            column[index] = values.double().cpu()
        self._seen[index] += 1

    def collected(self, device: torch.device | str = "cpu") -> Scores:
        """(count,) of each name, over all processes; each of them must call this, having added at least one image.

        Args:
            device: one that supports collective operations.
        """
        assert self._columns, "a process added no images"
        together = torch.stack([self._seen, *self._columns.values()])
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            together = together.to(device)
            torch.distributed.all_reduce(together)
            together = together.cpu()
        assert (together[0] == 1).all(), "an image is missing or was added twice"
        return dict(zip(self._columns, together[1:], strict=True))


def write_scores(path: Path, position: Tensor, names: Sequence[str], scores: Scores) -> None:
    """Writes a CSV file atomically: a row for each image, with its position in the data set and its name.

    Undecodable bytes of a name become escapes such as ``\\udce9``.
    """
    with (
        replacing(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(["index", "name", *scores])
        for row, (place, name) in enumerate(zip(position.tolist(), names, strict=True)):
            writer.writerow([place, name, *(f"{float(column[row]):.9g}" for column in scores.values())])
