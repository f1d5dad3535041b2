"""The machine that a run is on: its facts, its memory, the processes that work for the run and end with it."""
