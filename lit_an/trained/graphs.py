"""Exports a generator as a graph that runs without its Python code, or compiled, and checks it."""

import copy
import importlib
import io
import logging
import shutil
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils import parametrize

from lit_an.errors import InputError, needs_package
from lit_an.files import replacing
from lit_an.trained.graph_forms import GraphForm, form_of
from lit_an.trained.network import TrainedNetwork

# Largest difference of an image value, in [-1, 1], between a graph and the module that it was made from: half a step
# of 255 is 4e-3; float32 sums in another order differ by about 1e-6.
TOLERANCE = 1e-4

Run = Callable[..., Sequence[Tensor]]


def save_program(generator: TrainedNetwork, path: str | Path) -> float:
    """Writes the generator as a ``torch.export`` program of free sizes, and compares it.

    Load it with ``torch.export.load(path).module()``. That of a class-conditional generator takes ``(latent, label)``,
    with a free batch size, and gives the image. That of an inpainting generator takes ``(image, mask)``, with a free
    batch size, height and width, multiples of 4, and gives ``(coarse, fine)``.

    Args:
        generator: in evaluation mode.
        path: ends with ``.pt2``.

    Returns:
        The largest difference of an image value from the module's.

    Raises:
        InputError: a difference above ``TOLERANCE``; the file is then not written.
    """
    form = form_of(generator)
    # Serialized to memory first: torch has its own error for a full disk.
    content = io.BytesIO()
    torch.export.save(traced(generator), content)
    with replacing(path) as temporary:
        temporary.write_bytes(content.getbuffer())
        module = torch.export.load(temporary).module()
        return _checked(generator, form, lambda *inputs: _as_tuple(module(*inputs)), path)


def save_onnx(generator: TrainedNetwork, path: str | Path) -> float:
    """Writes the generator as ONNX of free sizes, and compares it as onnxruntime runs it on the CPU.

    A class-conditional generator: inputs ``latent`` (B, latent_dim), float32, and ``label`` (B,), int64; output
    ``image``. An inpainting generator: inputs ``image`` (B, 3, H, W) and ``mask`` (B, 1, H, W), float32, H and W
    multiples of 4; outputs ``coarse`` and ``fine``.

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
    form = form_of(generator)
    with replacing(path) as temporary:
        with _quiet():
            exported = torch.onnx.export(
                traced(generator),
                input_names=list(form.input_names),
                output_names=list(form.output_names),
                dynamo=True,
                verbose=False,
            )
        assert exported is not None
        exported.save(temporary, external_data=False)
        session = _import("onnxruntime").InferenceSession(str(temporary), providers=["CPUExecutionProvider"])

        def run(*inputs: Tensor) -> list[Tensor]:
            given = {name: tensor.numpy() for name, tensor in zip(form.input_names, inputs, strict=True)}
            return [torch.from_numpy(output) for output in session.run(list(form.output_names), given)]

        return _checked(generator, form, run, path)


def save_compiled(generator: TrainedNetwork, path: str | Path) -> float:
    """Compiles the generator for the CPU of this machine, weights included, and compares it.

    Load it with ``torch._inductor.aoti_load_package(path)`` or, without Python, with libtorch's
    ``AOTIModelPackageLoader``. It takes and gives what ``save_program`` says, and runs on CPUs that have the
    instructions of this one.

    Args:
        generator: in evaluation mode.
        path: ends with ``.pt2``.

    Returns:
        The largest difference of an image value from the module's.

    Raises:
        InputError: there is no C++ compiler, or a difference above ``TOLERANCE``; the file is then not written.
    """
    inductor: Any = importlib.import_module("torch._inductor")
    _require_compiler()
    form, program = form_of(generator), traced(generator)
    with replacing(path) as temporary, TemporaryDirectory() as folder:
        with torch.no_grad(), _quiet():
            made = Path(inductor.aoti_compile_and_package(program, package_path=str(Path(folder, "generator.pt2"))))
        shutil.copyfile(made, temporary)
        module = inductor.aoti_load_package(str(temporary))
        return _checked(generator, form, lambda *inputs: _as_tuple(module(*inputs)), path)


def _require_compiler() -> None:
    try:
        importlib.import_module("torch._inductor.cpp_builder").get_cpp_compiler()
    except RuntimeError as error:
        raise InputError(
            "a compiled generator needs a C++ compiler, and none is found; install g++ or name one in the environment "
            "variable CXX"
        ) from error


def traced(generator: TrainedNetwork) -> torch.export.ExportedProgram:
    """The generator as a graph on the CPU, of free sizes.

    Its weights are the normalized ones: spectral normalization, which is fixed in evaluation, is applied once.
    """
    form = form_of(generator)
    # Built again, since torch's deepcopy shares the class whose parametrization is removed.
    network = form.rebuilt()
    for module in list(network.modules()):
        if parametrize.is_parametrized(module):
            for name in list(module.parametrizations):  # type: ignore[arg-type]
                parametrize.remove_parametrizations(module, name, leave_parametrized=True)
    with torch.no_grad(), _quiet():
        return torch.export.export(network, form.example(), dynamic_shapes=form.free_sizes())


@torch.no_grad()
def _checked(generator: TrainedNetwork, form: GraphForm, run: Run, path: str | Path) -> float:
    """The largest difference of an image value, over inputs of other sizes than in the trace."""
    right: TrainedNetwork = copy.deepcopy(generator).cpu()
    largest = 0.0
    for inputs in form.checked():
        for made, expected in zip(run(*inputs), _as_tuple(right(*inputs)), strict=True):
            # Python's max() would drop a NaN.
            largest = float(torch.tensor([largest, float((made - expected).abs().max())]).max())
    if not largest <= TOLERANCE:
        raise InputError(
            f"{path}: its images differ from the generator's by {largest:.1e}, more than {TOLERANCE}; it is not written"
        )
    return largest


def _as_tuple(outputs: Any) -> tuple[Tensor, ...]:
    return (outputs,) if isinstance(outputs, Tensor) else tuple(outputs)


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
        raise needs_package("a generator as ONNX needs", package, "export", error) from error
