"""Teachers and students: plain networks, `forward(x) -> logits`.  Features and statistics are read through hooks."""

import torch.nn.functional as F
from torch import Tensor, nn


class LeNet5(nn.Module):
    """(N, C, 32, 32) -> (N, K) logits; no BatchNorm; the feature is the 120-vector that enters `fc1`'s successor.

    61,706 parameters and 0.417 M multiply-adds an image for C=1, K=10.  Source: DAFL and RDSKD, published code.
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
