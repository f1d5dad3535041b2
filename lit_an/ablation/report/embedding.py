"""Pictures of runs, chosen and made small for the page."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from lit_an.ablation.analysis.runs import Run
from lit_an.ablation.analysis.study import Study
from lit_an.errors import InputError

_MOST_PIXELS = 16_383  # of a side of a WebP
_KINDS = {".png": "image/png", ".webp": "image/webp"}


class Picture(NamedTuple):
    """A picture of a variant.

    Attributes:
        variant, seed, iteration: of which run, and when.
        content: of its file.
        kind: MIME type.
        alt: what it shows, for those who do not see it.
    """

    variant: str
    seed: int
    iteration: int
    content: bytes
    kind: str
    alt: str


def pictures_of(study: Study) -> dict[str, list[Picture]]:
    """The last pictures of one run of each variant, by tag: those of layouts after the others.

    All are of the first seed that most variants have pictures of; a variant without that seed shows its first one.

    Raises:
        InputError: a file is no picture.
    """
    pictured = [run for run in study.runs if run.pictures]
    if not pictured:
        return {}
    seeds = [run.seed for run in pictured]
    seed = min(set(seeds), key=lambda each: (-seeds.count(each), each))
    chosen = [run for variant in study.variants if (run := _run_of(study.of(variant), seed)) is not None]
    tags = sorted({tag for run in chosen for tag in run.pictures}, key=lambda tag: (tag.startswith("layouts"), tag))
    return {tag: [_picture(run, tag, run.pictures[tag]) for run in chosen if tag in run.pictures] for tag in tags}


def _run_of(runs: Sequence[Run], seed: int) -> Run | None:
    pictured = [run for run in runs if run.pictures]
    return next((run for run in pictured if run.seed == seed), pictured[0] if pictured else None)


def _picture(run: Run, tag: str, path: Path) -> Picture:
    iteration = int(path.stem.rpartition("_")[2])
    try:
        content, kind = path.read_bytes(), _KINDS[path.suffix]
        smaller = _as_webp(content) or content
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"{path} cannot be read as a picture ({error}); make it again, or remove it") from error
    if len(smaller) < len(content):
        content, kind = smaller, "image/webp"
    what = "regions of the layout" if tag.startswith("layouts") else "images"
    alt = f"{tag} of {run.variant}, seed {run.seed}, after {iteration:,} iterations: a grid of {what}"
    return Picture(run.variant, run.seed, iteration, content, kind, alt)


def _as_webp(content: bytes) -> bytes | None:
    """The same pixels in fewer bytes; None of a picture that is too large for WebP."""
    written = io.BytesIO()
    with Image.open(io.BytesIO(content)) as picture:
        if max(picture.size) > _MOST_PIXELS:
            picture.verify()
            return None
        picture.convert("RGB").save(written, "WEBP", lossless=True, method=2)
    return written.getvalue()
