"""The one exception for what a user can get wrong."""


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
