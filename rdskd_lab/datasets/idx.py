"""The file format of MNIST and Fashion-MNIST: a header, then bytes; plain or packed by gzip."""

import gzip
import hashlib
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .split import DataError


def read_images_and_labels(images: Path, labels: Path, md5: Mapping[str, str], instead: str) -> tuple[Tensor, Tensor]:
    """Read (N, 1, 28, 28) bytes and (N,) labels; refuse a file that is not the published one, byte for byte.

    `md5` is of the unpacked files, by name.  `instead` ends the message of a refusal: what to use in their place.
    """
    images, labels = (_checked_bytes(path, md5, instead) for path in (images, labels))
    # an idx header: 4 bytes, and 4 per dimension
    return torch.from_numpy(images[16:].reshape(-1, 1, 28, 28)), torch.from_numpy(labels[8:]).long()


def _checked_bytes(path: Path, md5: Mapping[str, str], instead: str) -> np.ndarray:
    try:
        content = np.fromfile(path, dtype=np.uint8)
        if path.suffix == ".gz":
            content = np.frombuffer(bytearray(gzip.decompress(content)), dtype=np.uint8)
    except OSError as error:
        raise DataError(f"Cannot read {path} ({error.strerror or error}); {instead}.") from error
    except (EOFError, zlib.error):  # cut short, or not what gzip writes
        content = np.empty(0, np.uint8)
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != md5[path.name.removesuffix(".gz")]:
        raise DataError(
            f"{path} ({len(content):,} bytes) is damaged: it differs from the published file. "
            f"Delete it and run again to download it anew, or {instead}."
        )
    return content


def by_torchvision(kind: str) -> Callable[[Path, bool], Path]:
    """Return what puts a set into a folder, if it is asked to download it: torchvision's class of this name."""

    def place(folder: Path, download: bool) -> Path:
        if download:
            from torchvision import datasets  # here, because it would make `import rdskd_lab` slow

            getattr(datasets, kind)(folder, download=True)
        return folder

    return place
