"""``fit``, ``validate`` and ``test``: LightningCLI with lengths in generator iterations and one run folder."""

import functools
import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jsonargparse import ActionConfigFile, set_parsing_settings
from pytorch_lightning import Trainer
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI
from pytorch_lightning.utilities.rank_zero import rank_zero_info, rank_zero_warn

import lit_an.command_line.run_folder as run_folder
from lit_an.command_line.callback_options import keep_last_of_a_kind, with_named_callback
from lit_an.command_line.checkpoint import Start, choose_start, iteration_of
from lit_an.command_line.config_option import ConfigOption
from lit_an.command_line.failures import UNSAVED, rank_of_process
from lit_an.command_line.known_configs import require_config
from lit_an.command_line.loggers import place_loggers
from lit_an.command_line.many_processes import tell_later_nodes
from lit_an.command_line.nested_options import keep_text_of_paths, with_nested_text
from lit_an.command_line.notices import say_warnings_plainly, warn_of_slow_arithmetic
from lit_an.command_line.option_order import unused_options
from lit_an.command_line.own_config import config_of_run
from lit_an.command_line.parsers import CommandLineOnly, OneSentenceParser
from lit_an.command_line.saved_config import SaveConfig, settings_of
from lit_an.command_line.short_help import ALL, options_of
from lit_an.command_line.trainer_arguments import RunTrainer, check_arguments, enabled_callbacks
from lit_an.errors import InputError, at_least
from lit_an.files import remove_leftovers, user_path
from lit_an.tasks.adversarial import AdversarialTask

_NO_CHECKPOINT = (
    "{} needs --ckpt_path, a run folder or a .ckpt file of its checkpoints folder: without one it would measure a "
    "network that was never trained"
)


class TrainerParser(OneSentenceParser, LightningArgumentParser):
    """LightningCLI's parser with one-sentence errors, config inheritance and options of callbacks by their names.

    Attributes:
        config_files: the config files read; the parsed result does not name them if a config has references.
        places_as_long: their keys that have the length of the run.
    """

    nested_options = tuple(option.name for option in options_of("fit"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.config_files: list[Path] = []
        self.places_as_long: set[tuple[str, ...]] = set()
        super().__init__(*args, **kwargs)

    def add_argument(self, *names: Any, **options: Any) -> Any:
        """Adds an option; ``--config`` becomes a ``ConfigOption``."""
        if options.get("action") is ActionConfigFile:
            options["action"] = ConfigOption
        return super().add_argument(*names, **options)

    def _parse_optional(self, arg_string: str) -> Any:
        return with_named_callback(with_nested_text(super()._parse_optional(arg_string), arg_string), arg_string)


class TrainerCli(LightningCLI):
    """LightningCLI with lengths in generator iterations and all output in one run folder."""

    _typed = ""  # the command as typed, where it is not one of Lightning's

    def __init__(self, **kwargs: Any) -> None:
        tell_later_nodes()
        self._run_folder_options: list[CommandLineOnly] = []
        self._command_parsers: list[TrainerParser] = []
        self._start = Start(None, None)
        command, *options = ["--help" if each == ALL else each for each in kwargs.pop("args")]
        config = config_of_run(options)
        if config is not None:
            rank_zero_info(f"no --config: the run's own is used, {config}")
            options = [f"--config={config}", *options]
        if command == "fit":
            require_config(self._typed or command, options)
        elif not options:
            raise InputError(_NO_CHECKPOINT.format(command))
        self._command, self._options = command, options
        super().__init__(**kwargs, args=[command, *options])

    def subcommands(self) -> dict[str, set[str]]:  # type: ignore[override]
        """The one that is called, since a parser takes a good part of a second."""
        return {self._command: LightningCLI.subcommands()[self._command]}

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Adds the length and the folder of a run."""
        parser.add_argument(
            "--iterations",
            type=int | None,
            default=None,
            help="Generator iterations to train in all, those before a resume included.",
        )
        option = parser.add_argument(
            "--run_folder",
            action=CommandLineOnly,
            default=None,
            help="Where everything goes. Default: runs/<name of the first config>, numbered if taken; with --ckpt_path "
            "the folder of that checkpoint.",
        )
        self._run_folder_options.append(option)
        assert isinstance(parser, TrainerParser)
        self._command_parsers.append(parser)

    def _parse_ckpt_path(self) -> None:
        """Checks the checkpoint. Lightning would let its hyperparameters override the config."""
        config = self.config[self.config.subcommand]
        # Checkpoints hold tensors and plain values only.
        if config.get("weights_only") is None:
            config["weights_only"] = True
        if config.get("run_folder") is not None:
            config["run_folder"] = str(user_path(_text(config["run_folder"], "run_folder")))
        own = config.get("run_folder") or str(Path("runs", self._name_of_first_config()))
        trains = self.config.subcommand == "fit" and not self._typed
        self._start = choose_start(config.get("ckpt_path"), own, trains)
        config["ckpt_path"] = self._start.checkpoint
        iterations = config.get("iterations")
        if self._start.checkpoint is None:
            if self._start.folder is not None and self.config.subcommand != "fit":
                raise InputError(f"{self._start.folder} holds no checkpoint yet; train it with fit")
            return
        done = iteration_of(self._start.checkpoint)
        if trains and iterations is not None and done >= iterations:
            rank_zero_warn(
                f"already at {done} of {iterations} iterations, so nothing is left to train; a larger --iterations "
                f"goes on from {self._start.checkpoint}",
                category=UserWarning,
            )

    def before_instantiate_classes(self) -> None:
        """Rejects invalid arguments before anything is built."""
        for sentence in unused_options(self._options, settings_of(self.config[self.subcommand], "trainer")):
            rank_zero_warn(sentence, category=UserWarning)
        for name in keep_last_of_a_kind(self.config[self.subcommand]):
            rank_zero_info(f"trainer.callbacks: a run has one {name}; the last of them is used")
        check_arguments(self._get(self.config, "trainer", default={}))
        at_least("the command line", 1, iterations=self._get(self.config, "iterations"))
        if self._get(self.config, "weights_only") is False:
            raise InputError(
                "--weights_only false is not possible here: a checkpoint of a run holds nothing to execute"
            )
        if self.subcommand in ("validate", "test") and self._get(self.config, "ckpt_path") is None:
            raise InputError(_NO_CHECKPOINT.format(self.subcommand))

    def instantiate_classes(self) -> None:
        """Builds the classes of the config. The loggers get the run folder, which the saved config does not name."""
        self._written = self.config
        logger = self._get(self.config, "trainer", default={}).get("logger")
        if logger:
            self.config = self.config.clone()
            self.config[f"{self.subcommand}.trainer.logger"] = place_loggers(logger, self._run_folder)
        super().instantiate_classes()

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Converts iterations to Lightning's counters and creates the loggers in the run folder."""
        self.config = self._written
        config = self._get(self.config_init, "trainer", default={})
        folder = self._run_folder
        kwargs["default_root_dir"] = folder
        kwargs["callbacks"] = [*_headers(self.subcommand), *enabled_callbacks(config), *_records(self.subcommand)]
        iterations = self._get(self.config, "iterations")
        if iterations is not None:
            kwargs["max_steps"] = self.model.optimizer_steps(iterations)
        kwargs["logger"] = _loggers(config.get("logger"), folder, config.get("cards", "few"))
        trainer = super().instantiate_trainer(**kwargs)
        warn_of_slow_arithmetic(trainer)
        return trainer

    @functools.cached_property
    def _run_folder(self) -> str:
        """The run folder, the same in every process that this one starts."""
        started_by_another = "LOCAL_RANK" in os.environ and run_folder.VARIABLE in os.environ
        if not started_by_another:
            # A folder in place of a checkpoint is where the run stays.
            chosen, checkpoint = self._get(self.config, "run_folder"), self._get(self.config, "ckpt_path")
            origin = self._start.folder or (checkpoint and str(run_folder.folder_of(checkpoint)))
            stays = origin is not None and (chosen is None or run_folder.is_same(chosen, origin))
            if origin is not None and not stays and not self._chose_run_folder():
                rank_zero_info(
                    f"run_folder {chosen} of the config is ignored: a resumed run stays in the folder of its checkpoint"
                )
                stays = True
            name, rank, fits = self._name_of_first_config(), rank_of_process(), self.subcommand == "fit"
            chosen = origin if stays else chosen
            folder = run_folder.choose(chosen, checkpoint, name, fits and not stays, rank)
            if fits and rank == 0:
                run_folder.take(folder)
            os.environ[run_folder.VARIABLE] = folder
        return os.environ[run_folder.VARIABLE]

    def _chose_run_folder(self) -> bool:
        """Whether the command line, not only a config, names the run folder."""
        return any(option.given for option in self._run_folder_options)

    def _name_of_first_config(self) -> str:
        """The stem of the first config file, or ``run`` without one."""
        return next((path.stem for parser in self._command_parsers for path in parser.config_files), "run")

    def before_fit(self) -> None:
        """Removes what a killed run was writing in this folder; tells loggers the settings."""
        if rank_of_process() == 0:
            # Not below it: other runs may lie there. Callbacks tidy the folders that they write to.
            remove_leftovers(Path(self._run_folder), below=False)
            _log_settings(self.trainer, settings_of(self.config[self.subcommand]))

    def after_fit(self) -> None:
        """Prints the contents of the run folder; exits with the code of a signal, or that the end is not saved."""
        if self.trainer.is_global_zero:
            print(run_folder.where_to_look(self.trainer.default_root_dir), flush=True)
        for callback in self.trainer.checkpoint_callbacks:
            if getattr(callback, "unsaved", False):
                raise SystemExit(UNSAVED)
            stopped_by = getattr(callback, "stopped_by", None)
            if stopped_by is not None:
                raise SystemExit(128 + stopped_by)


class ConfiguredCommandCli(TrainerCli):
    """The command line of ``fit`` with a command's options: builds the model and the data for the command.

    Args:
        name: of the command.
        run: the command; it gets ``model``, ``data``, ``trainer``, ``iterations`` and ``run_folder`` as the config
            says, and its own options.
    """

    _BUILT = ("model", "data", "trainer", "iterations", "run_folder")

    def __init__(self, name: str, run: Callable[..., int], **kwargs: Any) -> None:
        self._typed, self._run = name, run
        super().__init__(**kwargs)

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Adds the command's own options."""
        super().add_arguments_to_parser(parser)
        parser.add_function_arguments(self._run, as_group=False, skip=set(self._BUILT))

    def instantiate_classes(self) -> None:
        """Builds the classes of the config without a trainer, loggers or a run folder."""
        self.config["fit.trainer.logger"] = False
        self.config_init = self.parser.instantiate(self.config)

    def _run_subcommand(self, subcommand: str) -> None:
        options = set(inspect.signature(self._run).parameters)
        self.exit_code = int(self._run(**{name: self._get(self.config_init, name) for name in options}))


def settings() -> dict[str, Any]:
    """Arguments shared by both command lines."""
    say_warnings_plainly()
    keep_text_of_paths()
    # "omegaconf+" resolves ${…} after overlays and command line, so that an override reaches all that refer to it.
    set_parsing_settings(omegaconf_absolute_to_relative_paths=True)
    return {
        "model_class": AdversarialTask,
        "trainer_class": RunTrainer,
        "subclass_mode_model": True,
        "subclass_mode_data": True,
        "save_config_callback": SaveConfig,
        "seed_everything_default": 0,
        "auto_configure_optimizers": False,
        "parser_class": TrainerParser,
        "parser_kwargs": {"parser_mode": "omegaconf+"},
        # A header says more than Lightning's summary.
        "trainer_defaults": {
            "max_epochs": -1,
            "check_val_every_n_epoch": None,
            "num_sanity_val_steps": 0,
            "enable_model_summary": False,
        },
    }


def _text(value: Any, key: str) -> str:
    """A text from a config.

    Raises:
        InputError: YAML reads it as something else.
    """
    if not isinstance(value, str):
        raise InputError(f"{key}: expected a text, got {value!r}; put it in quotes in the config")
    return value


def _headers(subcommand: str | None) -> list[Any]:
    """What every training says before it begins."""
    from callbacks.records.header import RunHeader

    return [RunHeader()] if subcommand == "fit" else []


def _records(subcommand: str | None) -> list[Any]:
    """What every training writes about itself."""
    from callbacks.records.order import run_records

    return run_records() if subcommand == "fit" else []


def _log_settings(trainer: Trainer, values: dict[str, Any]) -> None:
    from callbacks.loggers import log_settings

    log_settings(trainer, values)


def _loggers(chosen: Any, folder: str, cards: Any) -> list[Any] | bool:
    from callbacks.loggers import loggers_of_run

    return loggers_of_run(chosen, folder, cards)
