"""Real images, for training a teacher and for telling how good a student is; never for distilling one.

`load(data, split)` reads a set once, as bytes, into a `Split`; `Split.batches` hands it out normalised, batch by batch.
Three splits, each for one use:

    train   a teacher learns from it
    tune    settings and presets are chosen on it
    test    the number that is reported; it chooses nothing

| data     | train                           | tune                 | test                            |
|----------|---------------------------------|----------------------|---------------------------------|
| digits   | 4,000 of the shipped digits     | the same 4,000       | the other 1,000 shipped digits  |
| mnist    | 54,152 official training images | those 4,000 digits   | the 10,000 official test images |
| svhn     | 9 of 10 official training images | every tenth         | the 26,032 official test images |
| cifar10  | 9 of 10 official training images | every tenth         | the 10,000 official test images |
| a folder | FOLDER/train/CLASS/*.png        | the same as train    | FOLDER/test/CLASS/*.png         |

svhn and cifar10 are read as torchvision keeps them, or from an image folder of that name beside MNIST/. Nothing is
augmented here, and no pickle is opened but CIFAR-10's own, by torchvision, after its checksum was found right.
"""

import hashlib
import os
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

SPLITS = ("train", "tune", "test")
CACHE = Path("~/.cache/rdskd_lab")  # where a download goes
LAYOUT = "FOLDER/train/CLASS/*.png and FOLDER/test/CLASS/*.png"
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".pgm", ".ppm")

# The shipped digits are 5,000 of the first 5,848 MNIST training images (a test checks it byte by byte). A teacher that
# learns from index 5,848 on has therefore seen none of them.
FIRST_TRAIN = 5_848

# md5 of the published files, unpacked. An official test set that differs by one byte is not the official test set.
MNIST_MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}


class DataError(ValueError):
    """The data cannot be had as asked for. The message says what was wrong, and what to do."""


class Facts(NamedTuple):
    """What is known of a named set before a byte of it is read."""

    channels: int
    size: int  # pixels per side, as the networks see it
    classes: tuple[str, ...]
    mean: tuple[float, ...]  # per channel, of pixel values in [0, 1]
    std: tuple[float, ...]


DIGITS = tuple("0123456789")
OBJECTS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
FACTS = {
    "digits": Facts(1, 32, DIGITS, (0.1307,), (0.3081,)),
    "mnist": Facts(1, 32, DIGITS, (0.1307,), (0.3081,)),
    "svhn": Facts(3, 32, DIGITS, (0.4377, 0.4438, 0.4728), (0.1980, 0.2010, 0.1970)),
    "cifar10": Facts(3, 32, OBJECTS, (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)),
}


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
        """What a slice, index tensor, mask or single number picks, again as a Split (of length 1 for a number)."""
        which = [which] if isinstance(which, int | np.integer) else which
        return replace(self, images=self.images[which], labels=self.labels[which])

    def normalise(self, images: Tensor) -> Tensor:
        """(x / 255 - mean) / std, per channel: bytes (N, C, S, S) to float32 of the same shape, on the same device."""
        mean, std = (torch.tensor(v, dtype=torch.float32, device=images.device) for v in (self.mean, self.std))
        return (images.float() / 255 - mean.view(-1, 1, 1)) / std.view(-1, 1, 1)

    def batches(self, size: int, device="cpu", rng: torch.Generator | None = None) -> Iterator[tuple[Tensor, Tensor]]:
        """One pass: pairs of normalised images (size, C, S, S) and labels (size,) on `device`.

        In the stored order, or in an order drawn from `rng`; the last batch may be smaller. Bytes travel to the device
        and become floats there, a batch at a time, so the whole split never exists in float32.
        """
        if size < 1:
            raise ValueError(f"A batch holds at least 1 image; size is {size}.")
        order = None if rng is None else torch.randperm(len(self), generator=rng, device=rng.device).cpu()
        for start in range(0, len(self), size):
            which = slice(start, start + size) if order is None else order[start : start + size]
            yield self.normalise(self.images[which].to(device)), self.labels[which].to(device)


def load(data, split, root=None, size=32, channels=None, mean=None, std=None) -> Split:
    """The split "train", "tune" or "test" of `data`: "digits", "mnist", or the path of an image folder.

    root       the folder that holds MNIST/raw; by default RDSKD_DATA (environment), then ~/.cache/rdskd_lab. Where
               none of them has MNIST, it is downloaded (12 MB) into the last one.
    The rest is for image folders only; a named set brings its own, see FACTS:
    size       pixels per side; every picture is made square
    channels   1 (grey) or 3 (RGB); by default what the first picture has
    mean, std  a number per channel, of pixel values in [0, 1]; by default 0.5 each, which maps 0..255 to -1..1
    """
    if split not in SPLITS:
        raise DataError(f"There is no split {split!r}; the splits are {', '.join(SPLITS)}.{_nearest(split, SPLITS)}")
    if data not in FACTS:  # a folder of one of these names: "./mnist"
        return _folder(data, split, size, channels, mean, std)
    facts = FACTS[data]
    if size != facts.size or channels not in (None, facts.channels) or mean is not None or std is not None:
        raise DataError(f"{data!r} has its own size, channels, mean and std: leave them out (they are for folders).")
    images, labels = _read(data, split, root)
    return Split(resize(images, facts.size), labels, facts.mean, facts.std, facts.classes, f"{data} {split}")


def _read(data: str, split: str, root) -> tuple[Tensor, Tensor]:
    """A named set's images, as bytes (N, C, H, W) in the size they are published in, and their labels."""
    if data in ("svhn", "cifar10"):
        return _colour(data, split, root)
    return _digits(split) if data == "digits" or split == "tune" else _mnist(split, root)


def places(root=None) -> list[Path]:
    """Where sets are looked for: `root` alone, or RDSKD_DATA (environment) and the cache; the last takes downloads."""
    return [Path(p).expanduser() for p in ([root] if root else [os.environ.get("RDSKD_DATA"), CACHE]) if p]


def view(data, split, *, size: int = 0, channels: int = 0, mean=(), std=()) -> Split:
    """A split as a teacher of one's own expects it: what is given here replaces what the set brings.

    Grey images become RGB by repeating, RGB ones grey by the usual luma weights.
    """
    if data not in FACTS:
        return load(data, split, size=size or 32, channels=channels or None, mean=mean or None, std=std or None)
    facts = FACTS[data]
    images, labels = _read(data, split, None)
    images, channels = resize(images, size or facts.size), channels or facts.channels
    if channels == 3:
        images = images.expand(-1, 3, -1, -1)
    elif images.shape[1] == 3:
        luma = torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)
        images = (images * luma).sum(1, keepdim=True).round().to(torch.uint8)
    mean, std = (tuple(told or (own * channels)[:channels]) for told, own in ((mean, facts.mean), (std, facts.std)))
    if len(mean) != channels or len(std) != channels:
        raise DataError(f"Give {channels} number(s) as mean and as std, one per channel; got {mean} and {std}.")
    return Split(images, labels, mean, std, facts.classes, f"{data} {split}")


def resize(images: Tensor, size: int) -> Tensor:
    """Bilinear, bytes (N, C, H, W) to bytes (N, C, size, size), as PIL does it, but all at once.

    Measured on the 70,000 images of MNIST, 28 to 32: not one pixel differs from `PIL.Image.resize(..., BILINEAR)`
    (torch 2.14, x86). The tests allow one grey level, for other machines.
    """
    return F.interpolate(images, size=(size, size), mode="bilinear", antialias=True)


def _digits(split: str) -> tuple[Tensor, Tensor]:
    """The shipped digits, (N, 1, 28, 28) bytes and (N,) labels: the 1,000 for reporting, or the other 4,000."""
    stored = files("rdskd_lab") / "assets" / "digits.npz"
    with stored.open("rb") as file, np.load(file, allow_pickle=False) as asset:
        images, labels, report = (torch.from_numpy(asset[k]) for k in ("images", "labels", "report"))
    chosen = torch.zeros(len(labels), dtype=torch.bool)
    chosen[report.long()] = True
    chosen = chosen if split == "test" else ~chosen
    return images[chosen].unsqueeze(1), labels[chosen].long()


def _mnist(split: str, root) -> tuple[Tensor, Tensor]:
    """MNIST, (N, 1, 28, 28) bytes and (N,) labels: the official test set, or the training images past the digits."""
    stem, first = ("t10k", 0) if split == "test" else ("train", FIRST_TRAIN)
    names = (f"{stem}-images-idx3-ubyte", f"{stem}-labels-idx1-ubyte")
    raw = [place / "MNIST" / "raw" for place in places(root)]
    found = next((r for r in raw if all((r / name).is_file() for name in names)), None) or _download(places(root))
    images, labels = (_checked_bytes(found / name) for name in names)
    images, labels = images[16:].reshape(-1, 1, 28, 28), labels[8:]  # an idx header: 4 bytes, and 4 per dimension
    return torch.from_numpy(images[first:]), torch.from_numpy(labels[first:]).long()


def _colour(name: str, split: str, root) -> tuple[Tensor, Tensor]:
    """SVHN or CIFAR-10, (N, 3, 32, 32) bytes and (N,) labels: the official test set, or the training images less every
    tenth, or every tenth."""
    part = "test" if split == "test" else "train"
    folder = next((place / name for place in places(root) if (place / name / part).is_dir()), None)
    if folder is None:
        images, labels = _published(name, part, places(root))
    else:
        found = _folder(folder, part, 32, 3, None, None)
        if found.classes != tuple(sorted(FACTS[name].classes)):
            raise DataError(f"{folder} has the classes {', '.join(found.classes)}, which are not those of {name}.")
        images, labels = found.images, found.labels
    tenth = torch.arange(len(labels)) % 10 == 0
    which = {"train": ~tenth, "tune": tenth, "test": torch.ones_like(tenth)}[split]
    return images[which], labels[which]


def _published(name: str, part: str, places: list[Path]) -> tuple[Tensor, Tensor]:
    """SVHN or CIFAR-10 from the files that torchvision knows, checksums tested, downloaded where there are none."""
    from torchvision.datasets import CIFAR10, SVHN  # here, because it would make `import rdskd_lab` slow

    def read(place: Path, download: bool):
        if name == "svhn":
            return SVHN(place / "SVHN", part, download=download)
        return CIFAR10(place, part == "train", download=download)

    marks = {"svhn": f"SVHN/{part}_32x32.mat", "cifar10": "cifar-10-batches-py"}
    looked = " or ".join(f"{place / marks[name]}, {place / name / part}" for place in places)
    here = next((place for place in places if (place / marks[name]).exists()), None)
    if here is None:
        print(f"{name} is not in {looked}: downloading it to {places[-1]}.", file=sys.stderr)
    patience = socket.getdefaulttimeout()
    socket.setdefaulttimeout(20)  # seconds, as for MNIST
    try:
        found = read(here or places[-1], download=here is None)
    except Exception as error:  # no network, no room, another checksum, no scipy: what to do is the same
        raise DataError(
            f"{name} is not in {looked}, or not whole, and could not be downloaded ({_short(error)}). Set RDSKD_DATA "
            f"to a folder that holds it as torchvision does, or pictures in {name}/train/CLASS and {name}/test/CLASS."
        ) from error
    finally:
        socket.setdefaulttimeout(patience)
    if name == "svhn":
        return torch.from_numpy(np.ascontiguousarray(found.data)), torch.from_numpy(found.labels)
    return torch.from_numpy(found.data).permute(0, 3, 1, 2).contiguous(), torch.tensor(found.targets)


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:120]


def _checked_bytes(path: Path) -> np.ndarray:
    """The bytes of a published MNIST file, or a DataError: a wrong one is never read as if it were right."""
    try:
        content = np.fromfile(path, dtype=np.uint8)
    except OSError as error:
        raise DataError(f"Cannot read {path} ({error.strerror}); use the shipped digits: --data digits.") from error
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != MNIST_MD5[path.name]:
        raise DataError(
            f"{path} ({len(content):,} bytes) is damaged: it differs from the published MNIST file. "
            "Delete it and run again to download it anew, or use the shipped digits: --data digits."
        )
    return content


def _download(places: list[Path]) -> Path:
    """Fetch MNIST through torchvision, checksums and all, into the last place that was searched; returns its raw/."""
    from torchvision.datasets import MNIST  # here, because it would make `import rdskd_lab` slow

    target = places[-1]
    looked = " or ".join(str(place / "MNIST" / "raw") for place in places)
    print(f"MNIST is not in {looked}: downloading it (12 MB) to {target}.", file=sys.stderr)
    patience = socket.getdefaulttimeout()
    socket.setdefaulttimeout(20)  # seconds; without it a network that swallows packets is waited for without end
    try:
        return Path(MNIST(target, download=True).raw_folder)
    except Exception as error:  # no network, no room, no right to write, a damaged archive: the cure is the same
        raise DataError(
            f"MNIST is not in {looked}, and downloading it to {target} failed. Set RDSKD_DATA to the "
            "folder that holds MNIST/raw, or use the shipped digits: --data digits."
        ) from error
    finally:
        socket.setdefaulttimeout(patience)


def _folder(data, split: str, size: int, channels: int | None, mean, std) -> Split:
    """An image folder as a Split. Classes are the folders in train/, sorted as text, so "10" comes before "2"."""
    place = Path(data).expanduser()
    if place.is_file():
        raise DataError(f"{place} is a file, not a folder; unpack it into {LAYOUT}, and give FOLDER.")
    if not place.is_dir():
        raise DataError(
            f"No data {str(data)!r}: it is neither a folder that exists nor one of {', '.join(FACTS)}."
            f"{_nearest(data, FACTS)}"
        )
    if channels not in (None, 1, 3) or size < 1:
        raise DataError(f"Pictures are read with 1 or 3 channels and a size of 1 or more; got {channels} and {size}.")
    part = place / ("test" if split == "test" else "train")
    if not part.is_dir():
        raise DataError(f"{part} is missing; an image folder is {LAYOUT}.")
    found = _listing(part, Path.is_dir)
    classes = _listing(place / "train", Path.is_dir) if (place / "train").is_dir() else found
    if not found:
        raise DataError(f"{part} has no class folders; an image folder is {LAYOUT}.")
    if strangers := [name for name in found if name not in classes]:
        raise DataError(f"{part / strangers[0]} is a class that train/ has not; rename it as there, or remove it.")
    paths, labels = [], []
    for name in found:
        pictures = _listing(part / name, lambda path: path.suffix.lower() in SUFFIXES)
        if not pictures:
            raise DataError(f"{part / name} has no pictures; put some in ({' '.join(SUFFIXES)}), or remove the folder.")
        paths += [part / name / picture for picture in pictures]
        labels += [classes.index(name)] * len(pictures)
    channels = channels or len(_picture(paths[0], size, None))
    images = torch.stack([_picture(path, size, channels) for path in paths])
    mean, std = (tuple(values or (0.5,) * channels) for values in (mean, std))
    if len(mean) != channels or len(std) != channels:
        raise DataError(f"Give {channels} number(s) as mean and as std, one per channel; got {mean} and {std}.")
    return Split(images, torch.tensor(labels), mean, std, tuple(classes), f"{place.resolve().name} {split}")


def _listing(folder: Path, kind) -> list[str]:
    """The names in `folder` that are of a kind, sorted; hidden ones (.ipynb_checkpoints, ._copy.png) are left out."""
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith(".") and kind(path))


def _picture(path: Path, size: int, channels: int | None) -> Tensor:
    """One picture file, made grey or RGB and square: (channels, size, size) bytes. Transparency is dropped."""
    from PIL import Image

    try:
        with Image.open(path) as picture:
            if picture.mode[0] in "IF":
                raise ValueError("16 or 32 bits per pixel, which Pillow would clip, not scale")
            grey = channels == 1 if channels else picture.mode in ("1", "L", "LA")
            square = picture.convert("L" if grey else "RGB").resize((size, size), Image.Resampling.BILINEAR)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{path} cannot be read as a picture of 8 bits per channel; replace or remove it.") from error
    return torch.from_numpy(np.array(square)).view(size, size, -1).permute(2, 0, 1)


def _nearest(name, known) -> str:
    """A question to end an error message with, or nothing where no known name is near."""
    close = get_close_matches(str(name).lower(), known, n=1)
    return f" Did you mean {close[0]!r}?" if close else ""
