"""All figures of an inpainting model, also per bin of hole area, with the settings that they depend on."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from lit_an.errors import InputError
from lit_an.metrics.directions import label_of
from lit_an.metrics.discriminative import discriminative_scores
from lit_an.metrics.feature_set import FeatureSet, move_features
from lit_an.metrics.frechet import frechet_distance, frechet_distance_of_features
from lit_an.metrics.image_scores import Scores
from lit_an.metrics.pixel_errors import HIGHEST_PSNR
from lit_an.metrics.results import Result
from lit_an.tensors.holes import BINS, bins_of

# The order of a table.
FIGURES = (
    *("l1", "l1_percent", "psnr", "ssim", "ms_ssim", "lpips"),
    *("hole_l1", "hole_l1_percent", "hole_psnr", "hole_ssim", "hole_lpips"),
    *("fid", "p_ids", "u_ids"),
)
# Of those, what a table says of each bin of hole area; files hold all.
_OF_BINS = ("hole_psnr", "hole_lpips", "fid")
_FILLINGS = {"mean": "mean color", "biharmonic": "biharmonic"}

Figures = dict[str, float]


class Measured(NamedTuple):
    """Scores and features of one way of filling holes.

    Attributes:
        position: (N,), int64, positions of the images in their data set.
        scores: (N,) of each name of ``image_scores``, ``hole_share`` among them.
        features: of the composites, in the same order, or None.
    """

    position: Tensor
    scores: Scores
    features: FeatureSet | None = None


class BaselineFigures(NamedTuple):
    """Figures of a baseline.

    Attributes:
        position: (N,), int64, positions of its images in the data set.
        figures, by_bin: as of ``InpaintingResult``.
    """

    position: Tensor
    figures: Figures
    by_bin: dict[str, Figures]


@dataclasses.dataclass(frozen=True)
class InpaintingResult(Result):
    """Figures of inpainted against real images.

    Every figure is finite. Figures that cannot be computed are absent, with a reason in ``warnings``.

    Attributes:
        figures: name to value. Means over images: ``l1`` (of values in [-1, 1]), ``l1_percent`` (of the range, as
            papers give it), ``psnr`` (dB; identical images count as 100), ``ssim``, ``ms_ssim``, ``lpips``; the same
            with ``hole_`` over the hole alone. Of all composites against all real images: ``fid``, ``p_ids`` and
            ``u_ids`` (shares; papers give per cent).
        by_bin: the same for the images whose hole share lies in a bin, such as ``"10-20"`` per cent, and their
            number, ``images``; empty bins are absent, and so are ``fid``, ``p_ids`` and ``u_ids`` in bins of no more
            images than features.
        baselines: for each baseline the number of its ``images``, its ``figures`` and ``by_bin``, and, where it
            filled a part of the images only, ``model``: the model's figures on that part.
        warnings: sentences about figures that are absent, or that the size of a sample makes hard to compare.
        extractor: the extractor's description, or None.
        lpips: the description of LPIPS, or None.
        images: ``content_sha256`` over the pixels of all images, ``image_size``, ``count``.
        masks: ``sha256`` over the pixels of all masks.
    """

    title = "metrics of inpainting"
    basis = ("extractor", "lpips", "images", "masks")

    figures: Figures
    by_bin: dict[str, Figures]
    baselines: dict[str, dict[str, Any]]
    warnings: list[str]
    extractor: dict[str, Any] | None
    lpips: dict[str, Any] | None
    images: dict[str, Any]
    masks: dict[str, Any]

    def table(self) -> str:
        """A short readable summary: all images, the bins of hole area, the baselines."""
        head = (
            f"{self.images['count']} images {self.images['content_sha256'][:12]}…, masks {self.masks['sha256'][:12]}…"
        )
        for what, described in (("features", self.extractor), ("LPIPS", self.lpips)):
            if described is not None:
                kind = described.get("name") or described["network"]
                head += f"; {what} {kind} (weights {described['weights_sha256'][:12]}…)"
        fillings = {
            _FILLINGS.get(name, name): {"images": one["images"], **one["figures"]}
            for name, one in self.baselines.items()
        }
        whole = {"network": {"images": self.images["count"], **self.figures}, **fillings}
        bins = {f"{name} %": figures for name, figures in self.by_bin.items()}
        return "\n".join(
            [
                head,
                *_lines("", whole, FIGURES),
                *(_lines("by hole area", bins, _OF_BINS) if len(bins) > 1 else []),
                *(f"  warning: {warning}" for warning in self.warnings),
            ]
        )


def inpainting_result(
    measured: Measured,
    real: FeatureSet | None,
    described: Mapping[str, Any],
    baselines: Mapping[str, BaselineFigures] | None = None,
    warnings: Iterable[str] = (),
    device: torch.device | str = "cpu",
) -> InpaintingResult:
    """Every figure of a model, and of baselines on the same images.

    Args:
        measured: scores and features of the model.
        real: features of the real images, in the order of the composites; None without an extractor.
        described: the fields ``extractor``, ``lpips``, ``images`` and ``masks`` of the result.
        baselines: of the same images and masks, or of a part of them.
        warnings: earlier sentences, to which new ones are added.
        device: where to compute; it must support float64.
    """
    said = [*warnings, *_doubts(measured)]
    figures, by_bin = _all_figures(measured, real, said, device)
    others: dict[str, dict[str, Any]] = {}
    for name, baseline in (baselines or {}).items():
        others[name] = {"images": len(baseline.position), "figures": baseline.figures, "by_bin": baseline.by_bin}
        if len(baseline.position) < len(measured.position):
            others[name]["model"] = means(measured.scores, torch.isin(measured.position, baseline.position))
    return InpaintingResult(figures, by_bin, others, said, **described)


def baseline_figures(
    measured: Measured, real: FeatureSet | None, device: torch.device | str = "cpu"
) -> BaselineFigures:
    """Every figure of a baseline; arguments as of ``inpainting_result``. The same at every measurement of a run."""
    return BaselineFigures(measured.position, *_all_figures(measured, real, [], device))


def means(scores: Scores, chosen: Tensor) -> Figures:
    """Mean of each score over the chosen images whose value is finite; ``l1`` in per cent of the range, too.

    Args:
        scores: (N,) of each name.
        chosen: (N,), bool.

    Example:
        >>> means({"l1": torch.tensor([0.125, 0.375, 9.0])}, torch.tensor([True, True, False]))
        {'l1': 0.25, 'l1_percent': 12.5}
    """
    found = {}
    for name in FIGURES:
        percent = name.endswith("_percent")
        values = scores.get(name.removesuffix("_percent"), torch.empty(0))
        values = values[chosen[: len(values)] & values.isfinite()].double()
        if len(values):
            found[name] = float(values.mean()) * (50 if percent else 1)
    return found


def _all_figures(
    measured: Measured, real: FeatureSet | None, warnings: list[str], device: torch.device | str
) -> tuple[Figures, dict[str, Figures]]:
    everything = torch.ones(len(measured.position), dtype=torch.bool)
    figures, fake = means(measured.scores, everything), measured.features
    if fake is not None and real is not None:
        figures |= _distances(move_features(fake, device), move_features(real, device), warnings)
    share = measured.scores["hole_share"]
    bin_of = bins_of(share)
    by_bin: dict[str, Figures] = {}
    for number, name in enumerate(BINS):
        chosen = bin_of == number
        if chosen.any():
            by_bin[name] = {"images": int(chosen.sum()), **means(measured.scores, chosen)}
    if fake is not None and real is not None and "fid" in figures:
        _add_distances_by_bin(by_bin, bin_of, fake, real, warnings, device)
    return figures, by_bin


def _distances(fake: FeatureSet, real: FeatureSet, warnings: list[str]) -> Figures:
    size, count = fake.rows.shape[1], fake.num_images
    if count < 2:
        warnings.append("fid, p_ids, u_ids: absent, since there are fewer than 2 images")
        return {}
    if not (fake.moments.outer.isfinite().all() and real.moments.outer.isfinite().all()):
        warnings.append("fid, p_ids, u_ids: absent, since the features of some images are not finite numbers")
        return {}
    if count <= size:
        warnings.append(
            f"fid: {count} images are too few for {size} features: the figure is too large by an amount that depends "
            f"on their number; use more than {size}, or compare figures of the same images only"
        )
    if len(fake.rows) <= size:
        warnings.append(
            f"p_ids, u_ids: {len(fake.rows)} images are too few for {size} features: a plane separates almost any so "
            f"few images, which makes the figures too low; use more than {size}"
        )
    return {"fid": frechet_distance(fake.moments, real.moments), **_discriminative(fake.rows, real.rows, warnings)}


def _discriminative(fake: Tensor, real: Tensor, warnings: list[str]) -> Figures:
    try:
        scores = discriminative_scores(fake, real)
    except InputError as error:  # scikit-learn is missing; the other figures are still useful
        _say(f"p_ids, u_ids: absent: {error}", warnings)
        return {}
    if not scores.converged:
        _say("p_ids, u_ids: the classifier did not converge; the figures are approximate", warnings)
    return {"p_ids": scores.p_ids, "u_ids": scores.u_ids}


def _say(sentence: str, warnings: list[str]) -> None:
    """Adds a sentence once, even if it applies to several bins."""
    if sentence not in warnings:
        warnings.append(sentence)


def _add_distances_by_bin(
    by_bin: dict[str, Figures],
    bin_of: Tensor,
    fake: FeatureSet,
    real: FeatureSet,
    warnings: list[str],
    device: torch.device | str,
) -> None:
    """From the kept rows, in the bins that have enough of them."""
    kept, size = len(fake.rows), fake.rows.shape[1]
    bin_of = bin_of[torch.arange(kept) * len(bin_of) // kept]  # row j is of image ⌊j · count / kept⌋
    few = []
    for name, figures in by_bin.items():
        chosen = bin_of == BINS.index(name)
        if int(chosen.sum()) <= size:
            few.append(f"{name} ({int(chosen.sum())} images)")
            continue
        rows = fake.rows[chosen].to(device), real.rows[chosen].to(device)
        figures["fid"] = frechet_distance_of_features(*rows)
        figures |= _discriminative(*rows, warnings)
    if few:
        warnings.append(f"fid, p_ids, u_ids: absent in the bins {', '.join(few)}: too few for {size} features")


def _doubts(measured: Measured) -> list[str]:
    """Sentences about scores that are infinite or capped."""
    found = []
    for name, values in measured.scores.items():
        strange = int((~values.isfinite()).sum())
        if strange:
            found.append(f"{name}: without {strange} of {len(values)} images, whose value is not a finite number")
        alike = int((values >= HIGHEST_PSNR).sum()) if name.endswith("psnr") else 0
        if alike:
            found.append(f"{name}: {alike} of {len(values)} images are perfect and count as {HIGHEST_PSNR:g} dB")
    return found


def _lines(title: str, columns: Mapping[str, Mapping[str, float]], figures: Iterable[str]) -> list[str]:
    """A head, and a row for each of the figures that a column has."""
    rows = [name for name in ("images", *figures) if any(name in column for column in columns.values())]
    lines = [_row(title, columns)]
    return lines + [
        _row(label_of(name), [f"{c[name]:.4g}" if name in c else "" for c in columns.values()]) for name in rows
    ]


def _row(name: str, cells: Iterable[str]) -> str:
    return f"  {name:18}" + "".join(f" {cell:>10}" for cell in cells).rstrip()
