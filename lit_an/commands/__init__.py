"""Commands that train nothing: ``python cli.py <tool> --help``.

To add a tool: a module here with a function ``run``, whose typed arguments become the command's options, whose
docstring is its help and whose result is the exit code (0: done; 1: done, and the answer is no); and a line in
``TOOLS`` of ``cli.py``. Bad input raises ``InputError``: one sentence, exit code 2.
"""
