"""Each registered game, written out once more: what tests of tasks compare with."""

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

Side = Callable[[Tensor, Tensor], Tensor]

GAMES: dict[str, tuple[Side, Side]] = {
    "hinge": (lambda r, f: F.relu(1 - r).mean() + F.relu(1 + f).mean(), lambda r, f: -f.mean()),
    "wasserstein": (lambda r, f: f.mean() - r.mean(), lambda r, f: -f.mean()),
    "non_saturating": (lambda r, f: F.softplus(-r).mean() + F.softplus(f).mean(), lambda r, f: F.softplus(-f).mean()),
    "relativistic": (lambda r, f: F.softplus(f - r).mean(), lambda r, f: F.softplus(r - f).mean()),
}
"""(discriminator, generator), each a function of (real_logits, fake_logits)."""
