"""Exports a generator as a graph that runs without its Python code, ``torch.export`` or ONNX, and checks it."""

import copy
import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from lit_an.errors import InputError
from lit_an.files import replacing
from lit_an.latents import latents_of
from lit_an.trained.exported import needs_extra
from lit_an.trained.generator import TrainedGenerator, assemble

# Largest difference of an image value, in [-1, 1], between a graph and the module that it was made from: half a step
# of 255 is 4e-3; float32 sums in another order differ by about 1e-6.
TOLERANCE = 1e-4

_CHECKED_SIZES = (1, 5)


def save_program(generator: TrainedGenerator, path: str | Path) -> float:
    """Writes the generator as a ``torch.export`` program with a free batch size, and compares it.

    Load it with ``torch.export.load(path).module()``; it takes ``(latent, label)``.

    Args:
        generator: in evaluation mode.
        path: ends with ``.pt2``.

    Returns:
        The largest difference of an image value from the module's.

    Raises:
        InputError: a difference above ``TOLERANCE``; the file is then not written.
    """
    # Serialized to memory first: torch has its own error for a full disk.
    content = io.BytesIO()
    torch.export.save(traced(generator), content)
    with replacing(path) as temporary:
        temporary.write_bytes(content.getbuffer())
        module = torch.export.load(temporary).module()
        return _checked(generator, lambda latent, label: module(latent, label), path)


def save_onnx(generator: TrainedGenerator, path: str | Path) -> float:
    """Writes the generator as ONNX with a free batch size, and compares it as onnxruntime runs it on the CPU.

    Inputs ``latent`` (B, latent_dim), float32, and ``label`` (B,), int64; output ``image``.

    Args:
        generator: in evaluation mode.
        path: ends with ``.onnx``.

    Returns:
        The largest difference of an image value from the module's.

    Raises:
        InputError: onnx, onnxscript or onnxruntime is not installed, or a difference above ``TOLERANCE``; the file is
            then not written.
    """
    for package in ("onnx", "onnxscript", "onnxruntime"):
        _import(package)
    with replacing(path) as temporary:
        with _quiet():
            exported = torch.onnx.export(
                traced(generator),
                input_names=["latent", "label"],
                output_names=["image"],
                dynamo=True,
                verbose=False,
            )
        assert exported is not None
        exported.save(temporary, external_data=False)
        session = _import("onnxruntime").InferenceSession(str(temporary), providers=["CPUExecutionProvider"])

        def run(latent: Tensor, label: Tensor) -> Tensor:
            (image,) = session.run(["image"], {"latent": latent.numpy(), "label": label.numpy()})
            return torch.from_numpy(image)

        return _checked(generator, run, path)


def traced(generator: TrainedGenerator) -> torch.export.ExportedProgram:
    """The generator as a graph on the CPU, with a free batch size.

    Its weights are the normalized ones: spectral normalization, which is fixed in evaluation, is applied once.
    """
    # Built again, since torch's deepcopy shares the class whose parametrization is removed.
    network = assemble(generator.description, generator.network.state_dict(), "the generator").network
    for module in list(network.modules()):
        if parametrize.is_parametrized(module):
            for name in list(module.parametrizations):  # type: ignore[arg-type]
                parametrize.remove_parametrizations(module, name, leave_parametrized=True)
    batch = torch.export.Dim("batch", min=1, max=1 << 16)
    example = _inputs(generator, 3)
    with torch.no_grad(), _quiet():
        return torch.export.export(network, example, dynamic_shapes=({0: batch}, {0: batch}))


@torch.no_grad()
def _checked(generator: TrainedGenerator, run: Any, path: str | Path) -> float:
    """The largest difference over batches of other sizes than in the trace."""
    network: nn.Module = copy.deepcopy(generator.network).cpu()
    largest = 0.0
    for size in _CHECKED_SIZES:
        inputs = _inputs(generator, size)
        expected = network(*inputs)
        # Python's max() would drop a NaN.
        largest = float(torch.tensor([largest, float((run(*inputs) - expected).abs().max())]).max())
    if not largest <= TOLERANCE:
        raise InputError(
            f"{path}: its images differ from the generator's by {largest:.1e}, more than {TOLERANCE}; it is not written"
        )
    return largest


def _inputs(generator: TrainedGenerator, size: int) -> tuple[Tensor, Tensor]:
    label = torch.arange(size) % generator.num_classes
    return latents_of(label.tolist(), range(size), generator.latent_dim), label


@contextmanager
def _quiet() -> Iterator[None]:
    """Silences the exporters' notices, which users cannot act on."""
    former = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(former)


def _import(package: str) -> Any:
    try:
        return __import__(package)
    except ImportError as error:
        raise needs_extra("a generator as ONNX", package) from error
