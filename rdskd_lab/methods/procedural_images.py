"""Procedural images: shapes over shapes ("dead leaves") or on a plain ground, drawn without data, network or training.

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

    draw, x, y = _drawing(size, rng)
    images = draw(n, channels, 1, 1).expand(n, channels, size, size).clone()
    for _ in range(SHAPES):
        images = _cover(images, draw, x, y, share=0.6, reach=(1, 1), half=(0.08, 0.9), aspect=0.7)
    return images


@torch.no_grad()
def things(n: int, channels: int, size: int, rng: torch.Generator | None = None) -> Tensor:
    """Draw `n` images, (N, C, S, S) in [0, 1]: on a black ground, near the middle, a thing of up to 12 shapes.

    As in `dead_leaves`, but half of the things are alike left and right, and how many of the twelve shapes there are is
    uniform too.
    """
    draw, x, y = _drawing(size, rng)
    x = torch.where(draw(n, 1, 1) < 0.5, x.abs(), x)
    images, share = torch.zeros(n, channels, size, size), draw(n, 1, 1)
    for _ in range(SHAPES // 2):
        images = _cover(images, draw, x, y, share=share, reach=(0.6, 0.8), half=(0.08, 0.7), aspect=1.0)
    return images


def _drawing(size: int, rng: torch.Generator | None):
    """Return a function that draws uniformly, and the coordinates of the pixels, (1, S, S) in [-1, 1]."""

    def draw(*shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        return low + (high - low) * torch.rand(*shape, generator=rng)

    line = torch.linspace(-1, 1, size)
    y, x = (grid[None] for grid in torch.meshgrid(line, line, indexing="ij"))
    return draw, x, y


def _cover(images: Tensor, draw, x: Tensor, y: Tensor, *, share, reach, half, aspect: float) -> Tensor:
    """Cover each image, with probability `share`, by a shape whose centre is within `reach` of the middle."""
    n, channels, size = images.shape[:3]
    dx, dy = x - reach[0] * draw(n, 1, 1, low=-1), y - reach[1] * draw(n, 1, 1, low=-1)
    turn, width = draw(n, 1, 1, high=math.pi), draw(n, 1, 1, low=math.log(half[0]), high=math.log(half[1])).exp()
    longer = draw(n, 1, 1, low=-aspect, high=aspect).exp()
    u = (turn.cos() * dx + turn.sin() * dy) / (width * longer)
    v = (turn.cos() * dy - turn.sin() * dx) / (width / longer)
    u2, v2, box = u * u, v * v, draw(n, 1, 1) < 0.5
    inside = torch.where(box, u2 * u2 * u2 + v2 * v2 * v2, u2 + v2) < 1  # a rounded box, or an ellipse
    inside &= draw(n, 1, 1) < share
    colour = draw(n, channels, 1, 1).expand(n, channels, size, size)
    waves = (draw(n, 1, 1, low=2, high=12) * (u * width) * math.pi + draw(n, 1, 1, high=2 * math.pi)).sin()
    texture = torch.where(draw(n, 1, 1) < 0.4, 0.5 * waves, torch.zeros(()))[:, None]
    return torch.where(inside[:, None], (colour + texture).clamp(0, 1), images)


class DeadLeaves(nn.Module):
    """A source of procedural images; each batch has mean 0 and variance 1 per channel, the scale of normalised data."""

    def __init__(self, channels: int, size: int):
        super().__init__()
        self.shape = channels, size

    def sample(self, n: int, rng: torch.Generator | None = None) -> Batch:
        return Batch(_standardised(dead_leaves(n, *self.shape, rng)))


class Things(DeadLeaves):
    """The same of things on a plain ground: dark or, since a share of the images is negated, bright."""

    def __init__(self, channels: int, size: int, bright: float = 0.5):
        super().__init__(channels, size)
        self.bright = bright

    def sample(self, n: int, rng: torch.Generator | None = None) -> Batch:
        images = _standardised(things(n, *self.shape, rng))
        return Batch(torch.where(torch.rand(n, 1, 1, 1, generator=rng) < self.bright, -images, images))


def _standardised(images: Tensor) -> Tensor:
    mean, std = images.mean((0, 2, 3), keepdim=True), images.std((0, 2, 3), keepdim=True)
    return (images - mean) / std.clamp_min(1e-6)


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
