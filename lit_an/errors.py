"""Exceptions for bad input and for files that cannot be written, and a range check for numbers."""

import math


class InputError(ValueError):
    """Bad input: a name, an argument, a file or a shape that the user can correct.

    The message is one sentence that says what was given, where, and what would be valid. The command line prints that
    sentence alone and exits with code 2. Every other exception is a defect of the program and keeps its traceback.

    Example:
        >>> raise InputError("image_size=48 is not possible; choose 32, 64, 128 or 256")
        Traceback (most recent call last):
        ...
        lit_an.errors.InputError: image_size=48 is not possible; choose 32, 64, 128 or 256
    """


class OutputError(InputError, OSError):
    """A file or folder that cannot be written, for example because the disk is full.

    Args:
        sentence: see ``InputError``.
        cause: the system's error; ``errno`` and ``strerror`` are copied from it.
    """

    def __init__(self, sentence: str, cause: OSError) -> None:
        super().__init__(sentence)
        self.errno, self.strerror = cause.errno, cause.strerror

    def __str__(self) -> str:
        return str(self.args[0])

    def __reduce__(self) -> tuple[type["OutputError"], tuple[str, OSError]]:
        # A process pool pickles the exception.
        return type(self), (str(self), OSError(self.errno, self.strerror))


def needs_package(what: str, package: str, extra: str, error: ImportError | None = None) -> InputError:
    """The error for a package that is missing and that an extra of lit_an brings.

    Args:
        what: who needs it, with the verb; the sentence begins with it.
        package: its name.
        extra: the extra; it is installed into the lit_an that is there, from any folder.
        error: what the import said, if it was tried.

    Example:
        >>> raise needs_package("plot needs", "matplotlib", "plot")
        Traceback (most recent call last):
        ...
        lit_an.errors.InputError: plot needs the package matplotlib, which is not installed; pip install 'lit_an[plot]'
    """
    state = "not installed" if error is None else f"not installed or cannot be imported ({error})"
    return InputError(f"{what} the package {package}, which is {state}; pip install 'lit_an[{extra}]'")


class NonFiniteError(InputError):
    """A training whose numbers are no longer finite; the command line exits with code 3.

    The message is one sentence: what was not finite, at which iteration, and how to go on.
    """


def at_least(where: str, least: float, **values: float | None) -> None:
    """Checks that numbers are at least ``least``; None passes.

    Args:
        where: the class or command that takes them; the sentence begins with it.
        least: the smallest number allowed.
        values: the numbers by the names of their arguments.

    Raises:
        InputError: a number is below ``least``, infinite or NaN.

    Example:
        >>> at_least("ClassConditionalGAN", 0, r1_weight=-5.0)
        Traceback (most recent call last):
        ...
        lit_an.errors.InputError: ClassConditionalGAN: r1_weight must be at least 0, got -5.0
    """
    for name, value in values.items():
        if value is not None and not (value >= least and math.isfinite(value)):
            raise InputError(f"{where}: {name} must be at least {least}, got {value}")
