"""Prepared images on disk: shards in the format of Apache Arrow, and a manifest that says what they are.

``format.py`` is the only file that knows the format, ``manifest.py`` what a folder of shards says of itself,
``folder.py`` reads one, from a disk or an object store, ``encoding.py`` encodes one image.
"""
