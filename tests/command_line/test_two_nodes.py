"""Two machines, here two network namespaces with a cable between them: a run trains, resumes, and survives a cut."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command_line.several_processes import Run, fit, iterations
from tests.command_line.small_runs import load

# A name for each process that runs tests.
NAMES = [f"lit{os.getpid() % 100000}{end}" for end in "ab"]
ADDRESSES = ["10.87.65.1", "10.87.65.2"]
SHORT = ["--trainer.num_nodes=2", "--trainer.devices=1", "--trainer.timeout_minutes=0.4"]


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@pytest.fixture(scope="module")
def nodes() -> Iterator[list[str]]:
    """The names of two namespaces."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("needs root and the command ip, to make network namespaces")
    try:
        for name in NAMES:
            ip("netns", "add", name)
        ip("link", "add", NAMES[0], "type", "veth", "peer", "name", NAMES[1])
        for name, address in zip(NAMES, ADDRESSES, strict=True):
            ip("link", "set", name, "netns", name)
            ip("-n", name, "address", "add", f"{address}/24", "dev", name)
            ip("-n", name, "link", "set", "lo", "up")
            ip("-n", name, "link", "set", name, "up")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"needs network namespaces: {error.stderr.decode().strip()}")
    yield NAMES
    for name in NAMES:
        ip("netns", "delete", name)


def start(nodes: list[str], folder: Path, argv: list[str], rank: int, port: int) -> Run:
    """The command on one of the nodes, each with its place in the environment as from a scheduler."""
    env = {"MASTER_ADDR": ADDRESSES[0], "MASTER_PORT": str(port), "NODE_RANK": str(rank)}
    env |= {"GLOO_SOCKET_IFNAME": nodes[rank]}
    return Run(folder, argv, before=["ip", "netns", "exec", nodes[rank]], env=env)


@pytest.fixture
def cable(nodes: list[str]) -> Iterator[str]:
    """A node whose cable a test may cut; it is mended afterwards."""
    yield nodes[1]
    ip("-n", nodes[1], "link", "set", nodes[1], "up")


@pytest.mark.slow
def test_a_run_on_two_nodes_resumes(nodes: list[str], image_folder: Path, tmp_path: Path) -> None:
    """With torchrun on both, as the guide says."""
    folder = tmp_path / "run"
    for number, iterations_in_all in enumerate((2, 4)):
        argv = fit(image_folder, folder, *SHORT, f"--iterations={iterations_in_all}")
        argv += [f"--ckpt_path={folder}/checkpoints/last.ckpt"] if number else []
        runs = []
        for rank, node in enumerate(nodes):
            place = [f"--node_rank={rank}", f"--master_addr={ADDRESSES[0]}", f"--master_port={29500 + number}"]
            launch = ["-m", "torch.distributed.run", "--nnodes=2", "--nproc_per_node=1", *place, "cli.py"]
            before = ["ip", "netns", "exec", node]
            runs.append(Run(tmp_path, argv, before, launch, env={"GLOO_SOCKET_IFNAME": node}))
        with runs[0], runs[1]:
            assert [run.code() for run in runs] == [0, 0], "".join(run.said() for run in runs)
    counted = load(folder)["state_dict"]["_extra_state"]  # type: ignore[index]
    assert counted == {"iteration": 4, "images_seen": 16}


@pytest.mark.slow
def test_both_nodes_end_when_the_link_is_cut(nodes: list[str], cable: str, image_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    argv = fit(image_folder, folder, *SHORT)
    with start(nodes, tmp_path, argv, 0, 29510) as first, start(nodes, tmp_path, argv, 1, 29510) as second:
        first.until((folder / "metrics.csv").exists)
        ip("-n", cable, "link", "set", cable, "down")
        assert (first.code(120), second.code(120)) == (75, 75), first.said() + second.said()
        for said in (first.said(), second.said()):
            assert "Traceback" not in said
        assert f"resume with --ckpt_path {folder}\n" in first.said()
        assert "error in process 1: in iteration " in second.said()
    (saved,) = iterations(folder)
    ip("-n", cable, "link", "set", cable, "up")
    argv = fit(image_folder, folder, *SHORT, f"--iterations={saved + 1}", f"--ckpt_path={folder}/checkpoints/last.ckpt")
    with start(nodes, tmp_path, argv, 0, 29511) as first, start(nodes, tmp_path, argv, 1, 29511) as second:
        assert (first.code(), second.code()) == (0, 0), first.said() + second.said()
    assert iterations(folder) == [saved, saved + 1]


@pytest.mark.slow
def test_a_stop_signal_is_honored_while_the_link_is_cut(
    nodes: list[str], cable: str, image_folder: Path, tmp_path: Path
) -> None:
    """The timeout is far away."""
    folder = tmp_path / "run"
    argv = fit(image_folder, folder, *SHORT[:2], "--trainer.grace_seconds=3")
    with start(nodes, tmp_path, argv, 0, 29512) as first, start(nodes, tmp_path, argv, 1, 29512) as second:
        first.until((folder / "metrics.csv").exists)
        ip("-n", cable, "link", "set", cable, "down")
        time.sleep(1)
        for run in (first, second):
            run.process.send_signal(signal.SIGTERM)
        assert (first.code(60), second.code(60)) == (143, 143), first.said() + second.said()
        assert "stopped by SIGTERM without a new checkpoint" in first.said()


@pytest.mark.slow
def test_a_node_that_never_appears(nodes: list[str], image_folder: Path, tmp_path: Path) -> None:
    argv = fit(image_folder, tmp_path / "run", *SHORT)
    with start(nodes, tmp_path, argv, 0, 29513) as first:
        assert first.code(120) == 75
        assert "Traceback" not in first.said()
        assert "start the run again" in first.said()
