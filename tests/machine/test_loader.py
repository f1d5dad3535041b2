"""Processes that ignore SIGTERM while they load, and yet end with the program."""

import ast
import multiprocessing
import subprocess
import sys

from lit_an.machine.loader import Loader
from lit_an.machine.workers import leave_signals_to_parent
from tests.test_architecture import ROOT, SOURCES

# What is left at the end: processes that wait for the next epoch, and those of an epoch that is not over.
SCRIPT = """
from lit_an.machine.loader import Loader
from lit_an.machine.workers import leave_signals_to_parent

numbers = list(range(40))
waiting = Loader(numbers, 4, num_workers=1, worker_init_fn=leave_signals_to_parent, persistent_workers=True)
print(len(list(waiting)))
working = iter(Loader(numbers, 4, num_workers=1, worker_init_fn=leave_signals_to_parent))
print(next(working).tolist(), flush=True)
raise SystemExit(3)
"""


def test_a_program_ends_whose_loaders_have_processes() -> None:
    with subprocess.Popen([sys.executable, "-c", SCRIPT], cwd=ROOT, stdout=subprocess.PIPE, text=True) as program:
        try:
            said, _ = program.communicate(timeout=120)  # until the last process has closed its copy of the pipe
        finally:
            program.kill()
    assert (said, program.returncode) == ("10\n[0, 1, 2, 3]\n", 3)


KEPT = []


def use_a_loader() -> None:
    KEPT.append(Loader(list(range(8)), num_workers=1, worker_init_fn=leave_signals_to_parent, persistent_workers=True))
    assert len(list(KEPT[0])) == 8


def test_a_process_of_multiprocessing_ends_too() -> None:
    process = multiprocessing.get_context("fork").Process(target=use_a_loader)
    process.start()
    try:
        process.join(60)
        assert process.exitcode == 0
    finally:
        process.kill()


def test_none_but_this_loader_has_processes_that_ignore_signals() -> None:
    texts = [text for path in SOURCES if "worker_init_fn" in (text := path.read_text())]
    calls = [node for text in texts for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    makers = [
        ast.unparse(call.func) for call in calls if "worker_init_fn" in [keyword.arg for keyword in call.keywords]
    ]
    assert makers == ["Loader", "Loader"], "of training and validation, and of metrics"
