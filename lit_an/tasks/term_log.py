"""The loss terms of a log iteration, some of which are computed less often than they are logged."""

from collections.abc import Mapping

import torch
from torch import Tensor


class TermLog:
    """The newest value of each loss term since the last log iteration.

    A log iteration shows the newest value of each term computed since the previous log iteration. So a penalty that is
    computed every 16 iterations has a curve at any log interval, and a term that is no longer computed disappears at
    the second log iteration after its last value.

    Scalars of the parts of an accumulated update are noted one by one; the log shows their mean, as it does of terms.

    It holds references to detached tensors: it neither copies nor synchronizes. A checkpoint holds the values that
    wait for a log iteration, so that a resumed run shows them as an uninterrupted one does.

    Example:
        >>> import torch
        >>> log = TermLog()
        >>> log.add("discriminator", {"adversarial": torch.tensor(1.0), "r1_penalty": torch.tensor(3.0)})
        >>> log.add("discriminator", {"adversarial": torch.tensor(2.0)})
        >>> terms, dropped = log.take()
        >>> {name: float(term) for name, term in terms.items()}
        {'discriminator/adversarial': 2.0, 'discriminator/r1_penalty': 3.0}
        >>> log.add("discriminator", {"adversarial": torch.tensor(1.5)})
        >>> log.take()
        ({'discriminator/adversarial': tensor(1.5000)}, {'discriminator/r1_penalty'})
    """

    def __init__(self) -> None:
        self._newest: dict[str, Tensor] = {}
        self._parts: dict[str, list[Tensor]] = {}  # of the update that is being made
        self._shown: set[str] = set()

    def note(self, side: str, scalars: Mapping[str, Tensor]) -> None:
        """Notes scalars of one part of an update, for the next ``add`` or ``take``; arguments as of ``add``."""
        for name, scalar in scalars.items():
            self._parts.setdefault(f"{side}/{name}", []).append(scalar)

    def add(self, side: str, terms: Mapping[str, Tensor]) -> None:
        """Adds the newly computed terms of an update, and the means of what its parts noted.

        Args:
            side: ``generator`` or ``discriminator``.
            terms: detached scalars, by name.
        """
        self._take_parts()
        self._newest |= {f"{side}/{name}": term for name, term in terms.items()}

    def _take_parts(self) -> None:
        self._newest |= {name: torch.stack(values).mean() for name, values in self._parts.items()}
        self._parts = {}

    def take(self) -> tuple[dict[str, Tensor], set[str]]:
        """Returns the terms of a log iteration and clears them.

        Returns:
            The terms by ``side/name``, and the names that the previous log iteration showed and this one does not.
        """
        self._take_parts()
        taken, self._newest = self._newest, {}
        dropped, self._shown = self._shown - taken.keys(), set(taken)
        return taken, dropped

    def waiting(self) -> dict[str, Tensor]:
        """The terms that wait for a log iteration, by ``side/name``; they stay."""
        return dict(self._newest)

    def restore(self, waiting: Mapping[str, float], device: torch.device) -> None:
        """Adds the terms that waited in a checkpoint.

        Args:
            waiting: by ``side/name``.
            device: of the terms to come.
        """
        self._newest |= {name: torch.tensor(value, device=device) for name, value in waiting.items()}
