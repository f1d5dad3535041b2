"""What tells runs apart by their configs."""

from typing import Any

from lit_an.ablation.analysis.levels import levels_of, short_names


def config(norm: str = "batch", seed: int = 0, **more: Any) -> dict[str, Any]:
    kwargs = {"long_range_kwargs": {"num_regions": 16}} if norm == "attentive" else {"long_range_kwargs": None}
    generator = {"class_path": "lit_an.networks.ResNetGenerator", "init_args": {"norm": norm, "width": 8, **kwargs}}
    source = {"init_args": {"root": f"/data/{seed}", "cache_dir": f"/cache/{seed}"}}
    data = {"init_args": {"source": source, "seed": seed, "num_workers": seed}}
    told = {"model": {"init_args": {"generator": generator}}, "data": data}
    return {"seed_everything": seed, **told, "run_folder": f"/runs/{norm}_{seed}", **more}


def test_seeds_paths_workers_and_loggers_tell_nothing_apart() -> None:
    found = levels_of(
        [config(seed=0, trainer={"logger": None}), config(seed=1, trainer={"logger": {"class_path": "W"}})]
    )
    assert found == ([{}, {}], {})


def test_a_choice_and_its_arguments_are_one_factor() -> None:
    found = levels_of([config("batch"), config("attentive", 1), config("attentive", 0)])
    assert found.of_runs == [{"norm": "batch"}, {"norm": "attentive"}, {"norm": "attentive"}]
    told = "model.init_args.generator.init_args.long_range_kwargs"
    assert found.along == {"norm": [f"{told}.num_regions", told]}, "they differ along with it, and that is said"


def test_two_factors_stay_two() -> None:
    found = levels_of([config(norm, iterations=count) for norm in ("batch", "none") for count in (10, 20)])
    assert found.of_runs[1] == {"iterations": "20", "norm": "batch"}
    assert len({tuple(levels.values()) for levels in found.of_runs}) == 4


def test_a_key_that_follows_from_two_factors_is_said_of_both() -> None:
    found = levels_of([{"a": a, "b": b, "deep": {"c": 10 * a + b}} for a in (1, 2) for b in (1, 2)])
    assert found.of_runs[1] == {"a": "1", "b": "2"}
    assert found.along == {"a and b": ["deep.c"]}


def test_a_seed_of_data_that_is_not_the_run_s_counts() -> None:
    configs = [{"seed_everything": 1, "data": {"seed": seed}} for seed in (1, 2)]
    assert levels_of(configs).of_runs == [{"seed": "1"}, {"seed": "2"}]


def test_an_absent_key_is_a_level() -> None:
    assert [levels["lr"] for levels in levels_of([{"lr": 1e-3}, {}, {"lr": None}]).of_runs] == ["0.001", "–", "none"]


def test_values_are_spelled_short() -> None:
    configs = [{"a": value} for value in (True, 0.1 + 0.2, [0.0, 0.9], "lit_an.norms.AttentiveNorm2d")]
    assert [levels["a"] for levels in levels_of(configs).of_runs] == ["true", "0.3", "[0.0, 0.9]", "AttentiveNorm2d"]


def test_values_that_would_be_spelled_alike_stay_apart() -> None:
    found = levels_of([{"a": 0.1, "b": 1}, {"a": 0.1 + 1e-12, "b": 1}, {"a": "x.y.C"}, {"a": "x.z.C"}])
    assert len({tuple(levels.values()) for levels in found.of_runs}) == 4


def test_names_are_as_long_as_needed() -> None:
    keys = [("g", "init_args", "norm"), ("d", "init_args", "norm"), ("g", "lr"), ("lr",)]
    assert list(short_names(keys).values()) == ["g.norm", "d.norm", "g.lr", "lr"]
    assert list(short_names([("g", "class_path"), ("g", "init_args")]).values()) == ["g.class_path", "g.init_args"]
