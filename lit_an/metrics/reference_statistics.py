"""Features of real images, computed once and cached under a hash of everything that they depend on.

The key is a hash of the pixels and labels of all images and of the extractor. So a change of the images (other files,
another crop, another size) never uses outdated statistics. Computing the key takes a pass over the images, which costs
a small part of the extractor's time.
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

from lit_an.errors import InputError
from lit_an.files import cache_folder, replacing
from lit_an.metrics.feature_set import FeatureSet
from lit_an.metrics.frechet import Moments
from lit_an.tensors.content_hash import ContentHash

# Increase it when the stored content or the hash of images changes; old files are then ignored.
CACHE_FORMAT = 1


class ReferenceStatistics(NamedTuple):
    """Features of real images.

    Attributes:
        features: the features.
        description: everything that they depend on: content hash, image size, counts, extractor.
    """

    features: FeatureSet
    description: dict[str, Any]

    @property
    def key(self) -> str:
        """The name of the file, a hash of the description."""
        return key_of(self.description)


def describe(
    content: ContentHash, content_hash: str, count: int, kept: int, extractor: dict[str, Any]
) -> dict[str, Any]:
    """Describes everything that the statistics of images depend on."""
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
    """The file of the statistics with that description."""
    return folder / f"{key_of(description)}.npz"


def store(folder: Path, reference: ReferenceStatistics) -> Path:
    """Writes the statistics atomically.

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
            f"reference statistics cannot be written to {str(folder)!r} ({error.strerror}); name another folder with "
            "cache_dir"
        ) from error
    return path


def find(folder: Path, description: dict[str, Any]) -> ReferenceStatistics | None:
    """The statistics with that description, or None if they are missing or damaged.

    Raises:
        InputError: the file with that key holds other statistics.
    """
    path = file_of(folder, description)
    try:
        # zipfile checks each array's checksum, so a file that loads is complete.
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
