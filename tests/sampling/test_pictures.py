"""Pictures of samples: sizes, ends of the ways, and neighbors against the slow loop."""

from pathlib import Path

import pytest
import torch

from lit_an.batch import ClassBatch
from lit_an.data import ClassData
from lit_an.data.sources import ImageFolder
from lit_an.errors import InputError
from lit_an.pictures.panels import sample_grid, to_uint8
from lit_an.sampling import nearest_neighbors, sample
from lit_an.sampling.pictures import class_sheet, class_strips, latent_strips, layout_panels, neighbor_sheet
from lit_an.trained.generator import TrainedGenerator
from tests.places import enlarged, place_of


def cell(picture: torch.Tensor, row: int, column: int, rows: int, columns: int) -> torch.Tensor:
    """One image of a grid, 32 px shown at 128, back at 32."""
    top, left = picture.shape[1] - 130 * (rows - row) + 2, picture.shape[2] - 130 * (columns - column) + 2
    return picture[:, top : top + 128 : 4, left : left + 128 : 4]


def close(picture: torch.Tensor, image: torch.Tensor) -> bool:
    """Equal but for rounding to gray levels."""
    return bool(((picture.int() - to_uint8(image).int()).abs() <= 1).all())


def test_a_sheet_has_a_row_for_each_class(generator: TrainedGenerator) -> None:
    sheet = class_sheet(generator, [0, 2], [4, 5, 6])
    assert close(cell(sheet, 1, 2, 2, 3), sample(generator, [2], [6])[0])
    images = sample(generator, [0, 0, 0, 2, 2, 2], [4, 5, 6] * 2)
    assert torch.equal(sheet, sample_grid(images, ["blue", "red"], ["seed 4", "seed 5", "seed 6"]))


def test_ways_between_latents_begin_and_end_at_the_samples(generator: TrainedGenerator) -> None:
    strips = latent_strips(generator, [1, 2], seed=3, columns=5)
    for row, label in enumerate((1, 2)):
        assert close(cell(strips, row, 0, 2, 5), sample(generator, [label], [3])[0])
        assert close(cell(strips, row, 4, 2, 5), sample(generator, [label], [4])[0])
    assert not torch.equal(cell(strips, 0, 2, 2, 5), cell(strips, 0, 0, 2, 5))


def test_ways_between_classes_begin_at_the_samples(generator: TrainedGenerator) -> None:
    for norm in generator.network.modules():
        if getattr(norm, "gain", None) is not None:
            torch.nn.init.normal_(norm.gain.weight)
    strips = class_strips(generator, [0, 1, 2], seed=3, columns=4)
    for label in range(3):
        assert close(cell(strips, label, 0, 3, 4), sample(generator, [label], [3])[0])
    assert not torch.equal(cell(strips, 0, 3, 3, 4), cell(strips, 0, 0, 3, 4))


def test_regions_stand_beside_the_images_that_they_were_made_of(generator: TrainedGenerator) -> None:
    panels = layout_panels(generator, [0, 1], [0, 1])
    assert list(panels) == ["long_range"]
    panel = panels["long_range"]
    images = sample(generator, [0, 0, 1, 1], [0, 1, 0, 1], batch_size=4)
    places = [place_of(enlarged(to_uint8(image), 4), panel) for image in images]
    assert [top - places[0][0] for top, _ in places] == [0, 130, 260, 390]


def cell64(picture: torch.Tensor, row: int, column: int) -> torch.Tensor:
    """One image of three rows and five columns, 64 px shown at 128, back at 64."""
    top, left = picture.shape[1] - 130 * (3 - row) + 2, picture.shape[2] - 130 * (5 - column) + 2
    return picture[:, top : top + 128 : 2, left : left + 128 : 2]


class Random(torch.utils.data.Dataset):
    """Noise of 40 px, always the same."""

    def __len__(self) -> int:
        return 23

    def __getitem__(self, index: int) -> ClassBatch:
        noise = torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(index))
        return ClassBatch(noise * 2 - 1, torch.tensor(0))


def test_neighbors_are_those_of_the_slow_loop() -> None:
    dataset = Random()
    samples = torch.stack([dataset[3].image, dataset[11].image.flip(2), torch.rand(3, 64, 64) * 2 - 1])
    samples += 0.01 * torch.randn(samples.shape)
    found = nearest_neighbors(samples, dataset, count=4, batch_size=5)
    for sample_, row, distances in zip(samples, found.index, found.distance, strict=True):
        shrunk = torch.nn.functional.avg_pool2d(sample_, 2).double()
        every = [torch.nn.functional.avg_pool2d(dataset[index].image, 2).double() for index in range(23)]
        slow = torch.stack(
            [min((shrunk - x).square().mean(), (shrunk - x.flip(2)).square().mean()).sqrt() for x in every]
        )
        torch.testing.assert_close(distances.double(), slow.sort().values[:4], rtol=1e-4, atol=1e-6)
        assert row.tolist() == slow.argsort()[:4].tolist()
    assert found.index[0, 0] == 3
    assert found.index[1, 0] == 11, "mirrored ones are found"
    assert torch.equal(found.image[0, 0], dataset[3].image)
    sheet = neighbor_sheet(samples, found.image, ["a", "b", "c"])
    for row in range(3):
        assert close(cell64(sheet, row, 0), samples[row].clamp(-1, 1))
        assert close(cell64(sheet, row, 4), found.image[row, 3])


def test_neighbors_in_a_folder(generator: TrainedGenerator, image_folder: Path) -> None:
    train = ClassData(ImageFolder(image_folder), 32).dataset("train")
    image = train[7].image[None]
    found = nearest_neighbors(image, train, count=2)
    assert found.index[0, 0] == 7
    assert float(found.distance[0, 0]) < 1e-3
    with pytest.raises(InputError, match="1000 neighbors cannot be found among"):
        nearest_neighbors(image, train, count=1000)
    with pytest.raises(InputError, match=r"shape \(3, 32, 32\), the samples \(3, 16, 16\)"):
        nearest_neighbors(image[..., ::2, ::2], train)
