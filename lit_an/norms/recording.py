"""Reads the semantic layouts of a network while it runs."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from lit_an.norms.attentive.semantic_layout import SemanticLayout

Recorded = dict[str, tuple[Tensor, Tensor]]


@contextmanager
def recorded_layouts(network: nn.Module) -> Iterator[Recorded]:
    """Records input features and layout of every ``SemanticLayout`` that runs in the block, by module name.

    Recording does not change the result: a norm computes it by the same algorithm, and computes its layout in addition.

    Yields:
        A dictionary that is filled when the block ends: name to ((B, C, H, W) features, (B, N, H, W) layout) of the
        last time that the layout ran.
    """
    recorded: Recorded = {}
    layouts = [(name, module) for name, module in network.named_modules() if isinstance(module, SemanticLayout)]
    former = [(layout.is_watched, layout.last_seen) for _, layout in layouts]
    for _, layout in layouts:
        layout.is_watched, layout.last_seen = True, None
    try:
        yield recorded
    finally:
        for (name, layout), (was_watched, last_seen) in zip(layouts, former, strict=True):
            if layout.last_seen is not None:
                recorded[name.removesuffix(".layout")] = layout.last_seen
            # An outer block sees what an inner one has seen.
            layout.last_seen = (layout.last_seen or last_seen) if was_watched else None
            layout.is_watched = was_watched
