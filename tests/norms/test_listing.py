"""The list of norms, and the table in the documentation, which says the same."""

import re
from pathlib import Path

from lit_an.norms import NORMS
from lit_an.norms.listing import listed_norms

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "guides" / "swap_a_norm.md"
WORDS = {"none": "nothing", "vector": "class vector", "mask": "mask"}


def test_it_says_what_the_classes_say() -> None:
    listed = {norm.name: norm for norm in listed_norms()}
    assert list(listed) == NORMS.names()
    assert {name for name, norm in listed.items() if norm.has_layout} == {"attentive"}
    assert {name for name, norm in listed.items() if norm.is_residual} == {
        "attentive",
        "linear_attention",
        "self_attention",
    }
    assert listed["attentive"].summary.startswith("Attentive normalization: x + ρ")
    assert {norm.package for norm in listed.values()} == {"lit_an"}


def test_the_table_in_the_documentation_is_the_registry() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    rows = re.findall(
        r"^\| `(\w+)` \| [^|]+ \| (?:\[([\d.]+)\]\(https://arxiv\.org/abs/([\d.]+)\)|–) \| ([\w ]+) \|$", text, re.M
    )
    found = {name: (paper, link, needs) for name, paper, link, needs in rows}
    expected = {norm.name: (norm.paper, norm.paper, WORDS[norm.needs]) for norm in listed_norms()}
    assert found == expected
    assert list(found) == sorted(found)


def test_the_readme_names_every_norm() -> None:
    (line,) = [line for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines() if "**Norms**" in line]
    assert set(NORMS.names()) <= set(re.findall(r"`(\w+)`", line))
