"""VGG-19's features from a real file of (random) weights, and what is said where there is none."""

import copy
import pickle
import sys
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, max_pool2d

from lit_an.errors import InputError
from lit_an.losses import VGG19Features
from lit_an.losses.features import LAYERS
from tests.vgg import make_vgg19

DEEPEST = "relu3_2"  # 1.1 million weights: enough for three stages


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(make_vgg19(tmp_path_factory.mktemp("vgg") / "vgg19.pth", DEEPEST))


def images() -> Tensor:
    return torch.rand(2, 3, 16, 16) * 2 - 1


def by_hand(path: str, image: Tensor) -> dict[str, Tensor]:
    """The network written out, from the file, up to relu3_2."""
    state = torch.load(path, weights_only=True)
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    x = ((image * 0.5 + 0.5) - mean[:, None, None]) / deviation[:, None, None]
    maps = {}
    for stage, numbers in {1: (0, 2), 2: (5, 7), 3: (10, 12)}.items():
        for index, number in enumerate(numbers, 1):
            x = conv2d(x, state[f"features.{number}.weight"], state[f"features.{number}.bias"], padding=1)
            maps[f"conv{stage}_{index}"] = x
            maps[f"relu{stage}_{index}"] = x = x.clamp(min=0)
        maps[f"pool{stage}"] = x = max_pool2d(x, 2)
    return maps


@pytest.mark.parametrize("recompute", [False, True])
def test_each_name_is_its_layer(weights: str, recompute: bool) -> None:
    names = LAYERS[: LAYERS.index(DEEPEST) + 1]
    image = images().requires_grad_()
    maps, expected = VGG19Features(weights, names, recompute)(image), by_hand(weights, image)
    assert list(maps) == list(names)
    for name in names:
        torch.testing.assert_close(maps[name], expected[name], msg=name)
    ours, theirs = (
        torch.autograd.grad(sum(x.square().mean() for x in m.values()), image)[0]
        for m in (maps, {n: expected[n] for n in names})
    )
    torch.testing.assert_close(ours, theirs)


def test_it_is_torchvision_s_network(tmp_path: Path) -> None:
    from torchvision.models import vgg19

    path = make_vgg19(tmp_path / "whole.pth", LAYERS[-1])
    with torch.device("meta"):
        network = vgg19().features
    state = torch.load(path, weights_only=True)
    network.load_state_dict({name.removeprefix("features."): x for name, x in state.items()}, assign=True)
    image = torch.rand(1, 3, 32, 32)
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    expected = network((image - mean[:, None, None]) / deviation[:, None, None])
    torch.testing.assert_close(VGG19Features(str(path), ["pool5"])(image * 2 - 1)["pool5"], expected)


def test_layers_come_in_the_order_asked_and_no_deeper_is_read(weights: str) -> None:
    features = VGG19Features(weights, ["relu2_1", "conv1_2"])  # the file ends before VGG-19 does
    assert list(features(images())) == ["relu2_1", "conv1_2"]
    assert [tuple(x.shape) for x in features(images()).values()] == [(2, 128, 8, 8), (2, 64, 16, 16)]


def test_the_network_is_frozen(weights: str) -> None:
    features = VGG19Features(weights, [DEEPEST])
    image = images().requires_grad_()
    features(image)[DEEPEST].sum().backward()
    assert image.grad is not None
    assert features._stages is not None
    assert not any(parameter.requires_grad for parameter in features._stages.parameters())
    with torch.no_grad():
        assert not features(image)[DEEPEST].requires_grad


def test_who_holds_it_has_none_of_it(weights: str) -> None:
    class Owner(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(1, 1)
            self.features = VGG19Features(weights, [DEEPEST]).load()

    owner = Owner()
    owner.features(images())
    assert sorted(owner.state_dict()) == ["layer.bias", "layer.weight"]
    assert len(list(owner.parameters())) == 2
    assert len(list(owner.modules())) == 2


def test_it_is_sent_and_copied_without_its_weights(weights: str) -> None:
    features = VGG19Features(weights, [DEEPEST]).load()
    image = images()
    assert len(pickle.dumps(features)) < 10_000
    for other in (pickle.loads(pickle.dumps(features)), copy.deepcopy(features)):
        torch.testing.assert_close(other(image), features(image))


def test_weights_read_in_a_validation_serve_in_training(weights: str) -> None:
    features = VGG19Features(weights, [DEEPEST])
    with torch.inference_mode():
        features(images())
    image = images().requires_grad_()
    features(image)[DEEPEST].sum().backward()
    assert image.grad is not None


def test_autocast_reaches_the_network(weights: str) -> None:
    features, image = VGG19Features(weights, [DEEPEST]), images()
    with torch.autocast("cpu", torch.bfloat16):
        half = features(image)[DEEPEST]
    whole = features(image)[DEEPEST]
    assert (half.dtype, whole.dtype) == (torch.bfloat16, torch.float32)
    assert (half - whole).norm() < 0.03 * whole.norm()


@pytest.mark.parametrize("kind", [torch.float64, torch.bfloat16])
def test_images_of_another_type_have_maps_of_that_type(weights: str, kind: torch.dtype) -> None:
    features, image = VGG19Features(weights, ["relu1_2"]), images().to(kind)
    maps = features(image)["relu1_2"]
    assert maps.dtype == kind
    assert torch.equal(maps, features(image.float())["relu1_2"].to(kind))


def test_weights_of_half_precision_are_read_as_float32(weights: str, tmp_path: Path) -> None:
    state = {name: x.half() for name, x in torch.load(weights, weights_only=True).items()}
    torch.save(state, tmp_path / "half.pth")
    assert VGG19Features(str(tmp_path / "half.pth"), ["relu1_1"])(images())["relu1_1"].dtype == torch.float32


def test_the_old_format_of_published_files_is_read(weights: str, tmp_path: Path) -> None:
    state = torch.load(weights, weights_only=True)
    torch.save(state, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    image = images()
    expected = VGG19Features(weights, [DEEPEST])(image)
    torch.testing.assert_close(VGG19Features(str(tmp_path / "old.pth"), [DEEPEST])(image), expected)


@pytest.mark.parametrize(
    ("layers", "sentence"),
    [([], "name at least one layer"), (["relu3_5"], r"unknown layer 'relu3_5', did you mean 'relu"), (["42"], "'42'")],
)
def test_unknown_layers_are_refused_at_once(layers: list[str], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        VGG19Features(layers=layers)


def test_a_file_that_is_missing_or_holds_something_else(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"weights='.*nowhere.pth' is no file"):
        VGG19Features(str(tmp_path / "nowhere.pth")).load()
    (tmp_path / "text.pth").write_text("no weights")
    torch.save(torch.zeros(3), tmp_path / "tensor.pth")
    torch.save({"features.0.weight": torch.zeros(64, 3, 3, 3)}, tmp_path / "short.pth")
    for name in ("text.pth", "tensor.pth", "short.pth"):
        with pytest.raises(InputError, match=f"{name}' does not hold torchvision's VGG-19 as a state dict"):
            VGG19Features(str(tmp_path / name)).load()


def test_a_file_of_another_network(weights: str, tmp_path: Path) -> None:
    state = torch.load(weights, weights_only=True)
    state["features.2.weight"] = torch.zeros(64, 64, 1, 1)
    torch.save(state, tmp_path / "other.pth")
    sentence = r"features.2.weight in '.*' has the shape \(64, 64, 1, 1\); in VGG-19 it has \(64, 64, 3, 3\)"
    with pytest.raises(InputError, match=sentence):
        VGG19Features(str(tmp_path / "other.pth"), ["relu1_2"]).load()


def test_nothing_in_a_file_is_executed(tmp_path: Path) -> None:
    class Harmful:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (tmp_path / "executed",)  # type: ignore[return-value]

    torch.save({"features.0.weight": Harmful()}, tmp_path / "harmful.pth")
    with pytest.raises(InputError, match="does not hold"):
        VGG19Features(str(tmp_path / "harmful.pth")).load()
    assert not (tmp_path / "executed").exists()


def test_without_file_or_network_the_sentence_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*args: object, **kwargs: object) -> None:
        raise URLError("no connection")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    place = tmp_path / "hub" / "checkpoints" / "vgg19-dcbb9e9d.pth"
    with pytest.raises(InputError) as caught:
        VGG19Features().load()
    assert str(place) in str(caught.value)
    assert "download https://download.pytorch.org/models/vgg19-dcbb9e9d.pth, and put the file there" in str(
        caught.value
    )


def test_weights_in_pytorch_s_cache_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    path = make_vgg19(tmp_path / "hub" / "checkpoints" / "vgg19-dcbb9e9d.pth", "relu1_2")
    image = images()
    expected = VGG19Features(str(path), ["relu1_2"])(image)
    torch.testing.assert_close(VGG19Features(layers=["relu1_2"])(image), expected)


def test_without_torchvision_the_sentence_names_the_extra(weights: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision.models", None)
    with pytest.raises(InputError, match=r"needs the package torchvision.*pip install 'lit_an\[inpainting\]'"):
        VGG19Features(weights).load()
