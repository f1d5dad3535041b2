"""What only the command line uses: its sentences, the run folder, what the trainer's arguments do here.

How to add an argument of the trainer: its row in ``trainer_arguments.py``, and in the table of
``docs/command_line.md``; a test names each one that lacks a row.
"""
