"""Plans: which runs follow from them, and which plans are refused."""

import re
from pathlib import Path

import pytest

from lit_an.ablation.bench.plan import Level, Plan, arguments_of, config_hash
from lit_an.ablation.bench.plan_files import parse_vary, read_plan, values_as_levels
from lit_an.errors import InputError

CONFIG = Path("configs/class_conditional/earth_quickstart.yaml")
LAYERS = values_as_levels("model.generator.long_range", ["none", "attentive"])
REGIONS_OPTION = "model.generator.long_range_kwargs.num_regions"
REGIONS = values_as_levels(REGIONS_OPTION, [4, 8, 16])


def plan(**more: object) -> Plan:
    given = {"factors": {"layer": LAYERS, "regions": REGIONS}, **more}
    return Plan("p", (CONFIG,), {"iterations": 3}, **given)  # type: ignore[arg-type]


def names(of: Plan) -> list[str]:
    return [variant.name for variant in of.variants()]


def test_a_grid_has_all_combinations_in_order() -> None:
    assert names(plan()) == [f"{layer}, {n}" for layer in ("none", "attentive") for n in (4, 8, 16)]


def test_one_factor_at_a_time_departs_from_the_first_levels() -> None:
    found = plan(design="one_at_a_time")
    assert names(found) == ["reference", "attentive", "8", "16"]
    levels = [tuple(variant.levels.values()) for variant in found.variants()]
    assert levels == [("none", "4"), ("attentive", "4"), ("none", "8"), ("none", "16")]


def test_many_factors_are_no_more_than_their_levels() -> None:
    many = {f"f{number}": (Level("first"), Level(f"other {number}")) for number in range(30)}
    assert len(plan(factors=many, design="one_at_a_time").variants()) == 31


def test_a_long_name_is_a_folder_that_can_be_made_and_tells_variants_apart(tmp_path: Path) -> None:
    levels = values_as_levels("x", [f"{'é' * 200}{number}" for number in (1, 2)])
    folders = {variant.folder for variant in plan(factors={"x": levels}).variants()}
    for folder in folders:
        (tmp_path / folder).mkdir()
    assert len(folders) == 2


def test_only_keeps_what_it_names() -> None:
    kept = plan(only=({"layer": "none", "regions": "4"}, {"layer": "attentive"}))
    assert names(kept) == ["none, 4", "attentive, 4", "attentive, 8", "attentive, 16"]


def test_a_plan_without_factors_is_one_variant() -> None:
    assert names(plan(factors={})) == ["all"]
    assert plan(factors={}).variants()[0].folder == "all"


def test_the_baseline_is_the_first_level_of_what_it_does_not_name() -> None:
    found = plan(baseline={"regions": "16"}).baseline_variant()
    assert found is not None
    assert found.name == "none, 16"
    assert plan(only=({"layer": "attentive"},)).baseline_variant() is None


def test_a_level_overrides_the_options_of_the_plan() -> None:
    levels = (Level("short", options={"iterations": 1}), Level("long"))
    first, second = plan(factors={"length": levels}).variants()
    assert arguments_of(first, 7) == [f"--config={CONFIG}", "--iterations=1", "--seed_everything=7"]
    assert arguments_of(second, 7) == [f"--config={CONFIG}", "--iterations=3", "--seed_everything=7"]


def test_values_are_spelled_as_the_command_line_takes_them() -> None:
    levels = values_as_levels("x", [None, True, 1, 0.5, {"finest": 2}, [1, 2], "a b"])
    spelled = [arguments_of(each, 0)[2] for each in plan(factors={"x": levels}).variants()]
    assert spelled == ["--x=null", "--x=true", "--x=1", "--x=0.5", "--x={finest: 2}", "--x=[1, 2]", "--x=a b"]


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"design": "full"}, "design must be grid or one_at_a_time, got 'full'"),
        ({"seeds": (1, 1)}, "seeds must be different numbers"),
        ({"seeds": ()}, "seeds must be different numbers"),
        ({"factors": {"layer": ()}}, "layer must have different levels"),
        ({"factors": {"layer": LAYERS + LAYERS}}, "layer must have different levels"),
        ({"baseline": {"norm": "none"}}, "'norm' is not varied; varied are layer, regions"),
        ({"baseline": {"layer": "non"}}, "layer has no level 'non'; it has none, attentive"),
        (
            {"baseline": {"layer": "attentive", "regions": "8"}, "design": "one_at_a_time"},
            "its baseline .layer: attentive, regions: 8. is no variant that runs",
        ),
        (
            {"baseline": {"layer": "none"}, "only": ({"layer": "attentive"},)},
            "its baseline .layer: none. is no variant",
        ),
        ({"only": ({"regions": "5"},)}, "regions has no level '5'; it has 4, 8, 16"),
        ({"factors": {"x": (Level("a b"), Level("a_b"))}}, "two variants would share a folder"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(more: dict[str, object], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        plan(**more)


def test_the_hash_of_a_cell_knows_its_configs_and_their_bases(tmp_path: Path) -> None:
    base, config = tmp_path / "base.yaml", tmp_path / "config.yaml"
    base.write_text("iterations: 3\n")
    config.write_text("base: base.yaml\nseed_everything: 0\n")
    variant = Plan("p", (config,), {}, {}).variants()[0]
    first = config_hash(variant, 0)
    assert config_hash(variant, 1) != first
    base.write_text("iterations: 4\n")
    assert config_hash(variant, 0) != first
    base.write_text("iterations: 3\n")
    assert config_hash(variant, 0) == first


def test_a_plan_of_a_file_says_the_same_when_it_is_written_and_read_again(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("iterations: 3\n")
    (tmp_path / "none.yaml").write_text("model: null\n")
    path = tmp_path / "question.yaml"
    path.write_text(
        """
        config: base.yaml
        options: {iterations: 5, model.generator_scheduler: null, x: "${iterations}"}
        vary:
          layer:
            attentive:
            none: {config: none.yaml, data.batch_size: 4}
          model.generator.long_range_kwargs.num_regions: [4, 8]
        seeds: [3, 5]
        design: one_at_a_time
        baseline: {layer: none}
        figures: [fid]
        """
    )
    read = read_plan(path)
    assert read.name == "question"
    assert read.options["x"] == "${iterations}"
    assert names(read) == ["reference", "none", "8"]
    assert read.variants()[1].configs == (tmp_path / "base.yaml", tmp_path / "none.yaml")
    again = tmp_path / "elsewhere" / "plan.yaml"
    again.parent.mkdir()
    again.write_text(read.text(again.parent))
    assert read_plan(again) == read


def test_the_plan_of_the_documentation_is_read(tmp_path: Path) -> None:
    document = (Path(__file__).parents[3] / "docs" / "ablations.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"^```yaml\n(.*?)^```", document, re.MULTILINE | re.DOTALL)
    (tmp_path / "plan.yaml").write_text(text)
    read = read_plan(tmp_path / "plan.yaml")
    assert names(read) == ["none, 4", "attentive, 4", "attentive, 8", "attentive, 16"]
    baseline = read.baseline_variant()
    assert baseline is not None
    assert baseline.name == "none, 4"
    (tmp_path / "full.yaml").write_text(text.replace("num_regions: 4}", f"{REGIONS_OPTION}: 4}}"))
    assert read_plan(tmp_path / "full.yaml").only == read.only


def test_a_factor_takes_the_place_of_that_of_a_base(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("config: a.yaml\nvary: {x: {a: {k: 1}, b: {k: 2}}, y: [1, 2]}\n")
    path = tmp_path / "plan.yaml"
    path.write_text("base: base.yaml\nvary: {x: {c: {k: 3}}}\n")
    assert names(read_plan(path)) == ["c, 1", "c, 2"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("config: a.yaml\nvaried: {}", "a plan has no key 'varied'; its keys are name, config"),
        ("- 1", "is no plan; a plan has the keys"),
        ("config: [", "is no YAML"),
        ("vary: {x: [1]}", "there is no config to start from"),
        ("config: a.yaml\nvary: {x: 3}", "vary.x must be a list of values or name its levels, got 3"),
        ("config: a.yaml\nvary: {x: {a: 3}}", "vary.x.a must hold options and config, got 3"),
        ("config: a.yaml\nvary: {seed_everything: [1]}", "may not set seed_everything: list them under seeds"),
        ("config: a.yaml\noptions: {run_folder: x}", "options may not set run_folder: the bench sets it"),
        ("config: a.yaml\nvary: [1]", "vary must name factors"),
        ("config: a.yaml\nseeds: [a]", "seeds must be whole numbers"),
        ("config: a.yaml\nbaseline: 3", "name a level by factor, got 3"),
        ("config: 3", "config must be a list of files, got 3"),
        ("config: [3]", r"config must be a list of files, got \[3\]"),
        ("config: a.yaml\nvary: {x: {a: {config: 3}}}", "vary.x.a.config must be a list of files, got 3"),
        ("config: a.yaml\noptions: 3", "options must be values by option, got 3"),
        ("config: a.yaml\nonly: 3", "only must be a list of levels by factor, got 3"),
        ("config: a.yaml\nonly: {x: 1}", "only must be a list of levels by factor"),
        ("config: a.yaml\nfigures: 3", "figures must be a list of names of figures, got 3"),
        ("config: a.yaml\nfigures: [fid, 3]", "figures must be a list of names of figures"),
    ],
)
def test_a_file_that_is_no_plan_is_refused(text: str, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=sentence):
        read_plan(path)


def test_one_figure_needs_no_list(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text("config: a.yaml\nfigures: fid")
    assert read_plan(path).figures == ("fid",)


@pytest.mark.parametrize("text", ["x", "x=", "x=[1", "x=a: b: c"])
def test_an_option_without_values_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="--vary"):
        parse_vary(text)
