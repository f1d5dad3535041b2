"""The help of ``fit``, ``validate`` and ``test``: the options that people change; ``--help_all`` has the others."""

import textwrap
from collections.abc import Sequence
from typing import Any, NamedTuple

from lit_an.command_line.overview import program

ALL = "--help_all"
_NAME, WIDTH = 34, 80


class Option(NamedTuple):
    """One line of the help.

    Attributes:
        name: as typed.
        value: what stands for its value.
        help: what it does.
        example: a value that the quickstart accepts; None for what ends the program or needs a file.
    """

    name: str
    value: str
    help: str
    example: str | None = None


_CONFIG = Option("--config", "FILE", "a config, and after it overlays over it, each with --config")
_CHECKPOINT = Option(
    "--ckpt_path", "FOLDER|FILE|auto", "a run folder or a .ckpt file of one; auto: the run folder's newest"
)
_FOLDER = Option("--run_folder", "FOLDER", "where everything goes; default runs/NAME of the config", "runs/name")
_DATA = (
    Option("--data.source", "CLASS", "lit_an.data.sources.ImageFolder, ImageNet, …", "lit_an.data.sources.ImageFolder"),
    Option("--data.source.root", "FOLDER", "of the images", "photographs"),
    Option("--data.image_size", "N", "pixels; with classes --model.generator.image_size sets it", "64"),
    Option("--data.batch_size", "N", "images of a step on each device", "8"),
    Option("--data.num_workers", "N", "processes that load images", "2"),
    Option("--data.seed", "N", "of image order, crops and holes; default 0", "1"),
)
_MACHINE = (
    Option("--trainer.accelerator", "NAME", "cpu, gpu, mps or auto", "cpu"),
    Option("--trainer.devices", "N", "GPUs or processes, each with a batch of its own", "1"),
    Option("--trainer.precision", "NAME", "32-true, bf16-mixed, 16-mixed or 64-true", "bf16-mixed"),
)
_CALLBACK = Option(
    "--trainer.callbacks.CLASS.KEY", "VALUE", "an argument of a callback of the config, by the name of its class"
)
_GROUPS: dict[str, dict[str, tuple[Option, ...]]] = {
    "fit": {
        "run": (
            _CONFIG,
            Option("--iterations", "N", "length of the run in all, what a checkpoint has done included", "100"),
            _FOLDER,
            _CHECKPOINT._replace(help=f"goes on from {_CHECKPOINT.help}"),
            Option("--seed_everything", "N", "of weights and latents; default 0", "1"),
        ),
        "data": _DATA,
        "networks and game": (
            Option("--model.generator.num_classes", "N", "of the data", "6"),
            Option("--model.generator.norm", "NAME", "the norm of the blocks; the command norms lists them", "batch"),
            Option("--model.generator.long_range", "NAME", "attentive, self_attention, none, …", "self_attention"),
            Option("--model.generator.base_width", "N", "channels at the finest map", "8"),
            Option(
                "--model.generator_optimizer.lr", "X", "learning rate; the same for discriminator_optimizer", "1e-4"
            ),
            Option("--model.accumulate", "N", "parts that the batch of a step is split into", "2"),
        ),
        "machine": (
            *_MACHINE,
            Option("--trainer.num_nodes", "N", "machines", "1"),
            Option("--trainer.max_time", "DD:HH:MM:SS", "stops with a checkpoint after so long", "00:01:00:00"),
        ),
        "while it runs": (
            Option("--trainer.val_check_interval", "N", "iterations from one validation to the next", "50"),
            Option("--trainer.log_every_n_steps", "N", "iterations from one log row to the next", "5"),
            _CALLBACK,
        ),
    },
    "validate": {"what": (_CHECKPOINT, _CONFIG), "data": _DATA, "machine": _MACHINE, "measurements": (_CALLBACK,)},
}
_GROUPS["test"] = _GROUPS["validate"]
_USAGE = {
    "fit": "fit --config CONFIG [--config OVERLAY …] [options]",
    "validate": "validate --ckpt_path RUN_FOLDER [--config CONFIG …] [options]",
    "test": "test --ckpt_path RUN_FOLDER [--config CONFIG …] [options]",
}
_PURPOSE = {
    "fit": "Trains a config, or goes on from a checkpoint. Without --config it lists the configs there are.",
    "validate": "Measures a checkpoint on the validation split, with the config of its run folder.",
    "test": "Measures a checkpoint on the test split, with the config of its run folder.",
}


def options_of(command: str) -> list[Option]:
    """All options that the help of a command names."""
    return [option for group in _GROUPS[command].values() for option in group]


def short_help(command: str) -> str:
    """The help of ``fit``, ``validate`` or ``test``."""
    lines = [f"usage: {program()} {_USAGE[command]}", "", _PURPOSE[command]]
    for group, options in _GROUPS[command].items():
        lines += ["", f"{group}:", *(line for option in options for line in _lines(option))]
    more = (
        Option("--print_config", "", "prints the whole config with all overrides, and ends"),
        Option(ALL, "", "all options, also those of Lightning's trainer"),
        Option("--model.help CLASS", "", "the arguments of a class; the same with data, model.generator, …"),
    )
    return "\n".join([*lines, "", "more:", *(line for option in more for line in _lines(option))])


def command_help(command: str, parser: Any) -> str:
    """The help of a command that takes the configs and overrides of ``fit``.

    Args:
        command: name of it.
        parser: one that knows its own options only.
    """
    own = parser.format_help().rstrip()
    also = (
        f"It takes the configs and overrides of fit too, as in {program()} {command} --config CONFIG; "
        f"{program()} fit --help lists them."
    )
    return f"{own}\n\n{textwrap.fill(also, WIDTH)}"


def asks_for_help(options: Sequence[str]) -> bool:
    """Whether a command line asks for the short help."""
    return any(option in ("-h", "--help") for option in options)


def _lines(option: Option) -> list[str]:
    head = f"  {option.name} {option.value}".rstrip()
    wrapped = textwrap.wrap(option.help, WIDTH - _NAME - 1)
    if len(head) >= _NAME:
        return [head, *(f"{'':{_NAME}} {text}" for text in wrapped)]
    return [f"{head if place == 0 else '':{_NAME}} {text}" for place, text in enumerate(wrapped)]
