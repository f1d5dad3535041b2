"""The walls of the house: who imports whom, how long a file is, what a file may not be called. See CONTRIBUTING.md."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# Each unit and the units it may import; a unit may always import its own modules.
FOUNDATION = {
    "errors",
    "seeds",
    "registry",
    "batch",
    "code_version",
    "durations",
    "files",
    "machine",
    "tensors",
    "images",
    "checkpoints",
}
MAY_IMPORT = {
    "errors": set(),
    "seeds": set(),
    "registry": {"errors"},
    "batch": set(),
    "code_version": set(),
    "durations": set(),
    "files": {"errors"},
    "machine": set(),
    "images": {"errors"},
    "tensors": {"images"},
    "latents": {"errors", "seeds"},
    "checkpoints": {"errors", "files"},
    "showcase": {"errors"},
    "backbones": FOUNDATION,
    "norms": FOUNDATION,
    "losses": FOUNDATION | {"backbones"},
    "augmentations": FOUNDATION,
    "masks": FOUNDATION,
    "metrics": FOUNDATION | {"backbones"},
    "pictures": FOUNDATION,
    "run_report": FOUNDATION | {"metrics"},
    "networks": FOUNDATION | {"backbones", "norms"},
    "data": FOUNDATION | {"masks"},
    "trained": FOUNDATION | {"latents", "norms"},
    "sampling": FOUNDATION | {"latents", "norms", "pictures", "trained"},
    "inpainting": FOUNDATION | {"masks", "norms", "pictures", "trained"},
    "ablation": FOUNDATION | {"metrics", "pictures", "run_report"},
    "pages": FOUNDATION | {"norms", "pictures", "trained", "sampling", "inpainting"},
    "device_checks": FOUNDATION | {"norms", "losses", "augmentations", "metrics", "networks", "data"},
    "training_costs": FOUNDATION | {"tasks"},
    "tasks": FOUNDATION | {"latents", "norms", "losses", "augmentations", "masks", "metrics"},
    "callbacks": FOUNDATION | {"latents", "norms", "masks", "metrics", "pictures", "run_report", "tasks"},
    "commands": FOUNDATION
    | {
        "ablation",
        "latents",
        "norms",
        "losses",
        "masks",
        "metrics",
        "pictures",
        "run_report",
        "networks",
        "data",
        "tasks",
        "training_costs",
        "trained",
        "sampling",
        "inpainting",
        "pages",
        "showcase",
        "device_checks",
    },
    "command_line": FOUNDATION | {"tasks", "callbacks"},
    "cli": FOUNDATION | {"command_line", "commands"},
}
WITH_LIGHTNING = {"tasks", "commands", "callbacks", "command_line"}
MODULES_OF_DATA = ("base.py", "class_data.py", "inpainting_data.py")


def unit_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return parts[1] if parts[0] == "lit_an" else parts[0]


SOURCES = sorted([*ROOT.glob("lit_an/**/*.py"), *ROOT.glob("callbacks/**/*.py"), ROOT / "cli.py"])
CORE = [
    path
    for path in SOURCES
    if unit_of(path) not in WITH_LIGHTNING and not (path.parent.name == "data" and path.name in MODULES_OF_DATA)
]
ALL_FILES = sorted([*SOURCES, *ROOT.glob("tests/**/*.py"), *ROOT.glob("benchmarks/*.py")])


def imports_of(path: Path) -> list[tuple[str, list[str]]]:
    """(module, imported names) of every import in a file, those inside functions too."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [(alias.name, []) for alias in node.names]
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: import {node.module} absolutely"
            found.append((node.module or "", [alias.name for alias in node.names]))
    return found


def ids(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", SOURCES, ids=ids)
def test_a_unit_imports_only_what_is_below_it(path: Path) -> None:
    unit = unit_of(path)
    if unit == "__init__":
        assert imports_of(path) == [], "lit_an/__init__.py imports nothing"
        return
    for module, _ in imports_of(path):
        parts = module.split(".")
        if parts[0] not in ("lit_an", "callbacks", "cli"):
            continue
        assert module != "lit_an", f"{ids(path)} imports the root package; import the module"
        target = parts[1] if parts[0] == "lit_an" else parts[0]
        assert target == unit or target in MAY_IMPORT[unit], f"{ids(path)} ({unit}) may not import {module}"
        own_package = target == unit and len(parts) < 3 and path.name != "__init__.py" and parts[0] == "lit_an"
        assert not own_package or (ROOT / "lit_an" / f"{target}.py").exists(), f"{ids(path)} imports its own package"


@pytest.mark.parametrize("path", CORE, ids=ids)
def test_the_core_has_never_heard_of_lightning(path: Path) -> None:
    for module, _ in imports_of(path):
        assert not re.match(r"(pytorch_)?lightning", module), f"{ids(path)} imports {module}"


def test_no_import_cycles_between_modules() -> None:
    names = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in SOURCES}
    graph = {
        name: [module for module, _ in imports_of(path) if module in names]
        for name, path in names.items()
        if not name.endswith("__init__")
    }

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, f"import cycle: {' -> '.join((*trail, name))}"
        for target in graph.get(name, []):
            visit(target, (*trail, name))

    for name in graph:
        visit(name, ())


@pytest.mark.parametrize("path", ALL_FILES, ids=ids)
def test_a_file_holds_one_idea_and_says_which(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= 320, f"{ids(path)} is too long: does it hold one idea?"
    assert ast.get_docstring(ast.parse(text)), f"{ids(path)} has no docstring"
    assert not re.fullmatch(r"(.*_)?(utils?|helpers?|misc|common)", path.stem), (
        f"who would know what is in {ids(path)}?"
    )


@pytest.mark.parametrize("path", [path for path in SOURCES if path.name == "__init__.py"], ids=ids)
def test_a_package_file_holds_a_docstring_and_exports_only(path: Path) -> None:
    allowed = (ast.Expr, ast.ImportFrom, ast.Assign)
    assert all(isinstance(node, allowed) for node in ast.parse(path.read_text()).body), f"{ids(path)} holds logic"


def test_contributing_names_files_that_exist() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    paths = re.findall(r"`((?:lit_an|callbacks|configs|tests|benchmarks|docs)/[\w/.]*)`", text)
    assert len(paths) > 10
    missing = [path for path in paths if not (ROOT / path).exists()]
    assert missing == [], f"CONTRIBUTING.md names what does not exist: {missing}"


@pytest.mark.parametrize(
    "document", ["README.md", "CONTRIBUTING.md", *(f"docs/{path.name}" for path in ROOT.glob("docs/*.md"))]
)
def test_links_and_pictures_exist(document: str) -> None:
    path = ROOT / document
    text = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", text)
    assert [target for target in targets if not (path.parent / target).exists()] == []
