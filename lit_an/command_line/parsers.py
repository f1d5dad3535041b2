"""jsonargparse's parsers with one-sentence error messages."""

import inspect
import re
import sys
from argparse import Action
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NoReturn, get_origin

from jsonargparse import ArgumentParser

from lit_an.command_line.command_help import CommandHelp
from lit_an.command_line.overview import program
from lit_an.command_line.parse_errors import one_sentence, unknown_key, unknown_option
from lit_an.errors import InputError


class GivenText(str):
    """The value of an option that takes a text: jsonargparse reads plain ``str`` as YAML before it knows the type."""

    __slots__ = ()


_UNRECOGNIZED = re.compile(r"[Uu]nrecognized arguments: (\S+)")
_UNKNOWN_KEY = re.compile(r"Subcommand '\w+' does not accept option '([\w.]+)'")


class OneSentenceParser(ArgumentParser):
    """Ends with exit code 2 and one sentence for a wrong key or value.

    Attributes:
        nested_options: some that are inside a class, to name where a name is wrong.
    """

    nested_options: Sequence[str] = ()

    def _check_value_key(self, action: Action, value: Any, *arguments: Any, **options: Any) -> Any:
        """Lets references to other keys stand: by these values jsonargparse decides what a new class path keeps."""
        if isinstance(value, GivenText):  # here its type is known
            value = str(value)
        if isinstance(value, str) and "${" in value:
            return value
        return super()._check_value_key(action, value, *arguments, **options)

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Prints the sentence and exits."""
        if not self.exit_on_error:  # a nested parser: the outer one adds the context
            super().error(message, ex)
        if option := _UNRECOGNIZED.match(message):
            sentence = unknown_option(option[1], self._known_options())
        elif key := _UNKNOWN_KEY.search(message):
            sentence = unknown_key(key[1], self._known_options())
        else:
            sentence = one_sentence(message)
        print(f"error: {sentence}", file=sys.stderr)
        sys.exit(2)

    def _known_options(self) -> list[str]:
        """Options of this parser, and of those of its commands."""
        parsers = [each for action in self._actions for each in _parsers_in(action)]
        names = {name for parser in (self, *parsers) for name in parser._option_string_actions}
        return sorted(names.union(self.nested_options))


def _parsers_in(action: Action) -> list[ArgumentParser]:
    choices = action.choices if isinstance(action.choices, Mapping) else {}
    return [each for each in choices.values() if isinstance(each, ArgumentParser)]


class CommandLineOnly(Action):
    """Stores a value and records that the command line set it: values from config files do not call an action."""

    given = False

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        self.given = True
        namespace[self.dest] = values


def command_parser(name: str, run: Callable[..., int], skip: Collection[str] = ()) -> OneSentenceParser:
    """The parser of a command that is a function.

    Args:
        name: of the command.
        run: its typed arguments are the options; its docstring is the help.
        skip: arguments that are no options.
    """
    parser = OneSentenceParser(prog=f"{program()} {name}", formatter_class=CommandHelp)
    parser.description = (inspect.getdoc(run) or "").partition("\n")[0]
    parser.add_function_arguments(run, as_group=False, skip=set(skip))
    return parser


def refuse_empty_lists(run: Callable[..., int], given: Mapping[str, Any]) -> None:
    """Refuses an empty list of what a command is to make: it would end without a result and without a word.

    Args:
        run: the command; lists that are full by default say what it makes.
        given: its arguments.

    Raises:
        InputError: a list is empty.
    """
    for name, parameter in inspect.signature(run).parameters.items():
        if isinstance(parameter.default, tuple) and not given[name]:
            raise InputError(f"--{name} is an empty list, so that nothing would be made; omit it, or name what to make")


def with_short_values(parser: ArgumentParser, options: Sequence[str]) -> list[str]:
    """Spells out what may be short: options of two values that stand alone, such as ``--dry_run``, and lists without
    brackets.

    Args:
        parser: knows which these are.
        options: as they are given.

    Example:
        >>> def run(half: bool = False, formats: tuple[str, ...] = ()) -> int: ...
        >>> with_short_values(command_parser("export", run), ["--half", "--formats", "torch,onnx"])
        ['--half=true', '--formats', '[torch,onnx]']
    """
    kinds = {name: _typehint(action) for action in parser._actions for name in action.option_strings}
    flags = {name for name, kind in kinds.items() if kind is bool}
    lists = {name for name, kind in kinds.items() if get_origin(kind) is tuple}
    spelled: list[str] = []
    for option, following in zip(options, [*options, "--"][1:], strict=True):
        name, is_set, value = option.partition("=")
        if option in flags and following.startswith("-"):
            spelled.append(f"{option}=true")
        elif is_set and name in lists:
            spelled.append(f"{name}={_in_brackets(value)}")
        else:
            spelled.append(_in_brackets(option) if spelled and spelled[-1] in lists else option)
    return spelled


def _in_brackets(value: str) -> str:
    return value if value.startswith("[") else f"[{value}]"


def _typehint(action: Action) -> Any:
    return getattr(action, "_typehint", None)
