"""Signs of life between the processes of a run, beside their process group.

A process that waits in a collective cannot tell whether another one is slow or gone. Each process therefore writes what
it does into the store through which the process group was formed, over a connection of its own.
"""

import atexit
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import torch.distributed
from torch.distributed import distributed_c10d

WAITS, WORKS, ENDED = "waits", "works", "ended"

_LONGEST_CALL = 5.0  # seconds that the end of the process waits for the store
INTERVAL = 2.0  # seconds from one sign to the next
FRESH = 15.0  # seconds: an older sign says nothing about what the process does now


class Sign(NamedTuple):
    """The last sign of another process.

    Attributes:
        age: seconds since it was seen to change.
        state: ``waits`` for other processes, ``works``, or ``ended <exit code>``.
    """

    age: float
    state: str


class Pulse:
    """Writes signs of this process, and reads those of the others while this one waits.

    Args:
        rank: of this process.
        world_size: number of processes.
        state: says what this process does, as ``Sign.state``.
    """

    def __init__(self, rank: int, world_size: int, state: Callable[[], str]) -> None:
        self._others = [other for other in range(world_size) if other != rank]
        self._rank, self._state = rank, state
        self._seen: dict[int, tuple[str, float]] = {}  # the sign, and when it was first seen
        self._waits_since: float | None = None
        self._published = threading.Event()
        self._wake = threading.Event()
        self._closes = False
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)
        self._thread.start()
        # A thread that Python ends inside a call of the store would abort the process at its very end.
        atexit.register(self._close)

    def others(self) -> dict[int, Sign]:
        """The last signs of the others by rank, those that were ever seen."""
        now = time.monotonic()
        return {rank: Sign(now - since, sign.partition(" ")[2]) for rank, (sign, since) in self._seen.items()}

    def silent_for(self, rank: int) -> float:
        """Seconds without a new sign of another process, while this one was listening."""
        if self._waits_since is None:
            return 0.0
        since = self._seen[rank][1] if rank in self._seen else self._waits_since
        return time.monotonic() - max(since, self._waits_since)

    @property
    def ranks(self) -> list[int]:
        """The other processes."""
        return self._others

    def publish(self, seconds: float) -> None:
        """Writes the state now, and waits until it is written or the time is over."""
        self._published.clear()
        self._wake.set()
        self._published.wait(seconds)

    def _close(self) -> None:
        self._closes = True
        self._wake.set()
        self._thread.join(_LONGEST_CALL)

    def _run(self) -> None:
        count, store = 0, None
        while not self._closes:
            count += 1
            try:
                # A connection that failed is given up: an answer may still come through it.
                store = own_store("lit_an/signs") if store is None else store
                self._exchange(store, count)
            except Exception:  # torch raises several types; silence is the message
                store = None
            self._wake.wait(INTERVAL)
            self._wake.clear()

    def _exchange(self, store: Any, count: int) -> None:
        state = self._state()
        listens = state == WAITS
        if not listens:
            self._waits_since = None
        elif self._waits_since is None:
            self._waits_since = time.monotonic()
        store.set(str(self._rank), f"{count} {state}")
        self._published.set()
        keys = [str(rank) for rank in self._others]
        if listens and store.check(keys):
            for rank, value in zip(self._others, store.multi_get(keys), strict=True):
                sign = value.decode()
                if self._seen.get(rank, ("", 0.0))[0] != sign:
                    self._seen[rank] = sign, time.monotonic()


def own_store(prefix: str) -> Any:
    """The store of the process group, over a connection of its own, since each connection serves one thread at a time.

    Args:
        prefix: of its keys.
    """
    store = distributed_c10d._get_default_store()
    clone = getattr(store, "clone", None)  # since PyTorch 2.8
    return torch.distributed.PrefixStore(prefix, store if clone is None else clone())
