"""Attentive normalization (AN): the layer, its formulas, and the paths that compute them.

``layer.py`` holds ``AttentiveNorm2d`` and its ``SemanticLayout``; ``functional.py`` the formulas, which every path is
tested against; ``dispatch.py`` chooses a path: ``kernel_path.py`` (C in ``kernel/``) or ``block_path.py``.
"""

from lit_an.norms.attentive.calibration import calibrate_layouts
from lit_an.norms.attentive.layer import AttentiveNorm2d, SemanticLayout

__all__ = ["AttentiveNorm2d", "SemanticLayout", "calibrate_layouts"]
