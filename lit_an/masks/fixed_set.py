"""Fixed sets of masks as files, with the same number for each hole size, to evaluate inpainting."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from lit_an.errors import InputError
from lit_an.files import remove_leftovers, replacing
from lit_an.masks.base import HoleShape
from lit_an.masks.from_files import read_mask
from lit_an.masks.hashing import mask_set_hash
from lit_an.seeds import mix_seed
from lit_an.tensors.holes import BINS, bins_of

VERSION = 1

# The bins that papers report.
REPORTED = BINS[:-1]

# The plan is written first, the manifest last.
PLAN, MANIFEST = "plan.json", "manifest.json"


class Recipe(NamedTuple):
    """The settings of a set of masks, apart from their shape.

    Attributes:
        image_size: side in pixels.
        per_bin: masks in each bin.
        bins: which of ``lit_an.tensors.holes.BINS``.
        seed: chooses the masks.
        max_draws: consecutive masks that fit no open bin before the set is given up.
    """

    image_size: int
    per_bin: int
    bins: tuple[str, ...] = REPORTED
    seed: int = 0
    max_draws: int = 10_000


def make_set(shape: HoleShape, folder: Path, recipe: Recipe) -> dict[str, Any]:
    """Writes ``<bin>/<number>.png``, 255 = hole, and the manifest; continues an interrupted run.

    Masks are drawn with the seeds ``mix_seed(seed, 0)``, ``mix_seed(seed, 1)``, …, and each is put into the bin of its
    size unless that is full. So the files are a function of shape and recipe; existing files are compared with the
    drawn masks.

    Args:
        shape: what to draw.
        folder: empty, new, or begun with the same shape and recipe.
        recipe: the settings of the set.

    Returns:
        The manifest: shape, recipe, number of draws, share of hole of each file, and ``content_hash``, the
        ``mask_set_hash`` of the masks as ``MaskFiles`` reads them.

    Raises:
        InputError: values out of range, a folder with other content, or a bin that the shape does not reach.
    """
    _check(recipe)
    plan = {"version": VERSION, "shape": shape.description(), **recipe._asdict(), "bins": list(recipe.bins)}
    _claim(folder, plan)
    shares: dict[str, float] = {}
    draws = 0
    # disable=None: a bar on a terminal, nothing in a log file.
    with tqdm(desc="masks", total=recipe.per_bin * len(recipe.bins), disable=None) as bar:
        for found in _sorted_into_bins(shape, recipe):
            _keep(folder / found.name, found.mask)
            shares[found.name], draws = round(found.share, 6), found.draws
            bar.update()
    names = sorted(shares)
    masks = (_loaded(folder / name) for name in names)
    result = {
        **plan,
        "draws": draws,
        "content_hash": mask_set_hash(masks, len(names)),
        "files": {name: shares[name] for name in names},
    }
    with replacing(folder / MANIFEST) as temporary:
        temporary.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return result


class _Found(NamedTuple):
    name: str
    mask: Tensor
    share: float
    draws: int


def _sorted_into_bins(shape: HoleShape, recipe: Recipe) -> Iterator[_Found]:
    counts: Counter[str] = Counter()
    draw = last_of_use = 0
    while counts.total() < recipe.per_bin * len(recipe.bins):
        mask = shape.draw(recipe.image_size, recipe.image_size, mix_seed(recipe.seed, draw))
        draw += 1
        # numpy: torch would split so small a sum over threads, and wait for them.
        share = float((mask.numpy() > 0.5).mean())
        name = BINS[int(bins_of(torch.tensor(share)))]
        if name in recipe.bins and counts[name] < recipe.per_bin:
            yield _Found(f"{name}/{counts[name]:05d}.png", mask, share, draw)
            counts[name] += 1
            last_of_use = draw
        elif draw - last_of_use >= recipe.max_draws:
            raise InputError(_unreached(shape, recipe, counts))


def _unreached(shape: HoleShape, recipe: Recipe, counts: Counter[str]) -> str:
    per_bin = recipe.per_bin
    missing = [f"{name} % ({counts[name]} of {per_bin})" for name in recipe.bins if counts[name] < per_bin]
    return (
        f"prepare_masks: in {recipe.max_draws} draws in a row {shape!r} gave no hole of {', '.join(missing)} of the "
        f"image; leave these out of bins, raise max_draws, or give the shape other arguments"
    )


def _check(recipe: Recipe) -> None:
    for name in ("image_size", "per_bin", "max_draws"):
        if getattr(recipe, name) < 1:
            raise InputError(f"prepare_masks: {name} must be at least 1, got {getattr(recipe, name)}")
    unknown = [name for name in recipe.bins if name not in BINS]
    if unknown or not recipe.bins or len({*recipe.bins}) < len(recipe.bins):
        given = ", ".join(recipe.bins) or "none"
        raise InputError(f"prepare_masks: bins must be some of {', '.join(BINS)}, each once, got {given}")


def _claim(folder: Path, plan: dict[str, Any]) -> None:
    """Writes the plan to the folder; raises InputError if the folder has another plan."""
    path = folder / PLAN
    if path.is_file():
        try:
            earlier = json.loads(path.read_text(encoding="utf-8"))
            different = [name for name in plan if earlier[name] != plan[name]]
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"prepare_masks: {str(path)!r} is not one that this command wrote ({error!r}); remove the "
                f"folder {str(folder)!r} or choose another"
            ) from error
        if different:
            raise InputError(
                f"prepare_masks: {str(folder)!r} holds masks made with another {', '.join(different)}; choose another "
                f"folder or remove it"
            )
    elif folder.is_dir() and any(folder.iterdir()):
        raise InputError(f"prepare_masks: the folder {str(folder)!r} holds other files; choose an empty or a new one")
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(plan, indent=1) + "\n", encoding="utf-8")
    remove_leftovers(folder)


def _keep(path: Path, mask: Tensor) -> None:
    if path.is_file():
        if not torch.equal(_loaded(path), mask):
            raise InputError(
                f"prepare_masks: {str(path)!r} is not what these settings draw, here and now; it was changed, or drawn "
                f"by another version of numpy or Pillow: choose another folder"
            )
        return
    with replacing(path) as temporary:
        Image.fromarray((mask[0].numpy() * 255).astype(np.uint8)).save(temporary, "png")


def _loaded(path: Path) -> Tensor:
    return torch.from_numpy(read_mask(path)).float()[None]
