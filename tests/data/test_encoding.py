"""Images as the bytes that a shard keeps, and back."""

import numpy as np
import pytest
import torch
from PIL import Image

from lit_an.data.shards.encoding import FORMATS, decode, decode_regions, encode, encode_regions
from lit_an.data.transforms import to_tensor
from lit_an.errors import InputError


def smooth() -> Image.Image:
    rows, columns = np.mgrid[0:32, 0:32]
    return Image.fromarray(np.stack([rows * 7, columns * 7, 255 - rows * 7], 2).astype(np.uint8))


@pytest.mark.parametrize("stored_as", ["raw", "png"])
def test_every_pixel_is_kept(stored_as: str) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8))
    decoded = decode(encode(noise, stored_as, 95), stored_as, 32)
    assert decoded.dtype == torch.uint8
    assert torch.equal(decoded, to_tensor(noise))
    decoded[0, 0, 0] += 1  # an image of one's own


def test_jpeg_keeps_nearly_all_and_less_with_less_quality() -> None:
    errors, sizes = [], []
    for quality in (95, 30):
        data = encode(smooth(), "jpeg", quality)
        sizes.append(len(data))
        errors.append((decode(data, "jpeg", 32).int() - to_tensor(smooth()).int()).abs().float().mean())
    assert errors[0] < 1.5 < errors[1]
    assert sizes[0] > sizes[1]


@pytest.mark.parametrize("stored_as", FORMATS)
def test_the_same_image_gives_the_same_bytes(stored_as: str) -> None:
    assert encode(smooth(), stored_as, 90) == encode(smooth(), stored_as, 90)


@pytest.mark.parametrize("stored_as", FORMATS)
def test_damage_is_said_in_one_sentence(stored_as: str) -> None:
    data = encode(smooth(), stored_as, 90)
    with pytest.raises(InputError, match="an image in a shard is damaged"):
        decode(data[: len(data) // 3], stored_as, 32)


def test_another_format_is_not_opened() -> None:
    with pytest.raises(InputError, match="damaged"):
        decode(encode(smooth(), "png", 90), "jpeg", 32)


def test_regions_come_back_or_are_said_to_be_damaged() -> None:
    regions = np.random.default_rng(0).integers(0, 7, (16, 16), dtype=np.uint8)
    data = encode_regions(regions)
    assert torch.equal(decode_regions(data), torch.from_numpy(regions).long())
    for damaged in (data[: len(data) // 2], b""):
        with pytest.raises(InputError, match="a region map in a shard is damaged"):
            decode_regions(damaged)
