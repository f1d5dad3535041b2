"""A run that goes on with another number of processes, started by torchrun: its stream of images and what is said."""

import hashlib
from pathlib import Path

import pytest
from torch import Tensor

from callbacks.saving.changed_processes import line_of_change
from lit_an.data.sampler import EndlessSampler
from tests.command_line.several_processes import Run, fit
from tests.command_line.small_runs import ROOT, load
from tests.training import make_data

RECORDING = '''
"""Writes down the images of each iteration and process."""
from pathlib import Path
from pytorch_lightning.callbacks import Callback
from tests.callbacks.saving.test_changed_processes import digest

class Record(Callback):
    def on_train_batch_start(self, trainer, task, batch, batch_idx):
        digests = " ".join(map(digest, batch.image))
        with Path(trainer.default_root_dir, f"images_{trainer.global_rank}.txt").open("a") as file:
            file.write(f"{task.iteration} {trainer.world_size} {digests}\\n")
'''


def digest(image: Tensor) -> str:
    return hashlib.sha256(image.contiguous().numpy().tobytes()).hexdigest()


@pytest.mark.slow
def test_two_processes_then_one_then_two_see_one_stream(image_folder: Path, tmp_path: Path) -> None:
    """No image is left out or doubled: the draws are those of one uninterrupted process."""
    (tmp_path / "recording.py").write_text(RECORDING)
    folder, said = tmp_path / "run", []
    for processes, length in ((2, 2), (1, 4), (2, 5)):
        launch = ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={processes}", "cli.py"]
        argv = fit(image_folder, folder, f"--trainer.devices={processes}", f"--iterations={length}")
        argv += [f"--ckpt_path={folder}/checkpoints/last.ckpt"] if said else []
        argv += ["--trainer.callbacks+=recording.Record"]
        with Run(tmp_path, argv, program=launch, env={"PYTHONPATH": f"{ROOT}:{tmp_path}"}) as run:
            assert run.code() == 0, run.said()
            said.append(run.said())
    positions = {}
    seen = 0
    rows = [path.read_text().splitlines() for path in sorted(folder.glob("images_*.txt"))]
    by_place = {(int(row.split()[0]), rank): row.split()[1:] for rank, of_rank in enumerate(rows) for row in of_rank}
    for iteration in range(5):
        world = int(by_place[iteration, 0][0])
        for rank in range(world):
            for number, image in enumerate(by_place[iteration, rank][1:]):
                positions[seen + number * world + rank] = image
        seen += 2 * world
    assert seen == 16
    assert sorted(positions) == list(range(16))
    # The quickstart's source keeps a part of the images for validation; the seed of the run is that of its config.
    dataset = make_data(image_folder, val_fraction=0.1).dataset("train")
    draws = iter(EndlessSampler(len(dataset)))
    assert [positions[place] for place in range(16)] == [digest(dataset[next(draws)].image) for _ in range(16)]
    assert load(folder)["state_dict"]["_extra_state"] == {"iteration": 5, "images_seen": 16}  # type: ignore[index]
    assert load(folder)["lit_an"]["processes"] == 2  # type: ignore[index]
    assert "resumed with" not in said[0]
    assert "resumed with 1 process instead of 2: an iteration takes 2 images, 4 before" in said[1]
    assert "--data.batch_size 4 keeps 4, with --model.accumulate 2 in the memory of 2" in said[1]
    assert "resumed with 2 processes instead of 1: an iteration takes 4 images, 3 before" in said[2]


def test_no_batch_size_is_named_that_does_not_keep_the_number_of_images() -> None:
    line = line_of_change(2, 3, batch_size=4, batches_per_iteration=1, iteration=10, images_seen=80)
    assert line is not None
    assert line.endswith(
        "an iteration takes 12 images, 8 before; data.batch_size 4 and the learning rates stay as configured"
    )
    assert line_of_change(None, 3, 4, 1, 10, 80) is None
    assert line_of_change(3, 3, 4, 1, 10, 80) is None


def test_the_number_of_processes_of_an_older_checkpoint_is_unknown(tmp_path: Path) -> None:
    from lit_an.checkpoints.format import read_entries

    assert read_entries({"lit_an": {"format": 1, "iteration": 3}}, "it").processes is None
