"""The generator alone: two files that load without Lightning, and graphs that give the same images."""

import json
import os
import resource
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from lit_an.errors import InputError, OutputError
from lit_an.networks import ResNetGenerator
from lit_an.sampling import load_exported, sample, save_compiled, save_exported, save_onnx, save_program
from lit_an.sampling.pictures import class_sheet
from lit_an.trained import graphs
from lit_an.trained.checkpoints import Description
from lit_an.trained.exported import DESCRIPTION, WEIGHTS
from lit_an.trained.generator import TrainedGenerator

ROOT = Path(__file__).parents[2]


def built(**arguments: object) -> TrainedGenerator:
    """An untrained generator of width 2 whose norms do something."""
    arguments = {"image_size": 32, "num_classes": 3, "latent_dim": 8, "base_width": 2, **arguments}
    torch.manual_seed(3)
    network = ResNetGenerator(**arguments)  # type: ignore[arg-type]
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith(("gain.weight", "shift.weight", "residual_scale")):
                parameter.normal_()
    network(torch.randn(16, 8), torch.arange(16) % 3)  # batch norms and spectral norms see something
    return TrainedGenerator(network, Description("lit_an.networks.ResNetGenerator", dict(arguments)))


def test_back_from_two_files_bit_for_bit(generator: TrainedGenerator, tmp_path: Path) -> None:
    save_exported(generator, tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == [DESCRIPTION, WEIGHTS]
    loaded = load_exported(tmp_path)
    assert torch.equal(sample(loaded, [0, 1, 2], [5, 5, 5]), sample(generator, [0, 1, 2], [5, 5, 5]))
    assert loaded.description == generator.description
    assert loaded.class_names == ["blue", "green", "red"]
    facts = json.loads((tmp_path / DESCRIPTION).read_text())
    assert {key: facts[key] for key in ("latent_dim", "image_size", "num_classes", "iteration", "averaged")} == {
        "latent_dim": 128,
        "image_size": 32,
        "num_classes": 3,
        "iteration": 2,
        "averaged": True,
    }
    before = [file.read_bytes() for file in sorted(tmp_path.iterdir())]
    save_exported(loaded, tmp_path)
    assert [file.read_bytes() for file in sorted(tmp_path.iterdir())] == before, "again, the same bytes"


def test_an_export_that_fails_keeps_the_former_pair(generator: TrainedGenerator, tmp_path: Path) -> None:
    save_exported(generator, tmp_path)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    with torch.no_grad():
        next(generator.network.parameters()).add_(1)
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, former[1]))  # room for the description alone
    try:
        for save in (save_exported, lambda generator, folder: save_program(generator, folder / "generator.pt2")):
            with pytest.raises(OutputError, match="make room, or choose another folder"):
                save(generator, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before
    load_exported(tmp_path)


def test_a_class_whose_name_is_no_text(generator: TrainedGenerator, tmp_path: Path) -> None:
    names = [os.fsdecode(b"caf\xe9"), "é", "red"]
    generator = TrainedGenerator(generator.network, replace(generator.description, class_names=names))
    save_exported(generator, tmp_path)
    assert load_exported(tmp_path).class_names == names
    assert class_sheet(generator, [0, 1], [0, 1]).shape[0] == 3


class Tied(ResNetGenerator):
    """Holds one of its parts under two names."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.again = self.final_norm


def test_a_part_under_two_names_is_stored(tmp_path: Path) -> None:
    arguments = {"image_size": 32, "num_classes": 3, "latent_dim": 8, "base_width": 2}
    generator = TrainedGenerator(Tied(**arguments), Description(f"{__name__}.Tied", dict(arguments)))
    loaded = load_exported(save_exported(generator, tmp_path))
    assert torch.equal(sample(loaded, [0, 2], [1, 1]), sample(generator, [0, 2], [1, 1]))


@pytest.mark.parametrize("deep", ["", "deep"])
def test_a_file_in_the_place_of_the_folder(generator: TrainedGenerator, deep: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file")
    with pytest.raises(OutputError, match="a file is where a folder should be: choose another folder"):
        save_exported(generator, tmp_path / "file" / deep)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_five_lines_without_lightning(generator: TrainedGenerator, tmp_path: Path) -> None:
    save_exported(generator, tmp_path)
    script = (
        "import sys\n"
        "from lit_an.sampling import load_exported, sample\n"
        f"generator = load_exported({str(tmp_path)!r})\n"
        "images = sample(generator, labels=[0, 1], seeds=[0, 0])\n"
        "print(tuple(images.shape), generator.class_names)\n"
        "assert not [name for name in sys.modules if name.split('.')[0] in ('pytorch_lightning', 'lightning')]\n"
    )
    output = subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, capture_output=True, text=True)
    assert output.stdout == "(2, 3, 32, 32) ['blue', 'green', 'red']\n"


def test_damaged_exports_get_a_sentence(generator: TrainedGenerator, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="it cannot be read"):
        load_exported(tmp_path)
    path = save_exported(generator, tmp_path)
    facts = json.loads(path.read_text())

    def refused(sentence: str) -> None:
        with pytest.raises(InputError, match=sentence):
            load_exported(path)

    path.write_text(json.dumps({**facts, "class_path": "subprocess.run"}))
    refused("'subprocess.run' is not a torch.nn.Module")
    path.write_text(json.dumps({**facts, "format": "other"}))
    refused("it describes no generator")
    path.write_text("{")
    refused("it is not JSON")
    path.write_text(json.dumps(facts))
    weights = tmp_path / WEIGHTS
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    refused("its SHA-256 is not the one in generator.json")
    weights.unlink()
    refused("the weights generator.safetensors are not beside it")


def test_arguments_that_json_cannot_hold_are_refused(generator: TrainedGenerator, tmp_path: Path) -> None:
    generator.description = replace(generator.description, init_args={"norm": torch.float32})
    with pytest.raises(InputError, match="do not fit into JSON"):
        save_exported(generator, tmp_path)
    assert not (tmp_path / DESCRIPTION).exists()


# One network for each way through the code: conditional and plain norms, both moments, embedding, no spectral norm.
NETWORKS = {
    "conditional_batch, attentive": {"long_range_resolution": 16},
    "conditional_instance, embedding, masked": {
        "norm": "conditional_instance",
        "class_embedding": 4,
        "long_range_resolution": 8,
        "long_range_kwargs": {"num_regions": 4, "moments": "masked", "affine": True},
    },
    "group, self-attention, no spectral norm": {
        "norm": "group",
        "norm_kwargs": {"num_groups": 2},
        "long_range": "self_attention",
        "long_range_resolution": 8,
        "spectral_norm": False,
    },
    "standardized_group, class gains, no value projection": {
        "norm": "standardized_group",
        "norm_kwargs": {"num_groups": 2},
        "long_range_resolution": 8,
        "long_range_kwargs": {"num_regions": 4, "class_affine": True, "value_projection": False},
    },
    "switchable, linear attention": {
        "norm": "switchable",
        "long_range": "linear_attention",
        "long_range_resolution": 8,
    },
}


def fast(*cases: str) -> list[Any]:
    """All networks; those that are not named are for the long suite."""
    return [case if case in cases else pytest.param(case, marks=pytest.mark.slow) for case in NETWORKS]


@pytest.mark.parametrize("case", fast(*list(NETWORKS)[:3]))
def test_a_program_gives_the_same_images(case: str, tmp_path: Path) -> None:
    generator = built(**NETWORKS[case])
    state = {name: value.clone() for name, value in generator.network.state_dict().items()}
    assert save_program(generator, tmp_path / "generator.pt2") <= 1e-5
    latent, label = torch.randn(6, 8), torch.arange(6) % 3
    module = torch.export.load(tmp_path / "generator.pt2").module()
    torch.testing.assert_close(module(latent, label), generator(latent, label), rtol=0, atol=1e-5)
    assert all(torch.equal(value, state[name]) for name, value in generator.network.state_dict().items())
    assert [file.name for file in tmp_path.iterdir()] == ["generator.pt2"]


@pytest.mark.parametrize("case", fast(*list(NETWORKS)[:2]))
def test_onnx_gives_the_same_images(case: str, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    generator = built(**NETWORKS[case])
    assert save_onnx(generator, tmp_path / "generator.onnx") <= 1e-5
    session = onnxruntime.InferenceSession(str(tmp_path / "generator.onnx"), providers=["CPUExecutionProvider"])
    latent, label = torch.randn(6, 8), torch.arange(6) % 3
    (image,) = session.run(["image"], {"latent": latent.numpy(), "label": label.numpy()})
    torch.testing.assert_close(torch.from_numpy(image), generator(latent, label).detach(), rtol=0, atol=1e-5)
    assert [file.name for file in tmp_path.iterdir()] == ["generator.onnx"]


@pytest.mark.slow  # a minute of C++
def test_a_compiled_generator_gives_the_same_images_without_this_library(tmp_path: Path) -> None:
    generator, path = built(long_range="attentive", long_range_resolution=8), tmp_path / "generator_compiled.pt2"
    assert save_compiled(generator, path) <= 1e-5
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    latent, label = torch.randn(6, 8), torch.arange(6) % 3
    torch.save((latent, label), tmp_path / "inputs.pt")
    script = (
        "import sys, torch\n"
        f"generator = torch._inductor.aoti_load_package({str(path)!r})\n"
        "torch.save(generator(*torch.load('inputs.pt')), 'image.pt')\n"
        "assert 'lit_an' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True)
    image = torch.load(tmp_path / "image.pt", weights_only=True)
    torch.testing.assert_close(image, generator(latent, label).detach(), rtol=0, atol=1e-5)


def test_a_compiled_generator_needs_a_compiler(tmp_path: Path) -> None:
    """In a process of its own: PyTorch keeps the compiler that it has found."""
    save_exported(built(), tmp_path / "run")
    environment = {**os.environ, "CXX": str(tmp_path / "absent"), "TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "cache")}
    argv = ["export", f"--ckpt_path={tmp_path / 'run'}", "--formats=[compiled]", f"--output={tmp_path / 'out'}"]
    command = [sys.executable, str(ROOT / "cli.py"), *argv]
    process = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert process.returncode == 2, process.stderr
    assert "error: a compiled generator needs a C++ compiler, and none is found; install g++" in process.stderr
    assert not list((tmp_path / "out").glob("*"))


def test_a_graph_that_disagrees_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = built(long_range="none", norm="instance")
    broken = built(long_range="none", norm="instance")
    with torch.no_grad():
        broken.network.to_image.bias.add_(0.1)  # type: ignore[union-attr, operator]
    program = graphs.traced(broken)
    monkeypatch.setattr(graphs, "traced", lambda generator: program)
    with pytest.raises(InputError, match=r"its images differ from the generator's by .*, more than 0\.0001; it is"):
        save_program(generator, tmp_path / "generator.pt2")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = built(long_range="none")
    for package, save in (("safetensors.torch", save_exported), ("onnxruntime", save_onnx)):
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(InputError, match=r"needs the package \w+, .*; pip install 'lit_an\[export\]'"):
            save(generator, tmp_path / "out.onnx")
    assert list(tmp_path.iterdir()) == []
