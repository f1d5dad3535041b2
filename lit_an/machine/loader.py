"""Loading batches with processes that leave signals to the one that started them, and end with it."""

import atexit
import os
from collections.abc import Iterator
from multiprocessing.util import Finalize
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from torch.utils.data import DataLoader

Batch = TypeVar("Batch", covariant=True)

# The iterators whose processes may be running, each with the process that started it.
_running: WeakKeyDictionary[Any, int] = WeakKeyDictionary()


class Loader(DataLoader[Batch]):
    """A ``DataLoader`` whose processes end when the program does, even if they ignore SIGTERM.

    With ``worker_init_fn=lit_an.machine.workers.leave_signals_to_parent`` they do ignore it, and SIGTERM is all that
    ``multiprocessing`` sends to processes that are left at the end of a program, before it waits for them without a
    limit.
    """

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        iterator = super().__iter__()
        if self.num_workers > 0:
            if os.getpid() not in _running.values():
                # A process that multiprocessing started ends without atexit. Of a higher priority than its queues have,
                # through which the processes are asked to end.
                Finalize(None, _end_processes, exitpriority=100)
            _running[iterator] = os.getpid()
        return iterator


# Registered after the import of DataLoader, and so called before what that has registered: afterwards PyTorch no longer
# asks its processes to end.
@atexit.register
def _end_processes() -> None:
    for iterator, process in list(_running.items()):
        if process == os.getpid():  # not in a fork
            iterator._shutdown_workers()
