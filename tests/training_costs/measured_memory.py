"""What PyTorch really allocates on the CPU in one iteration of a real training."""

from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from torch.profiler import ProfilerActivity, profile
from torch.utils.data import DataLoader, IterableDataset

from lit_an.batch import ClassBatch, InpaintingBatch
from lit_an.networks import CoarseToFineGenerator, GlobalAndLocalCritics, ProjectionDiscriminator, ResNetGenerator
from lit_an.tasks import AdversarialTask, ClassConditionalGAN, FillingWeights, InpaintingGAN
from tests.training import make_trainer

FUSED = partial(torch.optim.Adam, lr=1e-3, betas=(0.0, 0.9), fused=True)
SIDE = 32


def class_task(long_range: str = "attentive", optimizer: Any = FUSED, **kwargs: Any) -> ClassConditionalGAN:
    """Of width 16: with fewer channels a CPU's convolutions pad maps to 16, which is no part of an estimate."""
    torch.manual_seed(0)
    regions = {"num_regions": 8} if long_range == "attentive" else None
    place = {"long_range_resolution": 16}
    generator = ResNetGenerator(
        SIDE, num_classes=3, latent_dim=8, base_width=16, long_range=long_range, long_range_kwargs=regions, **place
    )
    judged = "none" if long_range == "none" else "self_attention"
    discriminator = ProjectionDiscriminator(SIDE, num_classes=3, base_width=16, long_range=judged, **place)
    return ClassConditionalGAN(generator, discriminator, optimizer, optimizer, **kwargs)


def inpainting_task(**kwargs: Any) -> InpaintingGAN:
    """Without ID-MRF, whose network is not at hand."""
    torch.manual_seed(0)
    generator = CoarseToFineGenerator(width=8, long_range_kwargs={"num_regions": 8})
    discriminator = GlobalAndLocalCritics(SIDE, base_width=8)
    weights = FillingWeights(id_mrf_weight=0.0)
    options = {"discriminator_steps": 1, "losses": weights, **kwargs}
    return InpaintingGAN(generator, discriminator, FUSED, FUSED, **options)


class _Same(IterableDataset):  # type: ignore[type-arg]
    def __init__(self, batch: Any) -> None:
        self.batch = batch

    def __iter__(self) -> Any:
        yield from (self.batch, self.batch)


class _Watch(Callback):
    """The largest sum of what was allocated and not freed in the second iteration, when all state is there."""

    peak = 0

    def on_train_batch_start(self, trainer: pl.Trainer, task: Any, batch: Any, batch_idx: int) -> None:
        if batch_idx == 1:
            self._profile = profile(activities=[ProfilerActivity.CPU], profile_memory=True)
            self._profile.__enter__()

    def on_train_batch_end(self, trainer: pl.Trainer, task: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if batch_idx == 1:
            self._profile.__exit__(None, None, None)
            events = self._profile.profiler.kineto_results.events()  # type: ignore[union-attr]
            live = 0
            for _, change in sorted((each.start_ns(), each.nbytes()) for each in events if each.name() == "[memory]"):
                live += change
                self.peak = max(self.peak, live)


def measured_peak(task: AdversarialTask, images: int, folder: Path, precision: Any = "32-true") -> int:
    """Bytes of an iteration at the worst moment, with its batch and without the state of training."""
    count = images * task.discriminator_steps
    image = torch.rand(count, 3, SIDE, SIDE) * 2 - 1
    batch: Any = ClassBatch(image, torch.zeros(count, dtype=torch.long))
    if isinstance(task, InpaintingGAN):
        mask = torch.zeros(count, 1, SIDE, SIDE)
        mask[..., 8:20, 8:20] = 1
        batch = InpaintingBatch(image, mask)
    watch = _Watch()
    task.check_data = lambda data: None  # type: ignore[method-assign]
    trainer = make_trainer(folder, task, 2, [watch], precision=precision, limit_val_batches=0)
    trainer.fit(task, DataLoader(_Same(batch), batch_size=None))
    return watch.peak + sum(field.nbytes for field in batch if field is not None)
