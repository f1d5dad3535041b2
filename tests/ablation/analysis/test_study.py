"""Studies of run folders, wherever they were made."""

import json
import shutil
from pathlib import Path

import pytest

from lit_an.ablation.analysis.study import Missing, Study, study_of
from lit_an.ablation.report.page_facts import provenance
from lit_an.errors import InputError
from tests.ablation.small_studies import small_run, write_json, write_record, write_run


def test_runs_of_any_folders_are_told_apart_by_their_configs(tmp_path: Path) -> None:
    write_run(tmp_path / "here" / "run_2", "attentive", 2)
    write_run(tmp_path / "here" / "run_10", "attentive", 10)
    write_run(tmp_path / "other machine" / "x", "none", 2)
    (tmp_path / "no run").mkdir()
    (tmp_path / "no run" / "metrics.csv").write_text("step\n")
    study = study_of(tmp_path)
    assert [(run.variant, run.seed, run.folder.name) for run in study.runs] == [
        *(("attentive", 2, "run_2"), ("attentive", 10, "run_10"), ("none", 2, "x")),
    ]
    assert (study.variants, study.seeds, study.baseline) == (("attentive", "none"), (2, 10), "attentive")
    assert study.factors() == {"long_range": ["attentive", "none"]}
    assert any("long_range_kwargs.num_regions" in note for note in study.notes), "what differs along with it is said"
    assert study_of(tmp_path, "none").baseline == "none"


def test_the_bench_s_own_records_win(tmp_path: Path) -> None:
    for variant, seed, status in (("attentive", 1, "done"), ("none", 1, "failed")):
        run = write_run(tmp_path / variant / "seed_1", variant, 7)
        write_record(run, levels={"norm": f"my {variant}"}, seed=seed, status=status, exit_code=3)
    write_run(tmp_path / "former" / "seed_1_1", "none", 1)
    study = study_of(tmp_path)
    assert [(run.variant, run.seed) for run in study.runs] == [("my attentive", 1), ("my none", 1)]
    assert study.missing == (Missing("my none, seed 1", "failed with exit code 3, at iteration 1000"),)


def test_benches_of_other_bases_are_told_apart_by_more_than_their_levels(tmp_path: Path) -> None:
    for variant, more in (("attentive", {"batch": 64}), ("none", {"batch": 8, "lr": 1})):
        run = write_run(tmp_path / f"bench of {variant}" / "seed_0", variant, 0, **more)
        told = ["fit", f"--model.generator.long_range={variant}"]
        write_record(run, levels={"long_range": variant}, seed=0, arguments=told)
        write_json(run / "metrics_val_0001000.json", {"figures": {}, "reference": {"content_sha256": variant * 9}})
    study = study_of(tmp_path)
    (note,) = (note for note in study.notes if "long_range" in note)
    inner = "model.init_args.generator.init_args.long_range_kwargs.num_regions"
    assert note == f"Runs that differ in long_range also differ in batch, {inner}, lr.", "not the bench's own option"
    write_run(tmp_path / "x" / "seed_1", "none", 1, batch=16)
    write_record(tmp_path / "x" / "seed_1", levels={"long_range": "none"}, seed=1)
    assert any(note.startswith("Runs of the same variant differ in batch") for note in study_of(tmp_path).notes)


def test_folders_of_data_are_a_note_unless_the_results_say_that_the_images_are_the_same(tmp_path: Path) -> None:
    for variant, seed in (("attentive", 0), ("none", 1)):
        run = write_run(tmp_path / variant, variant, seed)
        write_json(run / "metrics_val_0001000.json", {"figures": {}})
    assert "The runs read their data in different folders: /data/0, /data/1." in study_of(tmp_path).notes
    for variant in ("attentive", "none"):
        told = {"figures": {}, "images": {"content_sha256": "ab"}}
        write_json(tmp_path / variant / "metrics_val_0001000.json", told)
    assert not any("folders" in note for note in study_of(tmp_path).notes)


def test_links_to_runs_are_runs_and_no_run_is_there_twice(tmp_path: Path) -> None:
    write_run(tmp_path / "runs" / "attentive")
    write_run(tmp_path / "runs" / "none", "none")
    (tmp_path / "runs" / "a latest").symlink_to("none")
    (tmp_path / "runs" / "round").symlink_to("..")
    assert [run.folder.name for run in study_of(tmp_path / "runs").runs] == ["attentive", "none"]
    (tmp_path / "chosen").mkdir()
    (tmp_path / "chosen" / "mine").symlink_to(tmp_path / "runs" / "none")
    write_record(tmp_path / "runs" / "none", levels={"norm": "my none"}, seed=5)
    (run,) = study_of(tmp_path / "chosen").runs
    assert (run.variant, run.seed) == ("my none", 5)


def test_a_row_with_too_many_values_is_named_and_one_of_no_iteration_is_left_out(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a")
    table = run / "metrics.csv"
    lines = table.read_text().splitlines()
    table.write_text("\n".join([*lines, "," + lines[-1].partition(",")[2]]) + "\n")
    assert study_of(tmp_path).runs[0].iteration == 1000
    table.write_text("\n".join([*lines, f"{lines[-1]},7"]) + "\n")
    with pytest.raises(InputError, match=r"metrics\.csv: a row of step 1000 has more values than the first line"):
        study_of(tmp_path)


def test_two_runs_of_the_same_variant_and_seed_are_refused(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a")
    shutil.copytree(run, tmp_path / "b")
    with pytest.raises(InputError, match=r"a and .*b are both all, seed 0; .* leave one of them out"):
        study_of(tmp_path)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("seed_everything: true\n", "its seed is True, not a number"),
        ("model: {}\n", "its seed is None, not a number"),
        ("a: [1\n", "config.yaml is no valid config"),
        ("- 1\n", "config.yaml is no valid config"),
    ],
)
def test_a_config_that_cannot_be_used_gets_one_sentence(text: str, sentence: str, tmp_path: Path) -> None:
    run = write_run(tmp_path / "a")
    (run / "config.yaml").write_text(text)
    with pytest.raises(InputError, match=sentence) as raised:
        study_of(tmp_path)
    assert "\n" not in str(raised.value)


def test_no_runs_and_no_folder_get_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no run: no folder in it has config\.yaml beside metrics\.csv"):
        study_of(tmp_path)
    with pytest.raises(InputError, match="is no folder"):
        study_of(tmp_path / "typo")


def test_a_baseline_that_is_not_there_gets_one_sentence(tmp_path: Path) -> None:
    write_run(tmp_path / "a")
    write_run(tmp_path / "b", "none")
    with pytest.raises(InputError, match="no run is of the variant 'atentive', did you mean 'attentive'"):
        study_of(tmp_path, "atentive")


def test_a_record_that_is_no_json_is_named(tmp_path: Path) -> None:
    write_run(tmp_path / "a")
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(InputError, match=r"a\.json is no JSON"):
        study_of(tmp_path)


def test_a_study_of_the_same_run_twice_is_refused() -> None:
    run = small_run("a", 0, {})
    for other in (run, small_run("a", 0, {})):
        with pytest.raises(InputError, match="both a, seed 0"):
            Study("s", (run, other), "a")


def test_variants_that_are_one_training_are_named(tmp_path: Path) -> None:
    """As where an option of a plan stands over the overlays of its levels."""
    for variant, level in (("attentive", "AN"), ("attentive", "also AN"), ("none", "none")):
        for seed in (0, 1):
            run = write_run(tmp_path / level / f"seed_{seed}", variant, seed)
            write_record(run, levels={"norm": level}, seed=seed)
    told = [note for note in study_of(tmp_path).notes if "one and the same config" in note]
    assert told == ["AN; also AN: these variants have one and the same config, so nothing is compared."]


def test_a_run_beside_those_of_a_bench_is_told_apart_by_more_than_its_name(tmp_path: Path) -> None:
    for variant in ("attentive", "none"):
        run = write_run(tmp_path / variant / "seed_0", variant, 0)
        write_record(run, levels={"long_range": variant}, seed=0, arguments=[f"--model.generator.long_range={variant}"])
    write_run(tmp_path / "another", "none", 0, batch=8)
    assert any("batch" in note for note in study_of(tmp_path).notes)


def test_a_run_that_went_on_with_other_code_is_of_both(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a")
    facts = json.loads((run / "run.json").read_text())
    starts = [{**facts["starts"][0], "code": code * 64} for code in "ab"]
    write_json(run / "run.json", {**facts, "code": "b" * 64, "starts": starts})
    (only,) = study_of(tmp_path).runs
    assert only.codes == {"a" * 64, "b" * 64}
    page = provenance(Study("s", (only,), only.variant))
    assert page is not None
    assert "The runs are of different code." in page
