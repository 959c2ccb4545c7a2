"""The colour benchmarks' data: SVHN's first 10,000 test images, divided by photo, and CIFAR-10; and SVHN's teacher.

    python benchmarks/colour/colour_sets.py     fetches the teacher, and says what it reads rightly

Nothing of either is in the repository.  `svhn-test-first10000.npz` lies where RDSKD_DATA says; crops of one photo
overlap, so a photo's digits are all in one part: about 2,000 images choose, the other 8,000 are reported.
"""

import hashlib
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from rdskd_lab.datasets import cifar10
from rdskd_lab.datasets.dataset import Labelled, find, places
from rdskd_lab.datasets.registry import SETS
from rdskd_lab.datasets.split import DataError
from rdskd_lab.runs.train_teacher import train

TOP = Path(__file__).resolve().parents[2]
KEPT = TOP / "runs" / "colour"
FILE, WEIGHTS = "svhn-test-first10000.npz", "ccexam/weights/svhn.pth"
WHEEL = "ccexam-1.0.0-py3-none-any.whl"
SHA256 = "9444f15096c0f8a28599705c8624cc68a9021ca625a32528f30bc8ba34bedc5d"
CHOOSE, SEED = 2_000, 19


def divide(house: torch.Tensor) -> torch.Tensor:
    """Return which images choose, (N,) true or false: whole photos in an order of chance, until there are 2,000."""
    photos, which, counts = house.unique(return_inverse=True, return_counts=True)
    order = torch.randperm(len(photos), generator=torch.Generator().manual_seed(SEED))
    taken = order[: int((counts[order].cumsum(0) < CHOOSE).sum()) + 1]
    return torch.isin(which, taken)


def read_svhn(split: str, at: list[Path]) -> tuple[Labelled, torch.Tensor]:
    """Read a part of the 10,000, "tune" or "test", and the photo of each image."""
    place = find((FILE,), at)
    if place is None:
        raise DataError(f"{FILE} is not in {' or '.join(map(str, at))}; set RDSKD_DATA to the folder that holds it.")
    if split == "train":
        raise DataError("SVHN's training images are not here, and its test images are not to be trained on.")
    with np.load(place / FILE, allow_pickle=False) as file:
        images, labels, house = (torch.from_numpy(file[name]) for name in ("x", "y", "house"))
    part = divide(house) if split == "tune" else ~divide(house)
    images = images.permute(0, 3, 1, 2)[part].contiguous()
    return Labelled(images, labels[part].long(), SETS["svhn"].classes), house[part]


def unpack_cifar10(part: str) -> Path:
    """Return the folder that has cifar10/PART/CLASS, unpacked from cifar10-PART.zip in RDSKD_DATA if need be."""
    folder = KEPT / "data" / "cifar10" / part
    archive = find((f"cifar10-{part}.zip",), places())
    if not folder.is_dir() and archive:
        half = folder.with_name(f"{part}.half")
        with zipfile.ZipFile(archive / f"cifar10-{part}.zip") as file:
            file.extractall(half)
        half.replace(folder)
    return KEPT / "data"


def read_cifar10(split: str, at: list[Path]) -> Labelled:
    """Read CIFAR-10 as the package does, from the archives too."""
    return cifar10.read(split, [*at, unpack_cifar10("test" if split == "test" else "train")])


def read_foreign(split: str, at: list[Path]) -> Labelled:
    """Read SVHN's parts, and CIFAR-10's images for training; they are not SVHN's, and their labels are all 0."""
    if split != "train":
        return read_svhn(split, at)[0]
    images = read_cifar10("train", at).images
    return Labelled(images, torch.zeros(len(images), dtype=torch.long), SETS["svhn"].classes)


def register() -> None:
    """Add the benchmarks' sets to those that a run can name; `-look` ones have no test image but the tuning ones."""
    svhn = replace(SETS["svhn"], files=(FILE,), words=("none", "2,001 of the first 10,000 test images", "the others"))
    cifar = replace(SETS["cifar10"], read=read_cifar10)
    readers = {
        "svhn-8000": (svhn, lambda split, at: read_svhn(split, at)[0]),
        "svhn-look": (svhn, lambda split, at: read_svhn("tune" if split == "test" else split, at)[0]),
        "svhn-foreign": (svhn, read_foreign),
        "cifar10": (cifar, read_cifar10),
        "cifar10-look": (cifar, lambda split, at: read_cifar10("tune" if split == "test" else split, at)),
    }
    for name, (record, read) in readers.items():
        SETS[name] = replace(record, name=name, read=read)


def fetch() -> Path:
    """Return ccexam's weights for SVHN, downloaded with pip (no dependency, no code of it is run) if need be."""
    path, wheel = KEPT / "svhn.pth", KEPT / WHEEL
    if not path.exists():
        KEPT.mkdir(parents=True, exist_ok=True)
        if not wheel.is_file():
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
            subprocess.run([*pip, "ccexam==1.0.0", "--dest", str(KEPT)], check=True)
        if hashlib.sha256(wheel.read_bytes()).hexdigest() != SHA256:
            raise DataError(f"{wheel} is not the file that was expected; delete it and run this again")
        with zipfile.ZipFile(wheel) as file:
            part = path.with_suffix(".part")
            part.write_bytes(file.read(WEIGHTS))
            part.replace(path)
    return path


def cifar10_teacher() -> Path:
    """Return the weights of CIFAR-10's teacher, WRN-16-2; trained first, for 24 epochs, if they are not there yet."""
    path = KEPT / "wrn-16-2.safetensors"
    if not path.exists():
        for line in train("cifar10", path, network="wrn-16-2", seed=0, epochs=24):
            print(line, flush=True)
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
