"""SVHN, 32 x 32 in colour: as torchvision keeps it, or as pictures in svhn/train/DIGIT and svhn/test/DIGIT."""

from pathlib import Path

import numpy as np
import torch

from .dataset import DataSet, Labelled
from .folder import read_published


def read(split: str, places: list[Path]) -> Labelled:
    """Read (N, 3, 32, 32) bytes and (N,) labels."""
    return read_published(SET, split, places, f"SVHN/{'test' if split == 'test' else 'train'}_32x32.mat", _torchvision)


def _torchvision(place: Path, part: str, download: bool) -> Labelled:
    from torchvision.datasets import SVHN  # here, because it would make `import rdskd_lab` slow

    found = SVHN(place / "SVHN", part, download=download)  # label k is the digit k
    return Labelled(torch.from_numpy(np.ascontiguousarray(found.data)), torch.from_numpy(found.labels), SET.classes)


SET = DataSet(
    "svhn",
    channels=3,
    size=32,
    classes=tuple("0123456789"),
    mean=(0.4377, 0.4438, 0.4728),
    std=(0.1980, 0.2010, 0.1970),
    read=read,
    words=("9 of 10 official training images", "every tenth", "the 26,032 official test images"),
    files=("SVHN/train_32x32.mat", "SVHN/test_32x32.mat"),
    megabytes=246,
)
