"""What loggers show: of the values of ``metrics.csv`` those that one reads, under names that sort in that order.

``--trainer.cards all`` shows every value, under the names of ``metrics.csv``.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple


class Card(NamedTuple):
    """How values are shown.

    Attributes:
        names: pattern of names in ``metrics.csv``; groups are put into the title.
        title: group and name of the card; loggers sort by it.
    """

    names: str
    title: str


# TensorBoard and its like sort cards by name, so groups carry a number.
CARDS = (
    Card(r"train/(discriminator|generator)/adversarial", r"1_losses/adversarial_\1"),
    Card(r"train/(generator|discriminator)/learning_rate", r"3_learning_rate/\1"),
    Card(r"train/(generator|discriminator)/(?!real_logits|fake_logits|accuracy|spread)(.+)", r"1_losses/\1_\2"),
    Card(r"train/discriminator/accuracy", r"1_losses/discriminator_accuracy"),
    Card(r"val/(discriminator|generator)/adversarial", r"1_losses/adversarial_\1_val"),
    Card(r"(val|test)/(fid|kid|precision|recall|inception_score)", r"2_metrics/\1_\2"),
    Card(r"(val|test)/(hole_psnr|hole_lpips|lpips|ssim)", r"2_metrics/\1_\2"),
    Card(r"(val|test)/layout/(.+)/(miou)", r"5_layouts/\2_\1_\3"),
    Card(r"time/images_per_second", r"4_speed/images_per_second"),
    Card(r"layout/(.+)/(effective_regions|position_entropy|residual_strength)", r"5_layouts/\1_\2"),
)


def shown(metrics: Mapping[str, float]) -> dict[str, float]:
    """The values of a row that loggers show, by the names of their cards.

    Example:
        >>> shown({"train/generator/adversarial": 0.5, "layout/long_range/usage/03": 0.1, "step": 4})
        {'1_losses/adversarial_generator': 0.5}
    """
    found = {}
    for name, value in metrics.items():
        title = _title_of(name)
        if title is not None and isinstance(value, (int, float)):
            found[title] = value
    return found


def _title_of(name: str) -> str | None:
    for card in CARDS:
        match = re.fullmatch(card.names, name)
        if match is not None:
            group, _, rest = match.expand(card.title).partition("/")
            return f"{group}/{rest.replace('/', '_').replace('.', '_')}"
    return None
