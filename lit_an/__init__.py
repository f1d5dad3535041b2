"""lit_an: attentive normalization (Wang et al., CVPR 2020) for image synthesis, on PyTorch Lightning.

Nothing is imported here, so that ``import lit_an.norms`` stays light; import the module you need.
"""

__version__ = "0.1.0"
