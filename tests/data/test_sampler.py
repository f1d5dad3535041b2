"""The endless sampler: a stream that is a function of the seed and the position alone."""

from itertools import islice

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from lit_an.batch import ClassBatch, Draw
from lit_an.data.base import EndlessSampler, LabelledImages, SampleRequests, Split
from lit_an.errors import InputError


def take(number: int, **arguments: int) -> list[Draw]:
    return list(islice(EndlessSampler(**arguments), number))


class Echo(Dataset[ClassBatch]):
    """Items that hold the index and the seed of their draw as image and label."""

    def __len__(self) -> int:
        return 10

    def __getitem__(self, item: Draw | int) -> ClassBatch:
        index, seed = item if isinstance(item, Draw) else (item, -1)
        return ClassBatch(torch.full((3, 2, 2), float(index)), torch.tensor(seed))


class EchoData(LabelledImages):
    @property
    def class_names(self) -> list[str]:
        return ["a", "b"]

    def dataset(self, split: Split) -> Dataset[ClassBatch]:
        return Echo()


def test_every_epoch_has_every_item_once_in_an_order_of_its_own() -> None:
    indices = [draw.index for draw in take(35, num_items=7, seed=3)]
    epochs = [tuple(indices[start : start + 7]) for start in range(0, 35, 7)]
    assert all(sorted(epoch) == list(range(7)) for epoch in epochs)
    assert len(set(epochs)) > 1


@pytest.mark.parametrize("start", [0, 1, 6, 7, 8, 20])
def test_a_resumed_stream_goes_on_where_it_stopped(start: int) -> None:
    assert take(15, num_items=7, seed=3, start=start) == take(start + 15, num_items=7, seed=3)[start:]


@pytest.mark.parametrize("world_size", [2, 3])
@pytest.mark.parametrize("start", [0, 5])
def test_ranks_share_out_the_stream_of_one_process(world_size: int, start: int) -> None:
    ranks = [take(9, num_items=7, start=start, rank=rank, world_size=world_size) for rank in range(world_size)]
    interleaved = [draw for draws in zip(*ranks, strict=True) for draw in draws]
    assert interleaved == take(9 * world_size, num_items=7, start=start)


def test_each_draw_has_a_seed_of_its_own() -> None:
    seeds = [draw.seed for seed in (0, 1) for draw in take(5000, num_items=7, seed=seed)]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_another_seed_gives_another_order() -> None:
    first, second = ([draw.index for draw in take(50, num_items=50, seed=seed)] for seed in (0, 1))
    assert first != second


def test_the_stream_has_no_length() -> None:
    with pytest.raises(TypeError, match="no length"):
        len(EndlessSampler(num_items=3))


@pytest.mark.parametrize("num_workers", [0, 2])
def test_training_batches_follow_the_stream_for_any_number_of_workers(num_workers: int) -> None:
    data = EchoData(image_size=2, batch_size=3, batches_per_iteration=2, num_workers=num_workers, seed=5)
    batches = list(islice(data.train_dataloader(), 4))
    assert [len(batch.label) for batch in batches] == [6] * 4  # the images of a whole iteration
    drawn = [(int(image[0, 0, 0]), int(seed)) for batch in batches for image, seed in zip(*batch[:2], strict=True)]
    assert drawn == [tuple(draw) for draw in take(24, num_items=10, seed=5)]


@pytest.mark.parametrize("name", ["val_dataloader", "test_dataloader"])
def test_other_loaders_give_every_item_once_in_order(name: str) -> None:
    loader: DataLoader[ClassBatch] = getattr(EchoData(image_size=2, batch_size=4), name)()
    batches = list(loader)
    assert [int(i) for batch in batches for i in batch.image[:, 0, 0, 0]] == list(range(10))
    assert all(bool((batch.label == -1).all()) for batch in batches)  # reached by an int


def test_requests_go_through_the_classes_with_distinct_seeds() -> None:
    requests = [SampleRequests(num_classes=2, per_class=3)[i] for i in range(6)]
    assert [(int(request.label), int(request.seed)) for request in requests] == [
        (0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2),
    ]  # fmt: skip
    (batch,) = EchoData(image_size=2, samples_per_class=3).predict_dataloader()
    assert batch.label.tolist() == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize(
    ("name", "value", "least"),
    [("image_size", 0, 1), ("batch_size", 0, 1), ("batches_per_iteration", 0, 1), ("num_workers", -1, 0)],
)
def test_arguments_too_small_are_refused(name: str, value: int, least: int) -> None:
    with pytest.raises(InputError, match=f"^data: {name} must be at least {least}, got {value}$"):
        EchoData(**{"image_size": 2, name: value})
