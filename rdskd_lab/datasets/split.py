"""One split of a data set in memory: `Split`."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

SPLITS = ("train", "tune", "test")


class DataError(ValueError):
    """The data cannot be read as asked.  The message says what was wrong and what to do."""


class DataWarning(UserWarning):
    """What may be meant, or may spoil what is measured; the data are read."""


def warn(sentence: str) -> None:
    """Warn in Python; the command line prints the sentence on stderr."""
    warnings.warn(sentence, DataWarning, stacklevel=2)


@dataclass(frozen=True, eq=False)
class Split:
    """Labelled images, held as bytes: 54,152 digits of 32 x 32 take 55 MB so, and would take 222 MB as float32."""

    images: Tensor = field(repr=False)  # (N, C, S, S) uint8, 0 to 255
    labels: Tensor = field(repr=False)  # (N,) int64, index into `classes`
    mean: tuple[float, ...]  # per channel, of pixel values in [0, 1]
    std: tuple[float, ...]
    classes: tuple[str, ...]
    name: str  # for tables and messages: "mnist test"

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, which) -> "Split":
        """Return what a slice, index tensor, mask or number picks, again as a Split (of length 1 for a number)."""
        which = [which] if isinstance(which, int | np.integer) else which
        return replace(self, images=self.images[which], labels=self.labels[which])

    def numbered_as(self, classes: tuple[str, ...]) -> "Split":
        """Number the labels by their names' places in `classes`, which are the same names in another order."""
        return replace(self, labels=renumber(self.labels, self.classes, classes), classes=tuple(classes))

    def normalise(self, images: Tensor) -> Tensor:
        """(x / 255 - mean) / std, per channel: bytes (N, C, S, S) to float32 of the same shape, on the same device."""
        mean, std = (torch.tensor(v, dtype=torch.float32, device=images.device) for v in (self.mean, self.std))
        return (images.float() / 255 - mean.view(-1, 1, 1)) / std.view(-1, 1, 1)

    def batches(self, size: int, device="cpu", rng: torch.Generator | None = None) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield pairs of normalised images (size, C, S, S) and labels (size,) on `device`, each image once.

        In the stored order, or in an order drawn from `rng`; the last batch may be smaller. Bytes travel to the device
        and become floats there, a batch at a time, so the whole split never exists in float32.
        """
        if size < 1:
            raise ValueError(f"A batch holds at least 1 image; size is {size}.")
        order = None if rng is None else torch.randperm(len(self), generator=rng, device=rng.device).cpu()
        for start in range(0, len(self), size):
            which = slice(start, start + size) if order is None else order[start : start + size]
            yield self.normalise(self.images[which].to(device)), self.labels[which].to(device)


def renumber(labels: Tensor, before: tuple[str, ...], after: tuple[str, ...]) -> Tensor:
    """Turn places in `before` into the places of the same names in `after`."""
    return torch.tensor([after.index(name) for name in before])[labels]


def resize(images: Tensor, size: int) -> Tensor:
    """Resize bilinearly, bytes (N, C, H, W) to bytes (N, C, size, size), as PIL does it, but all at once.

    Measured on the 70,000 images of MNIST, 28 to 32: not one pixel differs from `PIL.Image.resize(..., BILINEAR)`
    (torch 2.14, x86). The tests allow one grey level, for other machines.
    """
    return F.interpolate(images, size=(size, size), mode="bilinear", antialias=True)


def recolour(images: Tensor, channels: int) -> Tensor:
    """Repeat grey images (N, 1, H, W) as RGB, or weigh RGB ones into grey by the usual luma weights."""
    if channels == images.shape[1]:
        return images
    if channels == 3:
        return images.expand(-1, 3, -1, -1)
    luma = torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)
    return (images * luma).sum(1, keepdim=True).round().to(torch.uint8)
