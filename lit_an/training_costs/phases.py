"""Which iterations of a run cost the same: terms begin at an iteration, and penalties may be computed now and then."""

from itertools import pairwise
from typing import Any, NamedTuple


class Phase(NamedTuple):
    """Iterations of a run that cost the same.

    Attributes:
        iteration: one of them.
        times: their number.
    """

    iteration: int
    times: int


def phases(task: Any, iterations: int) -> list[Phase]:
    """The phases of a run, in order; those of penalties within one alternate.

    Args:
        task: an ``AdversarialTask``.
        iterations: of the whole run, ≥ 1.

    Example:
        >>> from types import SimpleNamespace
        >>> phases(SimpleNamespace(adversarial_from=10), 25)
        [Phase(iteration=0, times=10), Phase(iteration=10, times=15)]
        >>> phases(SimpleNamespace(penalty_every=16), 64)
        [Phase(iteration=0, times=4), Phase(iteration=1, times=60)]
    """
    weights = getattr(getattr(task, "losses", None), "weights", None)
    begins = {0, getattr(task, "adversarial_from", None) or 0, getattr(weights, "features_from", None) or 0}
    ends = [begin for begin in sorted(begins) if begin < iterations] + [iterations]
    every, found = int(getattr(task, "penalty_every", 1)), []
    for first, end in pairwise(ends):
        with_penalty = -(-end // every) - -(-first // every)
        one = -(-first // every) * every  # the first multiple
        found += [Phase(one, with_penalty)] if with_penalty else []
        if end - first > with_penalty:
            found.append(Phase(first if first % every else first + 1, end - first - with_penalty))
    return found
