"""The ablation bench: a plan of runs that differ in one thing each, their processes, their report."""
