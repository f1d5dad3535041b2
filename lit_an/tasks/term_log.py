"""Which loss terms a log iteration shows, where some are computed less often than they are logged."""

from collections.abc import Mapping

from torch import Tensor


class TermLog:
    """The newest value of each loss term since the last log iteration.

    A log iteration shows a term if it was computed since the log iteration before, with its newest value; the others
    are left out. So a penalty that is computed every 16 iterations has a curve at any log interval, and a term that
    is no longer computed leaves the log at the second log iteration after its last value.

    It holds references to tensors that are already detached: no copy, no wait for a device. It is not part of a
    checkpoint: the first log iteration of a resumed run shows what was computed since the resume.

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
        self._shown: set[str] = set()

    def add(self, side: str, terms: Mapping[str, Tensor]) -> None:
        """Remembers terms that were just computed.

        Args:
            side: ``generator`` or ``discriminator``.
            terms: scalars without a graph, by name.
        """
        self._newest |= {f"{side}/{name}": term for name, term in terms.items()}

    def take(self) -> tuple[dict[str, Tensor], set[str]]:
        """What a log iteration shows; forgets it.

        Returns:
            The terms by ``side/name``, and the names that the log iteration before has shown and this one does not.
        """
        taken, self._newest = self._newest, {}
        dropped, self._shown = self._shown - taken.keys(), set(taken)
        return taken, dropped
