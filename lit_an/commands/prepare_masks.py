"""``python cli.py prepare_masks``: draws a fixed set of masks, with the same number for each hole size."""

from collections import Counter
from pathlib import Path

from lit_an.commands.option_types import Names
from lit_an.files import explain_write_errors
from lit_an.masks import HoleShape
from lit_an.masks.fixed_set import REPORTED, Recipe, make_set


def run(
    shape: HoleShape,
    out: str,
    image_size: int,
    per_bin: int = 100,
    bins: Names | None = None,
    seed: int = 0,
    max_draws: int = 10_000,
) -> int:
    """Draws a fixed set of masks, sorted by the size of their holes, as PNG files; continues an interrupted run.

    Args:
        shape: what to draw, such as ``lit_an.masks.FreeForm``; its arguments are ``--shape.parts=4`` and so on.
        out: the folder to make: ``00-10/00000.png`` …, white is hole, and a manifest.
        image_size: side of the masks in pixels.
        per_bin: masks of each size.
        bins: sizes in per cent of the image, some of 00-10, 10-20, 20-30, 30-40, 40-50, 50-60 and
            60-100. Default: all but the last.
        seed: chooses the masks.
        max_draws: consecutive masks that fit no open bin before the command gives up.

    Returns:
        0.
    """
    recipe = Recipe(image_size, per_bin, REPORTED if bins is None else tuple(bins), seed, max_draws)
    folder = Path(out).expanduser()
    with explain_write_errors(folder, "prepare_masks", "make room or choose another folder; what is finished is kept"):
        manifest = make_set(shape, folder, recipe)
    for name, count in Counter(file.split("/")[0] for file in manifest["files"]).items():
        print(f"{name} % {count:>6} masks")
    print(f"content hash {manifest['content_hash']}, {manifest['draws']} draws")
    print(f"use it: mask: {{class_path: lit_an.masks.MaskFiles, init_args: {{folder: {out}}}}}")
    return 0
