"""`DataSet`: the record of a data set, with the function that reads it; and where published sets are looked for."""

import os
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from ..networks.weights import expand
from .split import DataError

ASSETS = Path(str(files("rdskd_lab"))) / "assets"  # where shipped sets are
CACHE = Path("~/.cache/rdskd_lab")  # where a download goes


class Labelled(NamedTuple):
    """Images as a reader found them, with the names that belong to the numbers of its labels."""

    images: Tensor  # (N, C, H, W) uint8
    labels: Tensor  # (N,) int64, index into `classes`
    classes: tuple[str, ...]


@dataclass(frozen=True)
class DataSet:
    """All that is known of a named data set before a byte of it is read, and how to read it."""

    name: str
    channels: int
    size: int  # pixels per side, as the networks see it
    classes: tuple[str, ...]  # in the order in which networks answer
    mean: tuple[float, ...]  # per channel, of pixel values in [0, 1]
    std: tuple[float, ...]
    files: tuple[str, ...]  # what lies in a place that has the set
    read: Callable[[str, list[Path]], Labelled] | None = None  # a split, from the first of these places that has it;
    # None: from pictures in NAME/train/CLASS and NAME/test/CLASS
    shipped: bool = False  # whether it comes with the package
    megabytes: int = 0  # of a download
    teacher: str = ""  # the shipped network that can read it
    packaged: tuple[Path, ...] = ()  # the same files as a package of the system installs them
    words: tuple[str, str, str] = ("9 of 10 training images", "every tenth", "the test images")  # what a split holds

    def is_here(self) -> bool:
        """Say whether the set can be read without a download."""
        found = find(self.files, [ASSETS] if self.shipped else places()) is not None
        return found or bool(self.packaged) and all(map(os.path.exists, self.packaged))


def places(root=None) -> list[Path]:
    """Return where sets are looked for: `root`, or RDSKD_DATA (environment) and the cache; downloads go to the last."""
    return [Path(os.path.expanduser(p)) for p in ([root] if root else [os.environ.get("RDSKD_DATA"), CACHE]) if p]


def find(files: tuple[str, ...], places: list[Path]) -> Path | None:
    """Return the first place that holds all these files or folders."""
    return next((place for place in places if all(os.path.exists(place / name) for name in files)), None)


def find_or_download(record: DataSet, files: tuple[str, ...], places: list[Path], read, instead: str):
    """Return what `read(place, download)` makes of the first place that holds `files`, or of a download to the last."""
    here = find(files, places)
    looked = f"{record.name} is not in {' or '.join(str(place / files[0]) for place in places)}"
    if here is None:
        print(f"{looked}: downloading it ({record.megabytes} MB) to {places[-1]}.", file=sys.stderr)
    patience = socket.getdefaulttimeout()
    socket.setdefaulttimeout(20)  # seconds; without it a network that swallows packets is waited for without end
    try:
        return read(here or expand(places[-1]), here is None)
    except Exception as error:  # no network, no room, another checksum, no scipy: what to do is the same
        what = f"{looked}, and downloading it failed" if here is None else f"{record.name} in {here} cannot be read"
        raise DataError(f"{what} ({' '.join(str(error).split())[:120]}). {instead}") from error
    finally:
        socket.setdefaulttimeout(patience)


def every_tenth(split: str, found: Labelled) -> Labelled:
    """Divide official training images: every tenth is for tuning, the others for training.  "test" stays whole."""
    tenth = torch.arange(len(found.labels)) % 10 == 0
    which = {"train": ~tenth, "tune": tenth, "test": torch.ones_like(tenth)}[split]
    return Labelled(found.images[which], found.labels[which], found.classes)
