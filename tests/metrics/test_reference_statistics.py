"""Kept statistics: found again by content, and never those of something else."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from lit_an.errors import InputError
from lit_an.metrics.feature_networks.extractors import Features
from lit_an.metrics.feature_set import FeatureCollector
from lit_an.metrics.reference_statistics import (
    ContentHash,
    ReferenceStatistics,
    default_folder,
    describe,
    file_of,
    find,
    key_of,
    store,
)

EXTRACTOR = {"name": "small", "resize": "none", "weights_sha256": "0" * 64}


def hashed(images: Tensor, label: Tensor, batch: int = 3) -> tuple[ContentHash, str]:
    content = ContentHash(len(images))
    for index in torch.randperm(len(images)).split(batch):
        content.add(images[index], label[index], index)
    return content, content.hexdigest()


def described(images: Tensor, label: Tensor, extractor: dict[str, Any] = EXTRACTOR) -> dict[str, Any]:
    return describe(*hashed(images, label), len(images), 100, extractor)


@pytest.fixture
def images() -> Tensor:
    return torch.rand(10, 3, 6, 6) * 2 - 1


@pytest.fixture
def label() -> Tensor:
    return torch.arange(10) % 3


def make(images: Tensor, label: Tensor) -> ReferenceStatistics:
    collector = FeatureCollector(len(images), 100)
    collector.add(Features(images.flatten(1)[:, :5], None), label, torch.arange(len(images)))
    return ReferenceStatistics(collector.collected(), described(images, label))


def test_the_hash_is_that_of_the_images_in_any_batches(images: Tensor, label: Tensor) -> None:
    expected = hashed(images, label)[1]
    assert hashed(images, label, batch=10)[1] == expected
    # What a file cannot tell apart is the same.
    assert hashed(images + 1e-5 * (127.5 * images - (127.5 * images).round()), label)[1] == expected


def test_everything_that_matters_changes_the_key(images: Tensor, label: Tensor) -> None:
    one_pixel = images.clone()
    one_pixel[7, 1, 2, 3] *= -1
    other_label = label.clone()
    other_label[0] = 2
    keys = [
        key_of(described(images, label)),
        key_of(described(one_pixel, label)),
        key_of(described(images.flip(0), label.flip(0))),
        key_of(described(images, other_label)),
        key_of(described(images[:9], label[:9])),
        key_of(described(images.reshape(10, 3, 4, 9), label)),
        key_of(described(images, label, {**EXTRACTOR, "resize": "bicubic"})),
        key_of(described(images, label, {**EXTRACTOR, "weights_sha256": "1" * 64})),
        key_of({**described(images, label), "kept": 5}),
    ]
    assert len(set(keys)) == len(keys)


def test_stored_statistics_come_back_whole(tmp_path: Path, images: Tensor, label: Tensor) -> None:
    reference = make(images, label)
    assert find(tmp_path / "cache", reference.description) is None
    path = store(tmp_path / "cache", reference)
    assert [file.name for file in path.parent.iterdir()] == [f"{reference.key}.npz"]
    found = find(tmp_path / "cache", reference.description)
    assert found is not None
    assert found.description == reference.description
    for mine, stored in zip(reference.features.moments, found.features.moments, strict=True):
        assert torch.equal(mine, stored)
    assert torch.equal(found.features.rows, reference.features.rows)
    assert torch.equal(found.features.label, label)


def test_a_file_of_something_else_is_refused(tmp_path: Path, images: Tensor, label: Tensor) -> None:
    reference = make(images, label)
    path = store(tmp_path, reference)
    other = described(images.flip(0), label)
    path.rename(file_of(tmp_path, other))
    with pytest.raises(InputError, match="statistics of another content_sha256 than its name says; delete that file"):
        find(tmp_path, other)


def test_a_damaged_file_is_said_and_left(tmp_path: Path, images: Tensor, label: Tensor) -> None:
    reference = make(images, label)
    path = store(tmp_path, reference)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.warns(UserWarning, match="is damaged .* computing these reference statistics again"):
        assert find(tmp_path, reference.description) is None


def test_a_pickle_in_a_file_is_not_run(tmp_path: Path, images: Tensor, label: Tensor) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "ran",)

    description = described(images, label)
    np.savez(file_of(tmp_path, description), description=np.array([Evil()], dtype=object))
    with pytest.warns(UserWarning, match="is damaged"):
        assert find(tmp_path, description) is None
    assert not (tmp_path / "ran").exists()


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path, images: Tensor, label: Tensor) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot be written to .*name another folder with cache_dir"):
        store(tmp_path / "file", make(images, label))


def test_the_folder_is_the_users_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "lit_an" / "reference_statistics"
