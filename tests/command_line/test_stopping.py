"""Commands that a signal stops: they tidy up as after an error, and leave no process behind."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

import cli
from lit_an.command_line.stopping import signals_as_exceptions
from lit_an.files import replacing
from tests.command_line.several_processes import Run, is_alive
from tests.command_line.small_runs import ROOT
from tests.commands.test_ablate import plan_file

NUMBERS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.mark.parametrize("number", NUMBERS)
def test_a_stopped_command_leaves_nothing_half_written(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run() -> int:
        """Writes a file, and is stopped."""
        with replacing(tmp_path / "file.txt") as temporary:
            temporary.write_text("half")
            os.kill(os.getpid(), number)
            time.sleep(5)
        return 0

    monkeypatch.setitem(sys.modules, "stopped", SimpleNamespace(run=run))
    monkeypatch.setitem(cli.COMMANDS, "norms", ("stopped", "is stopped"))
    usual = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
    former = signal.signal(number, usual)  # under nohup SIGHUP is ignored
    try:
        assert cli.main(["norms"]) == 128 + number
        assert signal.getsignal(number) == usual
    finally:
        signal.signal(number, former)
    assert capsys.readouterr().err == f"\nstopped by {signal.Signals(number).name}\n"
    assert list(tmp_path.iterdir()) == []


def test_an_ignored_signal_stays_ignored() -> None:
    former = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals_as_exceptions():
            os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, former)


def test_outside_the_main_thread_nothing_changes() -> None:
    seen = []

    def use() -> None:
        with signals_as_exceptions():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGTERM)]


def test_a_second_signal_ends_a_command_where_it_is() -> None:
    code = (
        "import os, signal, time\n"
        "from lit_an.command_line.stopping import signals_as_exceptions\n"
        "with signals_as_exceptions():\n"
        "    try:\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "        time.sleep(5)\n"
        "    finally:\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "        time.sleep(5)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60).returncode == -signal.SIGTERM


@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")
@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGKILL, marks=pytest.mark.slow)])
def test_a_measurement_ends_with_the_bench_that_started_it(number: int, image_folder: Path, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    plan = plan_file(tmp_path, image_folder, "none")
    argv = ["ablate", str(plan), f"--output={tmp_path / 'out'}", "--dry_run", "--vary=iterations=100000"]
    with Run(tmp_path, argv, env={"TMPDIR": str(scratch)}) as bench:
        bench.until(bench.descendants)
        (child,) = bench.descendants()
        bench.until(lambda: list(scratch.glob("lit_an_cost_*/run")))
        os.kill(bench.process.pid, number)
        assert bench.code(30) == 128 + number
        deadline = time.monotonic() + 30
        while is_alive(child):
            assert time.monotonic() < deadline, "the measurement goes on alone"
            time.sleep(0.1)
        if number == signal.SIGTERM:
            assert list(scratch.iterdir()) == []
            assert "stopped by SIGTERM" in bench.said()
