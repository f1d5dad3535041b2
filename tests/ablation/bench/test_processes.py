"""Processes of cells: how many at a time, what a failure stops, what signals and kills leave."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from callbacks.progress import Progress, log_line
from lit_an.ablation.bench.cells import Cell, cells_of, locked, put_aside, read_record, state_of
from lit_an.ablation.bench.plan import Level, Plan
from lit_an.ablation.bench.processes import STILL_RUNS, progress, run_here
from tests.ablation.bench.stand_in import STEPS

ROOT = Path(__file__).parents[3]
COMMAND = [sys.executable, "-m", "tests.ablation.bench.stand_in"]
SLOT = {"PYTHONPATH": str(ROOT)}
CONFIG = ROOT / "configs/class_conditional/earth_quickstart.yaml"
CODE = "0" * 64


def cells(folder: Path, *levels: Level, seeds: tuple[int, ...] = (0,)) -> list[Cell]:
    return cells_of(Plan("p", (CONFIG,), {}, {"level": levels or (Level("only"),)}, seeds=seeds), folder)


def starts(cell: Cell) -> list[int]:
    """Steps that were done at each start of its process."""
    return [int(line) for line in (cell.folder / "starts").read_text().split()]


def test_cells_run_in_order_and_a_failure_stops_nothing(tmp_path: Path) -> None:
    said: list[str] = []
    wanted = cells(tmp_path, Level("a"), Level("b", options={"fails": True}), Level("c"))
    ended = run_here(wanted, CODE, COMMAND, [SLOT], said.append)
    assert [outcome.cell.name for outcome in ended.outcomes] == ["a, seed 0", "b, seed 0", "c, seed 0"]
    assert [outcome.status for outcome in ended.outcomes] == ["done", "failed", "done"]
    assert ended.stopped_by is None
    assert "    error: it cannot be trained" in said
    assert [state_of(cell, CODE) for cell in wanted] == ["done", "failed", "done"]


def test_as_many_run_at_a_time_as_there_are_slots(tmp_path: Path) -> None:
    wanted = cells(tmp_path, Level("x", options={"pause": 0.1}), seeds=(0, 1, 2))
    most, stop = [0], threading.Event()

    def watch() -> None:
        while not stop.wait(0.02):
            running = [cell for cell in wanted if (read_record(cell) or {}).get("status") == "running"]
            most[0] = max(most[0], len(running))

    watching = threading.Thread(target=watch)
    watching.start()
    run_here(wanted, CODE, COMMAND, [SLOT, SLOT], lambda line: None)
    stop.set()
    watching.join()
    assert most[0] == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_the_running_cell_save_and_begins_no_other(number: int, tmp_path: Path) -> None:
    first, second = cells(tmp_path, Level("x", options={"pause": 0.3}), seeds=(0, 1))
    threading.Thread(target=_signal_once, args=(first, number), daemon=True).start()
    ended = run_here([first, second], CODE, COMMAND, [SLOT], lambda line: None)
    assert ended.stopped_by == number
    assert [outcome.status for outcome in ended.outcomes] == ["stopped"]
    assert [state_of(cell, CODE) for cell in (first, second)] == ["unfinished", "new"]
    again = run_here([first, second], CODE, COMMAND, [SLOT], lambda line: None)
    assert [outcome.status for outcome in again.outcomes] == ["done", "done"]
    assert starts(first)[0] == 0
    assert 0 < starts(first)[1] < STEPS


def _signal_once(cell: Cell, number: int) -> None:
    while "iteration 1 " not in (cell.log.read_text() if cell.log.exists() else ""):
        time.sleep(0.02)
    os.kill(os.getpid(), number)


@pytest.mark.skipif(sys.platform != "linux", reason="looks for an adopted process in /proc")
def test_a_run_saves_and_ends_when_the_bench_is_killed_and_a_second_bench_waits_for_it(tmp_path: Path) -> None:
    (cell,) = cells(tmp_path, Level("x", options={"pause": 0.3}))
    script = (
        "from pathlib import Path; from tests.ablation.bench.test_processes import *;"
        f"(cell,) = cells(Path({str(tmp_path)!r}), Level('x', options={{'pause': 0.3}}));"
        "run_here([cell], CODE, COMMAND, [SLOT], lambda line: None)"
    )
    bench = subprocess.Popen([sys.executable, "-c", script], env={**os.environ, **SLOT}, cwd=ROOT)
    while "iteration 1 " not in (cell.log.read_text() if cell.log.exists() else ""):
        assert bench.poll() is None
        time.sleep(0.02)
    bench.kill()
    bench.wait()
    (outcome,) = run_here([cell], CODE, COMMAND, [SLOT], lambda line: None).outcomes
    assert outcome.status == "done"
    assert len(starts(cell)) == 2
    assert 0 < starts(cell)[1] < STEPS


def test_a_signal_ends_the_wait_for_a_run_that_an_earlier_call_started(tmp_path: Path) -> None:
    """It may hang; others begin before it, and one line says what is waited for."""
    busy, other = cells(tmp_path, Level("busy"), Level("other"))
    said: list[str] = []

    def stop_in_the_end() -> None:
        while (read_record(other) or {}).get("status") != "done":
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=stop_in_the_end, daemon=True).start()
    with locked(busy):
        ended = run_here([busy, other], CODE, COMMAND, [SLOT], said.append)
    assert ended.stopped_by == signal.SIGINT
    assert [outcome.cell.name for outcome in ended.outcomes] == ["other, seed 0"]
    assert [line for line in said if line.startswith("busy")] == [f"busy, seed 0: {STILL_RUNS}"]


def test_a_run_that_the_system_killed_has_failed(tmp_path: Path) -> None:
    """As when memory runs out: nobody asked it to stop."""
    said: list[str] = []
    (cell,) = cells(tmp_path, Level("x", options={"dies": True}))
    (outcome,) = run_here([cell], CODE, COMMAND, [SLOT], said.append).outcomes
    assert (outcome.status, outcome.exit_code) == ("failed", -signal.SIGKILL)
    assert any("failed after" in line and "exit code -9" in line for line in said)


def test_nothing_is_put_aside_while_a_process_of_it_lives(tmp_path: Path) -> None:
    (cell,) = cells(tmp_path)
    cell.folder.mkdir(parents=True)
    held = threading.Event()

    def write() -> None:
        with locked(cell):
            held.set()
            time.sleep(0.5)
            (cell.folder / "late").touch()

    writing = threading.Thread(target=write)
    writing.start()
    held.wait()
    assert (put_aside(cell, tmp_path) / "late").exists()
    writing.join()


def test_what_changed_begins_anew_and_the_former_run_is_kept(tmp_path: Path) -> None:
    (cell,) = cells(tmp_path)
    run_here([cell], CODE, COMMAND, [SLOT], lambda line: None)
    (other,) = cells(tmp_path, Level("only", options={"pause": 0.01}))
    assert state_of(other, CODE) == "changed"
    assert state_of(cell, "1" * 64) == "other code"
    assert state_of(cell, None) == "done"
    kept = put_aside(other, tmp_path)
    assert (kept / "metrics.csv").exists()
    assert kept.with_name("seed_0_1.log").exists()
    assert state_of(other, CODE) == "new"
    run_here([other], CODE, COMMAND, [SLOT], lambda line: None)
    assert put_aside(other, tmp_path) == kept.with_name("seed_0_2")


def test_progress_is_the_newest_line_that_a_training_writes_about_it(tmp_path: Path) -> None:
    """The lines are made by the functions that make those of a run."""
    (cell,) = cells(tmp_path)
    cell.log.parent.mkdir(parents=True)
    cell.log.write_text("data        Earth\n")
    assert progress(cell) == "no iteration yet"
    lines = [log_line(Progress(400, 1000, 400, 128.0, 32)), "metrics: generated images 120 of 800"]
    for number in range(1, len(lines) + 1):
        cell.log.write_text("\n".join([*lines[:number], "iteration 250, metrics_val_0000250.json: 800 images", ""]))
        assert progress(cell) == lines[number - 1]
    cell.log.write_text(log_line(Progress(30, 0, 10, 200.0)))
    assert progress(cell).startswith("iteration 30, ")
