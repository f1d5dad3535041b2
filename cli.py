"""The command line, ``python cli.py COMMAND`` or ``lit-an COMMAND``.

``fit``, ``validate`` and ``test`` are Lightning's; the others train nothing. A command is imported when it is called,
and everything heavy by the class that a config names.
"""

import argparse
import importlib
import inspect
import os
import sys
from typing import NoReturn

import lit_an.command_line.run_folder as run_folder
from lit_an.command_line.allocator import keep_freed_memory
from lit_an.command_line.notices import silence_notices
from lit_an.command_line.parent_watch import end_with_launcher

# Commands of Lightning's trainer, and their help.
TRAINER_COMMANDS = {
    "fit": "train a config, or resume from a checkpoint",
    "validate": "measure a checkpoint on the validation split",
    "test": "measure a checkpoint on the test split",
}
# Commands that train nothing: the module of each and its help. A module has a function ``run``, whose arguments are
# the options, whose docstring is the help and whose result is the exit code. It may have a function
# ``spell_out`` from the options as they are given to those of the parser. A function with the arguments ``model`` and
# ``data`` takes the configs and overrides of ``fit`` too, and gets what they build.
COMMANDS: dict[str, tuple[str, str]] = {
    "ablate": ("lit_an.commands.ablate", "train the runs of a plan that differ in one thing each, and report them"),
    "sample": ("lit_an.commands.sample", "generate images with a class-conditional checkpoint or an export"),
    "inpaint": ("lit_an.commands.inpaint", "fill holes in your pictures with an inpainting checkpoint"),
    "export": ("lit_an.commands.export", "write the generator of a checkpoint as safetensors, torch.export and ONNX"),
    "demo": ("lit_an.commands.demo", "serve a page to paint holes on"),
    "check": (
        "lit_an.commands.check",
        "say whether a config and its data go together, or whether checkpoints are whole",
    ),
    "prepare": ("lit_an.commands.prepare", "turn a folder of images into shards of one size"),
    "prepare_masks": ("lit_an.commands.prepare_masks", "draw a fixed set of masks, sorted by hole area"),
    "plot": ("lit_an.commands.plot", "draw losses, metrics and layout health of runs"),
    "norms": ("lit_an.commands.norms", "list the norms, and what each costs on this machine"),
}


class _CommandParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        print(f"error: {message}; see {self.prog} --help", file=sys.stderr)
        sys.exit(2)


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line.

    Returns:
        The exit code: 0; with one sentence 2 for bad input, 3 for a training whose numbers are no longer finite and 75
        if another process of the run is lost; 70 for a bug of lit_an, with its traceback.
    """
    end_with_launcher()
    silence_notices()
    keep_freed_memory()
    chosen, options = _parser().parse_known_args(sys.argv[1:] if arguments is None else arguments)
    try:
        if chosen.command == "predict":
            return _refuse_predict(chosen)
        if chosen.command in COMMANDS:
            return _run_command(chosen.command, options)
        from lit_an.command_line.trainer_cli import TrainerCli, settings

        TrainerCli(**settings(), args=[chosen.command, *options])
    except Exception as error:
        return _left(_failed(error))
    except SystemExit as ended:
        if isinstance(ended.__context__, KeyboardInterrupt):
            return 130  # Lightning's trainer makes an exit with 1 of it
        raise
    return 0


def _parser() -> argparse.ArgumentParser:
    """Knows the commands' names; what follows a name is left to the parser of that command."""
    parser = _CommandParser(description="Trains and runs networks with attentive normalization.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", title="commands")
    for name, text in {**TRAINER_COMMANDS, **{name: text for name, (_, text) in COMMANDS.items()}}.items():
        commands.add_parser(name, help=text, add_help=False, allow_abbrev=False)
    # A former command, which still accepts its options so that it can name its successors.
    predict = commands.add_parser("predict", allow_abbrev=False, description="Is now two commands: sample and inpaint.")
    predict.add_argument("--ckpt_path", help="the checkpoint to name the command for")
    predict.add_argument("--config", help="the config it was trained with")
    return parser


def _refuse_predict(chosen: argparse.Namespace) -> int:
    from lit_an.commands.matching_command import refuse_predict

    return refuse_predict(chosen.ckpt_path, chosen.config)


def _run_command(name: str, options: list[str]) -> int:
    if name == "check" and options and not options[0].startswith("-"):
        from lit_an.commands.check_checkpoints import run as check_checkpoints

        return check_checkpoints(options)
    module = importlib.import_module(COMMANDS[name][0])
    options = getattr(module, "spell_out", list)(options)
    run = module.run
    if {"model", "data"} <= set(inspect.signature(run).parameters):
        from lit_an.command_line.trainer_cli import ConfiguredCommandCli, settings

        return ConfiguredCommandCli(run, **settings(), args=["fit", *options]).exit_code
    from lit_an.command_line.parsers import command_parser

    parser = command_parser(name, run)
    given = parser.instantiate(parser.parse_args(options))
    return int(run(**{key: given[key] for key in inspect.signature(run).parameters}))


def _failed(error: Exception) -> int:
    """Reports the error; returns the exit code."""
    from lit_an.command_line.failures import BUG, outcome_of, rank_of_process, report_bug

    code, sentence = outcome_of(error)
    if sentence is None:
        report_bug(error)
        return BUG
    # Each process reads its own data, so each reports its own errors.
    rank = rank_of_process()
    print(f"error{'' if rank == 0 else f' in process {rank}'}: {sentence}", file=sys.stderr, flush=True)
    run_folder.give_back(os.environ.get(run_folder.VARIABLE))
    return code


def _left(code: int) -> int:
    """Tells the other processes of a run that this one ends, and why; returns the exit code."""
    watchdog = sys.modules.get("lit_an.command_line.watchdog")
    if watchdog is not None and watchdog.current() is not None:
        watchdog.current().say_end(code)
    return code


if __name__ == "__main__":
    sys.exit(main())
