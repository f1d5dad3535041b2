"""Configs that build on others: in which order they speak, and what is said of one that cannot be read."""

from pathlib import Path

import pytest
import yaml

import cli
from lit_an.errors import InputError
from lit_an.files.configs import chain_of, load_config, own_config

PLAIN = Path(__file__).parent.parent.parent / "configs/class_conditional/earth32_pixels.yaml"


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    with pytest.raises(SystemExit) as ended:
        cli.main(["fit", *arguments, "--print_config"])
    assert ended.value.code == 0
    config: dict[str, object] = yaml.safe_load(capsys.readouterr().out)
    return config


def test_each_file_changes_what_those_before_it_say(tmp_path: Path) -> None:
    write(tmp_path / "a.yaml", "x: 1\ny: {z: 1, w: 1}\n")
    write(tmp_path / "deep/b.yaml", "# A record.\nbase: ../a.yaml  # relative to this file\ny: {z: 2}\n")
    last = write(tmp_path / "c.yaml", "base: 'deep/b.yaml'\nx: 3\n")
    assert [file.path.name for file in chain_of(last)] == ["a.yaml", "b.yaml", "c.yaml"]
    assert load_config(last) == {"x": 3, "y": {"z": 2, "w": 1}}


def test_the_configs_of_a_checkout_are_known_in_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert own_config("class_conditional/folder64.yaml").is_file()


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path: Path) -> None:
    write(tmp_path / "a.yaml", "x: 1\n")
    path = tmp_path / "b.yaml"
    path.write_text("base: a.yaml\nz: 2\n", encoding="utf-8-sig")
    assert load_config(path) == {"x": 1, "z": 2}


def test_the_command_line_reads_the_bases_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(
        tmp_path / "variant.yaml",
        f"base: {PLAIN}\niterations: 7\nmodel: {{init_args: {{generator: {{init_args: {{norm: group}}}}}}}}\n"
        "trainer: {callbacks+: [callbacks.InpaintingPanelLogger]}\n",
    )
    plain, variant = printed(capsys, f"--config={PLAIN}"), printed(capsys, "--config", str(path))
    plain["iterations"] = 7
    plain["model"]["init_args"]["generator"]["init_args"]["norm"] = "group"  # type: ignore[index]
    added = variant["trainer"]["callbacks"].pop()  # type: ignore[index]
    assert added["class_path"].endswith("InpaintingPanelLogger")
    assert variant == plain
    # What is behind a config, another or an option, still has the last word.
    assert printed(capsys, f"--config={path}", "--iterations=9")["iterations"] == 9


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("base: gone.yaml\n", "gone.yaml, the base of {path}, cannot be read (No such file or directory)"),
        ("base: ./variant.yaml\n", "a config cannot build on itself"),
        ("base: other.yaml\nmodel: [1\n", "{path} cannot be read (while parsing a flow sequence in line 2, column 8"),
        (
            "model:\n\tclass_path: x\n",
            "that cannot start any token in line 2, column 1; indent with spaces, not tabs)",
        ),
        ("# ä\nmodel:\n  - 1\n 2\n", "{path} cannot be read (while "),
        ("base: other.yaml\nitertions: 3\n", "a config has no key 'itertions', did you mean 'iterations'?"),
        ("itertions: 3\n", "a config has no key 'itertions', did you mean 'iterations'?"),
    ],
    ids=["missing", "cycle", "no YAML", "tabs", "indent", "key", "key of a plain one"],
)
def test_a_config_that_cannot_be_is_said_in_one_sentence(
    text: str, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "other.yaml", "iterations: 3\n")
    path = write(tmp_path / "variant.yaml", text)
    try:
        code = cli.main(["fit", f"--config={path}"])
    except SystemExit as ended:
        code = int(ended.code or 0)
    said = capsys.readouterr().err
    assert code == 2
    assert said.count("\n") == 1
    assert sentence.format(path=path) in said


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="it is no text in UTF-8"):
        load_config(path)
