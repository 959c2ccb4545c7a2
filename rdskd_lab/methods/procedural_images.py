"""Procedural images: shapes over shapes ("dead leaves") or on a plain ground, drawn without data, network or training.

They know nothing of the teacher and cover what a generator may leave out, so they are a control, and where there is no
real image they test a student.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..batch import Batch
from ..objective import Objective
from .baselines import PRESETS, OnDevice
from .method import Method

SHAPES = 24  # drawn into an image at most, each with probability 0.6
LINES = 12  # straight ones that make a stroke


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


@torch.no_grad()
def strokes(n: int, channels: int, size: int, rng: torch.Generator | None = None) -> Tensor:
    """Draw `n` images, (N, C, S, S) in [0, 1]: on a black ground, one to three white strokes of a pen.

    A stroke is a cubic Bezier curve with random control points, 0.14 to 0.32 of the half width thick; the second and
    the third begin where the last one ends with probability 0.6.
    """
    draw, x, y = _drawing(size, rng)
    t = torch.linspace(0, 1, LINES + 1)
    bezier = torch.stack([(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3], 1)
    ink, count, width = torch.zeros(n, size, size), draw(n, 1, 1, high=3), draw(n, 1, 1, low=0.07, high=0.16)
    ends = torch.zeros(n, 2)
    for k in range(3):
        control = draw(n, 4, 2, low=-1) * torch.tensor([0.75, 0.85])
        control[:, 0] = torch.where(draw(n, 1) < 0.6 * (k > 0), ends, control[:, 0])
        ends, far = control[:, 3], torch.full((n, size, size), math.inf)
        points = (bezier @ control)[..., None, None]
        for a, b in zip(points[:, :-1].unbind(1), points[:, 1:].unbind(1), strict=True):
            px, py, (dx, dy) = x - a[:, 0], y - a[:, 1], (b - a).unbind(1)
            along = ((px * dx + py * dy) / (dx * dx + dy * dy).clamp_min(1e-9)).clamp(0, 1)
            far = torch.minimum(far, (px - along * dx) ** 2 + (py - along * dy) ** 2)
        ink = torch.where(count > k, torch.maximum(ink, ((width - far.sqrt()) / 0.05 + 0.5).clamp(0, 1)), ink)
    return ink[:, None].expand(n, channels, size, size)


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


def scaled_leaves(n: int, channels: int, size: int, rng: torch.Generator | None = None) -> Tensor:
    """Draw dead leaves with mean 0 and variance 1 per channel, over them all: the scale of normalised data."""
    return _scaled(dead_leaves(n, channels, size, rng))


def scaled_things(
    n: int, channels: int, size: int, rng: torch.Generator | None = None, bright: float = 0.5, drawn: Callable = things
) -> Tensor:
    """Draw things, or strokes, in the same scale on a plain ground: dark or, since a share is negated, bright."""
    images = _scaled(drawn(n, channels, size, rng))
    return torch.where(torch.rand(n, 1, 1, 1, generator=rng) < bright, -images, images)


def _scaled(images: Tensor) -> Tensor:
    mean, std = images.mean((0, 2, 3), keepdim=True), images.std((0, 2, 3), keepdim=True)
    return (images - mean) / std.clamp_min(1e-6)


def procedural(run) -> nn.Module:
    """Make a source of procedural images."""
    shape = run.channels, run.size
    return OnDevice(lambda n, rng: Batch(scaled_leaves(n, *shape, rng)), run.device)


METHODS = {
    "procedural": Method(
        Objective,
        PRESETS,
        source=procedural,
        seen="procedural images of overlapping shapes, and the teacher's answers to them",
    ),
}
