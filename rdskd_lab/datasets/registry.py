"""SETS: every named data set; and `load`, which reads one of them or an image folder."""

from difflib import get_close_matches
from functools import partial
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from ..networks.weights import expand
from .dataset import DataSet, places
from .folder import LAYOUT, read_folder, read_pictures
from .split import SPLITS, DataError, Split, recolour, renumber, resize, warn


def _found() -> list[DataSet]:
    """Return the SET of each file of this folder that has one."""
    names = sorted(module.name for module in iter_modules([str(Path(__file__).parent)]) if module.name != "registry")
    modules = (import_module(f".{name}", __package__) for name in names)
    return [module.SET for module in modules if hasattr(module, "SET")]


SETS = {record.name: record for record in _found()}


def load(data, split, root=None, *, size=None, channels=None, mean=None, std=None) -> Split:
    """Read the split "train", "tune" or "test" of `data`: one of SETS, or the path of an image folder.

    root       where a named set is looked for; by default RDSKD_DATA (environment), then ~/.cache/rdskd_lab, and where
               none of them has it, it is downloaded into the last.
    The rest replaces what the data bring, for a teacher that expects something else:
    size       pixels per side; pictures of a folder are made square, 32 by default
    channels   1 (grey, by luma) or 3 (RGB); of a folder by default what the first in train/ has
    mean, std  a number per channel, of pixel values in [0, 1]; of a folder by default 0.5, which maps 0..255 to -1..1
    """
    if split not in SPLITS:
        raise DataError(f"There is no split {split!r}; the splits are {', '.join(SPLITS)}.{_nearest(split, SPLITS)}")
    if channels not in (None, 1, 3) or (size is not None and size < 1):
        raise DataError(f"Images are read with 1 or 3 channels and a size of 1 or more; got {channels} and {size}.")
    if data in SETS:  # a folder of one of these names: "./mnist"
        record = SETS[data]
        read = record.read or partial(read_pictures, record)
        images, labels, classes = read(split, places(root))
        if set(classes) != set(record.classes):
            own = ", ".join(record.classes)
            raise DataError(f"The classes of {data} are {own}; these were found: {', '.join(classes)}.")
        labels = renumber(labels, classes, record.classes)
        images = recolour(resize(images, size or record.size), channels or record.channels)
        classes, own, name = record.classes, (record.mean, record.std), data
    else:
        place = _folder(data)
        part = "test" if split == "test" or split == "tune" and not (place / "train").is_dir() else "train"
        images, labels, classes = read_folder(place, part, size or 32, channels)
        if all(name.isdecimal() for name in classes) and list(classes) != sorted(classes, key=int):
            warn(
                f"the class folders in {place} are numbers, in the order of text ({', '.join(classes[:4])}, ...), as "
                "torchvision has them; if the teacher counts otherwise, name them 01, 02, ..."
            )
        own, name = ((0.5,), (0.5,)), place.resolve().name
    channels = images.shape[1]
    mean, std = (tuple(given or (usual * channels)[:channels]) for given, usual in zip((mean, std), own, strict=True))
    if len(mean) != channels or len(std) != channels:
        raise DataError(f"Give {channels} number(s) as mean and as std, one per channel; got {mean} and {std}.")
    return Split(images, labels, mean, std, tuple(classes), f"{name} {split}")


def table() -> str:
    """Return which images each split of each set holds, as a Markdown table."""
    rows = [("data", *SPLITS), ("---",) * 4, *((name, *record.words) for name, record in SETS.items())]
    rows.append(("a folder", "the pictures in train/CLASS/", "as train, or as test", "the pictures in test/CLASS/"))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _folder(data) -> Path:
    place = expand(data)
    if place.is_file():
        raise DataError(f"{place} is a file, not a folder; unpack it into {LAYOUT}, and give FOLDER.")
    if not place.is_dir():
        raise DataError(
            f"No data {str(data)!r}: it is neither a folder that exists nor one of {', '.join(SETS)}."
            f"{_nearest(data, SETS)}"
        )
    return place


def _nearest(name, known) -> str:
    """Return a question to end an error message with, or nothing where no known name is near."""
    close = get_close_matches(str(name).lower(), known, n=1)
    return f" Did you mean {close[0]!r}?" if close else ""
