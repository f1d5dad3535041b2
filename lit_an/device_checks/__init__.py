"""Whether everything computes on a GPU what it computes on the CPU, trains there, and how fast: the command ``gpu``.

A part of the report is a function that gives rows; each runs in a process of its own (``processes.py``) and survives
the failure of the others. ``cases.py`` and ``metric_cases.py`` list what is compared, ``agreement.py`` compares,
``trainings.py`` and ``handovers.py`` start real runs, ``layers.py`` and ``recipes.py`` measure; ``report.py`` writes.
Nothing here is for GPUs only: a dry run does the same on the CPU, smaller.

How to add a part: a function of ``Setting`` in a file here that gives ``Row``s, and its entry in ``parts.py``. A norm,
a loss or an augmentation that is registered is compared without being named here.
"""
