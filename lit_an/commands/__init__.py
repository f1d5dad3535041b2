"""Commands that train nothing: ``python cli.py COMMAND --help``.

To add a command: a module here with a function ``run``, whose typed arguments become the command's options, whose
docstring is its help and whose result is the exit code (0: done; 1: done, and the answer is no); and a line in
``COMMANDS`` of ``cli.py``. An option of type ``Names`` (``option_types.py``) takes names as they are spelled. Bad input
raises ``InputError``: one sentence, exit code 2.
"""
