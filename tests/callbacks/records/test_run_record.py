"""The record of a run: what it counts, and that counting leaves no trace."""

import json
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from callbacks.checkpointing import Checkpointing
from callbacks.records.operation_count import OperationCount
from callbacks.records.record import FILE, RunRecord
from lit_an.networks.feature_discriminator import FeatureDiscriminator
from lit_an.networks.resnet_generator import ResNetGenerator
from tests.training import make_data, make_inpainting_task, make_photographs, make_task, make_trainer


def test_multiply_adds_of_a_convolution_are_those_of_one_image() -> None:
    network = nn.Conv2d(3, 8, 3, padding=1)
    count = OperationCount(network)
    network(torch.randn(5, 3, 16, 16))
    assert count.take() == 3 * 9 * 8 * 16 * 16


def test_attentive_normalization_is_counted() -> None:
    """Its kernel is no operator of PyTorch, which a counter would not see."""
    channels, regions, positions = 32, 16, 32 * 32
    found = {}
    for layer in ("none", "attentive"):
        generator = ResNetGenerator(64, 3, base_width=16, long_range=layer, long_range_kwargs={"num_regions": regions})
        count = OperationCount(generator)
        generator(torch.randn(2, 128), torch.tensor([0, 1]))
        found[layer] = count.take()
    # The value projection, the layout, two moments and two products that apply them.
    products = channels**2 * positions + 5 * channels * regions * positions
    assert found["attentive"] - found["none"] >= products  # type: ignore[operator]
    assert found["attentive"] - found["none"] < 1.2 * products  # type: ignore[operator]


def test_counting_leaves_no_trace() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    count = OperationCount(network)
    network(torch.randn(2, 3, 8, 8))
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    random_state = torch.get_rng_state()
    assert count.take() is not None
    assert count.take() is None
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random_state)
    assert not network._forward_pre_hooks


def test_a_network_that_hides_another_keeps_it_where_it_is() -> None:
    discriminator = FeatureDiscriminator(32, 3, width=4, head_width=4)
    count = OperationCount(discriminator)
    image, label = torch.randn(2, 3, 32, 32), torch.tensor([0, 1])
    discriminator(image, label)
    assert count.take()
    assert discriminator(image, label).isfinite().all()


def test_no_values_are_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a GPU a copy would count as memory that the training needs."""
    discriminator = FeatureDiscriminator(32, 3, width=4, head_width=4)
    count = OperationCount(discriminator)
    discriminator(torch.randn(2, 3, 32, 32), torch.tensor([0, 1]))

    def refuse(tensor: torch.Tensor, memo: object) -> torch.Tensor:
        raise AssertionError(f"a tensor of {tuple(tensor.shape)} is copied")

    monkeypatch.setattr(torch.Tensor, "__deepcopy__", refuse)
    assert count.take()


def test_a_network_that_needs_values_has_no_count() -> None:
    class Asks(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x if float(x.sum()) > 0 else -x

    network = Asks()
    count = OperationCount(network)
    network(torch.ones(2, 3))
    assert count.take() is None


def test_a_resumed_run_keeps_its_starts(image_folder: Path, tmp_path: Path) -> None:
    for iterations in (1, 2):
        last = tmp_path / "checkpoints" / "last.ckpt"
        trainer = make_trainer(
            tmp_path, make_task(), iterations, callbacks=[Checkpointing(every_iterations=1), RunRecord()]
        )
        trainer.fit(make_task(), datamodule=make_data(image_folder), ckpt_path=last if last.exists() else None)
        record = json.loads((tmp_path / FILE).read_text())
        assert len(record["starts"]) == iterations
    assert record["parameters"].keys() == record["operations"].keys() == {"generator", "discriminator"}
    assert min(*record["parameters"].values(), *record["operations"].values(), record["peak_memory"]) > 0


def test_critics_that_play_later_are_counted_together(image_folder: Path, tmp_path: Path) -> None:
    task = make_inpainting_task(adversarial_from=1)
    for iterations, names in ((1, {"generator"}), (2, {"generator", "discriminator"})):
        make_trainer(tmp_path, task, iterations, [RunRecord()]).fit(task, datamodule=make_photographs(image_folder))
        operations = json.loads((tmp_path / FILE).read_text())["operations"]
        assert operations.keys() == names
        task.iteration = 0
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        task.discriminator(torch.zeros(1, 3, 32, 32), torch.ones(1, 1, 32, 32))
    assert operations["discriminator"] == counter.get_total_flops() // 2
