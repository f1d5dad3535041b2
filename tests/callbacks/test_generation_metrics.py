"""Metrics in real tiny runs: the same figures for any batch size and number of processes; kept references; files."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from pytorch_lightning.callbacks import Callback

import cli
from callbacks import Checkpointing, GenerationMetrics, GeneratorEMA
from lit_an.errors import InputError
from lit_an.metrics.generation import GenerationResult
from lit_an.metrics.protocols import PROTOCOLS
from lit_an.sampling import Description, TrainedGenerator, sample, standing_statistics
from tests.callbacks.generation_runs import measured
from tests.training import make_data, make_task, make_trainer, run_in_two_processes


def assert_same(first: dict[str, Any], other: dict[str, Any]) -> None:
    assert other["figures"] == pytest.approx(first["figures"], rel=1e-6, abs=1e-6)
    assert other["intra_fid_by_class"] == pytest.approx(first["intra_fid_by_class"], rel=1e-6)
    for name in ("warnings", "extractor", "counts", "reference", "generator", "iteration", "split"):
        assert other[name] == first[name]


def in_one_of_two_processes(rank: int, port: str, folder: Path, image_folder: Path, small: dict[str, Any]) -> None:
    """A process of a run that something else than Lightning started."""
    os.environ |= {"LOCAL_RANK": str(rank), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    torch.set_num_threads(1)
    kwargs = {"strategy": "ddp", "devices": 2, "use_distributed_sampler": False}
    task, callback = make_task(), GenerationMetrics(**small, batch_size=7)
    trainer = make_trainer(folder, task, 1, [callback], **kwargs)
    trainer.test(task, datamodule=make_data(image_folder, val_fraction=0.9), verbose=False)
    assert trainer.world_size == 2


def test_figures_do_not_depend_on_batches(tmp_path: Path, image_folder: Path, small: dict[str, Any]) -> None:
    first = measured(tmp_path / "7", image_folder, GenerationMetrics(**small, batch_size=7))
    small["cache_dir"] = str(tmp_path / "another")
    assert_same(first, measured(tmp_path / "32", image_folder, GenerationMetrics(**small, batch_size=32)))
    assert len(first["figures"]) == 13
    assert first["figures"]["fid"] > 0


def test_figures_do_not_depend_on_the_number_of_processes(
    tmp_path: Path, image_folder: Path, small: dict[str, Any]
) -> None:
    """31 generated and 43 real images, 5 of each class, on two processes: none divides."""
    small |= {"real_images": 43, "images_per_class": 5, "statistics": "standing", "standing_passes": 2}
    first = measured(tmp_path / "one", image_folder, GenerationMetrics(**small, batch_size=32))
    small["cache_dir"] = str(tmp_path / "another")
    run_in_two_processes(in_one_of_two_processes, tmp_path / "two", image_folder, small)
    two = json.loads((tmp_path / "two" / "metrics_test_0000000.json").read_text())
    assert_same(first, two)
    kept = [sorted(file.name for file in (tmp_path / name).iterdir()) for name in ("cache", "another")]
    assert kept[0] == kept[1]


def test_standing_statistics_are_those_of_sample_and_leave_no_trace(
    tmp_path: Path, image_folder: Path, small: dict[str, Any]
) -> None:
    """The same images as from the average with ``lit_an.sampling.standing_statistics``, in the middle of a training."""
    task, seen, kept = make_task(), [], []
    generate = task.generate

    def watched(label: torch.Tensor, seed: torch.Tensor) -> torch.Tensor:
        images = generate(label, seed)
        seen.append(images)
        return images

    task.generate = watched  # type: ignore[method-assign]

    class Watch(Callback):
        """Before and behind the measurement."""

        def on_validation_epoch_end(self, trainer: Any, task: Any) -> None:
            kept.append({name: buffer.clone() for name, buffer in task.generator.state_dict().items()})

    metrics = GenerationMetrics(**{**small, "num_images": 6}, statistics="standing", standing_passes=3)
    ema = GeneratorEMA(0.5)
    trainer = make_trainer(tmp_path, task, 2, [ema, Watch(), metrics, Watch()], val_check_interval=2)
    trainer.fit(task, datamodule=make_data(image_folder))
    before, after = kept
    assert all(torch.equal(after[name], value) for name, value in before.items())
    network = make_task().generator
    network.load_state_dict(ema.average)
    generator = TrainedGenerator(network, Description("lit_an.networks.ResNetGenerator", {}))
    standing_statistics(generator, passes=3)
    expected = sample(generator, [0, 0, 1, 1, 2, 2], [0, 1, 0, 1, 0, 1])
    torch.testing.assert_close(seen[0], expected, rtol=0, atol=1e-5)
    result = GenerationResult.read(tmp_path / "metrics_val_0000002.json")
    assert result.generator == {"statistics": "standing", "protocol": None, "passes": 3}


def test_a_protocol_chooses_and_is_not_contradicted(small: dict[str, Any]) -> None:
    metrics = GenerationMetrics(protocol="miyato")
    assert (metrics.settings, metrics.extractor) == (PROTOCOLS["miyato"], "inception_v3")
    with pytest.raises(InputError, match="extractor=torchscript contradicts protocol 'miyato'"):
        GenerationMetrics(protocol="miyato", extractor="torchscript")
    with pytest.raises(InputError, match="images_per_class must be at least 2, got 1"):
        GenerationMetrics(images_per_class=1)
    with pytest.raises(InputError, match="standing_passes must be at least 1, got 0"):
        GenerationMetrics(standing_passes=0)
    with pytest.raises(InputError, match="class_shares=real contradicts protocol 'biggan'"):
        GenerationMetrics(protocol="biggan", class_shares="real")


def test_the_images_are_those_of_sample(tmp_path: Path, image_folder: Path, small: dict[str, Any]) -> None:
    task = make_task()
    seen: list[tuple[int, int]] = []
    generate = task.generate

    def watched(label: torch.Tensor, seed: torch.Tensor) -> torch.Tensor:
        seen.extend(zip(label.tolist(), seed.tolist(), strict=True))
        return generate(label, seed)

    task.generate = watched  # type: ignore[method-assign]
    trainer = make_trainer(tmp_path, task, 1, [GenerationMetrics(**{**small, "num_images": 12}, batch_size=5)])
    trainer.test(task, datamodule=make_data(image_folder), verbose=False)
    assert seen == [(label, seed) for label in range(3) for seed in range(4)]


def test_validations_of_a_training_measure_the_average(
    tmp_path: Path, image_folder: Path, small: dict[str, Any]
) -> None:
    task = make_task()
    logged: list[dict[str, Any]] = []

    class Watch(Callback):
        def on_validation_end(self, trainer: Any, task: Any) -> None:
            logged.append({name: float(value) for name, value in trainer.callback_metrics.items()})

    metrics = GenerationMetrics(**small, every_validations=2)
    callbacks = [GeneratorEMA(0.9), metrics, Checkpointing(), Watch()]
    trainer = make_trainer(tmp_path, task, 6, callbacks, val_check_interval=1)
    data = make_data(image_folder)
    trainer.fit(task, datamodule=data)
    files = sorted(file.name for file in tmp_path.glob("metrics_*.json"))
    assert files == [f"metrics_val_000000{iteration}.json" for iteration in (2, 4, 6)]
    figures = GenerationResult.read(tmp_path / files[-1]).figures
    names = ("fid", "kid", "inception_score", "precision", "recall", "density", "coverage", "intra_fid")
    assert "val/fid" not in logged[0]
    assert {name: logged[-1][f"val/{name}"] for name in names} == pytest.approx(
        {name: figures[name] for name in names}, rel=1e-5, abs=1e-6
    )
    assert len(list((tmp_path / "cache").iterdir())) == 1
    # From the checkpoint, the same figures: those of the average, in a fresh process's callback.
    fresh = make_task()
    again = GenerationMetrics(**{**small, "batch_size": 5})
    trainer = make_trainer(tmp_path / "again", fresh, 1, [GeneratorEMA(0.9), again])
    path = tmp_path / "checkpoints" / "last.ckpt"
    trainer.validate(fresh, data, ckpt_path=path, weights_only=True, verbose=False)
    stored = GenerationResult.read(tmp_path / "again" / "metrics_val_0000006.json")
    assert stored.figures == pytest.approx(figures, rel=1e-5, abs=1e-6)


def test_kept_references_are_used_and_other_images_get_their_own(
    tmp_path: Path, image_folder: Path, small: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = measured(tmp_path / "first", image_folder, GenerationMetrics(**small))
    with monkeypatch.context() as without:
        without.setattr(GenerationMetrics, "_computed", None)
        assert_same(first, measured(tmp_path / "again", image_folder, GenerationMetrics(**small)))
    train = measured(tmp_path / "train", image_folder, GenerationMetrics(**small, real_split="train", real_images=3))
    assert train["counts"]["real"] == 3
    assert train["split"] == "train"
    assert len(list((tmp_path / "cache").iterdir())) == 2
    # A file under the key of something else is an error, not a wrong figure.
    folder, key = tmp_path / "cache", first["reference"]["key"]
    (folder / f"{train['reference']['key']}.npz").replace(folder / f"{key}.npz")
    with pytest.raises(InputError, match="statistics of another content_sha256, count than its name says"):
        measured(tmp_path / "mistaken", image_folder, GenerationMetrics(**small))


def test_a_mistake_shows_before_training(tmp_path: Path, image_folder: Path, small: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="num_images must be at least 2, got 1"):
        GenerationMetrics(num_images=1)
    with pytest.raises(InputError, match="every_validations must be at least 1, got 0"):
        GenerationMetrics(every_validations=0)
    task, wrong = make_task(), GenerationMetrics(extractor="inception")
    with pytest.raises(InputError, match="unknown feature extractor 'inception'"):
        make_trainer(tmp_path, task, 1, [wrong]).fit(task, datamodule=make_data(image_folder))
    assert task.iteration == 0
    trainer = make_trainer(tmp_path, task, 1, [GenerationMetrics(**small)])
    with pytest.raises(InputError, match="needs a data module with a method dataset"):
        trainer.fit(task, train_dataloaders=make_data(image_folder).train_dataloader())


def test_the_command_line_prints_the_table(
    tmp_path: Path, image_folder: Path, small: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    root = Path(__file__).parent.parent.parent
    common = [
        *("--config", str(root / "configs/class_conditional/earth32_pixels.yaml")),
        *("--trainer.precision=32-true", "--model.generator.base_width=2", "--model.generator.num_classes=3"),
        *("--model.discriminator.base_width=2", "--data.source=lit_an.data.sources.ImageFolder"),
        *(f"--data.source.root={image_folder}", "--data.batch_size=4"),
    ]
    assert cli.main(["fit", *common, "--iterations=2", f"--run_folder={tmp_path / 'run'}"]) == 0
    capsys.readouterr()
    overlay = ["--config", str(root / "configs/metrics/packaged.yaml")]
    checkpoint = tmp_path / "run" / "checkpoints" / "last.ckpt"
    chosen = [
        "--trainer.callbacks.num_images=20",
        "--trainer.callbacks.extractor=torchscript",
        f"--trainer.callbacks.extractor_kwargs.path={small['extractor_kwargs']['path']}",
        f"--trainer.callbacks.cache_dir={small['cache_dir']}",
    ]
    assert cli.main(["test", *common, *overlay, *chosen, f"--ckpt_path={checkpoint}"]) == 0
    printed = capsys.readouterr().out
    head = next(line for line in printed.splitlines() if "real images" in line)
    assert re.search(r"metrics_test_0000002\.json: 20 generated and \d real images; torchscript", head), head
    assert "  Intra-FID ↓" in printed
    assert "images are too few for 12 features" in printed
    assert (tmp_path / "run" / "metrics_test_0000002.json").exists()


@pytest.mark.parametrize(
    ("overlay", "chosen"), [("packaged", ("num_images", 2000)), ("inception", ("protocol", "biggan"))]
)
def test_an_overlay_adds_the_callback(
    overlay: str, chosen: tuple[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    root = Path(__file__).parent.parent.parent / "configs"
    paths = (root / "class_conditional" / "earth_quickstart.yaml", root / "metrics" / f"{overlay}.yaml")
    with pytest.raises(SystemExit) as ended:
        cli.main(["test", *(f"--config={path}" for path in paths), "--print_config"])
    assert ended.value.code in (0, None)
    callbacks = yaml.safe_load(capsys.readouterr().out)["trainer"]["callbacks"]
    assert callbacks[-1]["class_path"] == "callbacks.GenerationMetrics"
    assert callbacks[-1]["init_args"][chosen[0]] == chosen[1]
    assert len(callbacks) > 1
