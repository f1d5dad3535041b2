"""From a checkpoint alone to images: the averaged weights, no Lightning, the same image in any batch."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from lit_an.checkpoints.files import write_file
from lit_an.errors import InputError
from lit_an.networks import ResNetGenerator
from lit_an.sampling import images_of, load_generator, sample
from lit_an.trained.checkpoints import weights_hash
from lit_an.trained.generator import TrainedGenerator

ROOT = Path(__file__).parents[2]


def test_it_is_the_average_with_the_names_of_the_classes(checkpoint: Path) -> None:
    generator = load_generator(checkpoint)
    stored = torch.load(checkpoint, weights_only=True)
    average = stored["lit_an"]["average"]
    assert weights_hash(generator.network.state_dict()) == weights_hash(average)
    live = {name[10:]: value for name, value in stored["state_dict"].items() if name.startswith("generator.")}
    assert weights_hash(live) != weights_hash(average)
    assert generator.class_names == ["blue", "green", "red"]
    assert (generator.description.iteration, generator.description.averaged) == (2, True)
    assert not generator.training
    assert not any(parameter.requires_grad for parameter in generator.parameters())


def test_without_an_average_the_last_weights_are_taken(checkpoint: Path, tmp_path: Path) -> None:
    stored = torch.load(checkpoint, weights_only=True)
    del stored["lit_an"]["average"]
    write_file(stored, tmp_path / "plain.ckpt")
    generator = load_generator(tmp_path / "plain.ckpt", checkpoint.parents[1] / "config.yaml")
    name = "stem.parametrizations.weight.original"
    assert torch.equal(generator.network.state_dict()[name], stored["state_dict"][f"generator.{name}"])
    assert not generator.description.averaged


def test_no_lightning_and_no_data_set_is_imported(checkpoint: Path) -> None:
    script = (
        "import sys\nfrom lit_an.sampling import load_generator, sample\n"
        f"print(sample(load_generator({str(checkpoint)!r}), [1], [2]).shape)\n"
        "print({'pytorch_lightning', 'lightning', 'torchvision', 'lit_an.data'} & set(sys.modules))"
    )
    output = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.splitlines()
    assert output == ["torch.Size([1, 3, 32, 32])", "set()"]


@pytest.mark.parametrize("truncation", [None, 0.7])
def test_an_image_does_not_depend_on_its_batch(generator: TrainedGenerator, truncation: float | None) -> None:
    labels, seeds = [0, 1, 2] * 5, list(range(15))
    together = sample(generator, labels, seeds, truncation)
    for batch_size in (1, 4, 7):
        torch.testing.assert_close(
            sample(generator, labels, seeds, truncation, batch_size), together, rtol=0, atol=1e-5
        )
    torch.testing.assert_close(sample(generator, [2], [14], truncation)[0], together[14], rtol=0, atol=1e-5)
    assert torch.equal(sample(generator, labels, seeds, truncation), together), "the same call, the same bits"
    assert float((together[0] - together[3]).abs().max()) > 1e-3, "another seed, another image"


def test_it_draws_nothing_from_the_global_generator(generator: TrainedGenerator) -> None:
    before = torch.get_rng_state()
    sample(generator, [0, 1], [3, 4], truncation=0.5)
    assert torch.equal(torch.get_rng_state(), before)


def test_no_image_is_an_empty_tensor(generator: TrainedGenerator) -> None:
    assert sample(generator, [], []).shape == (0, 3, 32, 32)


@pytest.mark.parametrize("embedding", [0, 5])
def test_a_mixture_of_one_class_is_that_class(embedding: int) -> None:
    network = ResNetGenerator(
        32, 3, latent_dim=8, base_width=2, long_range_resolution=8, class_embedding=embedding
    ).eval()
    for name, parameter in network.named_parameters():
        if name.endswith(("gain.weight", "shift.weight")):
            torch.nn.init.normal_(parameter)
    network.requires_grad_(False)
    latent, label = torch.randn(3, 8), torch.tensor([0, 2, 1])
    images = network(latent, label)
    torch.testing.assert_close(network(latent, torch.eye(3)[label]), images)
    half = network(latent[:1], torch.tensor([[0.5, 0.5, 0.0]]))
    assert float((half - images[:1]).abs().max()) > 1e-3


def test_mixtures_go_through_images_of(generator: TrainedGenerator) -> None:
    latent = torch.randn(2, generator.latent_dim)
    one_hot = images_of(generator, latent, torch.eye(3)[[2, 0]])
    torch.testing.assert_close(one_hot, images_of(generator, latent, torch.tensor([2, 0])), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("kwargs", "sentence"),
    [
        ({"labels": [3]}, "there is no class 3: the generator knows 0 to 2"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"truncation": 0.0}, "truncation must be greater than 0"),
        ({"seeds": [0, 1]}, "there must be a seed for each label, got 1 labels and 2 seeds"),
    ],
)
def test_what_is_out_of_range_is_refused(generator: TrainedGenerator, kwargs: dict, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        sample(generator, **{"labels": [0], "seeds": [0], **kwargs})


def test_arrays_and_tensors_are_labels_and_seeds(generator: TrainedGenerator) -> None:
    images = sample(generator, [0, 2], [5, 6])
    assert torch.equal(sample(generator, np.array([0, 2]), np.array([5, 6])), images)
    assert torch.equal(sample(generator, torch.tensor([0, 2]), torch.tensor([5, 6])), images)


@pytest.mark.parametrize(("latents", "labels"), [((3, 128), (1,)), ((3, 12), (3,)), ((3, 128), (3, 4))])
def test_latents_and_labels_fit_each_other(
    generator: TrainedGenerator, latents: tuple[int, ...], labels: tuple[int, ...]
) -> None:
    with pytest.raises(InputError, match=r"latents must have the shape \(B, \d+\) and labels \(B,\) or \(B, 3\)"):
        images_of(generator, torch.zeros(latents), torch.zeros(labels, dtype=torch.int64))


def changed(config: Path, path: Path, old: str, new: str) -> Path:
    text = config.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return path


def test_bad_files_get_a_sentence(run: Path, checkpoint: Path, tmp_path: Path) -> None:
    config = run / "config.yaml"
    (tmp_path / "text.ckpt").write_text("no checkpoint")
    torch.save({"state_dict": {"other": torch.zeros(1)}}, tmp_path / "other.ckpt")
    (tmp_path / "alone.ckpt").write_bytes(checkpoint.read_bytes())
    (tmp_path / "empty.yaml").write_text("model: {}")
    wider = changed(config, tmp_path / "wider.yaml", "base_width: 2", "base_width: 4")
    misspelled = changed(config, tmp_path / "misspelled.yaml", "spectral_norm", "spectral_nrm")
    missing = changed(config, tmp_path / "missing.yaml", "lit_an.networks.ResNetGenerator", "lit_an.networks.Resnet")
    harmful = changed(config, tmp_path / "harmful.yaml", "lit_an.networks.ResNetGenerator", "os.system")
    cases = [
        (tmp_path / "none.ckpt", config, "there is no such file"),
        (tmp_path / "text.ckpt", config, "it cannot be read as a checkpoint"),
        (tmp_path / "other.ckpt", config, "it holds no generator"),
        (tmp_path / "alone.ckpt", None, "there is no config.yaml in its run folder; name the run's config"),
        (checkpoint, tmp_path / "none.yaml", "none.yaml cannot be read"),
        (checkpoint, tmp_path / "empty.yaml", "it has no model.init_args.generator with a class_path"),
        (checkpoint, wider, "the weights are of another architecture than the config"),
        (checkpoint, misspelled, "unexpected keyword argument 'spectral_nrm'"),
        (checkpoint, missing, "there is no class 'lit_an.networks.Resnet'"),
        (checkpoint, harmful, "'os.system' is not a torch.nn.Module"),
    ]
    for path, chosen, sentence in cases:
        with pytest.raises(InputError) as raised:
            load_generator(path, chosen)
        assert sentence in str(raised.value)
        assert "\n" not in str(raised.value)


def test_references_of_a_config_are_followed(checkpoint: Path, run: Path, tmp_path: Path) -> None:
    """A config of ``configs/`` refers to its own keys; the one in a run folder is resolved."""
    text = (run / "config.yaml").read_text().replace("num_classes: 3", "num_classes: ${number}", 1)
    (tmp_path / "config.yaml").write_text(text + "\nnumber: 3\n")
    assert load_generator(checkpoint, tmp_path / "config.yaml").num_classes == 3
