"""Paris StreetView as it is handed out, and every error sentence."""

from pathlib import Path

import pytest

from lit_an.batch import Draw
from lit_an.data import ParisStreetView
from lit_an.data.base import Split
from lit_an.errors import InputError
from tests.photo_folders import make_paris


def sentence_of(root: Path, split: Split = "train") -> str:
    with pytest.raises(InputError) as caught:
        ParisStreetView(root, 8).dataset(split)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("evaluation", ["paris_eval_gt", "paris_eval/paris_eval_gt"])
def test_the_published_folders_are_the_splits(tmp_path: Path, evaluation: str) -> None:
    data = ParisStreetView(make_paris(tmp_path, evaluation), 8)
    assert [data.name("train", i) for i in range(len(data.dataset("train")))] == [
        f"48.84_2.34_{i}_-004.JPG" for i in range(6)
    ]
    for split in ("val", "test"):
        assert [data.name(split, i) for i in range(3)] == ["001_im.png", "002_im.png", "003_im.png"]  # type: ignore[arg-type]
        assert len(data.dataset(split)) == 3  # type: ignore[arg-type]


def test_training_shows_squares_of_the_full_height(tmp_path: Path) -> None:
    """Green goes from top to bottom in each; where red begins differs."""
    data = ParisStreetView(make_paris(tmp_path), 16, flip=False)
    images = [data.dataset("train")[Draw(0, seed)].image for seed in range(30)]
    assert all(image[1, 0].mean() < -0.9 and image[1, -1].mean() > 0.9 for image in images)
    left = [float(image[0, :, 0].mean()) for image in images]
    assert min(left) < -0.8
    assert max(left) > -0.3


def test_a_root_one_too_high_or_too_low(tmp_path: Path) -> None:
    root = make_paris(tmp_path / "paris")
    for wrong in (tmp_path, root / "paris_train_original"):
        assert sentence_of(wrong) == (
            f"data: root={str(wrong)!r} has no folder 'paris_train_original'; did you mean {str(root)!r}?"
        )


def test_folders_that_are_missing_or_empty(tmp_path: Path) -> None:
    assert sentence_of(tmp_path / "nowhere").endswith(
        "does not exist; give one with paris_train_original and paris_eval_gt"
    )
    assert sentence_of(tmp_path) == f"data: root={str(tmp_path)!r} has no folder 'paris_train_original'"
    (tmp_path / "paris_train_original").mkdir()
    assert "paris_train_original' holds no images" in sentence_of(tmp_path)
    assert sentence_of(tmp_path, "val") == (
        f"data: {str(tmp_path)!r} has no folder 'paris_eval_gt'; unpack paris_eval there"
    )
