"""Places the files of configured loggers in the run folder unless the config names another folder."""

import os
from pathlib import Path
from typing import Any

from jsonargparse import Namespace

_FOLDERS = ("save_dir", "root_dir")  # what Lightning's loggers call the folder of their files


def place_loggers(chosen: Any, folder: str) -> Any:
    """Sets the run folder in the configuration of loggers that name no folder.

    A folder that is ``.`` or begins with ``./``, as Lightning's defaults do, lies in the run folder; another one is
    kept. MLflow's default becomes a database in the run folder, Comet's an archive in its folder ``comet``.

    Args:
        chosen: the value of ``trainer.logger``.
        folder: the run folder.

    Returns:
        A copy with folders; the argument is not changed.

    Example:
        >>> csv = Namespace(class_path="pytorch_lightning.loggers.CSVLogger", init_args=Namespace(save_dir="./csv"))
        >>> place_loggers([csv], "runs/earth")[0].init_args.save_dir
        'runs/earth/csv'
        >>> place_loggers(None, "runs/earth") is None
        True
    """
    if isinstance(chosen, list):
        return [place_loggers(each, folder) for each in chosen]
    if not isinstance(chosen, Namespace) or "class_path" not in chosen:
        return chosen
    logger = chosen.clone()
    arguments = logger.get("init_args") or Namespace()
    kind = str(logger.class_path).rpartition(".")[2]
    if kind == "MLFlowLogger" and arguments.get("tracking_uri") is None and _is_relative(arguments.get("save_dir")):
        # MLflow refuses the folder of files that Lightning's default names.
        place = Path(folder).resolve()
        arguments.tracking_uri = f"sqlite:///{(place / 'mlflow.db').as_posix()}"
        if arguments.get("artifact_location") is None:
            arguments.artifact_location = str(place / "mlflow_artifacts")
    if kind == "CometLogger":
        _place_comet(logger, arguments, folder)
    for name in _FOLDERS:
        if _is_relative(arguments.get(name)):
            arguments[name] = str(Path(folder, arguments[name]))
    logger.init_args = arguments
    return logger


def _place_comet(logger: Namespace, arguments: Namespace, folder: str) -> None:
    given = dict(logger.get("dict_kwargs") or {})
    given.setdefault("offline_directory", str(Path(folder, "comet")))
    logger.dict_kwargs = given
    # Otherwise Comet also copies everything logged to TensorBoard.
    os.environ.setdefault("COMET_DISABLE_AUTO_LOGGING", "1")
    if arguments.get("online") is False:
        # Lightning disables such a logger (its issue 21617), so Comet gets the setting from the environment.
        arguments.online = None
        os.environ["COMET_START_ONLINE"] = "false"


def _is_relative(place: Any) -> bool:
    """Whether a folder is relative to the run folder."""
    return isinstance(place, (str, Path)) and (str(place) == "." or str(place).startswith("./"))
