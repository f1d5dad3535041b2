"""Options and config files as they should not be: wrong types, ranges, classes, unknown keys, pairs that conflict."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from hypothesis import strategies as st

from lit_an.command_line.trainer_arguments import RULES

NUMBERS = ["-1", "0", "1", "2", "3", "1.5", "-0.0", "1e400", "1e-320", ".nan", "-.inf", "0x10", "1_0", "007"]
HUGE = ["9999999", "9999999999999999999999"]
TEXTS = [
    "",
    " ",
    "true",
    "null",
    "~",
    "text",
    "ü",
    "\udce9",
    "%s",
    "a: b: c",
    "'",
    '"',
    "\n",
    "- a",
    "*a",
    "&a",
    "2024-01-01",
]
NESTED = ["[]", "[1, 2]", "[[]]", "{}", "{a: 1}", "{class_path: 1}", "{init_args: {}}", "[null]", "{1: 2}"]
REFERENCES = ["${nope}", "${model.nope}", "${", "${oc.env:HOME}", "${model.init_args.generator}"]
# None at which a file can be made, not even by root, but for those in the folder that the test runs in.
PATHS = ["/proc/no/such", ".", "/dev/null", "/proc/self/mem", "~", "\0"]
CLASSES = [
    "os.system",
    "builtins.eval",
    "lit_an",
    "lit_an.nope.Nope",
    "lit_an.networks.ResNetGenerator",
    "lit_an.data.InpaintingData",
    "lit_an.data.sources.Earth",
    "lit_an.tasks.InpaintingGAN",
    "callbacks.GeneratorEMA",
    "torch.nn.Linear",
    "torch.optim.SGD",
    "torch.optim.LBFGS",
    "torch.optim.lr_scheduler.CosineAnnealingLR",
    "pytorch_lightning.loggers.CSVLogger",
    "!!python/object/apply:os.system ['true']",
]
# More of these is no mistake but a longer run, more processes or machines: the case would not end.
COUNTS = ("iterations", "devices", "num_nodes", "num_workers", "batch_size", "batches_per_iteration")
COUNTS = (*COUNTS, "discriminator_steps", "prefetch_factor", "max_time")


def values_of(config: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """All keys of a config, dotted, those of groups included, with their values."""
    for name, value in config.items():
        yield f"{prefix}{name}", value
        if isinstance(value, dict):
            yield from values_of(value, f"{prefix}{name}.")


def values_for(key: str) -> st.SearchStrategy[str]:
    """Odd values, without those that only make a run longer."""
    counts = key.rpartition(".")[2] in COUNTS
    numbers = [number for number in NUMBERS if not counts or number not in ("2", "3", "0x10", "1_0", "007")]
    return st.one_of(
        st.sampled_from(numbers),
        st.sampled_from([*TEXTS, *NESTED, *REFERENCES, *PATHS, *([] if counts else HUGE)]),
        st.sampled_from(CLASSES),
        st.text(max_size=12).filter(lambda text: "/" not in text and not (counts and text.strip().isdecimal())),
    )


def near(key: str, value: Any) -> st.SearchStrategy[str]:
    """Values of the right type, in range or just out of it: they get further than odd ones."""
    counts = key.rpartition(".")[2] in COUNTS
    if isinstance(value, bool):
        return st.sampled_from(["true", "false"])
    if isinstance(value, int):
        return st.sampled_from([-1, 0, 1] if counts else [-1, 0, 1, 2, 3, 4, 8, value + 1, value // 2]).map(str)
    if isinstance(value, float):
        return st.sampled_from([-1.0, 0.0, 1e-9, 0.5, 1.0, 2.0, 1e6, 1e30, 1e38, value * 10]).map(str)
    return values_for(key)


def options(config: Mapping[str, Any]) -> st.SearchStrategy[list[str]]:
    """One to three options of a run, near its own or odd.

    Args:
        config: the values of the run, by dotted key.
    """
    numbers = [key for key, value in config.items() if isinstance(value, (bool, int, float))]
    close = st.sampled_from(numbers).flatmap(lambda key: near(key, config[key]).map(partial(_option, key)))
    known = st.sampled_from([*config, *(f"trainer.{name}" for name in RULES)])
    misspelled = st.builds(lambda key, at: key[: at % len(key)] + "x" + key[at % len(key) :], known, st.integers(0, 99))
    free = st.text(st.characters(min_codepoint=33, max_codepoint=1000), min_size=1, max_size=12)
    key = st.one_of(known, known, known, misspelled, free)
    odd = key.flatmap(lambda name: values_for(name).map(partial(_option, name)))
    return st.one_of(st.lists(close, min_size=1, max_size=3), st.lists(st.one_of(close, odd), min_size=1, max_size=2))


def _option(key: str, value: str) -> str:
    return f"--{key}={value}"


_SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.floats(), st.text(max_size=8), st.sampled_from(CLASSES)
)
_NAMES = [
    "model",
    "data",
    "trainer",
    "class_path",
    "init_args",
    "base",
    "seed_everything",
    "callbacks",
    "source",
    "generator",
]
TREES = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_NAMES) | st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=12,
)
