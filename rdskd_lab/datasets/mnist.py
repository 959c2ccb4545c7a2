"""MNIST, 28 x 28 in four files; each is read only if it is the published one, byte for byte."""

from pathlib import Path

from . import digits
from .dataset import DataSet, Labelled, find_or_download
from .idx import by_torchvision, read_images_and_labels

# The shipped digits are 5,000 of the first 5,848 training images.  A teacher that learns from index 5,848 on has
# therefore seen none of them.
FIRST_TRAIN = 5_848
RAW = "MNIST/raw/"
# md5 of the published files, unpacked. An official test set that differs by one byte is not the official test set.
MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}


def read(split: str, places: list[Path]) -> Labelled:
    """Read (N, 1, 28, 28) bytes and (N,) labels; what is tuned is tuned on the shipped digits."""
    if split == "tune":
        return digits.read("tune")
    stem, first = ("t10k", 0) if split == "test" else ("train", FIRST_TRAIN)
    names = (f"{RAW}{stem}-images-idx3-ubyte", f"{RAW}{stem}-labels-idx1-ubyte")
    instead = "Set RDSKD_DATA to the folder that holds MNIST/raw, or use the shipped digits: --data digits."
    place = find_or_download(SET, names, places, by_torchvision("MNIST"), instead)
    files = (place / name for name in names)
    images, labels = read_images_and_labels(*files, MD5, "use the shipped digits: --data digits")
    return Labelled(images[first:], labels[first:], SET.classes)


SET = DataSet(
    "mnist",
    channels=1,
    size=32,
    classes=digits.SET.classes,
    mean=(0.1307,),
    std=(0.3081,),
    read=read,
    words=("54,152 official training images", "4,000 of the shipped digits", "the 10,000 official test images"),
    files=tuple(RAW + name for name in MD5),
    megabytes=12,
    teacher="lenet5",
)
