"""Preparing a data set: ``plan_of`` lists its pictures, ``prepare`` makes shards of them.

``plan.py`` says what there is to make and whose part it is, ``shard_making.py`` makes one shard, ``parallel.py`` all of
them with several processes, ``outcome.py`` writes the manifest and the report.
"""

from lit_an.data.preparation.outcome import Outcome
from lit_an.data.preparation.parallel import prepare
from lit_an.data.preparation.plan import Part, Plan, part_called, plan_of

__all__ = ["Outcome", "Part", "Plan", "part_called", "plan_of", "prepare"]
