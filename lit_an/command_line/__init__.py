"""Parts of the command line: parsers, error sentences, the run folder and the rules for trainer arguments.

How to add an argument of the trainer: its row in ``trainer_arguments.py``, and in the table of
``docs/command_line.md``; a test names each one that lacks a row.
"""
