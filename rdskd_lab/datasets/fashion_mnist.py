"""Fashion-MNIST, 28 x 28 in four files: as torchvision keeps them, or as Debian's package of them does."""

from pathlib import Path

from .dataset import DataSet, Labelled, find, find_or_download
from .idx import by_torchvision, read_images_and_labels

TUNED = 4_000  # the first training images: what is tuned is tuned on them, and no teacher sees them
RAW = "FashionMNIST/raw/"
DEBIAN = Path("/usr/share/datasets/fashion-mnist")  # apt install dataset-fashion-mnist
# md5 of the files, unpacked, as Debian packages them
MD5 = {
    "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
    "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
    "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
    "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
}


def read(split: str, places: list[Path]) -> Labelled:
    """Read (N, 1, 28, 28) bytes and (N,) labels."""
    stem = "t10k" if split == "test" else "train"
    names = (f"{stem}-images-idx3-ubyte", f"{stem}-labels-idx1-ubyte")
    packed = tuple(f"{name}.gz" for name in names)
    if find(tuple(RAW + name for name in names), places) is None and find(packed, [DEBIAN]):
        files = (DEBIAN / name for name in packed)
    else:
        instead = "Set RDSKD_DATA to the folder that holds FashionMNIST/raw, or apt install dataset-fashion-mnist."
        place = find_or_download(
            SET, tuple(RAW + name for name in names), places, by_torchvision("FashionMNIST"), instead
        )
        files = (place / RAW / name for name in names)
    images, labels = read_images_and_labels(*files, MD5, "install Debian's package dataset-fashion-mnist")
    which = {"tune": slice(TUNED), "train": slice(TUNED, None), "test": slice(None)}[split]
    return Labelled(images[which], labels[which], SET.classes)


SET = DataSet(
    "fashion-mnist",
    channels=1,
    size=32,
    classes=("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"),
    mean=(0.2860,),
    std=(0.3530,),
    read=read,
    words=("56,000 official training images", "the first 4,000 training images", "the 10,000 official test images"),
    files=tuple(RAW + name for name in MD5),
    packaged=tuple(DEBIAN / f"{name}.gz" for name in MD5),
    megabytes=31,
)
