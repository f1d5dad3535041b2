"""Pages that the site's build makes from the project's files: each config, each public package, two documents.

A hook of MkDocs: ``mkdocs.yml`` names it.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parent.parent
PACKAGES = {
    "norms": "attentive normalization and everything that can stand in its place",
    "networks": "generators and discriminators",
    "backbones": "frozen networks for discriminators, losses and metrics",
    "losses": "pure functions of tensors",
    "augmentations": "of what a discriminator sees",
    "masks": "shapes of holes, mask files",
    "metrics": "numbers about layouts and images",
    "data": "data modules",
    "tasks": "what a training step means",
    "callbacks": "what happens beside training",
    "trained": "what a checkpoint or an export holds",
    "sampling": "pictures of a trained generator",
    "inpainting": "filling your own pictures",
    "pages": "the page of `demo`",
    "showcase": "generators that come with the package",
    "commands": "the functions behind the command line",
}
CONFIGS = {
    "class_conditional": "complete: data sets with classes",
    "inpainting": "complete: photographs with holes",
    "bases": "what complete configs share; not trained by themselves",
    "ablations": "overlays: one thing changed",
    "trainer": "overlays: which hardware",
    "metrics": "overlays: what is measured",
    "loggers": "overlays: where curves and pictures go",
}
# What a fact of a config's comment is called: "Aims at", "Hardware, hours, metric".
_NAME = r"[A-Z][\w, ]{0,24}"
# An option, with a value that is no word of the sentence.
_OPTION = r"--[a-z][\w.+]*\w(?: (?:\d[\w.]*(?<!\.)|true|false|\w+/[\w./]+))?"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the generated pages to those of the folder ``docs``."""
    for path, text in (*pages_of_configs(), *pages_of_packages(), *documents()):
        files.append(File.generated(config, path, content=text))
    return files


def pages_of_configs() -> Iterator[tuple[str, str]]:
    """(path, Markdown) of a page for each folder of configs, and of a list of the folders."""
    found = {folder.name for folder in (ROOT / "configs").iterdir() if folder.is_dir()}
    assert found == set(CONFIGS), f"configs/ has {sorted(found)}: describe each in {Path(__file__).name}"
    rows = [f"| [`configs/{name}`]({name}.md) | {what} |" for name, what in CONFIGS.items()]
    yield (
        "configs/index.md",
        "# Configs\n\nA complete config trains by itself. An overlay holds differences and is given after it:\n"
        "`--config COMPLETE --config OVERLAY`.\n\n| folder | |\n|---|---|\n" + "\n".join(rows) + "\n",
    )
    for name, what in CONFIGS.items():
        parts = [f"# configs/{name}\n\n{what[0].upper()}{what[1:]}.\n"]
        for path in sorted((ROOT / "configs" / name).glob("*.yaml")):
            head, rest = split_head(path.read_text(encoding="utf-8"))
            said = "\n\n".join(head_lines(head))
            parts.append(f'## {path.stem}\n\n{said}\n\n```yaml title="configs/{name}/{path.name}"\n{rest}```\n')
        yield f"configs/{name}.md", "\n".join(parts)


def split_head(text: str) -> tuple[str, str]:
    """The comment that a config begins with, without its marks, and the rest."""
    lines = text.splitlines(keepends=True)
    count = next((number for number, line in enumerate(lines) if not line.startswith("#")), len(lines))
    return "".join(line.lstrip("#").removeprefix(" ") for line in lines[:count]), "".join(lines[count:])


def head_lines(head: str) -> list[str]:
    """The facts of such a comment, one each; commands as code."""
    facts = re.split(rf"\n(?={_NAME}: )", head.strip())
    return [as_markdown(" ".join(fact.split())) for fact in facts]


def as_markdown(fact: str) -> str:
    name, _, said = fact.partition(": ") if re.match(f"{_NAME}: ", fact) else ("", "", fact)
    if said.startswith("python cli.py"):
        return f"**{name}:**\n\n```bash\n{said}\n```"
    # Every second piece is code already. In the others what looks like Markdown or HTML is meant literally.
    pieces = re.split(r"(`[^`]*`)", re.sub(rf"(?<!`)({_OPTION})", r"`\1`", said))
    pieces[::2] = [re.sub(r"([*_])", r"\\\1", piece).replace("<", "&lt;") for piece in pieces[::2]]
    return (f"**{name}:** " if name else "") + "".join(pieces)


def pages_of_packages() -> Iterator[tuple[str, str]]:
    """(path, Markdown) of a page for each public package, and of a list of them."""
    rows = [f"| [`{dotted(name)}`]({name}.md) | {what} |" for name, what in PACKAGES.items()]
    yield (
        "api/index.md",
        "# Python\n\n`lit_an.norms`, `lit_an.losses`, `lit_an.networks` and what else makes no training loop need no "
        "Lightning.\n\n| package | |\n|---|---|\n" + "\n".join(rows) + "\n",
    )
    for name in PACKAGES:
        folder = ROOT / dotted(name).replace(".", "/")
        parts = [f"# {dotted(name)}\n"]
        # A package inside it with names of its own follows.
        for place in [folder, *sorted(path.parent for path in folder.glob("*/__init__.py"))]:
            module = ".".join(place.relative_to(ROOT).parts)
            names = exported(place / "__init__.py")
            if place != folder:
                names = [each for each in names if each not in exported(folder / "__init__.py")]
            if place == folder or names:
                parts.append(reference(module, names, heading=place != folder))
        if name == "commands":
            modules = sorted(path.stem for path in folder.glob("*.py") if "\ndef run(" in path.read_text())
            parts += [reference(f"{dotted(name)}.{module}", ["run"], heading=True) for module in modules]
        yield f"api/{name}.md", "\n".join(parts)


def reference(module: str, names: list[str], heading: bool) -> str:
    """What makes mkdocstrings write a module's docstring and some of its members."""
    title = f"## {module}\n\n" if heading else ""
    members = f"[{', '.join(names)}]" if names else "false"
    return f"{title}::: {module}\n    options:\n      members: {members}\n      heading_level: {3 if heading else 2}\n"


def dotted(name: str) -> str:
    return name if name == "callbacks" else f"lit_an.{name}"


def exported(path: Path) -> list[str]:
    """The names in a module's ``__all__``."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            return [str(name) for name in ast.literal_eval(node.value)]
    return []


def documents() -> Iterator[tuple[str, str]]:
    """(path, Markdown) of documents that lie beside the folder ``docs``."""
    for name in ("CONTRIBUTING", "CHANGELOG"):
        text = (ROOT / f"{name}.md").read_text(encoding="utf-8")
        yield f"project/{name.lower()}.md", text.replace("](docs/", "](../")
