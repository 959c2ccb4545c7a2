"""The same generator, computed faster: an adapter over the same parameters."""

import torch
from torch import Tensor, nn

from ..generator import Generator


class UpsampledConv2d(nn.Conv2d):
    """Nearest doubling, then this 3 x 3 convolution with padding 1: the same function in 4/9 of the multiplications.

    Doubling repeats pixels, so neighbouring taps read the same one and their weights add up; what is left is a
    transposed convolution of stride 2 with a 4 x 4 kernel, borders included.
    """

    def forward(self, x: Tensor) -> Tensor:
        taps = x.new_tensor([[1, 0, 0], [1, 1, 0], [0, 1, 1], [0, 0, 1]])  # the 3 taps under a box of 2
        kernel = torch.einsum("ua,vb,oiab->iouv", taps, taps, self.weight.flip(2, 3))
        x, kernel = (t.contiguous(memory_format=torch.channels_last) for t in (x, kernel))
        return nn.functional.conv_transpose2d(x, kernel, self.bias, stride=2, padding=1)


def lean(generator: Generator) -> Generator:
    """The same parameters, names and function, in fewer operations and channels-last; changes `generator` in place."""
    layers = generator.paint
    for i in range(len(layers) - 1):
        conv = layers[i + 1]
        if isinstance(layers[i], nn.Upsample) and type(conv) is nn.Conv2d:
            fused = UpsampledConv2d(conv.in_channels, conv.out_channels, 3, padding=1, device="meta")
            fused.weight, fused.bias = conv.weight, conv.bias
            layers[i], layers[i + 1] = nn.Identity(), fused
    return generator.to(memory_format=torch.channels_last)
