"""One hash over processes, and the one that cached statistics are found by."""

from pathlib import Path

import torch
import torch.multiprocessing

from lit_an.tensors.content_hash import ContentHash
from tests.training import run_in_two_processes


def some() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Five images, labels, masks; the same in every process."""
    numbers = torch.arange(5 * 3 * 4 * 4).view(5, 3, 4, 4)
    return numbers % 17 / 8.0 - 1, torch.arange(5) % 2, (numbers[:, :1] % 7 == 0).float()


def test_the_hash_of_images_never_changes() -> None:
    """Files in caches are named after it."""
    images, label, _ = some()
    content = ContentHash(5)
    content.add(images, label, torch.arange(5))
    assert content.image_size == (4, 4)
    assert content.hexdigest() == "cee2f76bf50677702bddea12a70606d52d7646678bd6c318aac33963b165d588"


def test_masks_count_by_number_and_pixel() -> None:
    mask = some()[2]

    def hashed(mask: torch.Tensor, order: list[int]) -> str:
        content = ContentHash(len(mask))
        for number in order:
            content.add_masks(mask[number : number + 1], torch.tensor([number]))
        return content.hexdigest()

    expected = hashed(mask, [0, 1, 2, 3, 4])
    assert hashed(mask, [3, 1, 4, 0, 2]) == expected
    one_pixel = mask.clone()
    one_pixel[4, 0, 3, 3] = 1 - one_pixel[4, 0, 3, 3]
    others = [one_pixel, mask.flip(0), mask[:4], mask.reshape(5, 1, 2, 8)]
    assert len({expected, *(hashed(other, list(range(len(other)))) for other in others)}) == 5


def _hash_as_rank(rank: int, port: str, folder: str) -> None:
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    mask, content = some()[2], ContentHash(5)
    # As a sampler does that gives both as many: number 0 is seen by both.
    numbers = torch.tensor([0, 2, 4] if rank == 0 else [1, 3, 0])
    content.add_masks(mask[numbers], numbers)
    Path(folder, f"{rank}.txt").write_text(content.hexdigest())
    torch.distributed.destroy_process_group()


def test_processes_find_the_hash_of_one(tmp_path: Path) -> None:
    run_in_two_processes(_hash_as_rank, str(tmp_path))
    content = ContentHash(5)
    content.add_masks(some()[2], torch.arange(5))
    assert [Path(tmp_path, f"{rank}.txt").read_text() for rank in range(2)] == [content.hexdigest()] * 2
