"""The manifest of a folder of prepared shards: what is in it, how it was made, and a hash of it all."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any, NamedTuple

from lit_an.data.shards.encoding import FORMATS
from lit_an.data.shards.format import ENDING
from lit_an.errors import InputError
from lit_an.files import replacing

FILE = "manifest.json"
VERSION = 2

SHARD_NAME = re.compile(rf"\d{{5,}}\.{ENDING}")


class Recipe(NamedTuple):
    """What decides the bytes of the shards, beside the pictures.

    Attributes:
        image_size: side in pixels.
        stored_as: one of ``FORMATS``.
        quality: of jpeg.
        images_per_shard: pictures of a source that go into a shard.
    """

    image_size: int
    stored_as: str = "raw"
    quality: int = 95
    images_per_shard: int = 1024


def check_recipe(recipe: Recipe) -> None:
    """Raises InputError for values that cannot be."""
    if recipe.stored_as not in FORMATS:
        raise InputError(f"prepare: format must be one of {', '.join(FORMATS)}, got {recipe.stored_as!r}")
    for name, value, least in (("image_size", recipe.image_size, 1), ("images_per_shard", recipe.images_per_shard, 1)):
        if value < least:
            raise InputError(f"prepare: {name} must be at least {least}, got {value}")
    if not 1 <= recipe.quality <= 100:
        raise InputError(f"prepare: quality must be between 1 and 100, got {recipe.quality}")


def shard_name(number: int) -> str:
    """The file of a shard below the folder of its split.

    Example:
        >>> shard_name(7)
        '00007.arrow'
    """
    return f"{number:05d}.{ENDING}"


def preprocessing(recipe: Recipe) -> dict[str, Any]:
    """How a picture got its size, for the manifest."""
    return {
        "crop": "center square of the short side",
        "resize": "Lanczos, antialiased",
        "image_size": recipe.image_size,
        "format": recipe.stored_as,
        **({"quality": recipe.quality, "subsampling": "4:4:4"} if recipe.stored_as == "jpeg" else {}),
    }


def content_hash(manifest: dict[str, Any]) -> str:
    """A hash of everything that a reader can see: it names the data, wherever and however often it was made."""
    seen = {key: manifest[key] for key in ("version", "preprocessing", "class_names", "splits")}
    return hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()


def write(folder: Path, manifest: dict[str, Any]) -> dict[str, Any]:
    """Writes a manifest with its content hash; returns it."""
    manifest = {**manifest, "content_hash": content_hash(manifest)}
    with replacing(folder / FILE) as temporary:
        temporary.write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return manifest


def read(path: Path, root: str) -> dict[str, Any]:
    """A manifest.

    Args:
        path: of the file.
        root: what the error sentence calls its folder.

    Raises:
        InputError: there is none, or it is not one of ours, or was changed by hand.
    """
    if not path.is_file():
        raise InputError(f"data: {root!r} has no {FILE}; make it with 'python cli.py prepare', or let that finish")
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        version = manifest["version"]
        if version != VERSION:
            raise InputError(
                f"data: the shards in {root!r} are of version {version}, this reads {VERSION}; prepare them again"
            )
        claimed, computed = manifest["content_hash"], content_hash(manifest)
        # Names become paths: none may lead out of the folder.
        files = [shard["file"] for split in manifest["splits"].values() for shard in split["shards"]]
        sound = claimed == computed and all(SHARD_NAME.fullmatch(name) for name in files)
    except InputError:
        raise
    except (OSError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise InputError(
            f"data: {FILE} in {root!r} is not one that prepare wrote ({error!r}); prepare again"
        ) from error
    if not sound:
        raise InputError(f"data: {FILE} in {root!r} was changed after prepare wrote it; prepare again")
    return manifest
