"""``python cli.py norms``: the norms that there are, and what each costs on this machine."""

import shutil
import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lit_an.norms.costs import Shape

_WIDEST = 100
_NEEDS = {"none": "nothing", "vector": "class vector", "mask": "mask"}
_HEAD = ("name", "paper", "needs", "layout", "adds", "forward", "backward")
_SECONDS = 0.15  # of measurement for each norm


def run(channels: int = 64, side: int = 32, batch: int = 4, measure: bool = True) -> int:
    """Lists the registered norms and what each costs beside a 3×3 convolution.

    Args:
        channels: of the map that is measured.
        side: its height and width, in positions.
        batch: its images.
        measure: measure the cost, in a few seconds; false lists the rest at once.

    Returns:
        0.
    """
    from lit_an.errors import at_least
    from lit_an.norms.costs import Shape
    from lit_an.norms.listing import listed_norms

    at_least("norms", 1, channels=channels, side=side, batch=batch)
    listed = listed_norms()
    costs, foot = _costs([norm.name for norm in listed], Shape(channels, side, batch)) if measure else ({}, "")
    rows = []
    for norm in listed:
        package = "" if norm.package == "lit_an" else f" [{norm.package}]"
        layout = "?" if norm.has_layout is None else "yes" if norm.has_layout else "–"
        cells = (norm.name, norm.paper or "–", _NEEDS[norm.needs], layout, "yes" if norm.is_residual else "–")
        rows.append(((*cells, *costs.get(norm.name, ())), (norm.summary or "–") + package))
    width = min(_WIDEST, shutil.get_terminal_size((_WIDEST, 24)).columns)
    print("\n".join(_lines(_HEAD if measure else _HEAD[:5], rows, width)))
    notes = [
        "layout: has a map of soft regions. adds: is added to its input by itself; in the slot long_range every "
        "other norm is put in this form."
    ]
    for line in [*notes, *([foot] if foot else [])]:
        print("\n".join(textwrap.wrap(line, width)))
    return 0


def _costs(names: list[str], shape: "Shape") -> tuple[dict[str, tuple[str, ...]], str]:
    """Cells of each norm: forward and backward, or why there are none; and what they were measured beside."""
    import torch

    from lit_an.errors import InputError
    from lit_an.norms.costs import cost_of_convolution, cost_of_norm
    from lit_an.norms.registry import standardizes_convolutions

    try:
        beside = cost_of_convolution(shape, 2 * _SECONDS)
    except (RuntimeError, MemoryError) as error:
        raise InputError(
            f"norms: a 3×3 convolution of {shape.channels} channels, batch {shape.batch} and {shape.side}×{shape.side} "
            f"positions cannot run on this machine ({' '.join(str(error).split())[:120]}); give smaller numbers"
        ) from error
    cells: dict[str, tuple[str, ...]] = {}
    for name in names:
        try:
            cost = cost_of_norm(name, shape, _SECONDS)
        except Exception as error:  # other packages' norms may raise anything, and all others are still listed
            cells[name] = (f"not measured: {' '.join(str(error).split()) or type(error).__name__}",)
        else:
            ratios = (cost.forward / beside.forward, cost.backward / beside.backward)
            cells[name] = tuple(f"{ratio:.2f}" for ratio in ratios)
    foot = (
        f"forward, backward: time ÷ that of a 3×3 convolution of {shape.channels} channels "
        f"({1000 * beside.forward:.3g} and {1000 * beside.backward:.3g} ms), batch {shape.batch}, {shape.side}×"
        f"{shape.side} positions, float32, {torch.get_num_threads()} thread"
        f"{'s' if torch.get_num_threads() > 1 else ''}, in training, shortest of several."
    )
    apart = [name for name in names if standardizes_convolutions(name)]
    return cells, foot + (f" {', '.join(apart)}: without standardizing the convolutions' weights." if apart else "")


def _lines(head: Sequence[str], rows: Sequence[tuple[Sequence[str], str]], width: int) -> Iterator[str]:
    """The table, each row above its summary; a last cell that is a sentence is wrapped in its column."""
    columns = [[head[index], *(row[index] for row, _ in rows if index < len(row))] for index in range(len(head))]
    widths = [max(map(len, column)) for column in columns]
    for index in (5, 6)[: max(0, len(head) - 5)]:  # a sentence does not make its column wide
        widths[index] = len(head[index])
    yield "  ".join(cell.ljust(size) for cell, size in zip(head, widths, strict=True)).rstrip()
    for row, summary in rows:
        *cells, last = row
        start = sum(widths[: len(cells)]) + 2 * len(cells)
        first, *others = textwrap.wrap(last, max(10, width - start)) if len(row) < len(head) else [last]
        aligned = (cell.ljust(size) for cell, size in zip(cells, widths, strict=False))
        yield "  ".join([*aligned, first]).rstrip()
        yield from (" " * start + line for line in others)
        yield from textwrap.wrap(summary, width, initial_indent="    ", subsequent_indent="    ")
