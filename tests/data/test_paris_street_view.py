"""Paris StreetView as it is handed out, and every error sentence."""

from functools import partial
from pathlib import Path

import pytest

from lit_an.data.sources import ParisStreetView
from tests.data.small_sources import names_of, refusal
from tests.photo_folders import make_paris

sentence_of = partial(refusal, ParisStreetView)


@pytest.mark.parametrize("evaluation", ["paris_eval_gt", "paris_eval/paris_eval_gt"])
def test_the_published_folders_are_the_splits(tmp_path: Path, evaluation: str) -> None:
    source = ParisStreetView(make_paris(tmp_path, evaluation))
    assert names_of(source, "train") == [f"48.84_2.34_{i}_-004.JPG" for i in range(6)]
    assert names_of(source, "val") == ["001_im.png", "002_im.png", "003_im.png"]


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
