"""A convolution with a step, also for maps of one position."""

from torch import Tensor, nn


class StridedConv2d(nn.Conv2d):
    """``nn.Conv2d`` with an odd kernel and a padding of half of it, which gives (⌈H / stride⌉, ⌈W / stride⌉).

    On a map of one position the step changes nothing, and there it is 1: with a larger one PyTorch 2.14 on a CPU
    with bfloat16 arithmetic leaves the gradient of those weights unset that meet the padding only.

    Example:
        >>> import torch
        >>> StridedConv2d(2, 3, 5, stride=2, padding=2)(torch.zeros(1, 2, 1, 1)).shape
        torch.Size([1, 3, 1, 1])
    """

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if self.padding_mode != "zeros" or input.shape[-2:] != (1, 1):
            return super()._conv_forward(input, weight, bias)
        return nn.functional.conv2d(input, weight, bias, 1, self.padding, self.dilation, self.groups)
