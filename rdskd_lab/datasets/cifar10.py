"""CIFAR-10, 32 x 32 in colour: as torchvision keeps it, or as pictures in cifar10/train/CLASS and cifar10/test/CLASS.

Its files are pickles; torchvision opens them only after their checksums were found right.
"""

from pathlib import Path

import torch

from .dataset import DataSet, Labelled
from .folder import read_published


def read(split: str, places: list[Path]) -> Labelled:
    """Read (N, 3, 32, 32) bytes and (N,) labels."""
    return read_published(SET, split, places, "cifar-10-batches-py", _torchvision)


def _torchvision(place: Path, part: str, download: bool) -> Labelled:
    from torchvision.datasets import CIFAR10  # here, because it would make `import rdskd_lab` slow

    found = CIFAR10(place, part == "train", download=download)
    images = torch.from_numpy(found.data).permute(0, 3, 1, 2).contiguous()
    return Labelled(images, torch.tensor(found.targets), tuple(found.classes))


SET = DataSet(
    "cifar10",
    channels=3,
    size=32,
    classes=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    mean=(0.4914, 0.4822, 0.4465),
    std=(0.2023, 0.1994, 0.2010),
    read=read,
    words=("9 of 10 official training images", "every tenth", "the 10,000 official test images"),
    files=("cifar-10-batches-py",),
    megabytes=170,
)
