"""What keeps a layout from being a map of regions, told from the numbers that a run logs, and what to try."""

from typing import Literal, NamedTuple

from torch import Tensor

from lit_an.metrics.layout.position import PositionShares, position_sums, shares_of_position
from lit_an.metrics.layout.statistics import LayoutStatistics

# Of the even share, 1 / N: below it a region is dead.
DEAD_SHARE = 0.1
# Of the regions: with so many dead ones a layout has far fewer regions than it was given.
MANY_DEAD = 0.5
# |ρ| by the features' standard deviation: below it the layer is about the identity.
LEAST_STRENGTH = 0.01
# Share of the variance that position explains: above it regions say where something is, and not what.
MOST_OF_POSITION = 0.5


class Symptom(NamedTuple):
    """Something that is wrong with a layout at one iteration.

    Attributes:
        kind: what is counted over iterations.
        name: what the layout is, for a sentence: "the layout has been …".
        figures: the numbers that show it.
        advice: what follows from it, and what to try.
    """

    kind: Literal["degenerate", "dead regions", "without effect", "tied to position"]
    name: str
    figures: str
    advice: str


def degeneracy(statistics: LayoutStatistics) -> Literal["uniform", "one region"] | None:
    """What makes attentive normalization equal to instance normalization, if anything does.

    ``uniform``: more than 0.95 N regions at a position, where all regions have the same moments and attentive
    normalization is instance normalization. ``one region``: at most 1.2 regions in use, so that it is instance
    normalization too.

    Args:
        statistics: of the layout.

    Example:
        >>> import torch
        >>> from lit_an.metrics.layout import layout_statistics
        >>> degeneracy(layout_statistics(torch.full((1, 4, 2, 2), 0.25), torch.zeros(1, 3, 2, 2)))
        'uniform'
    """
    regions = len(statistics.usage)
    if regions > 1 and statistics.effective_regions_per_position > 0.95 * regions:
        return "uniform"
    return "one region" if regions > 1 and statistics.effective_regions <= 1.2 else None


def dead_regions(usage: Tensor) -> int:
    """How many regions hold less than a tenth of their even share, 1 / N.

    Args:
        usage: (N,), share of all positions that each region holds; sums to 1.

    Example:
        >>> import torch
        >>> dead_regions(torch.tensor([0.5, 0.48, 0.02, 0.0]))
        2
    """
    return int((usage < DEAD_SHARE / len(usage)).sum())


def residual_strength(scale: Tensor, features: Tensor) -> float:
    """|ρ| relative to the features that ρ · (normalized features) is added to.

    Normalized features have a standard deviation of about 1, so this is about the share of what the layer adds.

    Args:
        scale: scalar, ρ.
        features: (B, C, H, W), the input of the layer.

    Returns:
        ≥ 0: |ρ| by the root mean square over channels of their standard deviation over images and positions.

    Example:
        >>> import torch
        >>> residual_strength(torch.tensor(-0.5), torch.tensor([-2.0, 2.0]).view(1, 1, 1, 2))
        0.25
    """
    deviation = features.detach().float().var((0, 2, 3), correction=0).mean().sqrt()
    return float(scale.detach().float().abs().mean() / deviation.clamp_min(1e-12))


def position_shares(layout: Tensor) -> PositionShares:
    """``shares_of_position`` of the layouts (B, N, h, w) of one batch."""
    return shares_of_position(position_sums(layout))


def symptoms(statistics: LayoutStatistics, strength: float | None, shares: PositionShares) -> list[Symptom]:
    """Everything that is wrong with a layout; what makes it degenerate explains its dead regions and its variance.

    Args:
        statistics: of the layout.
        strength: see ``residual_strength``; None for a layer without ρ.
        shares: of the layout, see ``position_shares``; NaN says nothing.

    Example:
        >>> import torch
        >>> from lit_an.metrics.layout import layout_statistics
        >>> one = torch.eye(4)[:1].view(1, 4, 1, 1).expand(2, 4, 8, 8)
        >>> statistics = layout_statistics(one, torch.zeros(2, 3, 8, 8))
        >>> [symptom.name for symptom in symptoms(statistics, 0.001, position_shares(one))]
        ['one region', 'without effect']
    """
    degenerate = _degenerate(statistics)
    found = [_dead(statistics), _tied(shares)] if degenerate is None else [degenerate]
    if strength is not None and strength < LEAST_STRENGTH:
        advice = (
            "the layer is then about the identity; wait, start it higher (long_range_kwargs: residual_start), or "
            "give it another place (long_range_resolution)"
        )
        figures = f"|residual_scale| is {strength:.2g} of the features' standard deviation"
        found.append(Symptom("without effect", "without effect", figures, advice))
    return [symptom for symptom in found if symptom is not None]


def _degenerate(statistics: LayoutStatistics) -> Symptom | None:
    name = degeneracy(statistics)
    if name is None:
        return None
    regions, used = len(statistics.usage), statistics.effective_regions.item()
    at_position = statistics.effective_regions_per_position.item()
    remedy = {
        "uniform": "try callbacks.LayoutCalibration, orthogonality: unit_rows or a larger temperature",
        "one region": "try centered: true or a smaller temperature",
    }[name]
    return Symptom(
        "degenerate",
        name,
        f"{at_position:.1f} of {regions} regions at a position, {used:.1f} in use",
        f"attentive normalization is then equal to instance normalization; {remedy}",
    )


def _dead(statistics: LayoutStatistics) -> Symptom | None:
    regions, dead = len(statistics.usage), dead_regions(statistics.usage)
    if dead < MANY_DEAD * regions or regions == 1:
        return None
    return Symptom(
        "dead regions",
        "mostly dead",
        f"{dead} of {regions} regions have less than {DEAD_SHARE:g} of their even share",
        "the layer then has fewer regions than it was given; try centered: true, self_sampling: true or fewer regions "
        "(num_regions)",
    )


def _tied(shares: PositionShares) -> Symptom | None:
    position, border, grid = (float(share) for share in shares)
    if not position > MOST_OF_POSITION:  # NaN, too
        return None
    kind, most = max((("the distance from the border", border), ("a grid of 4 positions", grid)), key=lambda x: x[1])
    which = f", {kind} {100 * most:.0f} %" if most > position / 2 else ""
    return Symptom(
        "tied to position",
        "tied to positions",
        f"position alone explains {100 * position:.0f} % of its variance{which}",
        "regions then say where something is, and not what; look at the panels in layouts/, give the layer another "
        "place (long_range_resolution), and see whether samples have frames or grids too",
    )
