"""Optimizers and schedules of both networks, new or resumed.

A resumed run takes the state of an optimizer (its moments) from the checkpoint, and its hyperparameters and schedule
from the config. A schedule is a function of the iteration, so a new one is stepped to the checkpoint's iteration. With
an unchanged config the result is bit for bit the state in the checkpoint.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from pytorch_lightning.utilities.rank_zero import rank_zero_warn
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from lit_an.checkpoints.format import read_entries, write_entries
from lit_an.errors import InputError

# Entries of a parameter group that do not come from the config.
_NOT_SETTINGS = ("params", "param_names", "initial_lr")
# Entries of a schedule's state that follow from the iteration and the optimizer's learning rates.
_PROGRESS = (
    "base_lrs",
    "last_epoch",
    "T_cur",
    "T_i",
    "verbose",
    "_step_count",
    "_last_lr",
    "_is_initial",
    "_get_lr_called_within_step",
    "_schedulers",
)


MakeOptimizer = Callable[[Any], Optimizer]
MakeSchedule = Callable[[Optimizer], Any]


class NetworkTraining(NamedTuple):
    """A network's optimizer and schedule, built from the config.

    Attributes:
        side: ``generator`` or ``discriminator``, for error sentences.
        optimizer: new, without any state.
        schedule: new, or None.
        make_optimizer: makes such an optimizer from parameters.
    """

    side: str
    optimizer: Optimizer
    schedule: LRScheduler | None
    make_optimizer: MakeOptimizer


def make_training(
    side: str, network: nn.Module, make_optimizer: MakeOptimizer, make_schedule: MakeSchedule | None
) -> NetworkTraining:
    """Creates a network's optimizer and schedule.

    Raises:
        InputError: one of them rejects a number, or the schedule depends on a metric.
    """
    where = f"model.{side}_optimizer"
    try:
        optimizer = make_optimizer(network.parameters())
        where = f"model.{side}_scheduler"
        schedule = None if make_schedule is None else make_schedule(optimizer)
    except InputError:
        raise
    except (RuntimeError, TypeError, ValueError) as error:  # what torch raises for a wrong number
        raise InputError(f"{where}: {' '.join(str(error).split())}; give a valid number") from error
    if isinstance(schedule, ReduceLROnPlateau):
        raise InputError(
            f"{where}: ReduceLROnPlateau depends on a metric, and schedules here depend on the iteration; choose "
            "another schedule, such as lit_an.tasks.LinearDecay"
        )
    return NetworkTraining(side, optimizer, schedule, make_optimizer)


def write_progress(
    checkpoint: dict[str, Any], task: object, iteration: int, trainings: Sequence[NetworkTraining]
) -> None:
    """Adds the task, the iteration and the classes of optimizers and schedules to a checkpoint."""
    kinds = [
        {
            "optimizer": _name(training.optimizer),
            "schedule": None if training.schedule is None else _name(training.schedule),
        }
        for training in trainings
    ]
    write_entries(checkpoint, task=_name(task), iteration=iteration, optimizer_kinds=kinds)


def apply_config(
    trainings: Sequence[NetworkTraining], checkpoint: dict[str, Any], iteration: int, steps: int
) -> list[str]:
    """Replaces hyperparameters and schedules in a checkpoint by the config's, before it is restored.

    A checkpoint of more discriminator steps per iteration has counted more optimizer steps; it gets those of its
    iterations as they are made now.

    Args:
        trainings: of the config; their schedules are stepped to ``iteration``.
        checkpoint: its ``optimizer_states`` and ``lr_schedulers`` are changed.
        iteration: the checkpoint's.
        steps: of both optimizers in an iteration.

    Returns:
        A line for each difference between the checkpoint and the config.

    Raises:
        InputError: the optimizer is of another class, or needs state that the checkpoint lacks.
    """
    lines: list[str] = []
    _limit_counted_steps(checkpoint, iteration * steps)
    states, schedules = checkpoint["optimizer_states"], _stored_schedules(trainings, checkpoint)
    kinds = read_entries(checkpoint, "the checkpoint").optimizer_kinds or ({},) * len(trainings)
    for training, state, schedule, kind in zip(trainings, states, schedules, kinds, strict=True):
        _refuse_another(training, state, kind)
        _bring_to(training, iteration)
        before, now = ([_settings(group) for group in groups] for groups in (state["param_groups"], _groups(training)))
        lines += _differences(f"{training.side}_optimizer", before, now)
        lines += _schedule_lines(training, schedule, kind)
        for group, mine in zip(state["param_groups"], _groups(training), strict=True):
            kept = {name: group[name] for name in ("params", "param_names") if name in group}
            group.clear()
            group.update({name: value for name, value in mine.items() if name != "params"} | kept)
    checkpoint["lr_schedulers"] = [
        training.schedule.state_dict() for training in trainings if training.schedule is not None
    ]
    return lines


def _limit_counted_steps(checkpoint: dict[str, Any], most: int) -> None:
    """Lowers Lightning's count of optimizer steps, by which it ends a run, to ``most``."""
    loops = checkpoint.get("loops", {}).get("fit_loop", {})
    counted = loops.get("epoch_loop.manual_optimization.optim_step_progress", {}).get("total", {})
    if counted.get("completed", 0) > most:
        counted["ready"] = counted["completed"] = checkpoint["global_step"] = most


def _name(thing: object) -> str:
    return f"{type(thing).__module__}.{type(thing).__qualname__}"


def _groups(training: NetworkTraining) -> list[dict[str, Any]]:
    return training.optimizer.param_groups


def _settings(group: dict[str, Any]) -> dict[str, Any]:
    """The hyperparameters of a group; the learning rate is the initial one of the schedule."""
    settings = {name: value for name, value in group.items() if name not in _NOT_SETTINGS}
    return settings | {"lr": group.get("initial_lr", group.get("lr"))}


def _stored_schedules(
    trainings: Sequence[NetworkTraining], checkpoint: dict[str, Any]
) -> Iterator[dict[str, Any] | None]:
    """The stored schedule of each network, recognized by the initial rate in the optimizer's groups."""
    left = iter(checkpoint["lr_schedulers"])
    for state in checkpoint["optimizer_states"]:
        yield next(left, None) if "initial_lr" in state["param_groups"][0] else None


def _refuse_another(training: NetworkTraining, state: dict[str, Any], kind: Mapping[str, str | None]) -> None:
    gathered: dict[str, Any] = next(iter(state["state"].values()), {})
    if not gathered:  # no step was made, so any optimizer may start here
        return
    mine, stored = _name(training.optimizer), kind.get("optimizer")
    if stored is None:  # an older checkpoint: hyperparameter names distinguish the classes
        other = _settings(state["param_groups"][0]).keys() - _settings(_groups(training)[0]).keys()
    else:
        other = set() if stored == mine else {stored}
    lacking = _needs(training) - set(gathered)
    if other or lacking:
        what = f"was made with {stored or 'another one'}" if other else f"lacks its {', '.join(sorted(lacking))}"
        raise InputError(
            f"model.{training.side}_optimizer is {mine} in the config, but the checkpoint {what}; keep the optimizer "
            "of the resumed run (config.yaml in its run folder), or start a new run"
        )


def _needs(training: NetworkTraining) -> set[str]:
    """Names of the optimizer's state of a parameter, found by one step on a scalar."""
    probe = nn.Parameter(torch.zeros(1, device=_groups(training)[0]["params"][0].device))
    probe.grad = torch.zeros_like(probe)
    try:
        optimizer = training.make_optimizer([probe])
        optimizer.step()
    except (RuntimeError, TypeError, ValueError):  # one that wants matrices, or a closure
        return set()
    return set(optimizer.state[probe])


def _bring_to(training: NetworkTraining, iteration: int) -> None:
    if training.schedule is None:
        return
    with warnings.catch_warnings():
        # torch expects a step of the optimizer before each.
        warnings.simplefilter("ignore")
        for _ in range(iteration):
            step_schedule(training.side, training.schedule)


def step_schedule(side: str, schedule: Any) -> None:
    """Steps a schedule by one iteration.

    Raises:
        InputError: the schedule has ended.
    """
    try:
        schedule.step()
    except ValueError as error:
        raise InputError(
            f"model.{side}_scheduler: {type(schedule).__name__} ends at iteration {schedule.last_epoch} ({error}); "
            "make it as long as the run"
        ) from error


def _schedule_lines(
    training: NetworkTraining, stored: dict[str, Any] | None, kind: Mapping[str, str | None]
) -> list[str]:
    """Compares a schedule stepped to the checkpoint's iteration with the stored one."""
    key = f"{training.side}_scheduler"
    mine = None if training.schedule is None else _name(training.schedule)
    before = kind.get("schedule", "a schedule") if stored is not None else None
    if stored is None or training.schedule is None or (kind and before != mine):
        return [] if before == mine else [_line(key, before, mine)]
    return _differences(key, [_arguments(stored)], [_arguments(training.schedule.state_dict())])


def _arguments(state: dict[str, Any]) -> dict[str, Any]:
    """A schedule's arguments, with those of schedules inside it."""
    found = {name.lstrip("_"): value for name, value in state.items() if name not in _PROGRESS}
    for number, inner in enumerate(state.get("_schedulers", [])):
        found |= {f"schedulers.{number}.{name}": value for name, value in _arguments(inner).items()}
    return found


def _differences(key: str, before: list[dict[str, Any]], now: list[dict[str, Any]]) -> list[str]:
    lines = []
    for old, new in zip(before, now, strict=True):
        names = [name for name in new if name in old and _plain(old[name]) != _plain(new[name])]
        lines += [_line(f"{key}.{name}", old[name], new[name]) for name in names]
    return lines


def _plain(value: Any) -> Any:
    """Converts tuples to lists, which are equal in a checkpoint."""
    return list(value) if isinstance(value, tuple) else value


def _line(key: str, before: Any, now: Any) -> str:
    before, now = ("none" if value is None else value for value in (before, now))
    return f"model.{key} is {now} in the config and was {before} in the checkpoint; the config's value is used"


def check_checkpoint(
    mine: Mapping[str, Any], checkpoint: Mapping[str, Any], keeps_average: bool, class_names: Sequence[str] = ()
) -> None:
    """Rejects a checkpoint that does not fit; warns of an average that would be lost, and of other classes.

    Args:
        mine: state of the task.
        checkpoint: to be restored into it.
        keeps_average: whether a callback of this run averages the generator's weights.
        class_names: of the data, in the order of their labels.

    Raises:
        InputError: a newer format, or a parameter that is missing, unknown or of another shape.
    """
    entries = read_entries(checkpoint, "the checkpoint")
    check_architecture(mine, checkpoint["state_dict"])
    if entries.average and not keeps_average:
        rank_zero_warn(
            "the checkpoint holds an average of the generator's weights, but this run has no callback that keeps one: "
            "add callbacks.GeneratorEMA to trainer.callbacks to continue it",
            category=UserWarning,
        )
    both = enumerate(zip(entries.class_names, class_names, strict=False))
    # A task without named classes calls them by their labels.
    changed = [(label, *pair) for label, pair in both if len({*pair}) > 1 and str(label) not in pair]
    if changed:
        label, before, now = changed[0]
        rank_zero_warn(
            f"{len(changed)} of {len(class_names)} classes of the data are called otherwise in the checkpoint: {label} "
            f"is {now!r} and was {before!r}; give the data of that run, unless only names have changed",
            category=UserWarning,
        )


def check_architecture(mine: Mapping[str, Any], stored: Mapping[str, Any]) -> None:
    """Rejects the weights of other networks.

    Args:
        mine, stored: states of the task, here and in the checkpoint.

    Raises:
        InputError: a parameter is missing, unknown or of another shape.
    """
    for name in [*mine, *stored]:
        if name not in stored:
            problem = f"lacks {name}"
        elif name not in mine:
            problem = f"holds {name}, which the configured networks lack"
        elif isinstance(mine[name], Tensor) and mine[name].shape != stored[name].shape:
            problem = f"holds {name} with shape {tuple(stored[name].shape)}, not {tuple(mine[name].shape)}"
        else:
            continue
        raise InputError(
            f"the checkpoint is of another architecture: it {problem}; use the config that it was trained with "
            "(config.yaml in its run folder)"
        )
