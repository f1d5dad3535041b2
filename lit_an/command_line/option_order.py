"""Options that stand in front of a config which says something else: what comes later counts."""

from collections.abc import Mapping, Sequence

_CONFIG = ("--config", "-c")


def unused_options(options: Sequence[str], used: Mapping[str, bool | int | float | str]) -> list[str]:
    """A sentence for each option whose value was replaced by that of a config behind it.

    Args:
        options: of the command line, after the command.
        used: the values in use, by option without its dashes.

    Example:
        >>> unused_options(["--iterations", "5", "--config", "a.yaml"], {"iterations": 20})
        ['--iterations 5 is not used, since a --config behind it says 20; put it behind that']
        >>> unused_options(["--config", "a.yaml", "--iterations=5"], {"iterations": 5})
        []
    """
    last_config = max((place for place, option in enumerate(options) if option.partition("=")[0] in _CONFIG), default=0)
    given: dict[str, tuple[int, str]] = {}
    for place, (option, following) in enumerate(zip(options, [*options[1:], ""], strict=True)):
        name, is_set, value = option.partition("=")
        if name.startswith("--"):
            given[name.removeprefix("--").replace(".init_args", "")] = place, value if is_set else following
    return [
        f"--{name} {value} is not used, since a --config behind it says {used[name]}; put it behind that"
        for name, (place, value) in given.items()
        if place < last_config and name in used and not _is(value, used[name])
    ]


def _is(text: str, value: bool | int | float | str) -> bool:
    """Whether the text of an option may mean a value; classes may be given without their module."""
    if isinstance(value, str) or "${" in text:
        return "${" in text or str(value).endswith(text)
    if isinstance(value, bool):
        return text.lower() == str(value).lower()
    try:
        return float(text) == value
    except ValueError:
        return False
