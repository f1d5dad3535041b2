"""The time that a run's iterations take, over all its resumes."""

import time
from collections.abc import Sequence


class TrainingClock:
    """Seconds of a run's iterations: those of the clock, and those of the processors of this process.

    It runs from the end of the work between two iterations (pictures, validations, checkpoints) to the end of the next
    iteration, so that it holds the wait for data and neither the pictures nor the metrics of a run. On an accelerator
    an iteration ends when its work is queued; at log iterations, whose values are read, the time is right.

    A checkpoint holds the two sums, and a resumed run adds to them.

    Example:
        >>> clock = TrainingClock()
        >>> clock.go_on((100.0, 180.0))
        >>> clock.start()
        >>> clock.stop()
        >>> clock.sums()[0] >= 100.0
        True
    """

    def __init__(self) -> None:
        self._sums = (0.0, 0.0)
        self._started: tuple[float, float] | None = None
        self._row = (0.0, 0)  # seconds and images at the last row

    def start(self) -> None:
        """Starts it, or starts the running part anew."""
        self._started = _now()

    def stop(self) -> None:
        """Stops it, if it runs."""
        self._sums, self._started = self.sums(), None

    def go_on(self, sums: Sequence[float], images: int = 0) -> None:
        """Goes on from the sums of a checkpoint.

        Args:
            sums: seconds of the clock, and of processors.
            images: that the run had seen.
        """
        self._sums, self._started = (sums[0], sums[1]), None
        self._row = (sums[0], images)

    def sums(self) -> tuple[float, float]:
        """Seconds of the clock, and of processors, so far."""
        if self._started is None:
            return self._sums
        now = _now()
        return (self._sums[0] + now[0] - self._started[0], self._sums[1] + now[1] - self._started[1])

    def row(self, images: int) -> dict[str, float]:
        """What a log row says of time and of images.

        Args:
            images: that the run has seen in all; the rate is that since the row before.
        """
        seconds, processor_seconds = self.sums()
        passed, seen = seconds - self._row[0], images - self._row[1]
        self._row = (seconds, images)
        return {
            "images_seen": images,
            "time/seconds": seconds,
            "time/processor_seconds": processor_seconds,
            "time/images_per_second": seen / passed if passed > 0 else 0.0,
        }


def _now() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()
