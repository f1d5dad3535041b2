"""The command line: ``python cli.py fit | validate | test --config …``, and the tools, ``predict`` among them.

Everything heavy is imported by the class that a config names, when it is named, and by the tool that is called.
"""

import functools
import importlib
import inspect
import os
import sys
from argparse import Action
from collections.abc import Callable
from typing import Any, NoReturn

from jsonargparse import ActionConfigFile, ArgumentParser, set_parsing_settings
from pytorch_lightning import Trainer
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI
from pytorch_lightning.utilities.rank_zero import rank_zero_info, rank_zero_only, rank_zero_warn

import lit_an.command_line.run_folder as run_folder
from lit_an.command_line.allocator import keep_freed_memory
from lit_an.command_line.checkpoint import iteration_of
from lit_an.command_line.config_option import ConfigOption
from lit_an.command_line.failures import BAD_INPUT, BUG, report_bug, sentence_for
from lit_an.command_line.loggers import placed
from lit_an.command_line.notices import quieten, warn_of_slow_arithmetic
from lit_an.command_line.option_names import with_quoted_names
from lit_an.command_line.parse_errors import one_sentence
from lit_an.command_line.saved_config import SaveConfig
from lit_an.command_line.trainer_arguments import RunTrainer, check_arguments, wanted_callbacks
from lit_an.errors import InputError, at_least
from lit_an.tasks.adversarial import AdversarialTask

_RUN_FOLDER_VARIABLE = "LIT_AN_RUN_FOLDER"

# Commands that train nothing: a module each with a function ``run``, whose arguments are the command's options, whose
# docstring is its help and whose result is the exit code. One with the arguments ``model`` and ``data`` takes fit's
# configs and overrides too, and is given what they build. One with a module for each task has the options of the task
# that its checkpoint was trained with.
TOOLS: dict[str, str | dict[str, str]] = {
    "check": "lit_an.commands.check",
    "demo": "lit_an.commands.demo",
    "export": "lit_an.commands.export",
    "predict": {"ClassConditionalGAN": "lit_an.commands.predict", "InpaintingGAN": "lit_an.commands.inpaint"},
    "prepare": "lit_an.commands.prepare",
    "prepare_masks": "lit_an.commands.prepare_masks",
}


class _SaysItInOneSentence(ArgumentParser):
    def _check_value_key(self, action: Action, value: Any, *arguments: Any, **options: Any) -> Any:
        """Lets references to other keys stand: by these values jsonargparse decides what a new class path keeps."""
        if isinstance(value, str) and "${" in value:
            return value
        return super()._check_value_key(action, value, *arguments, **options)

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        if not self.exit_on_error:  # a parser inside a parser: the outer one knows the rest
            super().error(message, ex)
        print(f"error: {one_sentence(message)}", file=sys.stderr)
        sys.exit(2)


class Parser(_SaysItInOneSentence, LightningArgumentParser):
    """LightningCLI's parser, saying what is wrong in one sentence, whose configs may build on others."""

    def add_argument(self, *names: Any, **options: Any) -> Any:
        if options.get("action") is ActionConfigFile:
            options["action"] = ConfigOption
        return super().add_argument(*names, **options)


class Cli(LightningCLI):
    """LightningCLI whose lengths are generator iterations and whose every output is in one run folder."""

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """Lightning's, without those that are tools: ``predict`` needs neither a data set nor a trainer."""
        return {name: skipped for name, skipped in LightningCLI.subcommands().items() if name not in TOOLS}

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.add_argument(
            "--iterations",
            type=int | None,
            default=None,
            help="Generator iterations to train in all; overrides trainer.max_steps.",
        )
        parser.add_argument(
            "--run_folder",
            type=str | None,
            default=None,
            help="Where everything goes. Default: runs/<name of the first config>, numbered if taken; with --ckpt_path "
            "the folder of that checkpoint.",
        )

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parses, and keeps what the parsed config does not hold: its first file's name, and what came from files."""
        arguments = sys.argv[1:] if args is None else args
        self._name = run_folder.name_of_first_config(arguments)
        self._chose_folder = any(argument.partition("=")[0] == "--run_folder" for argument in arguments)
        super().parse_arguments(parser, args)

    def _parse_ckpt_path(self) -> None:
        """Looks at the checkpoint. Lightning would take hyper-parameters from it, over the config."""
        config = self.config[self.config.subcommand]
        # Checkpoints hold tensors and numbers only, and nothing else is loaded from one unless asked for.
        if config.get("weights_only") is None:
            config["weights_only"] = True
        path, iterations = config.get("ckpt_path"), config.get("iterations")
        if path is None or config["weights_only"] is False:
            return
        done = iteration_of(path)
        if self.config.subcommand == "fit" and iterations is not None and done >= iterations:
            rank_zero_warn(
                f"{path} has {done} iterations already, of --iterations {iterations} in all: nothing is left to train",
                category=UserWarning,
            )

    def before_instantiate_classes(self) -> None:
        """Refuses what would do something else than it says, before anything is built."""
        check_arguments(self._get(self.config, "trainer", default={}))
        at_least("the command line", 1, iterations=self._get(self.config, "iterations"))
        if self.subcommand in ("validate", "test") and self._get(self.config, "ckpt_path") is None:
            raise InputError(
                f"{self.subcommand} needs --ckpt_path, a .ckpt file of a run's checkpoints folder: without one it "
                "would measure a network that was never trained"
            )

    def instantiate_classes(self) -> None:
        """Builds what the config names, its loggers in the run folder, which the config that is kept does not name."""
        self._written = self.config
        logger = self._get(self.config, "trainer", default={}).get("logger")
        if logger:
            self.config = self.config.clone()
            self.config[f"{self.subcommand}.trainer.logger"] = placed(logger, self._run_folder)
        super().instantiate_classes()

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Turns iterations into Lightning's counters and the run folder into loggers, here and nowhere else."""
        self.config = self._written
        config = self._get(self.config_init, "trainer", default={})
        folder = self._run_folder
        kwargs["default_root_dir"] = folder
        kwargs["callbacks"] = wanted_callbacks(config)
        iterations = self._get(self.config, "iterations")
        if iterations is not None:
            kwargs["max_steps"] = self.model.optimizer_steps(iterations)
        kwargs["logger"] = _loggers(config.get("logger"), folder)
        trainer = super().instantiate_trainer(**kwargs)
        warn_of_slow_arithmetic(trainer)
        return trainer

    @functools.cached_property
    def _run_folder(self) -> str:
        """The run folder, the same in every process that this one starts."""
        started_by_another = "LOCAL_RANK" in os.environ and _RUN_FOLDER_VARIABLE in os.environ
        if not started_by_another:
            chosen = self._get(self.config, "run_folder")
            checkpoint = self._get(self.config, "ckpt_path")
            fits = self.subcommand == "fit"
            if checkpoint is not None and chosen is not None and not self._chose_folder:
                rank_zero_info(
                    f"run_folder {chosen} of the config is left alone: a run goes on where its checkpoint lies"
                )
                chosen = None
            os.environ[_RUN_FOLDER_VARIABLE] = run_folder.choose(chosen, checkpoint, self._name, fits, _rank())
        return os.environ[_RUN_FOLDER_VARIABLE]

    def after_fit(self) -> None:
        """Says where to look; ends with the exit code of a signal that stopped the run."""
        self._say_where_to_look()
        for callback in self.trainer.checkpoint_callbacks:
            stopped_by = getattr(callback, "stopped_by", None)
            if stopped_by is not None:
                sys.exit(128 + stopped_by)

    def _say_where_to_look(self) -> None:
        if self.trainer.is_global_zero:
            print(run_folder.where_to_look(self.trainer.default_root_dir), flush=True)


class ToolCli(Cli):
    """The command line of ``fit`` with a tool's options: builds the model and the data, and hands them to the tool."""

    _BUILT = ("model", "data", "trainer")

    def __init__(self, tool: Callable[..., int], **kwargs: Any) -> None:
        self._tool = tool
        super().__init__(**kwargs)

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        return {"fit": Cli.subcommands()["fit"]}

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        super().add_arguments_to_parser(parser)
        parser.add_function_arguments(self._tool, as_group=False, skip=set(self._BUILT))

    def instantiate_classes(self) -> None:
        """Builds what the config names; no trainer, no logger, no run folder."""
        self.config["fit.trainer.logger"] = False
        self.config_init = self.parser.instantiate(self.config)

    def _run_subcommand(self, subcommand: str) -> None:
        options = set(inspect.signature(self._tool).parameters)
        self.exit_code = int(self._tool(**{name: self._get(self.config_init, name) for name in options}))


def _loggers(chosen: Any, folder: str) -> list[Any] | bool:
    from callbacks.loggers import loggers_of_run

    return loggers_of_run(chosen, folder)


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line.

    Returns:
        The exit code: 0; 2 for bad input, said in one sentence; 70 for a bug of ours, with its traceback.
    """
    quieten()
    keep_freed_memory()
    # "omegaconf+" resolves ${…} after overlays and command line, so that an override reaches all that refer to it.
    set_parsing_settings(omegaconf_absolute_to_relative_paths=True)
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        if arguments and arguments[0] in TOOLS:
            return _run_tool(*arguments)
        Cli(**_settings(), args=arguments)
    except Exception as error:
        return _failed(error)
    return 0


def _failed(error: Exception) -> int:
    """Says what went wrong; returns the exit code."""
    sentence = sentence_for(error)
    if sentence is None:
        report_bug(error)
        return BUG
    # Each process has its own data: what only one of them meets is said by that one.
    print(f"error{'' if _rank() == 0 else f' in process {_rank()}'}: {sentence}", file=sys.stderr)
    run_folder.give_back(os.environ.get(_RUN_FOLDER_VARIABLE))
    return BAD_INPUT


def _settings() -> dict[str, Any]:
    return {
        "model_class": AdversarialTask,
        "trainer_class": RunTrainer,
        "subclass_mode_model": True,
        "subclass_mode_data": True,
        "save_config_callback": SaveConfig,
        "seed_everything_default": 0,
        "auto_configure_optimizers": False,
        "parser_class": Parser,
        "parser_kwargs": {"parser_mode": "omegaconf+", "description": _described()},
        "trainer_defaults": {"max_epochs": -1, "check_val_every_n_epoch": None, "num_sanity_val_steps": 0},
    }


def _run_tool(name: str, *arguments: str) -> int:
    modules = TOOLS[name]
    if isinstance(modules, dict):
        module = importlib.import_module("lit_an.commands.by_task").choose(modules, arguments)
        if module is None and {"-h", "--help"} & set(arguments):
            return _print_help_of_each(name, modules)
        # Without a checkpoint any of the parsers says that it needs one.
        modules = module or next(iter(modules.values()))
    run = importlib.import_module(modules).run
    if {"model", "data"} <= set(inspect.signature(run).parameters):
        return ToolCli(run, **_settings(), args=["fit", *arguments]).exit_code
    parser = _tool_parser(name, run)
    options = parser.instantiate(parser.parse_args(with_quoted_names(arguments, run)))
    return int(run(**{key: options[key] for key in inspect.signature(run).parameters}))


def _tool_parser(name: str, run: Callable[..., int]) -> ArgumentParser:
    parser = _SaysItInOneSentence(prog=f"cli.py {name}")
    parser.description = (inspect.getdoc(run) or "").partition("\n")[0]
    parser.add_function_arguments(run, as_group=False)
    return parser


def _print_help_of_each(name: str, modules: dict[str, str]) -> int:
    print(f"The options of {name} are those of the task that --ckpt_path was trained with.")
    for task, module in modules.items():
        print(f"\n{task}\n")
        _tool_parser(name, importlib.import_module(module).run).print_help()
    return 0


def _described() -> str:
    return f"Trains and runs lit_an's networks. Tools, each with its own --help: {', '.join(TOOLS) or 'none'}."


def _rank() -> int:
    """This process among all of the run, as Lightning reads it from the environment before it starts."""
    return int(getattr(rank_zero_only, "rank", 0))


if __name__ == "__main__":
    sys.exit(main())
