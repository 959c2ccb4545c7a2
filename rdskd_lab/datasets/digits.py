"""The shipped digits: 5,000 of the first 5,848 MNIST training images."""

import numpy as np
import torch

from .dataset import ASSETS, DataSet, Labelled


def read(split: str, places=()) -> Labelled:
    """Read the shipped digits, (N, 1, 28, 28) bytes and (N,) labels: the 1,000 for reporting, or the other 4,000."""
    with np.load(ASSETS / "digits.npz", allow_pickle=False) as asset:
        images, labels, report = (torch.from_numpy(asset[k]) for k in ("images", "labels", "report"))
    chosen = torch.zeros(len(labels), dtype=torch.bool)
    chosen[report.long()] = True
    chosen = chosen if split == "test" else ~chosen
    return Labelled(images[chosen].unsqueeze(1), labels[chosen].long(), SET.classes)


SET = DataSet(
    "digits",
    channels=1,
    size=32,
    classes=tuple("0123456789"),
    mean=(0.1307,),
    std=(0.3081,),
    read=read,
    words=("4,000 of the shipped digits", "the same 4,000", "the other 1,000 shipped digits"),
    files=("digits.npz",),
    shipped=True,
    teacher="lenet5",
)
