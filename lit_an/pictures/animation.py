"""Animations of pictures over time; only one frame is in memory at a time."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, features

from lit_an.files import replacing

MOST_FRAMES = 100
_MOST_PIXELS = 1_000_000  # of a frame
_FOOTER = 18  # px
_WHOLE = 10_000  # ms of the whole animation, unless the frames are very few or very many
_SHORTEST, _LONGEST = 80, 500  # ms of one frame
_FIRST_HELD, _LAST_HELD = 1000, 3000  # ms


def animation_suffix() -> str:
    """``.webp``, or ``.gif`` if Pillow was built without WebP."""
    return ".webp" if features.check("webp") else ".gif"


def choose_frames(count: int) -> list[int]:
    """Chooses at most ``MOST_FRAMES`` of ``count`` frames, evenly spread, including the first and the last.

    Args:
        count: ≥ 1.

    Example:
        >>> choose_frames(3), choose_frames(199)[-3:]
        ([0, 1, 2], [194, 196, 198])
    """
    kept = min(count, MOST_FRAMES)
    return [round(index * (count - 1) / max(1, kept - 1)) for index in range(kept)]


def write_animation(path: Path, pictures: Sequence[Path], captions: Sequence[str]) -> None:
    """Writes pictures as a looping animation, each with a caption below it.

    All frames have the size of the last picture, at most one megapixel; other pictures are scaled to fit. The first and
    the last frame are shown longer.

    Args:
        path: ending in ``.webp`` or ``.gif``.
        pictures: files of images, at least one.
        captions: one line of text for each picture.

    Raises:
        OSError: a picture cannot be read.
        OutputError: the file cannot be written.
    """
    with Image.open(pictures[-1]) as last:
        shrink = min(1.0, (_MOST_PIXELS / (last.width * last.height)) ** 0.5)
        size = (max(1, round(last.width * shrink)), max(1, round(last.height * shrink)))
    frames = _Frames(len(pictures), lambda number: _frame(pictures[number], captions[number], size))
    content = io.BytesIO()
    options = {"save_all": True, "duration": _durations(len(pictures)), "loop": 0}
    if path.suffix == ".webp":
        frames.save(content, format="WEBP", quality=80, method=0, **options)
    else:
        frames.save(content, format="GIF", **options)
    with replacing(path) as temporary:
        temporary.write_bytes(content.getbuffer())


class _Frames(Image.Image):
    """An image of many frames, each made when Pillow seeks it.

    Pillow would keep a list of additional images in memory; from an image with frames it keeps one at a time.
    """

    def __init__(self, count: int, make: Callable[[int], Image.Image]) -> None:
        super().__init__()
        self.n_frames, self.is_animated, self._make = count, count > 1, make
        self.seek(0)

    def seek(self, frame: int) -> None:
        if frame >= self.n_frames:
            raise EOFError
        made = self._make(frame)
        self.im, self._mode, self._size, self._number = made.im, made.mode, made.size, frame

    def tell(self) -> int:
        return self._number


def _frame(path: Path, caption: str, size: tuple[int, int]) -> Image.Image:
    frame = Image.new("RGB", (size[0], size[1] + _FOOTER), "white")
    with Image.open(path) as file:
        picture = file.convert("RGB")
    if picture.size != size:
        picture.thumbnail(size, Image.Resampling.LANCZOS)
    frame.paste(picture, ((size[0] - picture.width) // 2, (size[1] - picture.height) // 2))
    ImageDraw.Draw(frame).text((4, size[1] + 2), caption, fill="black", font=ImageFont.load_default(12))
    return frame


def _durations(count: int) -> list[int]:
    """Milliseconds of each frame."""
    each = max(_SHORTEST, min(_LONGEST, _WHOLE // count))
    return [_FIRST_HELD, *[each] * (count - 2), _LAST_HELD] if count > 1 else [_LAST_HELD]
