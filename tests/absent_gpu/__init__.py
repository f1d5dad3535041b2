"""Tests on a CUDA device that is not there: fake tensors, whose operations compute types, shapes and devices alone.

PyTorch makes such tensors on machines without a GPU, but the autograd engine of its CUDA builds asks the driver. So the
tests run in processes of their own, beside a library that stands in for the driver (``stand_in.py``).
"""
