"""Networks of the colour benchmarks: `colour_networks:NAME` names one on the command line and in a configuration."""

import torch
from torch import Tensor, nn

from rdskd_lab.networks.architectures import WideResNet


class SVHNTeacher(nn.Module):
    """Three pairs of 3 x 3 convolutions (32, 64, 128 channels) with BatchNorm, each pooled; two linear layers.

    38 million multiply-adds an image.  The names are those of the weights in the package `ccexam` (MIT), which
    were trained on SVHN's official training images.
    """

    def __init__(self):
        super().__init__()
        pairs = zip((3, 32, 64), (32, 64, 128), strict=True)
        self.features = nn.Sequential(*(self._pair(before, after) for before, after in pairs))
        self.classifier = nn.Sequential(
            nn.Dropout(0.3), nn.Linear(128 * 4 * 4, 256), nn.ReLU(), nn.Dropout(0.3), nn.Linear(256, 10)
        )

    @staticmethod
    def _pair(before: int, after: int) -> nn.Sequential:
        layers = []
        for channels in (before, after):
            layers += [nn.Conv2d(channels, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU()]
        return nn.Sequential(*layers, nn.MaxPool2d(2))

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x.contiguous(memory_format=torch.channels_last)).flatten(1))


# A CPU without these emulates bfloat16: a student's step of 128 images takes it 5.3 s instead of 0.5 in float32.
QUICK = any(torch.cpu.get_capabilities().get(name) for name in ("avx512_bf16", "amx_bf16"))


class Bfloat16(nn.Module):
    """A network that computes in bfloat16 and channels-last while it trains, and in float32 otherwise.

    Its weights stay float32.  On a CPU with bfloat16 instructions a step takes half the time; on one without them
    (`QUICK` is false) all is float32.
    """

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net.to(memory_format=torch.channels_last)

    def forward(self, x: Tensor) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last)
        rounded = self.training and (QUICK or x.device.type != "cpu")
        with torch.autocast(x.device.type, torch.bfloat16, enabled=rounded):
            answer = self.net(x)
        return answer.float()


def student() -> nn.Module:
    """Make WRN-16-1, 175,066 weights."""
    return Bfloat16(WideResNet(16, 1))


def svhn_teacher() -> nn.Module:
    """Read ccexam's network; fetched first, if it is not there yet (`colour_sets.fetch`)."""
    from colour_sets import fetch

    net = SVHNTeacher()
    net.load_state_dict(torch.load(fetch(), weights_only=True, map_location="cpu"))
    return net.eval()
