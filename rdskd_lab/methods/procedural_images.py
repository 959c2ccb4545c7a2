"""Procedural images ("dead leaves"): shapes over shapes, drawn without data, network or training.

They know nothing of the teacher and cover what a generator may leave out, so they are a control, and where there is no
real image they test a student.
"""

import math

import torch
from torch import Tensor, nn

from ..batch import Batch
from ..objective import Objective
from .baselines import PRESETS, OnDevice
from .method import Method

SHAPES = 24  # drawn into an image at most, each with probability 0.6


@torch.no_grad()
def dead_leaves(n: int, channels: int, size: int, rng: torch.Generator | None = None) -> Tensor:
    """Draw `n` images, (N, C, S, S) in [0, 1]: on a random ground, ellipses and rounded boxes that cover each other.

    Half widths are log-uniform from 0.08 to 0.9 of the image's, with any turn and aspect, in a random grey or colour;
    four shapes in ten have a sine texture.
    """

    def draw(*shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        return low + (high - low) * torch.rand(*shape, generator=rng)

    line = torch.linspace(-1, 1, size)
    y, x = (grid[None] for grid in torch.meshgrid(line, line, indexing="ij"))
    images = draw(n, channels, 1, 1).expand(n, channels, size, size).clone()
    for _ in range(SHAPES):
        dx, dy = x - draw(n, 1, 1, low=-1), y - draw(n, 1, 1, low=-1)
        turn, half = draw(n, 1, 1, high=math.pi), draw(n, 1, 1, low=math.log(0.08), high=math.log(0.9)).exp()
        aspect = draw(n, 1, 1, low=-0.7, high=0.7).exp()
        u = (turn.cos() * dx + turn.sin() * dy) / (half * aspect)
        v = (turn.cos() * dy - turn.sin() * dx) / (half / aspect)
        u2, v2, box = u * u, v * v, draw(n, 1, 1) < 0.5
        inside = torch.where(box, u2 * u2 * u2 + v2 * v2 * v2, u2 + v2) < 1  # a rounded box, or an ellipse
        inside &= draw(n, 1, 1) < 0.6
        colour = draw(n, channels, 1, 1).expand(n, channels, size, size)
        waves = (draw(n, 1, 1, low=2, high=12) * (u * half) * math.pi + draw(n, 1, 1, high=2 * math.pi)).sin()
        texture = torch.where(draw(n, 1, 1) < 0.4, 0.5 * waves, torch.zeros(()))[:, None]
        images = torch.where(inside[:, None], (colour + texture).clamp(0, 1), images)
    return images


class DeadLeaves(nn.Module):
    """A source of procedural images; each batch has mean 0 and variance 1 per channel, the scale of normalised data."""

    def __init__(self, channels: int, size: int):
        super().__init__()
        self.shape = channels, size

    def sample(self, n: int, rng: torch.Generator | None = None) -> Batch:
        images = dead_leaves(n, *self.shape, rng)
        mean, std = images.mean((0, 2, 3), keepdim=True), images.std((0, 2, 3), keepdim=True)
        return Batch((images - mean) / std.clamp_min(1e-6))


def procedural(run) -> nn.Module:
    """Make a source of procedural images."""
    return OnDevice(DeadLeaves(run.channels, run.size), run.device)


METHODS = {
    "procedural": Method(
        Objective,
        PRESETS,
        source=procedural,
        seen="procedural images of overlapping shapes, and the teacher's answers to them",
    ),
}
