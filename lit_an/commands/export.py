"""``python cli.py export``: writes the generator of a checkpoint for use without training code."""

from typing import Literal

from lit_an.commands.checkpoint_option import checkpoint_at
from lit_an.files import printable, user_path
from lit_an.sampling.statistics import use_statistics
from lit_an.trained.checkpoints import run_folder_of
from lit_an.trained.exported import WEIGHTS, save_exported
from lit_an.trained.generator import load_generator
from lit_an.trained.graphs import TOLERANCE, save_onnx, save_program

Format = Literal["safetensors", "torch", "onnx"]


def run(
    ckpt_path: str,
    config: str | None = None,
    output: str | None = None,
    formats: tuple[Format, ...] = ("safetensors", "torch", "onnx"),
    statistics: Literal["running", "standing"] = "running",
    truncation: float | None = None,
    standing_passes: int = 100,
) -> int:
    """Writes the generator of a checkpoint, with its averaged weights, in formats that need no training code.

    Args:
        ckpt_path: the folder of a run, or one of its .ckpt files.
        config: the config of the run. Default: config.yaml in its run folder.
        output: the folder to write to. Default: export in the run folder.
        formats: safetensors (weights, and a description as JSON), torch (a torch.export program), onnx. The images of
            the last two are compared with the generator's.
        statistics: of batch norm: running (kept in training) or standing (estimated for the export).
        truncation: of the latents of standing statistics. Default: none.
        standing_passes: batches of 64 that standing statistics are estimated from.
    """
    path = checkpoint_at(ckpt_path)
    generator = use_statistics(
        load_generator(path, config and user_path(config)), statistics, truncation, standing_passes
    )
    folder = user_path(output) if output is not None else run_folder_of(path) / "export"
    if "safetensors" in formats:
        print(
            f"{printable(save_exported(generator, folder))}, {WEIGHTS}: for lit_an.sampling.load_exported", flush=True
        )
    graphs = {"torch": ("generator.pt2", save_program), "onnx": ("generator.onnx", save_onnx)}
    for name, (file, save) in graphs.items():
        if name in formats:
            difference = save(generator, folder / file)
            print(
                f"{printable(folder / file)}: images differ by {difference:.1e} at most, allowed {TOLERANCE:.0e}",
                flush=True,
            )
    return 0
