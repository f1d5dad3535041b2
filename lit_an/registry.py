"""A registry that maps names to constructors, with checked arguments."""

import difflib
import inspect
import types
import typing
import warnings
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import entry_points
from typing import Any, Generic, Literal, TypeVar, Union, get_args, get_origin

from lit_an.errors import InputError

T = TypeVar("T")
Scalar = bool | int | float | str


class Registry(Generic[T]):
    """Maps names to callables that build a ``T``.

    Args:
        kind: what is registered, for error sentences, such as ``"norm"``.
        entry_point_group: entry points of other installed packages, loaded at first use.

    Example:
        >>> shapes = Registry[str]("shape")
        >>> @shapes.register("square")
        ... def square(side: int, filled: bool = False) -> str:
        ...     return f"{side}x{side}"
        >>> shapes.create("square", 3)
        '3x3'
        >>> shapes.factory("square", fild=True)
        Traceback (most recent call last):
        ...
        lit_an.errors.InputError: shape 'square' has no argument 'fild', did you mean 'filled'? It accepts: filled
    """

    def __init__(self, kind: str, entry_point_group: str | None = None) -> None:
        self.kind = kind
        self._entry_point_group = entry_point_group
        self._entries: dict[str, Callable[..., T]] = {}
        self._broken: dict[str, str] = {}  # names of other packages that cannot be loaded, with the reason

    def register(self, name: str) -> Callable[[Callable[..., T]], Callable[..., T]]:
        """Decorator that registers a class or function under ``name``.

        Raises:
            InputError: the name is already registered.
        """

        def add(entry: Callable[..., T]) -> Callable[..., T]:
            taken = self._entries.get(name)
            if taken is not None and taken is not entry:
                raise InputError(
                    f"{self.kind} {name!r} is already registered by {taken.__module__}.{taken.__qualname__}; "
                    f"register {entry.__module__}.{entry.__qualname__} under another name"
                )
            self._entries[name] = entry
            return entry

        return add

    def names(self) -> list[str]:
        """All registered names, sorted, including those of other installed packages.

        A name whose package cannot be loaded is left out, with one warning.
        """
        self._load_entry_points()
        return sorted(self._entries)

    def get(self, name: str) -> Callable[..., T]:
        """The entry called ``name``.

        Raises:
            InputError: the name is unknown; the sentence suggests the nearest name and lists all.
        """
        names = self.names()
        if not isinstance(name, str):
            given = getattr(name, "__name__", repr(name))
            raise InputError(f"a {self.kind} is named by a text, got {given}. Known: {', '.join(names)}")
        if name not in self._entries and name in self._broken:
            raise InputError(self._broken[name])
        if name not in self._entries:
            raise InputError(f"unknown {self.kind} {name!r}{nearest(name, names)} Known: {', '.join(names)}")
        return self._entries[name]

    def arguments(self, name: str) -> list[str]:
        """The keyword arguments that the entry accepts, in order, without its leading required ones."""
        return list(self._keyword_parameters(name))

    def factory(self, name: str, **kwargs: Any) -> Callable[..., T]:
        """A callable that builds the entry with ``kwargs``; their names and types are checked immediately.

        Raises:
            InputError: the entry or an argument is unknown, or an argument has the wrong type.
        """
        entry = self.get(name)
        self._check_arguments(name, kwargs)
        return lambda *args: entry(*args, **kwargs)

    def create(self, name: str, *args: Any, **kwargs: Any) -> T:
        """Builds the entry: ``factory(name, **kwargs)(*args)``."""
        return self.factory(name, **kwargs)(*args)

    def split_arguments(self, name: str, kwargs: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
        """Separates arguments that ``name`` accepts from those that only other entries accept.

        Use it for configs, in which one key replaces a name while the arguments of the former name remain.

        Returns:
            The accepted arguments, and the names of those that belong to other entries.

        Raises:
            InputError: no entry accepts an argument.
        """
        accepted = self.arguments(name)
        known_elsewhere = {argument for other in self.names() for argument in self.arguments(other)}
        foreign = [key for key in kwargs if key not in accepted and key in known_elsewhere]
        mine = {key: value for key, value in kwargs.items() if key not in foreign}
        self._check_arguments(name, mine)
        return mine, foreign

    def _check_arguments(self, name: str, kwargs: Mapping[str, Any]) -> None:
        parameters = self._keyword_parameters(name)
        hints = _type_hints(self._entries[name])
        for key, value in kwargs.items():
            if key not in parameters:
                raise InputError(
                    f"{self.kind} {name!r} has no argument {key!r}{nearest(key, parameters)} "
                    f"It accepts: {', '.join(parameters) or 'no arguments'}"
                )
            if not _is_a(value, hints.get(key, Any)):
                raise InputError(
                    f"{self.kind} {name!r}: {key} must be {_spell(hints[key])}, got {value!r} ({type(value).__name__})"
                )

    def _keyword_parameters(self, name: str) -> dict[str, inspect.Parameter]:
        parameters = inspect.signature(self.get(name)).parameters.values()
        kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
        return {p.name: p for p in parameters if p.kind in kinds and p.default is not inspect.Parameter.empty}

    def _load_entry_points(self) -> None:
        group, self._entry_point_group = self._entry_point_group, None
        if group is None:
            return
        for point in entry_points(group=group):
            package = point.dist.name if point.dist else point.value
            try:
                entry = point.load()
                inspect.signature(entry)
                self.register(point.name)(entry)
            except Exception as error:  # another package's module may raise anything
                problem = (
                    f"the {self.kind} {point.name!r} of the installed package {package} cannot be loaded "
                    f"({type(error).__name__}: {' '.join(str(error).split())}); update or uninstall that package"
                )
                self._broken[point.name] = problem
                warnings.warn(f"{problem}; other names are not affected", stacklevel=2)


def nearest(word: str, known: Iterable[str]) -> str:
    """Continuation of a sentence: the most similar known word as a question, or a full stop."""
    near = difflib.get_close_matches(word, list(known), n=1)
    return f", did you mean {near[0]!r}?" if near else "."


def _type_hints(entry: Callable[..., Any]) -> dict[str, Any]:
    return typing.get_type_hints(inspect.getattr_static(entry, "__init__") if isinstance(entry, type) else entry)


def _is_a(value: Any, hint: Any) -> bool:
    """Whether ``value`` fits an annotation built of bool, int, float, str, None, Literal and unions of them."""
    if get_origin(hint) in (Union, types.UnionType):
        return any(_is_a(value, option) for option in get_args(hint))
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    if hint is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, hint) if hint in (bool, str, type(None)) else True


def _spell(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return " or ".join(repr(option) for option in get_args(hint))
    return hint.__name__ if isinstance(hint, type) else str(hint)
