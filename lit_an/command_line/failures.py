"""Errors of the command line: one sentence for user errors, a bug report for the rest."""

import errno
import json
import sys
import traceback
from collections.abc import Iterator

import torch
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from lit_an.command_line.parse_errors import one_sentence
from lit_an.errors import InputError, NonFiniteError

BAD_INPUT = 2
NON_FINITE = 3
BUG = 70  # as sysexits.h has it: an internal error
UNSAVED = 74  # as sysexits.h has it: an input/output error

# Modules that check arguments: an error that they raise is about the config.
_CHECKS_VALUES = ("pytorch_lightning", "lightning_fabric", "torch.optim", "torch.utils.data")
_CHECKS_STATES = ("pytorch_lightning.callbacks", "pytorch_lightning.loggers", "lightning_fabric.accelerators")
_REMEDIES = {
    errno.ENOSPC: "free some space there, or choose another disk",
    errno.EDQUOT: "free some space there, or choose another disk",
    errno.EACCES: "choose a place that you may use",
    errno.EPERM: "choose a place that you may use",
    errno.EROFS: "choose a place that can be written to",
    errno.ENOTDIR: "a file lies where a folder should be; move it, or choose another place",
    errno.EEXIST: "a file lies where a folder should be; move it, or choose another place",
    errno.EISDIR: "a folder lies where a file should be; move it, or choose another place",
    errno.ENOENT: "check the path",
}


def outcome_of(error: BaseException) -> tuple[int, str | None]:
    """The exit code of an error, and one sentence about it; no sentence for a bug."""
    sentence = sentence_for(error)
    if sentence is not None:
        return NON_FINITE if any(isinstance(each, NonFiniteError) for each in _chain(error)) else BAD_INPUT, sentence
    watchdog = sys.modules.get("lit_an.command_line.watchdog")
    current = None if watchdog is None else watchdog.current()
    lost = None if current is None else current.outcome(error)
    return (BUG, None) if lost is None else lost


def sentence_for(error: BaseException) -> str | None:
    """One sentence about a user's error and its remedy; None for a bug.

    Example:
        >>> sentence_for(OSError(28, "No space left on device", "/data/run"))
        '/data/run: No space left on device; free some space there, or choose another disk'
        >>> sentence_for(AssertionError()) is None
        True
    """
    for each in _chain(error):
        if isinstance(each, InputError):
            # An error from a data-loader process arrives with its traceback in front of the sentence.
            return str(each).strip().splitlines()[-1].removeprefix("lit_an.errors.InputError: ")
    for each in _chain(error):
        sentence = _of_a_library(each)
        if sentence is not None:
            return sentence
    return None


def report_bug(error: BaseException) -> None:
    """Prints the traceback, and what to report with it."""
    import pytorch_lightning

    traceback.print_exception(error)
    versions = [("lit_an", sys.modules["lit_an"]), ("torch", torch), ("pytorch-lightning", pytorch_lightning)]
    said = ", ".join(f"{name} {module.__version__}" for name, module in versions)  # type: ignore[attr-defined]
    print(
        f"\nthis is a bug of lit_an, not of your input: please report the lines above, the command and its config, and "
        f"the versions: {said}, Python {sys.version.split()[0]}",
        file=sys.stderr,
    )


def rank_of_process() -> int:
    """The rank of this process, which Lightning reads from the environment."""
    # A command that has not imported Lightning is a single process, and need not import it to report an error.
    lightning = sys.modules.get("pytorch_lightning.utilities.rank_zero")
    return 0 if lightning is None else int(getattr(lightning.rank_zero_only, "rank", 0))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and its causes: jsonargparse wraps errors of constructors."""
    while error is not None:
        yield error
        error = error.__cause__


def _of_a_library(error: BaseException) -> str | None:
    said = " ".join(str(error).split())
    lightning = sys.modules.get("pytorch_lightning.utilities.exceptions")
    if lightning is not None and isinstance(error, lightning.MisconfigurationException):
        return said
    if isinstance(error, OSError):
        return _of_the_system(error)
    if isinstance(error, ImportError) and not str(error.name).startswith(("lit_an", "callbacks", "cli")):
        return f"a package is missing: {said.rstrip('.')}; install it, or leave out what needs it"
    if isinstance(error, OmegaConfBaseException):
        return f"the config cannot be resolved: {said}; name a key that it has"
    if isinstance(error, (YAMLError, json.JSONDecodeError)):
        return f"a file cannot be read as {'JSON' if isinstance(error, ValueError) else 'YAML'}: {said}"
    if isinstance(error, torch.OutOfMemoryError):
        return (
            "the device has too little memory: set a smaller --data.batch_size, or split it with --model.accumulate "
            f"({said})"
        )
    if _raised_in(error, ("jsonargparse",)):
        return one_sentence(str(error))
    if isinstance(error, (ValueError, TypeError)) and _raised_in(error, _CHECKS_VALUES):
        return said
    if isinstance(error, RuntimeError) and _raised_in(error, _CHECKS_STATES):
        return said
    if isinstance(error, AssertionError) and said and _raised_in(error, ("torch.optim",)):
        return f"an optimizer cannot work like this: {said}; change its arguments"
    return None


def _of_the_system(error: OSError) -> str:
    if error.errno is None:  # also one from a data-loader process, after its traceback
        return (str(error).strip().splitlines() or [type(error).__name__])[-1]
    place = f"{error.filename}: " if error.filename is not None else ""
    remedy = _REMEDIES.get(error.errno, "")
    return f"{place}{error.strerror}" + (f"; {remedy}" if remedy else "")


def _raised_in(error: BaseException, packages: tuple[str, ...]) -> bool:
    """Whether the error was raised in one of these packages."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    module = "" if trace is None else str(trace.tb_frame.f_globals.get("__name__", ""))
    return any(module == package or module.startswith(f"{package}.") for package in packages)
