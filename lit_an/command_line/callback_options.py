"""The list of callbacks: options of one of them by the name of its class, and classes of which a run has one."""

from argparse import Action
from typing import Any

from lit_an.command_line.parse_errors import arguments_of, class_of, unknown_argument
from lit_an.errors import InputError
from lit_an.registry import nearest

_LIST = "--trainer.callbacks."


class CallbackOption(Action):
    """``--trainer.callbacks.NAME.KEY VALUE``: sets an argument of the callback whose class is called NAME.

    jsonargparse knows only the last callback of the list by option, ``--trainer.callbacks.KEY``; so the named one is
    the last while its argument is set.

    Args:
        found: jsonargparse's action of the list.
        name: of the class, without its module.
        key: of its argument, possibly with others below it.
    """

    def __init__(self, found: Action, name: str, key: str) -> None:
        super().__init__([f"{_LIST}{name}.{key}"], found.dest, found.nargs)
        self._list, self._name, self._key = found, name, key

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        given = namespace.get(self.dest) or []
        if not isinstance(given, list):  # Lightning takes a single callback too
            namespace[self.dest] = given = [given]
        place = self._place(given)
        callbacks = list(namespace[self.dest])
        class_path, first = callbacks[place].class_path, self._key.partition(".")[0]
        if first not in ("init_args", "dict_kwargs", *arguments_of(class_path)):
            raise InputError(unknown_argument(self.option_strings[0], class_path, first))
        callbacks.append(callbacks.pop(place))
        namespace[self.dest] = callbacks
        self._list(parser, namespace, values, f"{_LIST}{self._key}")
        callbacks = list(namespace[self.dest])
        callbacks.insert(place, callbacks.pop())
        namespace[self.dest] = callbacks

    def _place(self, callbacks: list[Any]) -> int:
        names = [str(getattr(each, "class_path", each)).rpartition(".")[2] for each in callbacks]
        count = names.count(self._name)
        if count > 1:
            raise InputError(
                f"{self.option_strings[0]}: {count} callbacks are of the class {self._name}; set their arguments in a "
                "config"
            )
        if count == 0:
            there = f" There are: {', '.join(names)}" if names else " The config has no callbacks"
            raise InputError(
                f"{self.option_strings[0]}: no callback is of the class {self._name}{nearest(self._name, names)}{there}"
            )
        return names.index(self._name)


def keep_last_of_a_kind(config: Any) -> list[str]:
    """Leaves the last callback of each class that says ``one_per_run``, in the place of the first: so that an overlay's
    takes the place of the config's, and is called when that one would be.

    Args:
        config: parsed so far; changed in place.

    Returns:
        The names of the classes of which one was left out.
    """
    key = _LIST.strip("-.")
    callbacks = config.get(key)
    if not isinstance(callbacks, list):
        return []
    kept: list[Any] = []
    places: dict[Any, int] = {}
    twice: list[str] = []
    for each in callbacks:
        kind = class_of(str(getattr(each, "class_path", "")))
        if kind in places and getattr(kind, "one_per_run", False):
            kept[places[kind]] = each
            twice.append(kind.__name__)
        else:
            places[kind] = len(kept)
            kept.append(each)
    if twice:
        config[key] = kept
    return twice


def with_named_callback(parsed: Any, option: str) -> Any:
    """What argparse's ``_parse_optional`` found, with a ``CallbackOption`` where the option names a class.

    Args:
        parsed: a tuple that begins with the action, a list of such, or None.
        option: as given, possibly with ``=`` and a value.
    """
    name, _, key = option.partition("=")[0].removeprefix(_LIST).partition(".")
    if not option.startswith(_LIST) or not name[:1].isupper() or not key:
        return parsed
    if isinstance(parsed, list):  # Python 3.12 and later
        return [with_named_callback(each, option) for each in parsed]
    # The parser of all commands does not know the options of one.
    return parsed if parsed is None or parsed[0] is None else (CallbackOption(parsed[0], name, key), *parsed[1:])
