"""A checkpoint of a small inpainting network, laid out as a run leaves it: config.yaml, checkpoints/last.ckpt."""

from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor, nn

from lit_an.batch import Inpainted
from lit_an.checkpoints.files import write_file
from lit_an.checkpoints.format import write_entries
from lit_an.norms.registry import NORMS


class SmallInpainter(nn.Module):
    """Two stages of two convolutions, an AN layer in the second: any size, a receptive field of a few pixels.

    Args:
        width: channels.
        long_range: any norm; with ``none`` a pixel depends on its neighborhood alone.
    """

    def __init__(self, width: int = 4, long_range: str = "attentive") -> None:
        super().__init__()
        self.coarse = nn.Sequential(nn.Conv2d(4, width, 3, padding=1), nn.ELU(), nn.Conv2d(width, 3, 3, padding=1))
        self.into = nn.Conv2d(4, width, 3, padding=1)
        arguments = {"num_regions": 3, "temperature": 1.0} if long_range == "attentive" else {}
        self.long_range = NORMS.create(long_range, width, **arguments)
        self.out = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, image: Tensor, mask: Tensor) -> Inpainted:
        erased = image * (1 - mask)
        coarse = self.coarse(torch.cat([erased, mask], 1)).tanh()
        features = nn.functional.elu(self.into(torch.cat([torch.where(mask > 0, coarse, erased), mask], 1)))
        return Inpainted(coarse, self.out(self.long_range(features)).tanh())


def write_run(folder: Path, averaged: bool = True, seed: int = 0, **arguments: object) -> Path:
    """A run folder with the checkpoint of a network of random weights; returns the checkpoint's path."""
    torch.manual_seed(seed)
    network = SmallInpainter(**arguments)  # type: ignore[arg-type]
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(2)
        if hasattr(network.long_range, "residual_scale"):
            network.long_range.residual_scale.fill_(0.5)  # type: ignore[operator, union-attr]
    state = {f"generator.{name}": tensor for name, tensor in network.state_dict().items()}
    average = {name: tensor * 1.1 for name, tensor in network.state_dict().items()}
    checkpoint = folder / "checkpoints" / "last.ckpt"
    checkpoint.parent.mkdir(parents=True)
    stored: dict[str, Any] = {
        "state_dict": {**state, "discriminator.weight": torch.zeros(2)},
        "callbacks": {},
        # What else a whole checkpoint of a run has.
        "optimizer_states": [],
        "lr_schedulers": [],
        "loops": {},
        "pytorch-lightning_version": "2.6.6",
    }
    write_entries(stored, iteration=7, **({"average": average} if averaged else {}))
    write_file(stored, checkpoint)
    generator = {"class_path": f"{__name__}.SmallInpainter", "init_args": arguments}
    model = {"class_path": "lit_an.tasks.InpaintingGAN", "init_args": {"generator": generator}}
    (folder / "config.yaml").write_text(yaml.safe_dump({"seed_everything": 0, "model": model}))
    return checkpoint
