"""A checkpoint that cannot be written: the former one stays, one sentence, and training goes on."""

import os
import re
import shutil
import signal
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning.callbacks import Callback

from callbacks import Checkpointing
from lit_an.checkpoints.files import load_checkpoint
from lit_an.errors import InputError
from tests.small_disk import fill, remount, small_disk
from tests.training import make_data, make_task, make_trainer, run_in_two_processes

NO_SPACE = r"cannot be written \(No space left on device\)"


class At(Callback):
    """Calls functions before iterations."""

    def __init__(self, **functions: Any) -> None:
        self.functions = {int(name.removeprefix("iteration_")): function for name, function in functions.items()}

    def on_train_batch_start(self, trainer: Any, task: Any, *args: Any) -> None:
        self.functions.get(task.iteration + 1, lambda: None)()


def train(
    folder: Path, image_folder: Path, iterations: int, at: Callback, **options: Any
) -> tuple[Checkpointing, list[str]]:
    """Trains, and returns the callback and what it warned of."""
    task, checkpointing = make_task(), Checkpointing(**{"every_iterations": 2, **options})
    trainer = make_trainer(folder, task, iterations, [at, checkpointing])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        trainer.fit(task, datamodule=make_data(image_folder))
    said = [str(each.message) for each in caught if "is not saved" in str(each.message)]
    assert task.iteration == iterations or checkpointing.stopped_by
    return checkpointing, said


def iterations_in(folder: Path) -> dict[str, int]:
    """The iteration of each file; all are whole and none is unfinished."""
    return {path.name: load_checkpoint(path)["lit_an"]["iteration"] for path in (folder / "checkpoints").iterdir()}


def test_a_full_disk_is_one_sentence_and_the_next_interval_tries_again(tmp_path: Path, image_folder: Path) -> None:
    with small_disk(tmp_path / "disk", 8 << 20) as disk:
        filled = At(iteration_3=lambda: fill(disk, leave=100_000), iteration_5=(disk / "filler.bin").unlink)
        checkpointing, said = train(disk, image_folder, 6, filled)
        assert iterations_in(disk) == {"iteration_0000002.ckpt": 2, "iteration_0000006.ckpt": 6, "last.ckpt": 6}
        assert not checkpointing.unsaved
        (sentence,) = said
        assert re.match(rf"iteration 4 is not saved: {disk}/checkpoints/iteration_0000004.ckpt {NO_SPACE}; ", sentence)
        last = disk / "checkpoints" / "last.ckpt"
        assert f"the newest checkpoint is still {last}, and training goes on and tries again at the" in sentence


def test_a_disk_that_is_full_from_the_start_names_no_file(tmp_path: Path, image_folder: Path) -> None:
    with small_disk(tmp_path / "disk", 8 << 20) as disk:
        checkpointing, said = train(disk, image_folder, 3, At(iteration_1=lambda: fill(disk)))
        assert checkpointing.unsaved
        assert len(said) == 2
        assert said[0].endswith("there is no checkpoint yet, and training goes on and tries again at the next interval")
        assert said[1].startswith("iteration 3 is not saved: ")
        assert said[1].endswith("there is no checkpoint yet, and the run ends")
        assert [path.name for path in disk.rglob("*") if path.is_file()] == ["filler.bin"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_on_a_full_disk_does_not_say_that_it_is_written(
    number: int, tmp_path: Path, image_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")

    def send() -> None:
        fill(disk)
        os.kill(os.getpid(), number)

    with small_disk(tmp_path / "disk", 8 << 20) as disk:
        checkpointing, said = train(disk, image_folder, 4, At(iteration_3=send), every_iterations=2, every_minutes=0)
        assert iterations_in(disk) == {"iteration_0000002.ckpt": 2, "last.ckpt": 2}
    assert checkpointing.unsaved
    assert said[0].startswith("iteration 3 is not saved: ")
    assert said[-1].endswith("and the run ends")
    assert "the checkpoint is written" not in caplog.text
    assert ("Stopping on SIGTERM; the checkpoint could not be written" in caplog.text) == (number == signal.SIGTERM)


def test_a_disk_that_becomes_read_only(tmp_path: Path, image_folder: Path) -> None:
    with small_disk(tmp_path / "disk", 8 << 20) as disk:
        switched = At(iteration_3=lambda: remount(disk, "ro"), iteration_6=lambda: remount(disk, "rw"))
        checkpointing, said = train(disk, image_folder, 6, switched)
        assert iterations_in(disk) == {"iteration_0000002.ckpt": 2, "iteration_0000006.ckpt": 6, "last.ckpt": 6}
    assert len(said) == 1
    assert "(Read-only file system)" in said[0]
    assert not checkpointing.unsaved


def test_a_removed_folder_is_made_again(tmp_path: Path, image_folder: Path) -> None:
    run = tmp_path / "run"
    _, said = train(run, image_folder, 4, At(iteration_4=lambda: shutil.rmtree(run)))
    assert said == []
    assert iterations_in(run) == {"iteration_0000004.ckpt": 4, "last.ckpt": 4}


def test_a_file_in_place_of_the_folder_is_one_sentence(tmp_path: Path, image_folder: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "checkpoints").touch()
    checkpointing, said = train(run, image_folder, 2, At())
    assert checkpointing.unsaved
    assert "iteration_0000002.ckpt cannot be written" in said[0]
    assert (run / "checkpoints").is_file()


def test_an_error_of_the_program_is_none_of_the_disk(tmp_path: Path, image_folder: Path) -> None:
    class Unwritable(Callback):
        def state_dict(self) -> dict[str, Any]:
            return {"function": lambda: None}

    task = make_task()
    trainer = make_trainer(tmp_path, task, 2, [Unwritable(), Checkpointing(every_iterations=2)])
    with pytest.raises(Exception, match="lambda"):
        trainer.fit(task, datamodule=make_data(image_folder))
    assert not list(tmp_path.rglob("*.ckpt"))


def test_what_a_killed_run_was_writing_is_removed(tmp_path: Path, image_folder: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    for name in (".lit_an-abc.ckpt", ".iteration_0000009.ckpt.part"):
        (tmp_path / "checkpoints" / name).write_bytes(b"half")
    train(tmp_path, image_folder, 2, At())
    assert iterations_in(tmp_path) == {"iteration_0000002.ckpt": 2, "last.ckpt": 2}


def test_the_temporary_folder_of_the_system_is_not_needed(
    tmp_path: Path, image_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with small_disk(tmp_path / "disk", 1 << 20) as disk:
        fill(disk)
        monkeypatch.setenv("TMPDIR", str(disk))
        monkeypatch.setattr("tempfile.tempdir", None)
        _, said = train(tmp_path / "run", image_folder, 2, At())
        assert said == []
        assert iterations_in(tmp_path / "run") == {"iteration_0000002.ckpt": 2, "last.ckpt": 2}


def test_a_resume_refuses_a_damaged_file_without_the_command_line(tmp_path: Path, image_folder: Path) -> None:
    train(tmp_path / "run", image_folder, 2, At())
    path = tmp_path / "run" / "checkpoints" / "last.ckpt"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x40
    path.write_bytes(data)
    task = make_task()
    trainer = make_trainer(tmp_path / "more", task, 4, [Checkpointing()])
    with pytest.raises(ValueError, match="damaged"):
        trainer.fit(task, datamodule=make_data(image_folder), ckpt_path=path)


def _start_apart(rank: int, port: str, folder: str, images: str) -> None:
    _be(rank, port)
    task = make_task()
    trainer = make_trainer(Path(folder), task, 6, [Checkpointing()], devices=2, strategy="ddp")
    data = make_data(Path(images), batch_size=2)
    path = Path(folder, "checkpoints", f"iteration_{2 + 2 * rank:07d}.ckpt")
    with pytest.raises(InputError, match="start from different checkpoints, of iterations 2 to 4; name one"):
        trainer.fit(task, datamodule=data, ckpt_path=path, weights_only=True)


@pytest.mark.slow
def test_processes_that_start_from_different_checkpoints_are_refused(tmp_path: Path, image_folder: Path) -> None:
    train(tmp_path, image_folder, 4, At())
    run_in_two_processes(_start_apart, str(tmp_path), str(image_folder))


def _be(rank: int, port: str) -> None:
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=port, LOCAL_RANK=str(rank), NODE_RANK="0", WORLD_SIZE="2")
    torch.set_num_threads(1)


def _train_on_a_full_disk(rank: int, port: str, disk: str, images: str) -> None:
    _be(rank, port)
    task, checkpointing = make_task(), Checkpointing(every_iterations=1)
    trainer = make_trainer(Path(disk), task, 3, [checkpointing], devices=2, strategy="ddp")
    trainer.fit(task, datamodule=make_data(Path(images), batch_size=2))
    assert (task.iteration, checkpointing.unsaved) == (3, True)


def test_all_processes_go_on_when_the_first_cannot_write(tmp_path: Path, image_folder: Path) -> None:
    with small_disk(tmp_path / "disk", 1 << 20) as disk:
        fill(disk)
        run_in_two_processes(_train_on_a_full_disk, str(disk), str(image_folder))
        assert not list(disk.rglob("*.ckpt"))
