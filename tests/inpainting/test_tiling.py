"""Large images in tiles: the same as in one piece for a network that sees little, and without seams for any."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from lit_an.batch import Inpainted
from lit_an.errors import InputError
from lit_an.inpainting.tiling import Tiling, check_tiling, inpaint, tiles_with_holes
from lit_an.trained.checkpoints import Description
from lit_an.trained.inpainter import TrainedInpainter, load_inpainter
from tests.inpainting.small_inpainter import SmallInpainter, write_run


def trained(network: nn.Module) -> TrainedInpainter:
    return TrainedInpainter(network, Description("a network", {}))


class OneColor(nn.Module):
    """Each pass is of one color, another one for each: the hardest case for a seam."""

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))
        self.passes: list[tuple[int, ...]] = []

    def forward(self, image: Tensor, mask: Tensor) -> Inpainted:
        self.passes.append(tuple(image.shape[-2:]))
        color = torch.full_like(image, 1.0 if len(self.passes) % 2 else -1.0)
        return Inpainted(color, color)


def strokes(height: int, width: int) -> Tensor:
    mask = torch.zeros(1, 1, height, width)
    mask[..., 10:20, 5 : width - 5] = 1
    mask[..., 5 : height - 5, 30:40] = 1
    return mask


def test_what_fits_is_one_tile() -> None:
    network = OneColor()
    made = inpaint(trained(network), torch.zeros(1, 3, 32, 48), strokes(32, 48), Tiling(max_pixels=32 * 48))
    assert (network.passes, made.tiles, made.blind) == ([(32, 48)], 1, 0)


def test_tiles_cover_every_hole_skip_the_rest_and_overlap() -> None:
    mask = torch.zeros(1, 1, 120, 200)
    mask[..., 90:118, 150:198] = 1
    tiling = Tiling(max_pixels=64 * 64)
    tiles = list(tiles_with_holes(mask, tiling))
    assert 0 < len(tiles) <= 4 < len(list(tiles_with_holes(torch.ones_like(mask), tiling)))
    covered = torch.zeros_like(mask)
    for rows, columns in tiles:
        covered[..., rows, columns] = 1
        assert (rows.stop - rows.start, columns.stop - columns.start) == (64, 64)
    assert (covered >= mask).all()


def test_a_network_that_sees_little_gives_the_same_in_tiles() -> None:
    torch.manual_seed(1)
    inpainter = trained(SmallInpainter(long_range="instance").requires_grad_(False))
    inpainter.network.long_range = nn.Identity()  # two convolutions: three pixels far
    image = torch.rand(1, 3, 100, 150) * 2 - 1
    mask = strokes(100, 150)
    whole = inpaint(inpainter, image, mask)
    tiled = inpaint(inpainter, image, mask, Tiling(max_pixels=48 * 48))
    assert tiled.tiles > 4
    hole = mask.expand(-1, 3, -1, -1) > 0
    for one, other in zip(whole.inpainted, tiled.inpainted, strict=True):
        difference = (one - other)[hole].abs()
        # At a tile's edge the convolutions see its padding, with the weight that the blending gives it there: little.
        assert difference.mean() < 2e-3
        assert difference.max() < 0.1


def test_no_edge_shows_even_between_black_and_white_tiles() -> None:
    mask = torch.ones(1, 1, 64, 192)
    mask[..., :2] = 0
    made = inpaint(trained(OneColor()), torch.zeros(1, 3, 64, 192), mask, Tiling(max_pixels=64 * 64))
    fine = made.inpainted.fine[0, 0]
    assert (fine.amax(), fine.amin()) == (1, -1), "both tiles are there"
    # Black to white over an overlap of at least 16 px: no step of more than a few times the even one, 2/16.
    assert (fine[:, 1:] - fine[:, :-1]).abs().max() < 0.3
    assert (fine[1:] - fine[:-1]).abs().max() < 1e-5


def test_a_hole_larger_than_a_tile_is_told() -> None:
    mask = torch.zeros(1, 1, 100, 100)
    mask[..., 10:90, 10:90] = 1
    made = inpaint(trained(OneColor()), torch.zeros(1, 3, 100, 100), mask, Tiling(max_pixels=32 * 32))
    assert 0 < made.blind < made.tiles


def test_where_no_tile_was_needed_the_image_stands() -> None:
    image, mask = torch.rand(1, 3, 100, 100), torch.zeros(1, 1, 100, 100)
    mask[..., 2:6, 2:6] = 1
    made = inpaint(trained(OneColor()), image, mask, Tiling(max_pixels=32 * 32))
    assert made.tiles == 1
    assert torch.equal(made.inpainted.fine[..., 32:], image[..., 32:])


@pytest.mark.parametrize(
    ("tiling", "sentence"),
    [
        (Tiling(max_pixels=10), "max_pixels must be at least 64, got 10"),
        (Tiling(max_pixels=4096, tile=65), "a tile of 65×65 px is more than max_pixels=4096"),
        (Tiling(tile=4), "tile must be at least 8, got 4"),
    ],
)
def test_numbers_out_of_range(tiling: Tiling, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        check_tiling(tiling)


def test_too_small_an_image_gets_a_sentence() -> None:
    with pytest.raises(InputError, match="it is 9×7 px; the generator takes 8 px a side and more"):
        inpaint(trained(OneColor()), torch.zeros(1, 3, 7, 9), torch.ones(1, 1, 7, 9))


class NoMemory(SmallInpainter):
    def forward(self, image: Tensor, mask: Tensor) -> Inpainted:
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes.")


def test_too_little_memory_gets_a_sentence() -> None:
    with pytest.raises(InputError, match="not enough memory for 16×16 px at once; choose a smaller --max_pixels"):
        inpaint(trained(NoMemory()), torch.zeros(1, 3, 16, 16), torch.ones(1, 1, 16, 16))


def test_a_checkpoint_is_enough_and_its_average_is_taken(tmp_path: Path) -> None:
    averaged = load_inpainter(write_run(tmp_path / "averaged"))
    live = load_inpainter(write_run(tmp_path / "live", averaged=False))
    assert (averaged.description.averaged, live.description.averaged) == (True, False)
    assert averaged.description.iteration == 7
    for one, other in zip(averaged.parameters(), live.parameters(), strict=True):
        assert torch.allclose(one, other * 1.1)
        assert not one.requires_grad
    image, mask = torch.rand(1, 3, 16, 24), strokes(16, 24)
    assert torch.equal(averaged(image, mask).fine, averaged(image * (1 - mask), mask).fine)


def test_a_generator_of_another_task_is_refused(tmp_path: Path) -> None:
    class NoMask(nn.Module):
        def forward(self, latent: Tensor, label: Tensor) -> Tensor:
            return latent

    with pytest.raises(InputError, match="it takes no mask; give a checkpoint of InpaintingGAN"):
        trained(NoMask())


@pytest.mark.parametrize(("kind", "one"), [(torch.bool, 1), (torch.uint8, 255)])
@pytest.mark.parametrize("most", [64 * 64, 32 * 32])
def test_a_mask_of_any_type_is_the_same_hole(kind: torch.dtype, one: int, most: int) -> None:
    torch.manual_seed(0)
    inpainter, image, mask = trained(SmallInpainter()), torch.rand(1, 3, 40, 56), strokes(40, 56)
    expected = inpaint(inpainter, image, mask, Tiling(max_pixels=most))
    found = inpaint(inpainter, image, (one * mask).to(kind), Tiling(max_pixels=most))
    assert torch.equal(found.inpainted.fine, expected.inpainted.fine)
    assert found.tiles == expected.tiles
