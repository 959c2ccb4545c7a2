"""Pictures as people have them: each function makes the folder `pictures`, and its docstring says what is in it."""

from pathlib import Path

import numpy as np
from PIL import Image


def digits(split="test", per_class=4, classes=10):
    """Shipped digits, class by class: (class, array of 28 x 28)."""
    import rdskd_lab

    with np.load(Path(rdskd_lab.__file__).parent / "assets/digits.npz") as stored:
        images, labels = stored["images"], stored["labels"]
    first = 0 if split == "test" else per_class
    for k in range(classes):
        for image in images[labels == k][first : first + per_class]:
            yield str(k), image


def write(split="test", classes=10, change=lambda name, i, image: (name, image), suffix=".png", per_class=4, **how):
    for i, (name, pixels) in enumerate(digits(split, per_class, classes)):
        name, image = change(name, i, Image.fromarray(pixels))
        place = Path("pictures") / split / name
        place.mkdir(parents=True, exist_ok=True)
        image.save(place / f"{i}{suffix}", **how)


def both(**how):
    write("train", **how)
    write("test", **how)


def ten():
    """Ten classes of digits, train/ and test/."""
    both()


def two():
    """Two classes."""
    both(classes=2)


def three():
    """Three classes."""
    both(classes=3)


def hundred():
    """A hundred classes, one picture each."""
    for split in "train", "test":
        for k in range(100):
            place = Path("pictures") / split / f"kind{k:03}"
            place.mkdir(parents=True)
            Image.fromarray(np.full((32, 32), k, np.uint8)).save(place / "0.png")


def thousand():
    """A thousand classes, one picture each."""
    for split in "train", "test":
        for k in range(1000):
            place = Path("pictures") / split / f"n{k:08}"
            place.mkdir(parents=True)
            Image.fromarray(np.full((32, 32), k % 256, np.uint8)).save(place / "0.png")


def test_only():
    """test/ only."""
    write("test")


def train_only():
    """train/ only."""
    write("train")


def val_instead():
    """train/ and val/, as ImageNet is laid out."""
    both()
    Path("pictures/test").rename("pictures/val")


def no_split():
    """Class folders without train/ and test/."""
    write("test")
    for place in sorted(Path("pictures/test").iterdir()):
        place.rename(Path("pictures") / place.name)
    Path("pictures/test").rmdir()


def flat():
    """Pictures without class folders, labels in a CSV file."""
    Path("pictures/test").mkdir(parents=True)
    for i, (_, pixels) in enumerate(digits()):
        Image.fromarray(pixels).save(f"pictures/test/{i}.png")
    Path("pictures/labels.csv").write_text("file,label\n0.png,0\n")


def empty_class():
    """One class folder is empty."""
    both()
    for path in Path("pictures/test/3").iterdir():
        path.unlink()


def empty_folder():
    """A folder with nothing in it."""
    Path("pictures").mkdir()


def one_class():
    """One class only."""
    both(classes=1)


def other_order():
    """Class folders whose alphabetical order is not the network's (the names of the digits)."""
    words = "zero one two three four five six seven eight nine".split()
    both(change=lambda name, i, image: (words[int(name)], image))


def named_one_to_ten():
    """Class folders 1 to 10: sorted as text, 10 comes second."""
    both(change=lambda name, i, image: (f"{int(name) + 1}", image))


def more_in_test():
    """test/ has a class that train/ has not."""
    both()
    Path("pictures/train/9").rename("pictures/spare")


def unreadable():
    """One picture is a text file."""
    both()
    next(Path("pictures/test/3").iterdir()).write_text("not a picture")


def cut_jpeg():
    """One JPEG is cut in the middle."""
    both(suffix=".jpg")
    path = next(Path("pictures/test/3").iterdir())
    path.write_bytes(path.read_bytes()[:300])


def mixed():
    """Grey and colour pictures mixed."""
    both(change=lambda name, i, image: (name, image.convert("RGB") if i % 2 else image))


def palette():
    """Pictures with a palette."""
    both(change=lambda name, i, image: (name, image.convert("P")))


def cmyk():
    """JPEGs in CMYK."""
    both(change=lambda name, i, image: (name, image.convert("CMYK")), suffix=".jpg")


def sixteen_bit():
    """PNGs of 16 bits."""

    def change(name, i, image):
        return name, Image.fromarray(np.asarray(image).astype(np.uint16) * 257)

    both(change=change)


def upper_case():
    """Files end in .PNG."""
    both(suffix=".PNG")


def tiff():
    """TIFF files."""
    both(suffix=".tiff")


def arrays():
    """.npy files."""
    for split in "train", "test":
        for i, (name, pixels) in enumerate(digits(split)):
            place = Path("pictures") / split / name
            place.mkdir(parents=True, exist_ok=True)
            np.save(place / f"{i}.npy", pixels)


def rectangular():
    """Pictures of 48 x 32."""
    both(change=lambda name, i, image: (name, image.resize((48, 32))))


def many_sizes():
    """Pictures of many sizes."""
    both(change=lambda name, i, image: (name, image.resize((20 + i, 90 - i))))


def named_oddly():
    """A folder with a space and an umlaut, and files named so."""
    both(change=lambda name, i, image: (f"Zahl {name} ä", image))
    Path("pictures").rename("meine Bilder ü")


def with_rubbish():
    """Thumbs.db, .DS_Store and __MACOSX beside the pictures."""
    both()
    for split in "train", "test":
        Path(f"pictures/{split}/.DS_Store").write_bytes(b"x")
        Path(f"pictures/{split}/3/Thumbs.db").write_bytes(b"x")
    Path("pictures/__MACOSX").mkdir()


def strange_folder_in_split():
    """A folder __MACOSX among the classes."""
    both()
    for split in "train", "test":
        Path(f"pictures/{split}/__MACOSX").mkdir()


def zip_file():
    """The pictures in a .zip."""
    import shutil

    both()
    shutil.make_archive("pictures", "zip", "pictures")


def mnist_elsewhere():
    """MNIST's files, but right under RDSKD_DATA and not in MNIST/raw."""
    Path("pictures").mkdir()
    Path("pictures/t10k-images-idx3-ubyte").write_bytes(b"\0" * 100)
