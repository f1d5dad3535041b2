"""Image files: which files are images, what their samples mean, how colors become sRGB, and pixels of 8 bits.

Training, masks, ``sample`` and ``inpaint`` all read files by these rules. ``docs/data.md`` has them as a table.
"""
