"""What drawing a mask costs, beside decoding and resizing the photograph it is for.

    python benchmarks/masks.py [--rounds 9]

Draws masks of 256×256 px of every shape, and loads a JPEG of 512×512 px, made here, as the data modules do. Prints
medians of interleaved rounds in milliseconds of the processor on one core, and the ratio (aim: below 10 %).
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from lit_an.command_line.allocator import keep_freed_memory
from lit_an.data.cropping import Cropping
from lit_an.data.transforms import read_image, to_tensor, to_unit_range
from lit_an.masks import Border, Center, FreeForm, Half, HoleShape, MaskFiles, Mixture, Rectangle, Strokes

SIZE, FILE_SIZE, EACH_ROUND = 256, 512, 100
LOADING = f"decode {FILE_SIZE} px, resize"


def load_square(path: Path) -> torch.Tensor:
    """What a data module does to a file."""
    return to_unit_range(to_tensor(Cropping(SIZE).square(read_image(path, SIZE))))


def make_photograph(path: Path) -> None:
    """Smooth colors with some noise: about as many bytes as a photograph of that size."""
    random = np.random.default_rng(0)
    coarse = Image.fromarray(random.integers(0, 256, (16, 16, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((FILE_SIZE, FILE_SIZE), Image.Resampling.BICUBIC))
    pixels = (smooth + random.normal(0, 6, smooth.shape)).clip(0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(path, quality=90)


def make_masks(folder: Path, size: int) -> None:
    """Sixteen mask files."""
    folder.mkdir()
    for number in range(16):
        mask = FreeForm().draw(size, size, number)[0].numpy()
        Image.fromarray((mask * 255).astype(np.uint8)).save(folder / f"{number}.png")


def shapes(folder: Path) -> dict[str, HoleShape]:
    """Every shape, by what the table calls it."""
    kinds: dict[str, HoleShape] = {f"Strokes, {kind}": Strokes(kind) for kind in ("thin", "medium", "thick")}
    return {
        "Rectangle": Rectangle(),
        "Center": Center(),
        "FreeForm": FreeForm(),
        **kinds,
        "Border": Border(),
        "Half": Half(),
        "Mixture": Mixture([Rectangle(), FreeForm()]),
        **{f"MaskFiles, PNG {size} px": MaskFiles(str(folder / str(size))) for size in (SIZE, FILE_SIZE)},
        "MaskFiles, all changes": MaskFiles(str(folder / str(SIZE)), flip=True, max_rotation=45, max_dilation=10),
    }


def milliseconds(act: Callable[[int], object], first: int) -> float:
    """Time of the processor for one call, over a round of calls."""
    start = time.process_time()
    for number in range(first, first + EACH_ROUND):
        act(number)
    return (time.process_time() - start) / EACH_ROUND * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    keep_freed_memory()  # as the command line does
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        photograph = folder / "photograph.jpg"
        make_photograph(photograph)
        for size in (SIZE, FILE_SIZE):
            make_masks(folder / str(size), size)
        acts: dict[str, Callable[[int], object]] = {LOADING: lambda _: load_square(photograph)}
        for name, shape in shapes(folder).items():
            acts[name] = lambda seed, shape=shape: shape.draw(SIZE, SIZE, seed)
        found = [{name: milliseconds(act, EACH_ROUND * n) for name, act in acts.items()} for n in range(rounds)]
        print(f"JPEG of {photograph.stat().st_size / 1000:.0f} kB")
    print(f"{'':24} {'ms':>7} {'of loading':>11}")
    median = {name: statistics.median(one[name] for one in found) for name in acts}
    for name, value in median.items():
        print(f"{name:24} {value:7.3f} {value / median[LOADING]:11.1%}")


if __name__ == "__main__":
    main()
