"""The exceptions for what a user can get wrong, and the check of a number that every part needs."""

import math


class InputError(ValueError):
    """Bad input: a name, an argument, a file or a shape that a user gave and can mend.

    The message is one sentence that says what was given, where, and what would be right. The command line
    prints just that sentence and exits with code 2; every other exception keeps its traceback, since it is
    a defect of the program.

    Example:
        >>> raise InputError("image_size=48 is not possible; choose 32, 64, 128 or 256")
        Traceback (most recent call last):
        ...
        lit_an.errors.InputError: image_size=48 is not possible; choose 32, 64, 128 or 256
    """


class OutputError(InputError, OSError):
    """A file or folder that cannot be written, as where the disk is full: a sentence, and the system's number.

    Args:
        sentence: see ``InputError``.
        cause: what the system said.
    """

    def __init__(self, sentence: str, cause: OSError) -> None:
        super().__init__(sentence)
        self.errno, self.strerror = cause.errno, cause.strerror

    def __str__(self) -> str:
        return str(self.args[0])

    def __reduce__(self) -> tuple[type["OutputError"], tuple[str, OSError]]:
        # It travels from a process of a pool to the one that waits for it.
        return type(self), (str(self), OSError(self.errno, self.strerror))


def at_least(where: str, least: float, **values: float | None) -> None:
    """Checks numbers that a user gave; None passes.

    Args:
        where: what they were given to, for the sentence.
        least: the smallest number allowed.
        values: the numbers by the names of their arguments.

    Raises:
        InputError: a number below ``least``, or none at all (NaN, infinity).

    Example:
        >>> at_least("ClassConditionalGAN", 0, r1_weight=-5.0)
        Traceback (most recent call last):
        ...
        lit_an.errors.InputError: ClassConditionalGAN: r1_weight must be at least 0, got -5.0
    """
    for name, value in values.items():
        if value is not None and not (value >= least and math.isfinite(value)):
            raise InputError(f"{where}: {name} must be at least {least}, got {value}")
