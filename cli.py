"""The command line, ``python cli.py COMMAND`` or ``lit-an COMMAND``.

``fit``, ``validate`` and ``test`` are Lightning's; the others train nothing. A command is imported when it is called,
and everything heavy by the class that a config names.
"""

import argparse
import importlib
import inspect
import os
import signal
import sys

import lit_an.command_line.run_folder as run_folder
from lit_an.command_line.allocator import keep_freed_memory
from lit_an.command_line.notices import escape_what_cannot_be_said, silence_notices
from lit_an.command_line.overview import overview, unknown_command, versions
from lit_an.command_line.short_help import asks_for_help, command_help, short_help
from lit_an.command_line.stopping import save_signals_ignored, signals_as_exceptions, stopped_by
from lit_an.files.locks import release
from lit_an.machine.workers import end_with_launcher

# Commands of Lightning's trainer, and their help.
TRAINER_COMMANDS = {
    "fit": "train a config, or resume from a checkpoint",
    "validate": "measure a checkpoint on the validation split",
    "test": "measure a checkpoint on the test split",
}
# Commands that train nothing: the module of each and its help. A module has a function ``run``, whose arguments are
# the options, whose docstring is the help and whose result is the exit code. It may have a function
# ``spell_out`` from the options as they are given to those of the parser. A function with the arguments ``CONFIGURED``
# takes the configs and overrides of ``fit`` too, and gets what they build.
CONFIGURED = {"model", "data", "trainer"}
COMMANDS: dict[str, tuple[str, str]] = {
    "ablate": ("lit_an.commands.ablate", "train the runs of a plan, and compare them in a report"),
    "sample": ("lit_an.commands.sample", "generate images with a class-conditional generator"),
    "inpaint": ("lit_an.commands.inpaint", "fill holes in pictures with an inpainting generator"),
    "export": ("lit_an.commands.export", "write a generator as safetensors, torch.export and ONNX"),
    "demo": ("lit_an.commands.demo", "serve a page: fill holes, samples, their regions"),
    "check": ("lit_an.commands.check", "say whether config and data fit, or checkpoints are whole"),
    "prepare": ("lit_an.commands.prepare", "turn a folder of images into shards of one size"),
    "prepare_masks": ("lit_an.commands.prepare_masks", "draw a fixed set of masks, sorted by hole area"),
    "plot": ("lit_an.commands.plot", "draw losses, metrics and layout health of runs"),
    "gpu": ("lit_an.commands.gpu", "compare, train and measure on a GPU, and report"),
    "norms": ("lit_an.commands.norms", "list the norms, and what each costs on this machine"),
}


_FORMER = "predict"  # a command that is two now
# In the order of the list of commands.
GROUPS = {
    "train": ["fit", "validate", "test", "ablate", "plot"],
    "use": ["sample", "inpaint", "demo", "export"],
    "data and checks": ["prepare", "prepare_masks", "check", "gpu", "norms"],
}


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line.

    Returns:
        The exit code: 0; with one sentence 2 for bad input, 3 for a training whose numbers are no longer finite and 75
        if another process of the run is lost; 70 for a bug of lit_an, with its traceback; 128 and its number for a
        signal that stopped it.
    """
    end_with_launcher()
    silence_notices()
    escape_what_cannot_be_said()
    keep_freed_memory()
    command, *options = (sys.argv[1:] if arguments is None else arguments) or [""]
    if command not in (*TRAINER_COMMANDS, *COMMANDS, _FORMER):
        return _no_command(command, options)
    try:
        if command == _FORMER:
            return _refuse_former(options)
        if command in COMMANDS:
            with signals_as_exceptions():
                return _run_command(command, options)
        if asks_for_help(options):
            print(short_help(command))
            return 0
        from lit_an.command_line.trainer_cli import TrainerCli, settings

        with save_signals_ignored():
            TrainerCli(**settings(), args=[command, *options])
    except Exception as error:
        return _left(_failed(error))
    except KeyboardInterrupt as stop:
        number = stopped_by(stop)
        print(f"\nstopped by {signal.Signals(number).name}", file=sys.stderr, flush=True)
        return 128 + number
    except SystemExit as ended:
        if isinstance(ended.__context__, KeyboardInterrupt):
            return 130  # Lightning's trainer makes an exit with 1 of it
        raise
    finally:
        release()
    return 0


def _no_command(given: str, following: list[str]) -> int:
    """Answers a command line that begins with no command; returns the exit code."""
    helps = {**TRAINER_COMMANDS, **{name: text for name, (_, text) in COMMANDS.items()}}
    if given == "--version":
        print(versions())
    elif given in ("-h", "--help", "help"):
        print(overview(GROUPS, helps))
    elif not given:
        print(overview(GROUPS, helps), file=sys.stderr)
        return 2
    else:
        print(f"{overview(GROUPS, helps)}\n\nerror: {unknown_command(given, list(helps), following)}", file=sys.stderr)
        return 2
    return 0


def _refuse_former(options: list[str]) -> int:
    """The former command accepts its options so that it can name its successors."""
    from lit_an.commands.checkpoint_option import checkpoint_at
    from lit_an.commands.matching_command import refuse_predict

    parser = argparse.ArgumentParser(prog=_FORMER, description="Is now two commands: sample and inpaint.")
    parser.add_argument("--ckpt_path", help="the checkpoint to name the command for")
    parser.add_argument("--config", help="the config it was trained with")
    chosen, _ = parser.parse_known_args(options)
    return refuse_predict(None if chosen.ckpt_path is None else checkpoint_at(chosen.ckpt_path), chosen.config)


def _run_command(name: str, options: list[str]) -> int:
    if name == "check" and options and not options[0].startswith("-"):
        from lit_an.commands.check_checkpoints import run as check_checkpoints

        return check_checkpoints(options)
    module = importlib.import_module(COMMANDS[name][0])
    options = getattr(module, "spell_out", list)(options)
    run = module.run
    from lit_an.command_line.parsers import command_parser, refuse_empty_lists, with_short_values

    if set(inspect.signature(run).parameters) >= CONFIGURED:
        if asks_for_help(options):
            print(command_help(name, command_parser(name, run, skip={*CONFIGURED, "iterations"})))
            return 0
        from lit_an.command_line.trainer_cli import ConfiguredCommandCli, settings

        return ConfiguredCommandCli(name, run, **settings(), args=["fit", *options]).exit_code

    parser = command_parser(name, run)
    given = parser.instantiate(parser.parse_args(with_short_values(parser, options)))
    refuse_empty_lists(run, given)
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
