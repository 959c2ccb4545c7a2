"""Networks that the package does not have, for the suite of teachers and their students: `networks:NAME` names one."""

import torch.nn.functional as F
from torch import Tensor, nn

from rdskd_lab.networks.architectures import LeNet5, LeNet5BN, ResidualBlock


class Dropout(LeNet5):
    """LeNet-5 that drops half of what enters its last two layers while it trains; its weights are a LeNet-5's."""

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(self.conv1(x).relu(), 2)
        x = F.max_pool2d(self.conv2(x).relu(), 2)
        x = F.dropout(self.conv3(x).relu().flatten(1), 0.5, self.training)
        return self.fc2(F.dropout(self.fc1(x).relu(), 0.5, self.training))


class GroupNorm(LeNet5BN):
    """LeNet-5 with GroupNorm (groups of two channels, of eight after the last convolution) for BatchNorm."""

    def __init__(self):
        super().__init__()
        self.bn1, self.bn2, self.bn3 = nn.GroupNorm(3, 6), nn.GroupNorm(8, 16), nn.GroupNorm(15, 120)


class Residual(nn.Module):
    """A small residual net with BatchNorm: 16, 32 and 64 channels at 16, 8 and 4 pixels, 3 million multiply-adds."""

    def __init__(self):
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(1, 16, 3, 2, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
        self.blocks = nn.Sequential(ResidualBlock(16, 16, 1), ResidualBlock(16, 32, 2), ResidualBlock(32, 64, 2))
        self.fc = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.blocks(self.first(x)).mean((2, 3)))


class Plain(nn.Module):
    """Two convolutions of 3 x 3 with pooling, two linear layers; for images of any size that 4 divides."""

    def __init__(self, size: int, width: int):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, width, 3, padding=1), nn.Conv2d(width, 2 * width, 3, padding=1)
        self.fc1, self.fc2 = nn.Linear(2 * width * (size // 4) ** 2, 4 * width), nn.Linear(4 * width, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(self.conv1(x).relu(), 2)
        x = F.max_pool2d(self.conv2(x).relu(), 2).flatten(1)
        return self.fc2(self.fc1(x).relu())


def lenet5() -> nn.Module:
    """Make a LeNet-5."""
    return LeNet5()


def lenet5_bn() -> nn.Module:
    """Make a LeNet-5 with BatchNorm."""
    return LeNet5BN()


def plain28() -> nn.Module:
    """Make a teacher for images of 28 x 28: 105,866 weights."""
    return Plain(28, 16)


def plain28_half() -> nn.Module:
    """Make its student."""
    return Plain(28, 8)


def plain16() -> nn.Module:
    """Make a teacher for images of 16 x 16."""
    return Plain(16, 16)


def plain16_half() -> nn.Module:
    """Make its student."""
    return Plain(16, 8)
