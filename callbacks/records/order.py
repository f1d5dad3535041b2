"""The callbacks of every training, in the order in which they write: each reads what those before it wrote."""

from pytorch_lightning import Callback

from callbacks.records.curves import RunCurves
from callbacks.records.readme import RunReadme
from callbacks.records.record import RunRecord


def run_records() -> list[Callback]:
    """The record, the curves and the README of a run."""
    return [RunRecord(), RunCurves(), RunReadme()]
