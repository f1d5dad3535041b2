"""The commands of README.md, docs/*.md and the model cards run as they are written, on small stand-ins for a reader's.

A command is an indented line (or several, with a backslash at the end) that begins like one. Rules put stand-ins in
place of what a reader would write (``…``, FOLDER, N, /data/imagenet) and make sizes small; options are not touched
otherwise. Trainings become ``check``, which takes the same options and builds the same networks and data. What cannot
run here is parsed, or named below with the reason.
"""

import importlib
import re
import shlex
from pathlib import Path

import pytest
import yaml
from PIL import Image

import cli
from lit_an.command_line.parsers import command_parser, with_short_values
from lit_an.data.sources import Earth
from tests.inpainting.small_inpainter import write_run
from tests.photo_folders import make_places
from tests.photographs import make_imagenet
from tests.test_configs import INPAINTING_QUICKSTART, said_by

ROOT = Path(__file__).parent.parent
CARDS = sorted(ROOT.glob("lit_an/showcase/*/README.md"))
DOCUMENTS = [*sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md")]), *CARDS]

COMMAND = re.compile(r"(?:python|lit-an|pip|make|tensorboard|pre-commit|cd|export) ")

# Beginnings of commands that are not run, and why.
NOT_RUN = {
    "make ": "installs, trains for minutes or runs the tests",
    "pip ": "installs",
    "tensorboard ": "serves until it is stopped",
    "python benchmarks/": "takes minutes to hours",
    "python -m pytest": "runs the tests",
}
# Beginnings of commands that are only parsed, and why; and words that make a command one of these.
PARSED = {
    "python cli.py demo": "serves until it is stopped",
    "python cli.py gpu": "needs a GPU, or takes minutes; tests/device_checks runs it",
}
PARSED_FOR = {
    "configs/metrics/inception.yaml": "downloads 90 MB of weights",
    "torchscript": "a file of another package",
    "configs/metrics/small.yaml": "a file of another package",
    "configs/metrics/inpainting_small.yaml": "a file of another package",
}

STAND_INS = {
    "N": "3",
    "SEED": "1",
    "FORM": "frobenius",
    "/data/imagenet": "imagenet",
    "/data/imagenet128": "imagenet128",
    "/data/places365": "places365",
    "runs/ablations/long_range": "runs",
    "runs/folder64": "runs/earth_quickstart",
    "runs/one": "runs/earth_quickstart",
    "runs/two": "runs/earth_quickstart",
    "cuda:0": "cpu",
    "cuda:1": "cpu",
}
SMALL = {"--samples_per_class": "2", "--per_bin": "1"}
SMALL_MASKS = {"--image_size": "32"}
CLASSES = ["--model.generator.base_width=4", "--model.discriminator.base_width=4"]
# Their discriminators look at the features of a frozen network.
ON_FEATURES = ("earth_quickstart", "earth_showcase", "folder64")
CLASSES_ON_FEATURES = ["--model.generator.base_width=4", "--model.discriminator.head_width=4"]
HOLES = ["--model.generator.width=4", "--model.discriminator.base_width=4", "--model.losses.id_mrf_weight=0"]
LENIENT = ["--max_small=1", "--max_overlap=1", "--sample=2", "--data.num_workers=0"]


def ids(document: Path) -> str:
    return str(document.relative_to(ROOT))


def commands_of(document: Path) -> list[str]:
    """Commands without comments, those of several lines in one."""
    text = re.sub(r"^```.*?^```", "", document.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    joined = re.sub(r"\\\n\s+", "", text)
    lines = [re.sub(r"^lit-an ", "python cli.py ", line.strip()) for line in joined.splitlines() if line[:4] == "    "]
    return [re.split(r"\s+#\s|\s+&", line)[0] for line in lines if COMMAND.match(line)]


def is_inpainting(words: list[str]) -> bool:
    return any("inpainting" in word or word in ("--images", "demo") or "places" in word for word in words)


def stand_ins(words: list[str], document: Path) -> list[str]:
    """Words of a command with all that a reader would replace replaced."""
    of_holes = is_inpainting(words) or "inpainting" in (document.stem, document.parent.name)
    run_folder = f"runs/{'places256_an' if of_holes else 'earth_quickstart'}"
    checkpoint = f"{run_folder}/checkpoints/last.ckpt"
    config = f"configs/{'inpainting/earth_inpainting' if of_holes else 'class_conditional/earth_quickstart'}.yaml"
    small = SMALL | (SMALL_MASKS if "prepare_masks" in words else {})
    placed: list[str] = []
    for word in (word.strip("[]") if word.startswith("[--") or word.endswith("S]") else word for word in words):
        option = placed[-1] if placed else ""
        if word == "…":
            meant = {"--config": [config], "--ckpt_path": [checkpoint], "sample": ["--ckpt_path", checkpoint]}
            placed += meant.get(option, [])
        else:
            first, slash, rest = STAND_INS.get(word, word).partition("/")
            first = {"RUN_FOLDER": run_folder, "$configs": "configs"}.get(first, first)
            placed.append(small.get(option, first + slash + rest))
    return placed


def as_check(words: list[str], tiles: Earth) -> list[str]:
    """A command of the trainer as a check of the same config, with networks and data of a size for tests."""
    if "--config" not in words:  # the run's own is small
        return ["check", *words[1:], *LENIENT]
    on_features = any(f"class_conditional/{name}.yaml" in word for name in ON_FEATURES for word in words)
    classes = CLASSES_ON_FEATURES if on_features else CLASSES
    words = ["check", *words[1:], *LENIENT, *(HOLES if is_inpainting(words) else classes)]
    if any(re.match("configs/(class_conditional|inpainting)/(earth|coasts)", word) for word in words):
        return [*words, "--data.source.stride=32", f"--data.source.cache_dir={tiles.cache_dir}"]
    return words if is_inpainting(words) else [*words, "--model.generator.num_classes=3"]


def write_inpainting_run(folder: Path) -> None:
    """A run of a small network whose config is whole, with the data and the critics of the quickstart."""
    write_run(folder)
    config = said_by(INPAINTING_QUICKSTART)
    config["model"]["init_args"]["generator"] = said_by(folder / "config.yaml")["model"]["init_args"]["generator"]
    (folder / "config.yaml").write_text(yaml.safe_dump(config))


@pytest.fixture(scope="module")
def place(image_folder: Path, few_tiles: Earth, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all that the stand-ins name."""
    place = tmp_path_factory.mktemp("documented")
    (place / "configs").symlink_to(ROOT / "configs")
    (place / "FOLDER").symlink_to(image_folder)
    make_imagenet(place / "imagenet", few_tiles)
    make_places(place / "places365")
    write_inpainting_run(place / "runs" / "places256_an")
    mask = Image.new("L", (40, 36))
    mask.paste(255, (5, 5, 20, 20))
    for folder in ("PHOTOS", "MASKS"):
        (place / folder).mkdir()
    for name, color in (("beach.png", "silver"), ("forest.png", "gray"), ("street.png", "white")):  # two are held out
        Image.new("RGB", mask.size, color).save(place / "PHOTOS" / name)
        mask.save(place / "MASKS" / name)
    Image.merge("RGB", (mask, Image.new("L", mask.size), mask)).save(place / "photo.png")  # the hole is ff00ff
    arguments = ["fit", f"--config={ROOT}/configs/class_conditional/earth_quickstart.yaml", *CLASSES_ON_FEATURES]
    arguments += ["--iterations=1"]
    arguments += [f"--run_folder={place}/runs/earth_quickstart", "--trainer.limit_val_batches=1", "--data.batch_size=4"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["cli.py"])
        assert cli.main([*arguments, "--data.source.stride=32", f"--data.source.cache_dir={few_tiles.cache_dir}"]) == 0
    return place


@pytest.fixture(scope="module")
def done() -> set[tuple[str, ...]]:
    """Commands that have run for another document, in words without the reader's."""
    return set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=ids)
def test_commands_run_as_they_are_written(
    document: Path,
    place: Path,
    few_tiles: Earth,
    done: set[tuple[str, ...]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for package in ("pyarrow", "safetensors", "efficientnet_lite_pytorch"):
        pytest.importorskip(package)
    monkeypatch.chdir(place)
    monkeypatch.setenv("XDG_CACHE_HOME", str(place / "cache"))
    for command in commands_of(document):
        if command.startswith(tuple(NOT_RUN)):
            continue
        program, script, *words = stand_ins(shlex.split(command), document)
        assert (program, script) == ("python", "cli.py"), f"{document.name}: what is {command!r}?"
        if tuple(words) in done:
            continue
        for variable in ("LIT_AN_RUN_FOLDER", "LIT_AN_CHECKPOINT"):
            monkeypatch.delenv(variable, raising=False)
        if command.startswith(tuple(PARSED)):
            run_command = importlib.import_module(f"lit_an.commands.{words[0]}").run
            parser = command_parser(words[0], run_command)
            parser.parse_args(with_short_values(parser, words[1:]))
            continue
        code = run(words, few_tiles)
        said = capsys.readouterr()
        assert code == 0, f"{document.name}: {command}\nas {' '.join(words)}\n{said.out[-1500:]}{said.err[-1500:]}"
        done.add(tuple(words))


def run(words: list[str], tiles: Earth) -> int:
    """The exit code of a command."""
    if words[0] in ("fit", "validate", "test", "check") and words[1].startswith("-"):
        if any(part in words for part in PARSED_FOR) or "--print_config" in words:
            words = [word for word in words if word != "--print_config"] + ["--print_config"]
        else:
            words = as_check(words, tiles)
    if words[0] == "ablate" and "--report" not in words:
        words = [*words, "--dry_run=true", "--measure_cost=false"]
    if words[0] == "export":
        words = [*words, "--formats=[safetensors]"]
    if words[0] == "norms":  # a measurement takes as long for a small map
        words = [*words, "--measure=false"]
    try:
        return cli.main(words)
    except SystemExit as ended:
        return int(ended.code or 0)


def test_there_are_commands_to_look_at() -> None:
    """The rules find them: a document that is written in another form must not go untested."""
    of = {ids(document): commands_of(document) for document in DOCUMENTS}
    assert sum(command.startswith("python cli.py") for commands in of.values() for command in commands) > 25
    assert (
        "python cli.py prepare --source /data/imagenet --out /data/imagenet128 --image_size 128" in of["docs/data.md"]
    )
    in_text = sum(len(re.findall("    (?:python cli.py|lit-an) ", document.read_text())) for document in DOCUMENTS)
    assert sum(command.startswith("python cli.py ") for commands in of.values() for command in commands) == in_text
