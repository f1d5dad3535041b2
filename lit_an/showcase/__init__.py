"""Generators that come with the package: trained on satellite images, a folder for each task.

A folder holds an export (``lit-an export --formats '[safetensors]'``) and its model card, ``README.md``. The commands
``sample``, ``inpaint`` and ``demo`` use them if no checkpoint is given. To replace one: put the files of an export in
its folder, and write its card anew; ``tests/showcase`` says what the card must hold.

``showcase("class_conditional")`` is a folder for ``lit_an.sampling.load_exported``, ``showcase("inpainting")`` one for
``lit_an.inpainting.load_exported_inpainter``.
"""

from lit_an.showcase.models import showcase

__all__ = ["showcase"]
