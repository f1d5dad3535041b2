"""Which way is better, for every figure that the project computes, and how a table calls it."""

from typing import Literal, NamedTuple

Better = Literal["higher", "lower"]


class Kind(NamedTuple):
    """What a table says of a figure.

    Attributes:
        title: for the head of a column.
        better: ``higher`` or ``lower``; None for what is neither good nor bad, such as the floor of a distance.
    """

    title: str
    better: Better | None


# In the order of a table.
KINDS: dict[str, Kind] = {
    "fid": Kind("FID", "lower"),
    "kid": Kind("KID", "lower"),
    "kid_all_pairs": Kind("KID, all pairs", "lower"),
    "inception_score": Kind("IS", "higher"),
    "precision": Kind("Precision", "higher"),
    "recall": Kind("Recall", "higher"),
    "density": Kind("Density", "higher"),
    "coverage": Kind("Coverage", "higher"),
    "intra_fid": Kind("Intra-FID", "lower"),
    "l1": Kind("L1", "lower"),
    "l1_percent": Kind("L1, %", "lower"),
    "psnr": Kind("PSNR", "higher"),
    "ssim": Kind("SSIM", "higher"),
    "ms_ssim": Kind("MS-SSIM", "higher"),
    "lpips": Kind("LPIPS", "lower"),
    "hole_l1": Kind("L1 in holes", "lower"),
    "hole_l1_percent": Kind("L1 in holes, %", "lower"),
    "hole_psnr": Kind("PSNR in holes", "higher"),
    "hole_ssim": Kind("SSIM in holes", "higher"),
    "hole_lpips": Kind("LPIPS in holes", "lower"),
    "p_ids": Kind("P-IDS", "higher"),
    "u_ids": Kind("U-IDS", "higher"),
    "miou": Kind("mIoU", "higher"),
    "ari": Kind("ARI", "higher"),
    "nmi": Kind("NMI", "higher"),
    "purity": Kind("Purity", "higher"),
    "boundary_f": Kind("Boundary F", "higher"),
    "agreement": Kind("Agreement", "higher"),
    "agreement_by_chance": Kind("Agreement by chance", None),
    "effective_regions": Kind("Effective regions", None),
    "effective_regions_per_position": Kind("Regions per position", None),
    "kid_deviation": Kind("KID, deviation", None),
    "inception_score_deviation": Kind("IS, deviation", None),
    "fid_floor": Kind("FID floor", None),
    "intra_fid_floor": Kind("Intra-FID floor", None),
}


_ARROWS = {"higher": "↑", "lower": "↓", None: ""}


def label_of(figure: str) -> str:
    """How a table calls a figure, with an arrow for which way is better; an unknown one by its own name.

    Example:
        >>> label_of("hole_psnr"), label_of("fid_floor"), label_of("spread")
        ('PSNR in holes ↑', 'FID floor', 'spread')
    """
    kind = kind_of(figure)
    return figure if kind is None else f"{kind.title} {_ARROWS[kind.better]}".rstrip()


def kind_of(figure: str) -> Kind | None:
    """What is known of a figure, also under the name that logs give it; None for a figure that is not in ``KINDS``.

    Example:
        >>> kind_of("val/fid"), kind_of("layout/long_range/miou")
        (Kind(title='FID', better='lower'), Kind(title='mIoU (long_range)', better='higher'))
        >>> kind_of("train/generator/spread") is None
        True
    """
    *path, name = figure.split("/")
    known = KINDS.get(name)
    if known is None or path[:1] == ["train"]:
        return None
    layer = "/".join(path[1:])
    return known._replace(title=f"{known.title} ({layer})") if layer else known
