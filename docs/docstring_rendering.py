"""Lets mkdocstrings show docstrings as they are meant."""

import re
from typing import Any

import griffe


class AsMeant(griffe.Extension):
    """Changes docstrings before they are parsed."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Makes code of the section ``Example``, and no quotation of a description that begins with ``> 0``."""
        if obj.docstring is not None:
            # The parser knows only the plural.
            text = re.sub(r"^Example:$", "Examples:", obj.docstring.value, flags=re.MULTILINE)
            obj.docstring.value = re.sub(r"(\w: )> (?=\d)", r"\1\\> ", text)
