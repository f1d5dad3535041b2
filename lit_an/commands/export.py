"""``python cli.py export``: writes the generator of a checkpoint for use without training code."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from lit_an.commands.checkpoint_option import Chosen, checkpoint_at
from lit_an.commands.matching_command import is_export, match_command
from lit_an.errors import InputError
from lit_an.files import printable, user_path
from lit_an.images.files import is_same_file
from lit_an.sampling.statistics import use_statistics
from lit_an.trained.exported import READERS, save_exported
from lit_an.trained.graphs import TOLERANCE, save_compiled, save_onnx, save_program
from lit_an.trained.network import TrainedNetwork

Format = Literal["safetensors", "torch", "onnx", "compiled"]


def run(
    ckpt_path: str,
    config: str | None = None,
    output: str | None = None,
    formats: tuple[Format, ...] = ("safetensors", "torch", "onnx"),
    half: bool = False,
    statistics: Literal["running", "standing"] = "running",
    truncation: float | None = None,
    standing_passes: int = 100,
) -> int:
    """Writes the generator of a checkpoint, with its averaged weights, in formats that need no training code.

    Args:
        ckpt_path: the folder of a run, one of its .ckpt files, or the folder of an export.
        config: the config of the run. Default: config.yaml in its run folder.
        output: the folder to write to. Default: export in the run folder.
        formats: safetensors (weights, and a description as JSON), torch (a torch.export program), onnx, compiled (for
            the CPU of this machine, by AOTInductor; needs a C++ compiler and about a minute). The images of the last
            three are compared with the generator's.
        half: in safetensors, store weights of two or more dimensions in float16, which halves the file.
        statistics: of batch norm, of a class-conditional generator: running (kept in training) or standing (estimated
            for the export).
        truncation: of the latents of standing statistics. Default: none.
        standing_passes: batches of 64 that standing statistics are estimated from.

    Returns:
        0.

    Raises:
        InputError: a checkpoint that is missing or of another kind, an option that does not fit it, weights beyond
            the range of float16, or an export that would replace itself.
    """
    if half and "safetensors" not in formats:
        raise InputError("--half is about safetensors; add it to --formats, or omit --half")
    if truncation is not None and statistics != "standing":
        raise InputError(
            "--truncation is about the latents that standing statistics are estimated from; add --statistics standing, "
            "or omit --truncation"
        )
    chosen = Chosen(checkpoint_at(ckpt_path), None if config is None else user_path(config))
    folder = user_path(output) if output is not None else chosen.folder / "export"
    _check_folder(folder, chosen.path, formats, statistics)
    generator: TrainedNetwork
    if match_command(*chosen).command == "inpaint":
        if statistics != "running":
            raise InputError(
                f"--statistics {statistics} is for class-conditional generators; omit it for {chosen.path}"
            )
        generator = chosen.inpainter()
    else:
        generator = use_statistics(chosen.generator(), statistics, truncation, standing_passes)
    if "safetensors" in formats:
        written = save_exported(generator, folder, half)
        print(f"{printable(written)}: for lit_an.trained.{READERS[generator.task]}", flush=True)
    graphs = {
        "torch": ("generator.pt2", save_program),
        "onnx": ("generator.onnx", save_onnx),
        "compiled": ("generator_compiled.pt2", save_compiled),
    }
    for name, (file, save) in graphs.items():
        if name in formats:
            difference = save(generator, folder / file)
            print(
                f"{printable(folder / file)}: images differ by {difference:.1e} at most, allowed {TOLERANCE:.0e}",
                flush=True,
            )
    return 0


def _check_folder(folder: Path, source: Path, formats: Sequence[Format], statistics: str) -> None:
    """An export may get graphs beside it, of the same generator; its own files stay as they are."""
    own = source if source.is_dir() else source.parent
    is_changed = "safetensors" in formats or statistics != "running"
    if is_export(source) and is_changed and is_same_file(folder, own):
        raise InputError(
            f"{printable(folder)} holds the export that --ckpt_path names, which would be replaced; name another "
            f"folder with --output"
        )
