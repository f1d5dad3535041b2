"""An inpainting task of two small convolutions on a folder of PNGs with fixed holes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from lit_an.batch import Draw, Inpainted, InpaintingBatch, collate
from lit_an.data.sampler import EndlessSampler
from lit_an.tasks.adversarial import AdversarialTask, Terms
from tests.training import ADAM

SIZE = 36


class TinyGenerator(nn.Module):
    """Sees the erased image and the mask."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(4, 8, 5, padding=2), nn.Conv2d(8, 3, 3, padding=1)

    def forward(self, image: Tensor, mask: Tensor) -> Inpainted:
        coarse = torch.relu(self.first(torch.cat([image * (1 - mask), mask], dim=1)))
        fine = torch.tanh(self.second(coarse))
        return Inpainted(fine, fine)


class TinyInpainting(AdversarialTask):
    """Learns by L1 in the hole, beside a critic that looks at mean colors."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        super().__init__(TinyGenerator(), nn.Linear(3, 1), ADAM, ADAM)

    def inpaint(self, image: Tensor, mask: Tensor) -> Inpainted:
        found: Inpainted = self.generator(image, mask)
        return found

    def discriminator_terms(self, batch: InpaintingBatch) -> Terms:
        return {"adversarial": self.discriminator(batch.image.mean((2, 3))).mean()}

    def generator_terms(self, batch: InpaintingBatch) -> Terms:
        fine = self.inpaint(batch.image, batch.mask).fine
        return {"hole_l1": ((fine - batch.image).abs() * batch.mask).mean()}

    def validation_step(self, batch: InpaintingBatch, batch_idx: int) -> None:
        pass

    def test_step(self, batch: InpaintingBatch, batch_idx: int) -> None:
        pass


class PngImages(Dataset[InpaintingBatch]):
    """The PNGs of a folder; the hole of image i is a rectangle that grows with i, from 2 to 80 per cent."""

    def __init__(self, folder: Path) -> None:
        self.paths = sorted(folder.glob("*.png"))

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, item: Draw | int) -> InpaintingBatch:
        index = item.index if isinstance(item, Draw) else item
        pixels = torch.from_numpy(np.array(Image.open(self.paths[index])))
        return InpaintingBatch(pixels.permute(2, 0, 1) / 127.5 - 1, hole_of(index, len(self)))


class PngFolder(pl.LightningDataModule):
    """One folder for every split."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def dataset(self, split: str) -> PngImages:
        return PngImages(self.folder)

    def name(self, split: str, index: int) -> str:
        return f"{split}/{self.dataset(split).paths[index].name}"

    def train_dataloader(self) -> Any:
        dataset = self.dataset("train")
        return DataLoader(dataset, 4, sampler=EndlessSampler(len(dataset)), collate_fn=collate)

    def val_dataloader(self) -> Any:
        return DataLoader(self.dataset("val"), 4, collate_fn=collate)

    def test_dataloader(self) -> Any:
        return self.val_dataloader()


def hole_of(index: int, count: int) -> Tensor:
    """(1, SIZE, SIZE): an off-center rectangle."""
    mask = torch.zeros(1, SIZE, SIZE)
    side = round(SIZE * (0.02 + 0.78 * index / (count - 1)) ** 0.5)
    mask[:, 1 : 1 + side, 2 : 2 + side] = 1
    return mask


def save_pngs(folder: Path, count: int = 23) -> Path:
    """Soft colors with noise."""
    random = np.random.default_rng(0)
    folder.mkdir()
    for number in range(count):
        coarse = Image.fromarray(random.integers(0, 255, (4, 4, 3)).astype(np.uint8))
        soft = np.array(coarse.resize((SIZE, SIZE), Image.Resampling.BICUBIC)).astype(float)
        noisy = soft + random.normal(0, 8, soft.shape)
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(folder / f"{number:02d}.png")
    return folder
