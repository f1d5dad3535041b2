"""The ablation bench, ``python cli.py ablate``: ``bench`` trains, ``analysis`` compares, ``report`` shows."""
