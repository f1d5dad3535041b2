"""Files and folders: written atomically, their paths and names, texts in any encoding, configs that inherit, locks."""

from lit_an.files.paths import cache_folder, printable, sha256_of, user_path
from lit_an.files.writing import (
    OF_ONE_NAME,
    TEMPORARY,
    explain_write_errors,
    json_text,
    link_or_copy,
    remove_leftovers,
    replacing,
    sync,
)

__all__ = [
    "OF_ONE_NAME",
    "TEMPORARY",
    "cache_folder",
    "explain_write_errors",
    "json_text",
    "link_or_copy",
    "printable",
    "remove_leftovers",
    "replacing",
    "sha256_of",
    "sync",
    "user_path",
]
