"""Tiny real runs for tests: networks of width 2, batches of 4, files in a temporary folder."""

import csv
import multiprocessing
import os
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback

from lit_an.data import ClassData, InpaintingData
from lit_an.data.sources import ImageFolder, Photographs
from lit_an.networks import CoarseToFineGenerator, GlobalAndLocalCritics, ProjectionDiscriminator, ResNetGenerator
from lit_an.tasks import AdversarialTask, ClassConditionalGAN, FillingWeights, InpaintingGAN

ADAM = partial(torch.optim.Adam, lr=1e-3, betas=(0.0, 0.9))


def free_port() -> int:
    """A port of this machine that nothing listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


def run_in_processes(count: int, function: Callable[..., None], *arguments: Any) -> None:
    """Calls ``function(rank, port, *arguments)`` in several processes, with a free port for all of them.

    They are copies of one that has imported everything, which takes seconds.
    """
    multiprocessing.set_forkserver_preload([__name__])
    given = (dict(os.environ), function, str(free_port()), *arguments)
    torch.multiprocessing.start_processes(_call, given, nprocs=count, start_method="forkserver")


def _call(rank: int, environment: dict[str, str], function: Callable[..., None], *arguments: Any) -> None:
    os.environ.clear()
    os.environ.update(environment)
    function(rank, *arguments)


def run_in_two_processes(function: Callable[..., None], *arguments: Any) -> None:
    """As ``run_in_processes``, in two."""
    run_in_processes(2, function, *arguments)


def make_task(long_range: str = "attentive", optimizer: Any = ADAM, **kwargs: Any) -> ClassConditionalGAN:
    torch.manual_seed(0)
    generator = ResNetGenerator(
        32,
        num_classes=3,
        latent_dim=8,
        base_width=2,
        long_range=long_range,
        long_range_resolution=8,
        long_range_kwargs={"num_regions": 4, "temperature": 1.0},
    )
    discriminator = ProjectionDiscriminator(32, num_classes=3, base_width=2)
    return ClassConditionalGAN(generator, discriminator, optimizer, optimizer, **kwargs)


def make_inpainting_task(local: str = "window", losses: dict[str, Any] | None = None, **kwargs: Any) -> InpaintingGAN:
    """Without ID-MRF, whose network is not at hand, unless ``losses`` says so."""
    torch.manual_seed(0)
    generator = CoarseToFineGenerator(width=2, long_range_kwargs={"num_regions": 4, "temperature": 1.0})
    discriminator = GlobalAndLocalCritics(32, base_width=2, local=local)  # type: ignore[arg-type]
    weights = FillingWeights(**{"id_mrf_weight": 0.0, **(losses or {})})
    return InpaintingGAN(
        generator, discriminator, ADAM, ADAM, **{"discriminator_steps": 1, "losses": weights, **kwargs}
    )


def make_photographs(folder: Path, val_fraction: float = 0.25, **kwargs: Any) -> InpaintingData:
    return InpaintingData(Photographs(folder, val_fraction), 32, **{"batch_size": 2, **kwargs})


def make_data(folder: Path, val_fraction: float = 0.25, **kwargs: Any) -> ClassData:
    return ClassData(ImageFolder(folder, val_fraction), 32, **{"batch_size": 4, **kwargs})


def make_trainer(
    folder: Path, task: AdversarialTask, iterations: int, callbacks: list[Callback] | None = None, **kwargs: Any
) -> pl.Trainer:
    torch.manual_seed(0)
    defaults: dict[str, Any] = {
        "accelerator": "cpu",
        "max_epochs": -1,
        "max_steps": task.optimizer_steps(iterations),
        "default_root_dir": folder,
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "enable_checkpointing": False,
        "limit_val_batches": 1,
        "check_val_every_n_epoch": None,
        "num_sanity_val_steps": 0,
        "log_every_n_steps": 1,
    }
    if any(hasattr(callback, "stopped_by") for callback in callbacks or []):
        del defaults["enable_checkpointing"]
    return pl.Trainer(callbacks=callbacks or [], **{**defaults, **kwargs})


def weights(task: AdversarialTask, network: str) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in getattr(task, network).named_parameters()}


def keep_logged(task: AdversarialTask) -> tuple[dict[str, torch.Tensor], set[int]]:
    """What the task logs from now on, by name, and with which batch sizes, in place of Lightning's log."""
    logged: dict[str, torch.Tensor] = {}
    sizes: set[int] = set()

    def log(name: str, value: torch.Tensor | float, batch_size: int, **options: Any) -> None:
        logged[name] = torch.as_tensor(value)
        sizes.add(batch_size)

    task.log = log  # type: ignore[method-assign, assignment]
    return logged, sizes


def logged_rows(folder: Path, prefix: str) -> dict[int, dict[str, float]]:
    """The values of ``metrics.csv`` whose names begin so, by iteration; an iteration that has none is left out.

    Times, which no two runs have alike, are left out unless they are asked for.
    """
    found: dict[int, dict[str, float]] = {}
    with (folder / "metrics.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            names = [name for name in row if name.startswith(prefix) and (prefix or not name.startswith("time/"))]
            values = {name: float(row[name]) for name in names if row[name]}
            if values:
                found.setdefault(int(float(row["step"])), {}).update(values)
    return found
