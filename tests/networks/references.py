"""The networks written out as sums of operations in float64, from their state dicts: slow, and easy to compare."""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Weights = Mapping[str, Tensor]

# Stride, dilation, and whether the map is doubled first, block by block.
ENCODER = [(1, 1, False), (2, 1, False), (1, 1, False), (2, 1, False), (1, 1, False)]
DILATED = [(1, rate, False) for rate in (1, 2, 4, 8, 16)]
LONG_RANGE = [(1, 1, False)] * 3
DECODER = [(1, 1, False), (1, 1, False), (1, 1, True), (1, 1, False), (1, 1, True), (1, 1, False)]


def randomized(network: nn.Module) -> Weights:
    """Makes a network float64 and draws all that starts at a constant; returns its state dict."""
    network.double()
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.dim() < 2 or not parameter.any():
                parameter.normal_(std=0.5)
    return network.state_dict()


def convolved(w: Weights, name: str, x: Tensor, stride: int = 1, dilation: int = 1) -> Tensor:
    weight = w[f"{name}.weight"]
    return F.conv2d(x, weight, w[f"{name}.bias"], stride, dilation * (weight.shape[2] // 2), dilation)


def relu(x: Tensor) -> Tensor:
    return torch.where(x > 0, x, 0)


def elu(x: Tensor) -> Tensor:
    return torch.where(x > 0, x, torch.exp(x) - 1)


def leaky(x: Tensor) -> Tensor:
    return torch.where(x > 0, x, 0.2 * x)


def doubled(x: Tensor) -> Tensor:
    return x.repeat_interleave(2, 2).repeat_interleave(2, 3)


def halved(x: Tensor) -> Tensor:
    return (x[..., ::2, ::2] + x[..., ::2, 1::2] + x[..., 1::2, ::2] + x[..., 1::2, 1::2]) / 4


def standardized(x: Tensor, over: tuple[int, ...]) -> Tensor:
    mean = x.mean(over, keepdim=True)
    return (x - mean) / torch.sqrt(((x - mean) ** 2).mean(over, keepdim=True) + 1e-5)


def conditional_batch(w: Weights, name: str, x: Tensor, label: Tensor) -> Tensor:
    """Batch norm in training; the weight of gain and shift holds a column for each class."""
    gain, shift = (w[f"{name}.{part}.weight"][:, label].T[:, :, None, None] for part in ("gain", "shift"))
    return (1 + gain) * standardized(x, (0, 2, 3)) + shift


def generator(w: Weights, blocks: int, latent: Tensor, label: Tensor, conditional_end: bool) -> Tensor:
    """SNGAN-projection's generator, gen_models/resnet.py and resblocks.py there."""
    x = (latent @ w["stem.weight"].T + w["stem.bias"]).reshape(len(latent), -1, 4, 4)
    for block in (f"blocks.{index}" for index in range(blocks)):
        hidden = doubled(relu(conditional_batch(w, f"{block}.norm1", x, label)))
        hidden = convolved(w, f"{block}.conv1", hidden)
        hidden = convolved(w, f"{block}.conv2", relu(conditional_batch(w, f"{block}.norm2", hidden, label)))
        x = hidden + convolved(w, f"{block}.skip", doubled(x))
    if conditional_end:
        x = conditional_batch(w, "final_norm", x, label)
    else:
        gain, shift = (w[f"final_norm.norm.{part}"][:, None, None] for part in ("weight", "bias"))
        x = gain * standardized(x, (0, 2, 3)) + shift
    return torch.tanh(convolved(w, "to_image", relu(x)))


def discriminator(w: Weights, blocks: int, image: Tensor, label: Tensor) -> Tensor:
    """SNGAN-projection's discriminator, dis_models/snresnet.py and resblocks.py there; the last block keeps its map."""
    x = image
    for index in range(blocks):
        block, first, last = f"blocks.{index}", index == 0, index == blocks - 1
        hidden = convolved(w, f"{block}.conv1", x if first else relu(x))
        hidden = convolved(w, f"{block}.conv2", relu(hidden))
        x = hidden + x if last else halved(hidden) + halved(convolved(w, f"{block}.skip", x))
    features = relu(x).sum(3).sum(2)
    logit = features @ w["to_logit.weight"][0] + w["to_logit.bias"][0]
    return logit + (features * w["class_embedding.weight"][label]).sum(1)


def inpainting_blocks(w: Weights, name: str, blocks: Sequence[tuple[int, int, bool]], x: Tensor) -> Tensor:
    """Convolution, instance norm where there is one, ELU."""
    for index, (stride, dilation, double) in enumerate(blocks):
        block = f"{name}.{index}"
        x = convolved(w, f"{block}.conv", doubled(x) if double else x, stride, dilation)
        if f"{block}.norm.norm.weight" in w:
            gain, shift = (w[f"{block}.norm.norm.{part}"][:, None, None] for part in ("weight", "bias"))
            x = gain * standardized(x, (2, 3)) + shift
        x = elu(x)
    return x


def coarse_to_fine(w: Weights, image: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Coarse and fine image before they are clipped, of sides that 4 divides: build_generator in net/network.py."""
    erased, ones = image * (1 - mask), torch.ones_like(mask)
    x = torch.cat([erased, ones, mask], 1)
    coarse = convolved(w, "coarse_to_image", inpainting_blocks(w, "coarse", ENCODER + DILATED + DECODER, x))
    x = torch.cat([coarse.clamp(-1, 1) * mask + erased, ones, mask], 1)
    both = [
        inpainting_blocks(w, "dilated", ENCODER + DILATED, x),
        inpainting_blocks(w, "long_range", ENCODER + LONG_RANGE, x),
    ]
    fine = inpainting_blocks(w, "fine", DECODER, torch.cat(both, 1))
    return coarse, convolved(w, "fine_to_image", fine)


def halving(w: Weights, name: str, count: int, x: Tensor) -> list[Tensor]:
    """The map after each convolution of a critic."""
    maps = []
    for index in range(count):
        x = leaky(convolved(w, f"{name}.convolutions.{index}", x, stride=2))
        maps.append(x)
    return maps


def whole_critic(w: Weights, name: str, image: Tensor) -> Tensor:
    """Logits; a last map of twice the side that the critic is made for is averaged."""
    last = halving(w, f"{name}.trunk", 6, image)[-1]
    weight, bias = w[f"{name}.to_logit.weight"][0], w[f"{name}.to_logit.bias"][0]
    if last[0].numel() > len(weight):
        last = halved(last)
    return torch.stack([(one.flatten() * weight).sum() + bias for one in last])
