"""What a comparison needs beside its methods: how far noise gets, and how far real images would.

Controls with real images train on the training split of the data at hand (4,000 shipped digits, or MNIST's training
images past those), never on what is reported.
"""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import nn

from ..batch import Batch
from ..generator import Generator
from ..objective import Objective
from ..torch_state import train_mode
from ..training import labels
from .building_blocks import generator
from .method import CLASSROOM, SMALL_CIFAR10, Method, Settings


class Noise(nn.Module):
    """Images of N(0, 1) in every pixel: the scale of normalised data, and nothing else of them."""

    def __init__(self, channels: int, size: int):
        super().__init__()
        self.shape = channels, size, size

    def sample(self, n: int, rng: torch.Generator | None = None) -> Batch:
        return Batch(torch.randn(n, *self.shape, generator=rng))


class OnDevice(nn.Module):
    """A source without parameters: what `draw(n, rng)` makes on the CPU is moved to the device of the run."""

    def __init__(self, draw: Callable[[int, torch.Generator | None], Batch], device: torch.device):
        super().__init__()
        self.draw, self.device = draw, device

    def sample(self, n: int, rng: torch.Generator | None = None) -> Batch:
        return self.draw(n, rng).map(lambda t: t.to(self.device))


def noise(run) -> nn.Module:
    """Make a source of Gaussian noise."""
    return OnDevice(Noise(run.channels, run.size).sample, run.device)


def real(run) -> nn.Module:
    """Make a source of the data's own training images and their labels, drawn with replacement."""
    if (split := run.data) is None:
        raise ValueError("this control learns from real images: give Distillation(..., data=load(NAME, 'train'))")

    def draw(n: int, rng: torch.Generator | None) -> Batch:
        rows = torch.randint(len(split), (n,), generator=rng)
        return Batch(split.normalise(split.images[rows]), targets=split.labels[rows])

    return OnDevice(draw, run.device)


def untrained(run) -> Generator:
    """Make an untrained generator, run for 100 batches in training mode so that its BatchNorm statistics are set."""
    source, rng = generator(run), torch.Generator().manual_seed(run.seed + 3)
    with torch.no_grad(), train_mode(source, training=True):
        for _ in range(100):
            source.sample(64, rng)
    return source


# ---- the controls, as methods ---------------------------------------------------------------------------------------

PRESETS = {
    "classroom": replace(CLASSROOM, generator_steps=0, pooled=False, augment=0.0),
    "paper-mnist": Settings(generator_steps=0),
    "paper-svhn": Settings(generator_steps=0, latent=1000),
    "paper-cifar10": Settings(generator_steps=0, latent=1000, student_schedule="late"),
    "small-cifar10": replace(SMALL_CIFAR10, generator_steps=0, batch_size=512, lr=1e-3, pooled=False, augment=0.0),
}
METHODS = {
    "noise": Method(Objective, PRESETS, source=noise, seen="Gaussian noise, and the teacher's answers to it"),
    "untrained": Method(
        Objective, PRESETS, source=untrained, seen="images of an untrained generator, and the teacher's answers to them"
    ),
    "real": Method(
        Objective,
        PRESETS,
        source=real,
        real_images=True,
        seen="real training images, and the teacher's answers to them",
    ),
    "labels": Method(
        Objective,
        PRESETS,
        source=real,
        real_images=True,
        student=lambda temperature: labels(),
        seen="real training images and their labels; there was no teacher",
    ),
}
