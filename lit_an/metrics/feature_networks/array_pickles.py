"""Reads pickles of nested dictionaries of arrays, the weight files of other frameworks, without executing them."""

import io
import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from lit_an.errors import InputError


def read_arrays(path: Path) -> dict[str, Any]:
    """Reads a pickle of nested dictionaries of numpy arrays; a pickle with anything else is rejected.

    No function that a pickle names is called: arrays are rebuilt from shape, type and bytes.

    Raises:
        InputError: the pickle names anything else, or the file is not a pickle.
    """
    try:
        found = _ArraysOnly(io.BytesIO(path.read_bytes()), str(path)).load()
        return _plain(found)
    except InputError:
        raise
    except Exception as error:  # a damaged pickle can raise anything
        raise InputError(f"{str(path)!r} is no pickle of arrays ({type(error).__name__}: {error})") from error


class _Type:
    """Stands in for numpy.dtype while a pickle is read."""

    def __init__(self, name: str, *_: Any) -> None:
        self.name, self.order = str(name), "<"

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = str(state[1])

    def numeric(self) -> np.dtype[Any]:
        if self.name not in ("f2", "f4", "f8"):
            raise ValueError(f"arrays of type {self.name!r}")
        return np.dtype((">" if self.order == ">" else "<") + self.name)


class _Array:
    """Stands in for numpy.ndarray while a pickle is read."""

    def __init__(self) -> None:
        self.values = np.empty(0)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, kind, by_columns, data = state
        shape = tuple(map(int, shape))
        values = np.frombuffer(data, kind.numeric())
        if min(shape, default=0) < 0 or math.prod(shape) != len(values):
            raise ValueError(f"{len(values)} numbers for an array of shape {shape}")
        self.values = values.reshape(shape, order="F" if by_columns else "C").astype(np.float32, order="C")


def _new_array(*_: Any) -> _Array:
    """Stands in for numpy's ``_reconstruct``, whose arguments are repeated in the state."""
    return _Array()


class _ArraysOnly(pickle.Unpickler):
    """An unpickler that knows arrays, dictionaries, strings and numbers, and nothing else."""

    def __init__(self, file: io.BytesIO, name: str) -> None:
        super().__init__(file)
        self._name = name

    def find_class(self, module: str, name: str) -> Any:
        known = {"_reconstruct": _new_array, "ndarray": _Array, "dtype": _Type}
        where = {"_reconstruct": ("numpy.core.multiarray", "numpy._core.multiarray")}.get(name, ("numpy",))
        if name in known and module in where:
            return known[name]
        raise InputError(
            f"{self._name!r} asks for {module}.{name}, which is no array of numbers; none of it was run: "
            "take the file from where it is published"
        )

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError("it points outside itself")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, _Array):
        return value.values
    raise TypeError(f"{type(value).__name__} among the arrays")
