"""Attentive normalization (AN): the layer, its formulas, and the paths that compute them.

``layer.py`` holds ``AttentiveNorm2d``, ``semantic_layout.py`` the ``SemanticLayout`` inside it. ``functional.py`` holds
the formulas, which every path is tested against. ``dispatch.py`` chooses a path: ``kernel_path.py`` (C in ``kernel/``)
on CPUs, ``triton_path.py`` (``triton_launches.py``, ``triton_kernels.py``) on NVIDIA GPUs, or ``block_path.py``.
``operator.py`` makes them an operator for compilers.
"""

from lit_an.norms.attentive.calibration import calibrate_layouts
from lit_an.norms.attentive.layer import AttentiveNorm2d
from lit_an.norms.attentive.semantic_layout import SemanticLayout

__all__ = ["AttentiveNorm2d", "SemanticLayout", "calibrate_layouts"]
