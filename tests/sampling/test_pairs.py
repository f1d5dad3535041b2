"""Two samples of a generator: the walk between them, and regions that get the statistics of others."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lit_an.errors import InputError
from lit_an.norms.region_editing import Move, Region
from lit_an.sampling.images import sample
from lit_an.sampling.pairs import Sample, pair_with_layouts, pair_with_moved_regions, walk
from lit_an.showcase.models import showcase
from lit_an.trained.exported import load_exported
from lit_an.trained.generator import TrainedGenerator

PAIR = (Sample(1, 4), Sample(3, 9))


@pytest.fixture(scope="module")
def trained() -> TrainedGenerator:
    """The one that comes with the package: its regions mean something."""
    return load_exported(showcase("class_conditional"))


def test_a_walk_goes_from_one_sample_to_the_other(trained: TrainedGenerator) -> None:
    images = walk(trained, *PAIR, steps=7, truncation=1.0)
    ends = sample(trained, [1, 3], [4, 9], truncation=1.0)
    assert torch.allclose(images[[0, -1]], ends, atol=1e-4)
    way = float((ends[1] - ends[0]).square().mean().sqrt())
    steps = (images[1:] - images[:-1]).square().mean((1, 2, 3)).sqrt()
    assert float(steps.max()) < 0.6 * way, "no step is most of the way"


def test_layouts_are_those_of_the_images(trained: TrainedGenerator) -> None:
    images, layouts = pair_with_layouts(trained, PAIR)
    assert torch.allclose(images, sample(trained, [1, 3], [4, 9]), atol=1e-5)
    assert {name: layout.shape for name, layout in layouts.items()} == {"long_range": (2, 16, 32, 32)}


def strongest(layout: Tensor, image: int) -> int:
    return int(layout[image].argmax(0).flatten().bincount(minlength=layout.shape[1]).argmax())


def test_a_region_that_gets_its_own_statistics_changes_nothing(trained: TrainedGenerator) -> None:
    images, _ = pair_with_layouts(trained, PAIR)
    itself = [Move(Region(image, region), Region(image, region)) for image in (0, 1) for region in range(16)]
    assert torch.equal(pair_with_moved_regions(trained, PAIR, "long_range", itself), images)


@pytest.mark.parametrize("seed", [9, 20, 31])
def test_a_swap_changes_the_pictures_mostly_inside_the_regions(trained: TrainedGenerator, seed: int) -> None:
    pair = (Sample(1, 4), Sample(3, seed))
    images, layouts = pair_with_layouts(trained, pair)
    layout = layouts["long_range"]
    a, b = Region(0, strongest(layout, 0)), Region(1, strongest(layout, 1))
    swapped = pair_with_moved_regions(trained, pair, "long_range", [Move(a, b), Move(b, a)])
    change = F.avg_pool2d((swapped - images).abs().mean(1, keepdim=True), 2)[:, 0]  # at the layer's 32 px
    for image, region in (a, b):
        inside = layout[image].argmax(0) == region
        share = float(change[image][inside].sum() / change[image].sum())
        assert change[image].max() > 0.05
        assert share > 0.5, f"{share:.0%} of the change lies in {float(inside.float().mean()):.0%} of the picture"
        assert change[image][inside].mean() > 3 * change[image][~inside].mean()


def test_what_is_not_there_gets_a_sentence(trained: TrainedGenerator) -> None:
    with pytest.raises(InputError, match="there is no class 17: the generator knows 0 to 5"):
        walk(trained, Sample(0, 1), Sample(17, 2))
    with pytest.raises(InputError, match="at least 2 steps, its ends, got 1"):
        walk(trained, *PAIR, steps=1)
    with pytest.raises(InputError, match="no layer 'blocks' with regions; it has long_range"):
        pair_with_moved_regions(trained, PAIR, "blocks", [Move(Region(0, 1), Region(1, 1))])
    with pytest.raises(InputError, match="at least one sample"):
        pair_with_layouts(trained, [])


def test_no_sample_is_an_empty_tensor(trained: TrainedGenerator) -> None:
    assert sample(trained, [], []).shape == (0, 3, 64, 64)
