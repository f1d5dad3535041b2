"""Folders laid out like ImageNet, of small photographs of the Earth, for the tests of shards."""

from pathlib import Path

import numpy as np
from PIL import Image

from lit_an.data.sources import Earth

WNIDS = ("n01440764", "n01443537", "n01484850")


def make_imagenet(root: Path, earth: Earth, train: int = 12, val: int = 4) -> Path:
    """Three classes of JPEGs, 48×40 px, each of another place; ``val`` in class folders."""
    images = iter(earth.all_tiles(32).image[::7])
    for split, number in (("train", train), ("val", val)):
        for wnid in WNIDS:
            (root / split / wnid).mkdir(parents=True)
            for index in range(number):
                pixels = np.ascontiguousarray(next(images).transpose(1, 2, 0))
                picture = Image.fromarray(pixels).resize((48, 40))
                picture.save(root / split / wnid / f"{split}_{index:03d}.JPEG", quality=95)
    return root


def break_some(root: Path) -> list[Path]:
    """Puts four files beside the images of the first class that cannot be read; returns them, sorted."""
    folder = root / "train" / WNIDS[0]
    whole = (folder / "train_000.JPEG").read_bytes()
    (folder / "bad_cut.JPEG").write_bytes(whole[: len(whole) // 2])
    (folder / "bad_empty.JPEG").write_bytes(b"")
    (folder / "bad_page.JPEG").write_text("<html>404</html>")
    Image.fromarray(np.zeros((8, 8), dtype=np.float32)).save(folder / "bad_float.tif")
    return sorted(folder.glob("bad_*"))


def add_odd_but_sound(root: Path) -> dict[str, Path]:
    """Files of unusual kinds that are images all the same, in the second class; by what is done to them."""
    folder = root / "train" / WNIDS[1]
    plain = Image.open(folder / "train_000.JPEG")
    exif = Image.Exif()
    exif[0x0112] = 6
    kinds: dict[str, tuple[Image.Image, str, dict[str, object]]] = {
        "CMYK to RGB": (plain.convert("CMYK"), "cmyk.JPEG", {}),
        "gray to RGB": (plain.convert("L"), "gray.JPEG", {}),
        "16 bits to 8": (Image.fromarray(np.full((40, 40), 30000, dtype=np.uint16)), "deep.png", {}),
        "palette to RGB": (plain.convert("P"), "palette.png", {}),
        "transparency over white": (plain.convert("RGBA"), "alpha.png", {}),
        "turned by EXIF": (plain, "turned.JPEG", {"exif": exif}),
    }
    for image, name, options in kinds.values():
        image.save(folder / name, **options)
    return {kind: folder / name for kind, (_, name, _) in kinds.items()}
