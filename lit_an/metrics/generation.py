"""All figures of a generator, with the settings that they depend on."""

import dataclasses
from typing import Any

import torch
from torch import Tensor

from lit_an.errors import InputError
from lit_an.metrics.class_distances import ClassDistances, distances_of_rows
from lit_an.metrics.directions import label_of
from lit_an.metrics.feature_set import FeatureSet, keep_rows, move_features
from lit_an.metrics.floors import frechet_floor, intra_floor
from lit_an.metrics.frechet import frechet_distance
from lit_an.metrics.inception import inception_score
from lit_an.metrics.kernel import kernel_distance, squared_mmd
from lit_an.metrics.manifold import DENSITY_NEIGHBORS, manifold_scores
from lit_an.metrics.reference_statistics import ReferenceStatistics
from lit_an.metrics.results import Result

KERNEL_SUBSET = 1000
_RUNNING = {"statistics": "running", "protocol": None}


@dataclasses.dataclass(frozen=True)
class GenerationResult(Result):
    """Figures of generated against real images.

    Attributes:
        figures: name to value: ``fid``, ``kid`` (mean over subsets), ``kid_deviation``, ``kid_all_pairs``,
            ``inception_score``, ``inception_score_deviation``, ``precision``, ``recall``, ``density``, ``coverage``,
            ``intra_fid``, and ``fid_floor`` and ``intra_fid_floor``, the values of two samples of the real images;
            figures that cannot be computed are absent, with a reason in ``warnings``.
        intra_fid_by_class: Fréchet distance of each class, None if either side has too few images of it.
        warnings: sentences about figures that the size of a sample makes meaningless or hard to compare.
        extractor: the extractor's description: name, resize, hash of its weights.
        counts: numbers of images of either side.
        reference: the description of the reference statistics, and ``key``, the name of their file.
        generator: how the generator made the images: ``statistics`` of its batch norm, ``running`` or ``standing``
            (then with ``passes``), and the name of the ``protocol`` or None.
    """

    title = "metrics of a generator"
    basis = ("extractor", "reference", "counts", "generator")

    figures: dict[str, float]
    intra_fid_by_class: list[float | None]
    warnings: list[str]
    extractor: dict[str, Any]
    counts: dict[str, int]
    reference: dict[str, Any]
    generator: dict[str, Any] = dataclasses.field(default_factory=lambda: dict(_RUNNING))

    def table(self) -> str:
        """A short readable summary."""
        lines = [f"  {label_of(name):26} {value:.4g}" for name, value in self.figures.items()]
        counts = f"{self.counts['generated']} generated and {self.counts['real']} real images"
        hashed = self.extractor["weights_sha256"][:12]
        head = f"{counts}; {self.extractor['name']} ({self.extractor['resize']}; weights {hashed}…)"
        return "\n".join([head, *lines, *(f"  warning: {warning}" for warning in self.warnings)])


def generation_result(
    fake: FeatureSet,
    extractor: dict[str, Any],
    reference: ReferenceStatistics,
    num_classes: int,
    device: torch.device | str = "cpu",
    classes: ClassDistances | None = None,
    keep: int = 50_000,
    generator: dict[str, Any] | None = None,
) -> GenerationResult:
    """Every figure of generated images against real ones.

    Args:
        fake: features of the generated images.
        extractor: description of their extractor.
        reference: of the real images.
        num_classes: classes of the generator.
        device: where to compute; it must support float64.
        classes: distances within the classes; None takes them from the kept rows.
        keep: rows of either side for the figures that compare images one by one, evenly spread, ≥ 1.
        generator: how it made the images, see ``GenerationResult``; None is with running statistics.

    Raises:
        InputError: the reference is of another extractor.
    """
    if extractor != reference.description["extractor"]:
        raise InputError(
            f"generated images seen by {extractor} cannot be compared with real ones seen by "
            f"{reference.description['extractor']}; compute the reference with the same extractor"
        )
    real, every = keep_rows(reference.features, keep), reference.features
    classes = classes or distances_of_rows(fake, real, num_classes, device)
    fake, real = move_features(fake, device), move_features(real, device)
    floor = frechet_floor(real.rows, fake.num_images, real.num_images)
    figures, warnings = _distances(fake, real, floor)
    figures |= _scores(fake, warnings)
    figures |= _neighbors(fake.rows, real.rows, warnings)
    if classes.mean is not None:
        figures["intra_fid"] = classes.mean
    figures |= _of_classes(classes, every, warnings)
    counts = {
        "generated": fake.num_images,
        "real": real.num_images,
        "generated_rows": len(fake.rows),
        "real_rows": len(real.rows),
        "generated_of_a_class": min(classes.generated),
        "real_of_a_class": min(classes.real),
        "features": fake.rows.shape[1],
    }
    described = {"key": reference.key, **reference.description}
    made = _RUNNING | (generator or {})
    return GenerationResult(figures, classes.by_class, warnings, extractor, counts, described, made)


def _distances(fake: FeatureSet, real: FeatureSet, floor: float | None) -> tuple[dict[str, float], list[str]]:
    size, warnings = fake.rows.shape[1], []
    few = [
        f"{side.num_images} {kind}" for side, kind in ((fake, "generated"), (real, "real")) if side.num_images <= size
    ]
    if few:
        warnings.append(
            f"fid: {' and '.join(few)} images are too few for {size} features: {_said(floor)}; use more than {size}, "
            "or compare figures of the same counts only"
        )
    if min(fake.num_images, real.num_images) < 2:
        return {}, [*warnings, "fid, kid: absent, since a side has fewer than 2 images"]
    kernel = kernel_distance(fake.rows, real.rows, subset_size=KERNEL_SUBSET)
    if kernel.subset_size < KERNEL_SUBSET:
        warnings.append(f"kid: subsets of {kernel.subset_size} images, since there are fewer than {KERNEL_SUBSET}")
    figures = {
        "fid": frechet_distance(fake.moments, real.moments),
        "kid": kernel.mean,
        "kid_deviation": kernel.deviation,
        "kid_all_pairs": squared_mmd(fake.rows, real.rows),
    }
    return figures | ({} if floor is None else {"fid_floor": floor}), warnings


def _said(floor: float | None) -> str:
    if floor is None:
        return "the figure is too large by an amount that too few real images leave unknown"
    return f"two samples of the real images, of these counts, would get about {floor:.3g} instead of 0"


def _scores(fake: FeatureSet, warnings: list[str]) -> dict[str, float]:
    if fake.scores is None:
        warnings.append("inception_score: absent, since the extractor returns no logits")
        return {}
    splits, classes = fake.scores.probability.shape
    if fake.num_images < splits * classes:
        warnings.append(
            f"inception_score: {fake.num_images // splits} images in each of {splits} splits are too few for {classes} "
            "classes: the figure is too low"
        )
    mean, deviation = inception_score(fake.scores)
    return {"inception_score": mean, "inception_score_deviation": deviation}


def _neighbors(fake: Tensor, real: Tensor, warnings: list[str]) -> dict[str, float]:
    if min(len(fake), len(real)) <= DENSITY_NEIGHBORS:
        warnings.append(f"precision to coverage: absent, since a side has {DENSITY_NEIGHBORS} images or fewer")
        return {}
    return manifold_scores(fake, real)._asdict()


def _of_classes(classes: ClassDistances, real: FeatureSet, warnings: list[str]) -> dict[str, float]:
    """The floor of the distances within classes as a figure, if it is known."""
    floor, size = intra_floor(real.rows, real.label, classes.generated, classes.real), real.rows.shape[1]
    missing = sum(value is None for value in classes.by_class)
    if missing:
        warnings.append(
            f"intra_fid: without {missing} of {len(classes.by_class)} classes, of which a side has fewer than 2 images"
        )
    fewest = min(*classes.generated, *classes.real)
    if fewest <= size:
        warnings.append(
            f"intra_fid: as few as {fewest} images of a class are too few for {size} features: {_said(floor)}; compare "
            "figures of the same counts only"
        )
    return {} if floor is None else {"intra_fid_floor": floor}
