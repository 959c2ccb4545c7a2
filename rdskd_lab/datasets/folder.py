"""Image folders: FOLDER/train/CLASS/*.png and FOLDER/test/CLASS/*.png.

Classes are the folders in train/, sorted as text as torchvision's ImageFolder has them, so "10" comes before "2".  Who
knows the names in another order renumbers by name.
"""

import os
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .dataset import DataSet, Labelled, every_tenth, find_or_download
from .split import DataError, warn

LAYOUT = "FOLDER/train/CLASS/*.png and FOLDER/test/CLASS/*.png"
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".pgm", ".ppm")


def read_folder(place: Path, part: str, size: int, channels: int | None = None) -> Labelled:
    """Read the pictures in `place`/`part`, "train" or "test", square; grey or RGB as train's first is, or as asked."""
    folder = place / part
    if not folder.is_dir():
        raise DataError(f"{folder} is missing; an image folder is {LAYOUT}.")
    found = _listing(folder, Path.is_dir)
    classes = _listing(place / "train", Path.is_dir) if (place / "train").is_dir() else found
    if not found:
        raise DataError(f"{folder} has no class folders; an image folder is {LAYOUT}.")
    if strangers := [name for name in found if name not in classes]:
        raise DataError(
            f"{folder / strangers[0]} is a class that train/ does not have; rename it to match, or remove it."
        )
    paths, labels = [], []
    for name in found:
        pictures = _listing(folder / name, lambda path: path.suffix.lower() in SUFFIXES)
        if not pictures:
            raise DataError(
                f"{folder / name} has no pictures; put some in ({' '.join(SUFFIXES)}), or remove the folder."
            )
        paths += [folder / name / picture for picture in pictures]
        labels += [classes.index(name)] * len(pictures)
    first = [p for p in sorted((place / "train" / classes[0]).glob("[!.]*")) if p.suffix.lower() in SUFFIXES] or paths
    channels = channels or len(_picture(first[0], size, None, []))
    squeezed = []
    images = torch.stack([_picture(path, size, channels, squeezed) for path in paths])
    if squeezed:
        warn(
            f"{len(squeezed)} of {len(paths)} pictures in {folder} are not square (the first: {squeezed[0]}); they are "
            f"squeezed to {size} x {size}: crop them first, if the teacher was trained on cropped ones"
        )
    return Labelled(images, torch.tensor(labels), tuple(classes))


def read_pictures(record: DataSet, split: str, places: list[Path]) -> Labelled:
    """Read a set from pictures in the folder of its name.

    Its training images less every tenth are for training, every tenth is for tuning.
    """
    part = "test" if split == "test" else "train"
    if folder := _of_name(record, part, places):
        return every_tenth(split, read_folder(folder, part, record.size, record.channels))
    looked = " or ".join(str(place / record.name / part) for place in places)
    raise DataError(f"{record.name} is not in {looked}. Set RDSKD_DATA to the folder that holds {record.name}.")


def read_published(record: DataSet, split: str, places: list[Path], file: str, read) -> Labelled:
    """Read a set from pictures, or as `read(place, part, download)` does from the place that holds `file`."""
    part = "test" if split == "test" else "train"
    if _of_name(record, part, places):
        return read_pictures(record, split, places)
    instead = (
        f"Set RDSKD_DATA to a folder that holds {file} as torchvision keeps it, or pictures in "
        f"{record.name}/train/CLASS and {record.name}/test/CLASS."
    )
    return every_tenth(split, find_or_download(record, (file,), places, lambda *at: read(at[0], part, at[1]), instead))


def _of_name(record: DataSet, part: str, places: list[Path]) -> Path | None:
    return next((place / record.name for place in places if os.path.isdir(place / record.name / part)), None)


def _listing(folder: Path, kind) -> list[str]:
    """Return the names in `folder` of one kind, sorted; hidden ones (.ipynb_checkpoints, ._copy.png) are left out."""
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith(".") and kind(path))


def _picture(path: Path, size: int, channels: int | None, squeezed: list[str]) -> Tensor:
    """Read one picture file as grey or RGB and square: (channels, size, size) bytes. Transparency is dropped.

    One that is more than a tenth longer than wide, or wider than long, is noted in `squeezed`.
    """
    from PIL import Image  # here, because it would make `import rdskd_lab` slow

    try:
        with Image.open(path) as picture:
            if picture.mode[0] in "IF":
                raise ValueError("16 or 32 bits per pixel, which Pillow would clip, not scale")
            if max(picture.size) > 1.1 * min(picture.size):
                squeezed.append(f"{path}, {picture.width} x {picture.height}")
            grey = channels == 1 if channels else picture.mode in ("1", "L", "LA")
            square = picture.convert("L" if grey else "RGB").resize((size, size), Image.Resampling.BILINEAR)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{path} cannot be read as a picture of 8 bits per channel; replace or remove it.") from error
    return torch.from_numpy(np.array(square)).view(size, size, -1).permute(2, 0, 1)
