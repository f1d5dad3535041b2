"""Where the generators lie that come with the package."""

from pathlib import Path
from typing import Literal, get_args

from lit_an.errors import InputError

Name = Literal["class_conditional", "inpainting"]

# The folder of all of them. It may be read-only.
SHOWCASE = Path(__file__).parent


def showcase(name: Name) -> Path:
    """The folder of a generator that comes with the package: an export and its model card.

    Args:
        name: its task.

    Raises:
        InputError: an unknown name.

    Example:
        >>> sorted(path.name for path in showcase("inpainting").iterdir())
        ['README.md', 'generator.json', 'generator.safetensors']
    """
    if name not in get_args(Name):
        raise InputError(f"there is no showcase {name!r}; choose {' or '.join(get_args(Name))}")
    return SHOWCASE / name
