"""The colour benchmarks' data: SVHN's first 10,000 test images, divided by photo, and CIFAR-10; and SVHN's teacher.

    python benchmarks/colour/colour_sets.py     fetches the teacher, and says what it reads rightly

Nothing of either is in the repository.  `svhn-test-first10000.npz` lies where RDSKD_DATA says; crops of one photo
overlap, so a photo's digits are all in one part: about 2,000 images choose, the other 8,000 are reported.
"""

import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import torch

from rdskd_lab.datasets.dataset import DataSet, Labelled, find
from rdskd_lab.datasets.registry import SETS
from rdskd_lab.datasets.split import DataError

TOP = Path(__file__).resolve().parents[2]
KEPT = TOP / "runs" / "colour"
FILE, WEIGHTS = "svhn-test-first10000.npz", "ccexam/weights/svhn.pth"
CHOOSE, SEED = 2_000, 19


def divide(house: torch.Tensor) -> torch.Tensor:
    """Return which images choose, (N,) true or false: whole photos in an order of chance, until there are 2,000."""
    photos, which, counts = house.unique(return_inverse=True, return_counts=True)
    order = torch.randperm(len(photos), generator=torch.Generator().manual_seed(SEED))
    taken = order[: int((counts[order].cumsum(0) < CHOOSE).sum()) + 1]
    return torch.isin(which, taken)


def read_svhn(split: str, places: list[Path]) -> tuple[Labelled, torch.Tensor]:
    """Read a part of the 10,000, "tune" or "test", and the photo of each image."""
    place = find((FILE,), places)
    if place is None:
        raise DataError(
            f"{FILE} is not in {' or '.join(map(str, places))}; set RDSKD_DATA to the folder that holds it."
        )
    if split == "train":
        raise DataError("SVHN's training images are not here, and its test images are not to be trained on.")
    with np.load(place / FILE, allow_pickle=False) as file:
        images, labels, house = (torch.from_numpy(file[name]) for name in ("x", "y", "house"))
    part = divide(house) if split == "tune" else ~divide(house)
    images = images.permute(0, 3, 1, 2)[part].contiguous()
    return Labelled(images, labels[part].long(), SETS["svhn"].classes), house[part]


def register() -> None:
    """Add the benchmarks' sets to those that a run can name; `-look` ones have no test image but the tuning ones."""
    record, words = SETS["svhn"], ("none", "about 2,000 of the first 10,000 test images", "the other 8,000")
    for name, parts in ("svhn-8000", {}), ("svhn-look", {"test": "tune"}):
        read = lambda split, at, parts=parts: read_svhn(parts.get(split, split), at)[0]  # noqa: E731
        SETS[name] = DataSet(name, record.channels, record.size, record.classes, record.mean, record.std, (FILE,), read,
                             words=words)  # fmt: skip


def fetch() -> Path:
    """Return ccexam's weights for SVHN, downloaded with pip (no dependency, no code of it is run) if need be."""
    path = KEPT / "svhn.pth"
    if not path.exists():
        KEPT.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "ccexam==1.0.0", "--no-deps", "-q", "-d", str(KEPT)], check=True
        )
        (wheel,) = KEPT.glob("ccexam-*.whl")
        with zipfile.ZipFile(wheel) as file:
            part = path.with_suffix(".part")
            part.write_bytes(file.read(WEIGHTS))
            part.replace(path)
    return path


def main() -> None:
    """Say how many images each part has, and how many of them the teacher reads rightly."""
    from colour_networks import svhn_teacher

    from rdskd_lab.datasets import load
    from rdskd_lab.evaluation.accuracy import accuracy

    register()
    net = svhn_teacher()
    for split in "tune", "test":
        found = load("svhn-8000", split)
        print(f"{found.name}: {len(found)} images, the teacher reads {accuracy(net, found):.2%}")


if __name__ == "__main__":
    main()
