"""What each of the runs that go on at the same time may use of a machine."""

from collections.abc import Sequence


def slots_of(jobs: int | None, devices: Sequence[str], cores: int | None) -> list[dict[str, str]]:
    """The environment of each run that may go on at the same time: its GPUs, or its share of the cores.

    Args:
        jobs: runs at a time, ≥ 1; None takes one for each GPU, or one.
        devices: GPUs, as ``CUDA_VISIBLE_DEVICES`` names them; more runs than GPUs share them.
        cores: to share out where there is no GPU; None leaves the number of threads to the runs.

    Example:
        >>> slots_of(2, ["0", "1", "2", "3"], cores=8)
        [{'CUDA_VISIBLE_DEVICES': '0,1'}, {'CUDA_VISIBLE_DEVICES': '2,3'}]
        >>> slots_of(3, ["0", "1"], cores=8)
        [{'CUDA_VISIBLE_DEVICES': '0'}, {'CUDA_VISIBLE_DEVICES': '1'}, {'CUDA_VISIBLE_DEVICES': '0'}]
        >>> slots_of(2, [], cores=5), slots_of(None, [], cores=5)
        ([{'OMP_NUM_THREADS': '2'}, {'OMP_NUM_THREADS': '2'}], [{}])
    """
    number = jobs or max(1, len(devices))
    if number == 1:
        return [{}]  # all of the machine
    if devices:
        each = max(1, len(devices) // number)
        starts = [slot * each % len(devices) for slot in range(number)]
        return [{"CUDA_VISIBLE_DEVICES": ",".join(devices[start : start + each])} for start in starts]
    return [{} if cores is None else {"OMP_NUM_THREADS": str(max(1, cores // number))}] * number
