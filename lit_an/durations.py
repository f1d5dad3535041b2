"""Durations in words."""


def in_words(seconds: float) -> str:
    """A duration in its two largest units.

    Args:
        seconds: ≥ 0.

    Example:
        >>> in_words(4.2), in_words(200), in_words(7300), in_words(200000)
        ('4 s', '3 min 20 s', '2 h 1 min', '2 d 7 h')
    """
    whole = round(seconds)
    units = [("d", whole // 86400), ("h", whole // 3600 % 24), ("min", whole // 60 % 60), ("s", whole % 60)]
    first = next((place for place, (_, count) in enumerate(units) if count), len(units) - 1)
    return " ".join(f"{count} {unit}" for unit, count in units[first : first + 2])
