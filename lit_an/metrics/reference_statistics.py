"""Features of real images, computed once and kept in the user's cache folder under what they depend on.

The key is a hash of the pixels and labels that the extractor was shown, one by one, and of the extractor itself. So
nothing that changes the images (other files, another crop, another size) can meet statistics of something else; to
know the key takes a pass over the images, which costs a small part of what the extractor costs.
"""

import hashlib
import json
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from lit_an.content_hash import ContentHash
from lit_an.errors import InputError
from lit_an.files import cache_folder, replacing
from lit_an.metrics.feature_set import FeatureSet
from lit_an.metrics.frechet import Moments

# Raise it when what is stored, or how images are hashed, changes: old files are then left alone.
CACHE_FORMAT = 1


class ReferenceStatistics(NamedTuple):
    """Features of real images.

    Attributes:
        features: the features.
        description: all that they depend on: content hash, image size, counts, extractor.
    """

    features: FeatureSet
    description: dict[str, Any]

    @property
    def key(self) -> str:
        """Names the file; a function of the description."""
        return key_of(self.description)


def describe(
    content: ContentHash, content_hash: str, count: int, kept: int, extractor: dict[str, Any]
) -> dict[str, Any]:
    """All that the statistics of some images depend on."""
    return {
        "format": CACHE_FORMAT,
        "content_sha256": content_hash,
        "image_size": list(content.image_size),
        "count": count,
        "kept": kept,
        "extractor": extractor,
    }


def key_of(description: dict[str, Any]) -> str:
    """32 hexadecimal digits."""
    return hashlib.sha256(json.dumps(description, sort_keys=True).encode()).hexdigest()[:32]


def default_folder() -> Path:
    """``lit_an/reference_statistics`` in ``$XDG_CACHE_HOME`` or ``~/.cache``."""
    return cache_folder() / "reference_statistics"


def file_of(folder: Path, description: dict[str, Any]) -> Path:
    """Where the statistics of that description are kept."""
    return folder / f"{key_of(description)}.npz"


def store(folder: Path, reference: ReferenceStatistics) -> Path:
    """Writes the statistics whole or not at all.

    Raises:
        InputError: the folder cannot be written.
    """
    path = file_of(folder, reference.description)
    features = reference.features
    arrays = {name: value.cpu().numpy() for name, value in features.moments._asdict().items()}
    arrays |= {"rows": features.rows.cpu().numpy(), "label": features.label.cpu().numpy()}
    arrays["description"] = np.array(json.dumps(reference.description, sort_keys=True))
    try:
        with replacing(path) as temporary:
            np.savez(temporary, **arrays)
    except OSError as error:
        raise InputError(
            f"reference statistics cannot be kept in {str(folder)!r} ({error.strerror}); name another folder with "
            "cache_dir"
        ) from error
    return path


def find(folder: Path, description: dict[str, Any]) -> ReferenceStatistics | None:
    """The statistics of that description, or None if there are none or their file is damaged.

    Raises:
        InputError: the file under that key holds statistics of something else.
    """
    path = file_of(folder, description)
    try:
        # zipfile checks each array's checksum, so a file that loads is whole.
        with np.load(path, allow_pickle=False) as arrays:
            stored = json.loads(str(arrays["description"]))
            tensors = {name: torch.from_numpy(arrays[name]) for name in (*Moments._fields, "rows", "label")}
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        warnings.warn(f"{path} is damaged ({error}); computing these reference statistics again", stacklevel=2)
        return None
    if stored != description:
        different = sorted(name for name in {*stored, *description} if stored.get(name) != description.get(name))
        raise InputError(
            f"{path} holds reference statistics of another {', '.join(different)} than its name says; delete that file"
        )
    moments = Moments(*(tensors[name] for name in Moments._fields))
    return ReferenceStatistics(FeatureSet(moments, tensors["rows"], tensors["label"]), description)
