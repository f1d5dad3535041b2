"""Scores of layouts against scikit-learn, literal loops and brute force; states over batches and processes."""

import itertools
import math
import os
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch import Tensor

from lit_an.errors import InputError
from lit_an.metrics.layout.accumulated import DatasetRegionScores, ImageRegionScores, LayoutStability, RegionUse
from lit_an.metrics.layout.boundaries import BoundaryCounts, boundary_counts, boundary_f_score
from lit_an.metrics.layout.contingency import joint_histogram
from lit_an.metrics.layout.partitions import layout_agreement, matched_iou, partition_scores
from lit_an.metrics.layout.position import position_sums, shares_of_position
from lit_an.metrics.layout.stability import kappa
from tests.training import run_in_two_processes


def related_maps(images: int = 3, side: int = 8, regions: int = 5, parts: int = 4) -> tuple[Tensor, Tensor]:
    """Two maps (B, side, side) that have something to do with each other."""
    true = torch.randint(0, parts, (images, side, side))
    found = torch.where(torch.rand(true.shape) < 0.6, (2 * true + 1) % regions, torch.randint(0, regions, true.shape))
    return found, true


def layout_of(found: Tensor, regions: int = 5) -> Tensor:
    """A soft layout whose strongest regions are these."""
    hard = torch.nn.functional.one_hot(found, regions).movedim(-1, 1).float()
    return (3 * hard + torch.rand(hard.shape)).softmax(1)


def test_the_joint_histogram_is_that_of_the_loop() -> None:
    found, true = related_maps()
    counted = torch.rand(found.shape) > 0.3
    table = torch.zeros(3, 5, 4, dtype=torch.int64)
    for place in itertools.product(range(3), range(8), range(8)):
        if counted[place]:
            table[place[0], found[place], true[place]] += 1
    assert torch.equal(joint_histogram(found, true, (5, 4), counted), table)


@pytest.mark.parametrize("wrong", [-1, 4])
def test_a_region_out_of_range_is_refused_unless_it_does_not_count(wrong: int) -> None:
    found, true = related_maps()
    true[1, 2, 3] = wrong
    with pytest.raises(InputError, match=f"hold the region {wrong}; regions are numbered from 0 to 3 here"):
        joint_histogram(found, true, (5, 4))
    counted = torch.ones_like(true, dtype=torch.bool)
    counted[1, 2, 3] = False
    assert joint_histogram(found, true, (5, 4), counted).sum() == found.numel() - 1


@pytest.mark.parametrize("kind", ["related", "equal", "unrelated", "one region", "one part", "both one"])
def test_partition_scores_are_those_of_scikit_learn(kind: str) -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="the extra 'inpainting' is not installed")
    found, true = related_maps()
    found = {"equal": true, "unrelated": torch.randint(0, 5, true.shape)}.get(kind, found)
    if kind in ("one region", "both one"):
        found = torch.full_like(found, 3)
    if kind in ("one part", "both one"):
        true = torch.full_like(true, 2)
    tables = joint_histogram(found, true, (5, 4))
    for table, mine, other in ((tables.sum(0), found, true), *zip(tables, found, true, strict=True)):
        scores = partition_scores(table)
        pair = (other.flatten().numpy(), mine.flatten().numpy())
        assert scores.ari.item() == pytest.approx(metrics.adjusted_rand_score(*pair), abs=1e-12)
        assert scores.nmi.item() == pytest.approx(metrics.normalized_mutual_info_score(*pair), abs=1e-12)
        by_part = metrics.cluster.contingency_matrix(*pair)
        assert scores.purity.item() == pytest.approx(by_part.max(0).sum() / by_part.sum())
        assert scores.chance.item() == pytest.approx(by_part.sum(1).max() / by_part.sum())
    several = partition_scores(tables)
    assert torch.equal(several.miou, torch.stack([partition_scores(table).miou for table in tables]))
    assert torch.allclose(several.ari, torch.stack([partition_scores(table).ari for table in tables]))


@pytest.mark.parametrize(("regions", "parts"), [(3, 3), (5, 3), (3, 5), (1, 4), (4, 1)])
def test_the_matching_is_the_best_of_all(regions: int, parts: int) -> None:
    for _ in range(10):
        table = torch.randint(0, 9, (regions, parts)) * (torch.rand(regions, parts) > 0.3)
        iou = np.zeros((regions, parts))
        for n, k in itertools.product(range(regions), range(parts)):
            union = table[n].sum() + table[:, k].sum() - table[n, k]
            iou[n, k] = table[n, k] / union if union else 0
        few, many = sorted((regions, parts))
        wide = iou if regions <= parts else iou.T
        best = max(sum(wide[i, p[i]] for i in range(few)) for p in itertools.permutations(range(many), few))
        occurring = int((table.sum(0) > 0).sum())
        assert matched_iou(table).item() == pytest.approx(best / max(1, occurring))


def test_nothing_counted_is_no_number() -> None:
    assert all(score.isnan() for score in partition_scores(torch.zeros(3, 4, dtype=torch.int64)))
    scores = DatasetRegionScores(5)
    found, true = related_maps()
    scores.update(layout_of(found), true, torch.zeros_like(true, dtype=torch.bool))
    assert all(score.isnan() for score in scores.compute().values())
    scores.update(layout_of(found), torch.full_like(true, 3))  # of one true region nothing can be told apart
    assert all(score.isnan() for score in scores.compute().values())
    scores.update(layout_of(found), true)
    assert not any(score.isnan() for score in scores.compute().values())


@pytest.mark.parametrize("tolerance", [0, 1, 2])
def test_the_boundary_score_is_that_of_the_loop(tolerance: int) -> None:
    found, true = (torch.randint(0, 2, (1, 7, 9)).repeat_interleave(2, 2) for _ in range(2))
    counted = torch.rand(found.shape) > 0.1

    def boundary(regions: Tensor) -> set[tuple[int, int]]:
        places = set()
        for row, column in itertools.product(range(7), range(18)):
            for other in ((row + 1, column), (row, column + 1)):
                inside = other[0] < 7 and other[1] < 18 and counted[0, row, column] and counted[0][other]
                if inside and regions[0, row, column] != regions[0][other]:
                    places.add((row, column))
        return places

    def near(some: set[tuple[int, int]], others: set[tuple[int, int]]) -> int:
        return sum(any(max(abs(a - c), abs(b - d)) <= tolerance for c, d in others) for a, b in some)

    mine, other = boundary(found), boundary(true)
    expected = (len(mine), near(mine, other), len(other), near(other, mine))
    counts = boundary_counts(found, true, counted, tolerance)
    assert tuple(int(count) for count in counts) == expected
    precision, recall = expected[1] / expected[0], expected[3] / expected[2]
    assert boundary_f_score(counts).item() == pytest.approx(2 * precision * recall / (precision + recall))
    assert boundary_f_score(BoundaryCounts(*torch.tensor([0, 0, 3, 0]))) == 0


def test_kappa_is_that_of_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="the extra 'inpainting' is not installed")
    one, other = related_maps(regions=4)
    table = joint_histogram(one, other, (4, 4)).sum(0)
    expected = metrics.cohen_kappa_score(one.flatten().numpy(), other.flatten().numpy())
    assert kappa(table).item() == pytest.approx(expected)


def test_shares_of_position_are_those_of_the_loop() -> None:
    layout = (torch.randn(6, 3, 8, 8) + torch.randn(3, 8, 8)).softmax(1)
    shares = shares_of_position(position_sums(layout))
    x = layout.double().numpy()
    total = sum(((x[:, n] - x[:, n].mean()) ** 2).sum() for n in range(3))
    groups = {
        "position": lambda i, j: (i, j),
        "border": lambda i, j: min(i, 7 - i, j, 7 - j),
        "grid": lambda i, j: (i % 4, j % 4),
    }
    for name, group_of in groups.items():
        groups_of_positions: dict[object, list[tuple[int, int]]] = {}
        for i, j in itertools.product(range(8), range(8)):
            groups_of_positions.setdefault(group_of(i, j), []).append((i, j))
        explained = 0.0
        for n, places in itertools.product(range(3), groups_of_positions.values()):
            values = np.stack([x[:, n, i, j] for i, j in places])
            explained += values.size * (values.mean() - x[:, n].mean()) ** 2
        count, number = 6 * 64, len(groups_of_positions)
        adjusted = 1 - (1 - explained / total) * (count - 1) / (count - number)
        assert getattr(shares, name).item() == pytest.approx(max(0, adjusted), abs=1e-9)
    assert 0.2 < shares.position < 0.8


@pytest.mark.parametrize("images", [2, 5, 40])
def test_position_explains_nothing_of_chance_however_few_the_images(images: int) -> None:
    found = [shares_of_position(position_sums(torch.rand(images, 4, 8, 8).softmax(1))).position for _ in range(20)]
    assert torch.stack(found).mean() < 0.06


def test_position_explains_all_of_a_layout_that_repeats_and_nothing_of_a_constant_one() -> None:
    same = torch.rand(1, 4, 8, 8).softmax(1).expand(3, -1, -1, -1)
    assert shares_of_position(position_sums(same)).position.item() == pytest.approx(1)
    assert shares_of_position(position_sums(torch.full((3, 4, 8, 8), 0.25))).position == 0
    assert shares_of_position(position_sums(same[:1])).position.isnan()
    ring = torch.zeros(2, 2, 8, 8)
    ring[:, 0] = 1
    ring[:, :, 2:6, 2:6] = torch.tensor([0.0, 1.0])[:, None, None]
    assert shares_of_position(position_sums(ring)).border.item() == pytest.approx(1)
    checks = torch.eye(2)[(torch.arange(8)[:, None] + torch.arange(8)) % 2].permute(2, 0, 1).expand(2, -1, -1, -1)
    shares = shares_of_position(position_sums(checks))
    assert (shares.grid.item(), shares.border.item()) == pytest.approx((1, 0), abs=1e-9)


def test_a_region_with_another_meaning_in_each_image_is_good_in_images_only() -> None:
    """Renaming the regions of one image changes the scores of the data set alone."""
    true = torch.randint(0, 3, (2, 8, 8))
    mine = torch.stack([true[0], 2 - true[1]])
    for layout, in_dataset in ((layout_of(true), 1.0), (layout_of(mine), None)):
        whole, each = DatasetRegionScores(5), ImageRegionScores(5)
        whole.update(layout, true)
        each.update(layout, true)
        assert each.compute()["image_miou"] == each.compute()["image_ari"] == each.compute()["image_boundary_f"] == 1
        for name in ("miou", "ari", "nmi", "purity"):
            assert whole.compute()[name] == 1 if in_dataset else whole.compute()[name] < 0.9
        assert whole.compute()["boundary_f"] == 1, "boundaries have no names"


def test_images_of_one_part_say_nothing_about_images() -> None:
    found, true = related_maps()
    each = ImageRegionScores(5)
    each.update(layout_of(found[:1]), torch.zeros_like(true[:1]))
    assert each.compute()["image_ari"].isnan()
    each.update(layout_of(found[1:]), true[1:])
    alone = ImageRegionScores(5)
    alone.update(layout_of(found[1:]), true[1:])
    assert_same(each.compute(), alone.compute())
    assert each.compute()["several_regions"] == 2


def test_truth_has_the_pixel_in_the_middle_of_each_position() -> None:
    found, true = related_maps()
    fine = torch.full((3, 24, 24), 200)  # no region that is in the middle
    fine[:, 1::3, 1::3] = true
    coarse, whole = DatasetRegionScores(5), DatasetRegionScores(5)
    coarse.update(layout_of(found), true)
    whole.update(layout_of(found), fine)
    assert whole.compute() == coarse.compute()


def test_agreement_is_the_purity_of_the_data_set() -> None:
    found, true = related_maps()
    scores = DatasetRegionScores(5)
    scores.update(layout_of(found), true)
    agreement = layout_agreement(layout_of(found), true)
    assert agreement.accuracy == scores.compute()["purity"]
    assert agreement.chance == scores.compute()["chance"]


def measured(maps: list[tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
    """Every figure of batches, over all processes."""
    torch.manual_seed(1)
    whole, each, use, again = (
        DatasetRegionScores(5, 4), ImageRegionScores(5, 4), RegionUse(5, (8, 8)), LayoutStability(5)
    )  # fmt: skip
    for found, true in maps:
        hard = torch.nn.functional.one_hot(found, 5).movedim(-1, 1).float()
        whole.update(hard, true)
        each.update(hard, true)
        use.update(hard)
        again.update(hard, hard.flip(3))
    return {**whole.compute(), **each.compute(), **use.compute(), "again": again.compute()}


def assert_same(first: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert first.keys() == other.keys()
    for name, value in first.items():
        assert math.isfinite(value)
        assert other[name].item() == pytest.approx(value.item(), abs=1e-12), name


def test_figures_do_not_depend_on_batches() -> None:
    found, true = related_maps(7)
    assert_same(measured([(found, true)]), measured(list(zip(found.split(3), true.split(3), strict=True))))


def in_one_of_two_processes(rank: int, port: str, folder: Path) -> None:
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    dist.init_process_group("gloo", rank=rank, world_size=2)
    torch.manual_seed(0)
    found, true = related_maps(7)
    torch.save(measured([(found[rank::2], true[rank::2])]), folder / f"{rank}.pt")
    dist.destroy_process_group()


def test_processes_add_their_sums(tmp_path: Path) -> None:
    """7 images on two processes, which does not divide."""
    run_in_two_processes(in_one_of_two_processes, tmp_path)
    torch.manual_seed(0)
    alone = measured([related_maps(7)])
    for rank in range(2):
        assert_same(alone, torch.load(tmp_path / f"{rank}.pt", weights_only=True))
