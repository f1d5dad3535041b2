"""What the long-range layer of trained generators adds: their metrics without it, or with another layout.

    python benchmarks/layer_interventions.py RUN … [--how off one_region …]

Each run folder is validated again with its own metrics and averaged weights, as it is and changed: ``off``, the layer
gives back its input; ``one_region``, a layout of AN that is the same everywhere, so that the whole map has one mean and
variance; ``other_image``, the layout of the next image of the batch. Nothing is written into the run folders.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any, ClassVar

import torch
from pytorch_lightning import Callback
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).parent.parent))
import cli
from lit_an.norms.attentive.semantic_layout import SemanticLayout

FIGURES = ("fid", "kid", "precision", "recall", "hole_psnr", "hole_lpips")  # of both tasks


class Changed(Callback):
    """Changes the generator's long-range layer while something is measured."""

    how: ClassVar[str] = "as trained"

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        for layer in layers_of(pl_module.generator):
            if self.how == "off":
                layer.register_forward_hook(lambda module, inputs, output: inputs[0])
            for part in layer.modules():
                if isinstance(part, SemanticLayout) and self.how in LAYOUTS:
                    part.register_forward_hook(LAYOUTS[self.how])


def one_region(module: nn.Module, inputs: Any, layout: Tensor) -> Tensor:
    return torch.full_like(layout, 1 / layout.shape[1])


def other_image(module: nn.Module, inputs: Any, layout: Tensor) -> Tensor:
    return layout.roll(1, 0)


LAYOUTS = {"one_region": one_region, "other_image": other_image}
HOW = ("as trained", "off", *LAYOUTS)


def layers_of(generator: nn.Module) -> list[nn.Module]:
    """The modules in the long-range slot."""
    return [module for name, module in generator.named_modules() if name.rpartition(".")[2] == "long_range"]


def has_layout(run: Path) -> bool:
    return "long_range: attentive" in (run / "config.yaml").read_text()


def measure(run: Path, how: str) -> dict[str, float]:
    """The figures of one run with one change."""
    Changed.how = how
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["validate", f"--config={run / 'config.yaml'}", f"--ckpt_path={run}", f"--run_folder={folder}"]
        callback = json.dumps({"class_path": "__main__.Changed"})
        if cli.main([*arguments, f"--trainer.callbacks+={callback}"]):
            sys.exit(f"{run} cannot be validated")
        files = list(Path(folder).glob("metrics_val_*.json"))
        if not files:
            sys.exit(f"{run} measures nothing: its config has no metrics; see configs/metrics/")
        figures = json.loads(files[0].read_text())["figures"]
    return {name: float(figures[name]) for name in FIGURES if name in figures}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    parser.add_argument("--how", nargs="+", choices=HOW, default=HOW)
    options = parser.parse_args()
    rows = []
    for run in options.runs:
        for how in options.how:
            if how in LAYOUTS and not has_layout(run):
                continue
            found = measure(run, how)
            cells = [f"{found[name]:.4g}" if name in found else "–" for name in FIGURES]
            rows.append(f"| {run.parent.name}, {run.name} | {how} | {' | '.join(cells)} |")
            print(rows[-1], flush=True)
    print("\n".join([f"\n| run | layer | {' | '.join(FIGURES)} |", f"|{'---|' * (2 + len(FIGURES))}", *rows]))


if __name__ == "__main__":
    main()
