"""Option types whose values YAML would read differently from what the user means."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from jsonargparse.typing import path_type, register_type


class Names(list[str]):
    """Names as they are spelled, ``[007, no]`` or a single one: a class may be named 10, 007, no or 1e3."""


def names_in(given: Any) -> Names:
    """The names in the text of an option.

    Args:
        given: the text, or the list that YAML reads in it.

    Raises:
        ValueError: a list that YAML reads numbers or truth values in, or a text that is no list of names.

    Example:
        >>> names_in("[007, no]"), names_in("10"), names_in(["a"])
        (['007', 'no'], ['10'], ['a'])
    """
    if isinstance(given, list) and all(isinstance(name, str) for name in given):
        return Names(given)
    if not isinstance(given, str) or not given:
        # The parser tries the text itself next.
        raise ValueError(f"{given!r} is no list of names")
    try:
        # The base loader knows strings alone.
        names = yaml.load(given, Loader=yaml.BaseLoader) if given[0] in "['\"" else given
    except yaml.YAMLError as error:
        raise ValueError(f"{given!r} is no list of names") from error
    return names_in([names] if isinstance(names, str) else names)


register_type(Names, list, names_in)

if TYPE_CHECKING:
    Folder = Path
else:
    # One that is there and can be read: where a class may be meant too, a folder of its name comes first.
    Folder = path_type("dr")
