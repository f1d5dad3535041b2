"""What every registered augmentation keeps, DiffAugment's ranges, and how ADA's p moves."""

from typing import Any

import pytest
import torch
import torch.multiprocessing

import lit_an.augmentations.adaptive as adaptive
from lit_an.augmentations import AUGMENTATIONS, AdaptiveAugmentation, DiffAugment
from lit_an.errors import InputError
from tests.training import run_in_two_processes

ALWAYS: dict[str, dict[str, Any]] = {"ada": {"probability": 1.0}}
NAMES = AUGMENTATIONS.names()
CHANGES = [name for name in NAMES if name != "none"]


def make(name: str) -> Any:
    """The augmentation, where it can be chosen, at its strongest."""
    return AUGMENTATIONS.create(name, **ALWAYS.get(name, {}))


@pytest.mark.parametrize("name", NAMES)
def test_the_shape_stays_and_the_same_seed_gives_the_same(name: str) -> None:
    image, results = torch.rand(3, 3, 16, 16) * 2 - 1, []
    before = image.clone()
    for _ in range(2):
        torch.manual_seed(5)
        results.append(make(name)(image))
    assert torch.equal(*results)
    assert results[0].shape == image.shape
    assert torch.isfinite(results[0]).all()
    assert torch.equal(image, before)


@pytest.mark.parametrize("name", NAMES)
def test_autocast_changes_nothing(name: str) -> None:
    image, results = torch.rand(3, 3, 16, 16) * 2 - 1, []
    for enabled in (False, True):
        torch.manual_seed(5)
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            results.append(make(name)(image))
    assert torch.equal(*results)


@pytest.mark.parametrize("name", CHANGES)
def test_each_image_is_changed_in_its_own_way(name: str) -> None:
    image = torch.randn(1, 3, 16, 16).expand(6, -1, -1, -1)
    changed = make(name)(image)
    assert all((changed[i] - changed[j]).abs().max() > 1e-3 for i in range(6) for j in range(i))


@pytest.mark.parametrize("name", CHANGES)
def test_gradients_pass_and_pass_again(name: str) -> None:
    augmentation = make(name)

    def augment(image: torch.Tensor) -> torch.Tensor:
        torch.manual_seed(3)
        result: torch.Tensor = augmentation(image)
        return result

    image = torch.randn(2, 3, 4, 4, dtype=torch.float64, requires_grad=True)
    assert augment(image).dtype == torch.float64
    assert torch.autograd.gradcheck(augment, image)
    assert torch.autograd.gradgradcheck(augment, image)


def test_diffaugment_switches() -> None:
    image = torch.rand(64, 3, 16, 16) + 1  # no pixel is 0
    assert torch.equal(DiffAugment(color=False, translation=0.0, cutout=0.0)(image), image)
    moved = DiffAugment(color=False, cutout=0.0, translation=0.25)(image)
    empty_rows = (moved == 0).all(3).all(1).sum(1)
    assert empty_rows.max() == 4, "at most a quarter of 16"
    assert empty_rows.min() == 0
    holes = (DiffAugment(color=False, translation=0.0)(image) == 0).all(1).sum((1, 2))
    assert holes.max() <= 64
    assert holes.min() >= 16, "a square of 8 whose center is inside is never more than three quarters outside"


def test_diffaugment_colors_stay_in_their_ranges() -> None:
    gray = torch.full((256, 3, 4, 4), 0.25)
    changed = DiffAugment(translation=0.0, cutout=0.0)(gray)
    assert (changed - changed.mean((1, 2, 3), keepdim=True)).abs().max() < 1e-6, "gray has no saturation or contrast"
    shift = changed.mean((1, 2, 3)) - 0.25
    assert -0.5 <= shift.min() < -0.4
    assert 0.4 < shift.max() <= 0.5


def test_diffaugment_colors_are_the_published_three_steps() -> None:
    """Brightness, then saturation around each pixel's gray, then contrast around the image's mean."""
    image = torch.randn(3, 3, 4, 5, dtype=torch.float64)
    torch.manual_seed(5)
    changed = DiffAugment(translation=0.0, cutout=0.0)(image)
    torch.manual_seed(5)
    for x, now, brightness, saturation, contrast in zip(image, changed, *torch.rand(3, 3), strict=True):
        x = x + (brightness - 0.5).double()
        gray = x.mean(0, keepdim=True)
        x = (x - gray) * (2 * saturation).double() + gray
        x = (x - x.mean()) * (contrast + 0.5).double() + x.mean()
        torch.testing.assert_close(now, x, rtol=1e-6, atol=1e-6)


def test_diffaugment_moves_by_up_to_a_share_of_each_side() -> None:
    image = torch.rand(400, 3, 8, 24) + 1  # no pixel is 0
    torch.manual_seed(5)
    moved = DiffAugment(color=False, cutout=0.0, translation=0.25)(image)
    torch.manual_seed(5)
    shifts = [torch.randint(-most, most + 1, (400,)) for most in (2, 6)]
    assert [(int(shift.min()), int(shift.max())) for shift in shifts] == [(-2, 2), (-6, 6)]
    for before, now, down, right in zip(image, moved, *(shift.tolist() for shift in shifts), strict=True):
        padded = torch.nn.functional.pad(before, (6, 6, 2, 2))
        assert torch.equal(now, padded[:, 2 - down : 10 - down, 6 - right : 30 - right])


@pytest.mark.parametrize(("cutout", "side"), [(0.5, 4), (0.4, 3)])
def test_diffaugment_cuts_around_any_pixel(cutout: float, side: int) -> None:
    image = torch.ones(400, 3, 8, 12)
    torch.manual_seed(5)
    holes = DiffAugment(color=False, translation=0.0, cutout=cutout)(image) == 0
    torch.manual_seed(5)
    rows, columns = (torch.randint(0, size - side % 2 + 1, (400,)) for size in (8, 12))
    for hole, row, column in zip(holes, rows.tolist(), columns.tolist(), strict=True):
        top, left = row - side // 2, column - side // 2
        expected = torch.zeros(3, 8, 12, dtype=torch.bool)
        expected[:, max(0, top) : max(0, top + side), max(0, left) : max(0, left + side)] = True
        assert torch.equal(hole, expected)
    assert holes.all(1).any(0).all(), "every pixel is cut at some time"


def test_ada_is_the_identity_at_probability_0() -> None:
    image = torch.randn(4, 3, 16, 16)
    assert torch.equal(AdaptiveAugmentation()(image), image)


def test_ada_changes_as_many_images_as_p_says() -> None:
    image = torch.randn(1, 3, 8, 8).expand(4000, -1, -1, -1)
    same = (AdaptiveAugmentation(probability=0.1)(image) - image).abs().amax((1, 2, 3)) < 1e-6
    # An image stays as it is if none of eleven ways happens; half of the mirrorings (of places, of luma), a quarter of
    # the turns and a quarter of the shifts, which are by up to 8 / 8 pixels, change nothing.
    expected = 0.95**2 * 0.925**2 * 0.9**7
    assert same.float().mean().item() == pytest.approx(expected, abs=0.03)


def test_below_certainty_the_true_image_is_the_most_frequent(monkeypatch: pytest.MonkeyPatch) -> None:
    """What keeps augmentations from leaking: of all eight turns and mirrorings the original is seen most often."""
    for strength in ("_SHIFT", "_LOG_SCALE", "_FRACTION"):
        monkeypatch.setattr(adaptive, strength, 0.0)
    image = torch.arange(4.0).view(1, 1, 2, 2).repeat(2000, 3, 1, 1)
    moved = adaptive._moved(image, torch.tensor(0.7))[:, 0].flatten(1).round().int().tolist()
    seen = {tuple(pixels): moved.count(pixels) for pixels in moved}
    assert len(seen) == 8
    assert max(seen, key=lambda pixels: seen[pixels]) == (0, 1, 2, 3)


def test_p_rises_while_reals_are_too_certain_and_falls_while_they_are_not() -> None:
    ada = AdaptiveAugmentation(target=0.5, images_to_full=1000, adapt_every=2, probability=0.1)
    seen = []
    # E sign: 1 and 1, 0.8 and 0, -1 and -1 over windows of two batches of 10
    for share in (1.0, 1.0, 0.9, 0.5, 0.0, 0.0):
        ada.observe(torch.where(torch.arange(10) < 10 * share, 3.0, -0.1))
        seen.append(round(ada.state()["probability"], 6))
    assert seen == [0.1, 0.12, 0.12, 0.1, 0.1, 0.08]


def test_p_stays_within_its_limits() -> None:
    ada = AdaptiveAugmentation(images_to_full=10, adapt_every=1, max_probability=0.8)
    for logits, expected in ((torch.ones(20), 0.8), (-torch.ones(20), 0.0)):
        ada.observe(logits)
        assert ada.state()["probability"] == pytest.approx(expected)


def test_a_saved_state_goes_on() -> None:
    kwargs: dict[str, Any] = {"images_to_full": 100, "adapt_every": 3}
    straight, first, second = (AdaptiveAugmentation(**kwargs) for _ in range(3))
    batches = torch.randn(8, 5) + 2
    for batch in batches:
        straight.observe(batch)
    for batch in batches[:4]:
        first.observe(batch)
    second.load_state(first.state())
    for batch in batches[4:]:
        second.observe(batch)
    assert second.state() == straight.state()
    assert second.state()["probability"] > 0
    assert all(isinstance(value, int | float) for value in second.state().values())


def _observe_as_rank(rank: int, port: str, folder: str) -> None:
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    ada = AdaptiveAugmentation(target=0.25, images_to_full=1000, adapt_every=2, probability=0.5)
    # Alone rank 0 would rise and rank 1 fall; together E sign is 0.5.
    for _ in range(2):
        ada.observe(torch.ones(4) if rank == 0 else torch.tensor([1.0, 1, -1, -1]))
    torch.save(ada.state(), f"{folder}/{rank}.pt")
    torch.distributed.destroy_process_group()


def test_ranks_move_p_together(tmp_path: Any) -> None:
    run_in_two_processes(_observe_as_rank, str(tmp_path))
    states = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2)]
    assert states[0] == states[1]
    assert states[0]["probability"] == pytest.approx(0.5 + 16 / 1000)


@pytest.mark.parametrize(
    ("name", "kwargs", "sentence"),
    [
        ("ada", {"target": 1.0}, "target must be between -1 and 1, got 1.0"),
        ("ada", {"adapt_every": 0}, "adapt_every must be at least 1, got 0"),
        ("ada", {"images_to_full": 0}, "images_to_full must be at least 1, got 0"),
        ("ada", {"probability": 0.9, "max_probability": 0.8}, "probability must be from 0 to 0.8, got 0.9"),
        ("ada", {"taget": 0.6}, "did you mean 'target'"),
        ("diffaugment", {"cutout": 1.0}, "cutout must be at least 0 and less than 1, got 1.0"),
        ("diffaugment", {"translation": -0.1}, "translation must be at least 0 and less than 1, got -0.1"),
        ("difaugment", {}, "unknown augmentation 'difaugment', did you mean 'diffaugment'"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(name: str, kwargs: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        AUGMENTATIONS.create(name, **kwargs)
