"""``python cli.py check``: finds problems of a run before it starts."""

import shutil
import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from lit_an.commands.check_data import Limits, Line, data_lines
from lit_an.commands.check_resources import resource_lines
from lit_an.data.base import ImageData
from lit_an.data.class_data import ClassData
from lit_an.errors import InputError, at_least
from lit_an.files import user_path
from lit_an.tasks.adversarial import AdversarialTask


def run(
    model: AdversarialTask,
    data: ImageData,
    trainer: Mapping[str, Any],
    sample: int | Literal["all"] = 1000,
    max_failed: float = 0.0,
    max_small: float = 0.1,
    max_overlap: float = 0.0,
    iterations: int | None = None,
    price_per_hour: float | None = None,
    run_folder: str | None = None,
) -> int:
    """Checks whether a config and its data fit together; with paths of checkpoints instead, whether these are whole.

    Args:
        model: from the config.
        data: from the config.
        trainer: from the config.
        sample: number of images of each split to check, evenly spread, or ``all``.
        max_failed: largest share of unreadable images that passes; a run ends at its first unreadable image.
        max_small: largest share of images smaller than image_size that passes.
        max_overlap: largest share of val and test images that may also be in train.
        iterations: from the config.
        price_per_hour: of one device, in any currency: the run's price is shown where its time is.
        run_folder: of the run: the disk that needs the space. Default: a folder in runs/.

    Returns:
        0 if the run can start, 1 if the table lists problems.
    """
    if sample != "all" and sample < 1:
        raise InputError(f"check: sample must be at least 1, or 'all', got {sample}")
    if price_per_hour is not None:
        at_least("check", 0, price_per_hour=price_per_hour)
    limits = Limits(max_failed, max_small, max_overlap)
    number = None if sample == "all" else sample
    lines = [*kind_lines(model, data), size_line(model, data)]
    lines += data_lines(data, classes_of(model), number, limits)
    lines += callback_lines(data, trainer)
    place = Path("runs") if run_folder is None else user_path(run_folder)
    lines += resource_lines(model, data, trainer, iterations, price_per_hour, processes_of(trainer), place)
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for line in lines:
        print(row_of(line, width))
    problems = sum(line.verdict == "problem" for line in lines)
    print(f"\n{'go' if not problems else f'no: {problems} problem' + 's' * (problems > 1)}")
    return int(problems > 0)


def row_of(line: Line, width: int | None = None) -> str:
    """A row of the table, in a terminal on as many lines as it needs.

    Example:
        >>> print(row_of(Line("ok", "test", "is val, of which all images were looked at"), 60))
        ok       test               is val, of which all images were
                                    looked at
    """
    head = f"{line.verdict:8} {line.subject:18} "
    if width is None or width < 2 * len(head):
        return head + line.text
    return textwrap.fill(
        line.text,
        width,
        initial_indent=head,
        subsequent_indent=" " * len(head),
        break_long_words=False,
        break_on_hyphens=False,
    )


def classes_of(model: AdversarialTask) -> int | None:
    """Number of classes of a task, or None for a task without classes."""
    return getattr(model, "num_classes", None)


def kind_lines(model: AdversarialTask, data: ImageData) -> Iterator[Line]:
    """Checks the kind of data and the number of classes."""
    wants_labels = classes_of(model) is not None
    if isinstance(data, ClassData) and wants_labels:
        yield classes_line(model, data)
    elif isinstance(data, ClassData) or wants_labels:
        has, wants = ("holes", "labels") if wants_labels else ("labels", "holes")
        text = f"{type(data).__name__} gives images with {has}, but {type(model).__name__} takes images with {wants}"
        yield Line("problem", "kind of data", text)


def classes_line(model: AdversarialTask, data: ClassData) -> Line:
    """Checks that networks and data have the same number of classes."""
    of_data = len(data.class_names)
    made_for = {
        name: int(network.num_classes)  # type: ignore[arg-type]
        for name, network in (("generator", model.generator), ("discriminator", model.discriminator))
        if hasattr(network, "num_classes")
    }
    wrong = {name: number for name, number in made_for.items() if number != of_data}
    if not wrong:
        return Line("ok", "classes", f"{of_data} in the data and in the networks")
    said = " and ".join(f"the {name} was made for {number}" for name, number in wrong.items())
    return Line("problem", "classes", f"{of_data} in the data, but {said}; set num_classes to {of_data}")


def size_line(model: AdversarialTask, data: ImageData) -> Line:
    """Checks that networks and data have the same image size; a generator for any size has none."""
    made_for = getattr(model.generator, "image_size", data.image_size)
    same = made_for == data.image_size
    text = f"{data.image_size} px in the data" + ("" if same else f", but {made_for} px in the generator")
    return Line("ok" if same else "problem", "image size", text)


@runtime_checkable
class DataRequirement(Protocol):
    """A callback with requirements on the data."""

    def data_problems(self, data: Any, processes: int = 1) -> list[str]:
        """Lists the requirements that these data do not meet, as sentences."""
        ...


def callback_lines(data: ImageData, trainer: Mapping[str, Any]) -> Iterator[Line]:
    """The data problems that metric callbacks would report at the first validation of a run."""
    if trainer.get("limit_val_batches") == 0:
        return
    for callback in trainer.get("callbacks") or []:
        if not isinstance(callback, DataRequirement):
            continue
        try:
            problems = callback.data_problems(data, processes_of(trainer))
        except InputError:  # for a missing split, which has its own line
            continue
        name = type(callback).__name__
        yield from (Line("problem", "measuring", sentence) for sentence in problems)
        if not problems:
            yield Line("ok", "measuring", f"{name} has the data it needs")


def processes_of(trainer: Mapping[str, Any]) -> int:
    """Number of training processes, as far as the config determines it."""
    devices = trainer.get("devices")
    number = len(devices) if isinstance(devices, list) else str(devices)
    return max(1, int(number) if str(number).isdecimal() else 1) * int(trainer.get("num_nodes") or 1)
