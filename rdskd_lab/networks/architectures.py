"""Teachers and students: plain networks, `forward(x) -> logits`.  Features and statistics are read through hooks."""

import torch.nn.functional as F
from torch import Tensor, nn


class LeNet5(nn.Module):
    """(N, C, 32, 32) -> (N, K) logits; no BatchNorm; the released code's feature is what enters `fc1`, 120 numbers.

    61,706 parameters and 0.417 M multiply-adds an image for C=1, K=10.  Source: DAFL and RDSKD, released code.
    """

    widths = (6, 16, 120, 84)

    def __init__(self, channels: int = 1, classes: int = 10):
        super().__init__()
        a, b, c, d = self.widths
        self.conv1 = nn.Conv2d(channels, a, 5)  # 28 x 28, pooled to 14 x 14
        self.conv2 = nn.Conv2d(a, b, 5)  # 10 x 10, pooled to 5 x 5
        self.conv3 = nn.Conv2d(b, c, 5)  # 1 x 1
        self.fc1 = nn.Linear(c, d)
        self.fc2 = nn.Linear(d, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(self.conv1(x).relu(), 2)
        x = F.max_pool2d(self.conv2(x).relu(), 2)
        x = self.conv3(x).relu().flatten(1)
        return self.fc2(self.fc1(x).relu())


class LeNet5Half(LeNet5):
    """LeNet-5 with half of everything: 15,738 parameters, 0.134 M multiply-adds for C=1, K=10."""

    widths = (3, 8, 60, 42)


class LeNet5BN(LeNet5):
    """LeNet-5 with BatchNorm after each convolution, for methods that match BatchNorm statistics.

    61,990 parameters for C=1, K=10.  Ours: the published LeNet-5 has none.
    """

    def __init__(self, channels: int = 1, classes: int = 10):
        super().__init__(channels, classes)
        self.bn1, self.bn2, self.bn3 = (nn.BatchNorm2d(width) for width in self.widths[:3])

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(self.bn1(self.conv1(x)).relu(), 2)
        x = F.max_pool2d(self.bn2(self.conv2(x)).relu(), 2)
        x = self.bn3(self.conv3(x)).relu().flatten(1)
        return self.fc2(self.fc1(x).relu())


# ---- colour images --------------------------------------------------------------------------------------------------


class WideBlock(nn.Module):
    """h = conv(ReLU(BN(conv(a)))) with a = ReLU(BN(x)).  Where the width changes, the skip takes a, not x."""

    def __init__(self, before: int, after: int, stride: int):
        super().__init__()
        self.bn1, self.bn2 = nn.BatchNorm2d(before), nn.BatchNorm2d(after)
        self.conv1 = nn.Conv2d(before, after, 3, stride, padding=1, bias=False)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.skip = nn.Conv2d(before, after, 1, stride, bias=False) if before != after else None

    def forward(self, x: Tensor) -> Tensor:
        a = self.bn1(x).relu()
        h = self.conv2(self.bn2(self.conv1(a)).relu())
        return (x if self.skip is None else self.skip(a)) + h


class WideResNet(nn.Module):
    """WRN-depth-width: (N, C, S, S) -> (N, K).  Source: RDSKD and ZSKT, released code (no dropout).

    Parameters for C=3, K=10: WRN-40-2 2,243,546, WRN-16-1 175,066, WRN-16-2 691,674, WRN-40-1 563,930.
    """

    def __init__(self, depth: int = 16, width: int = 1, channels: int = 3, classes: int = 10):
        super().__init__()
        if (depth - 4) % 6:
            raise ValueError(f"a WRN has 6 n + 4 layers: 16, 22, 28, 34, 40 ...; not {depth}")
        n, widths = (depth - 4) // 6, (16, 16 * width, 32 * width, 64 * width)
        blocks = []
        for before, after, stride in zip(widths, widths[1:], (1, 2, 2), strict=False):
            blocks += [WideBlock(before if i == 0 else after, after, stride if i == 0 else 1) for i in range(n)]
        self.conv = nn.Conv2d(channels, 16, 3, padding=1, bias=False)
        self.blocks = nn.Sequential(*blocks)
        self.bn = nn.BatchNorm2d(widths[-1])
        self.fc = nn.Linear(widths[-1], classes)
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.normal_(m.weight, 0, (2 / (m.kernel_size[0] * m.kernel_size[1] * m.out_channels)) ** 0.5)
        nn.init.zeros_(self.fc.bias)

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn(self.blocks(self.conv(x))).relu()
        return self.fc(x.mean((2, 3)))


class ResidualBlock(nn.Module):
    """conv, BN, ReLU, conv, BN, plus the input (through a 1 x 1 convolution and BN where the shape changes), ReLU."""

    def __init__(self, before: int, after: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, padding=1, bias=False)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(after), nn.BatchNorm2d(after)
        self.skip = nn.Sequential()
        if stride != 1 or before != after:
            self.skip = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))

    def forward(self, x: Tensor) -> Tensor:
        h = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        return (h + self.skip(x)).relu()


class ResNet(nn.Module):
    """CIFAR-style ResNet, no max-pool: (N, C, S, S) -> (N, K).  Source: DAFL, RDSKD and DeepInversion, released code.

    `blocks` per stage: (2, 2, 2, 2) is ResNet-18 with 11,173,962 parameters, (3, 4, 6, 3) ResNet-34 with 21,282,122.
    """

    def __init__(self, blocks: tuple[int, ...] = (2, 2, 2, 2), channels: int = 3, classes: int = 10):
        super().__init__()
        layers, before = [nn.Conv2d(channels, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64), nn.ReLU()], 64
        for after, stride, n in zip((64, 128, 256, 512), (1, 2, 2, 2), blocks, strict=True):
            layers += [ResidualBlock(before if i == 0 else after, after, stride if i == 0 else 1) for i in range(n)]
            before = after
        self.layers = nn.Sequential(*layers)
        self.fc = nn.Linear(512, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.layers(x).mean((2, 3)))


NETWORKS = {
    "lenet5": LeNet5,
    "lenet5-half": LeNet5Half,
    "lenet5-bn": LeNet5BN,
    "wrn-40-2": lambda channels=3, classes=10: WideResNet(40, 2, channels, classes),
    "wrn-16-2": lambda channels=3, classes=10: WideResNet(16, 2, channels, classes),
    "wrn-16-1": lambda channels=3, classes=10: WideResNet(16, 1, channels, classes),
    "resnet34": lambda channels=3, classes=10: ResNet((3, 4, 6, 3), channels, classes),
    "resnet18": lambda channels=3, classes=10: ResNet((2, 2, 2, 2), channels, classes),
}  # name -> network of (channels, classes)
