"""Image folders: what is read, in which order classes are numbered, and what is said where something is wrong."""

import shutil
import warnings
from itertools import product

import numpy as np
import pytest
import torch
from PIL import Image

from rdskd_lab.datasets import SPLITS, DataError, DataWarning, load, registry
from rdskd_lab.datasets.dataset import DataSet


def draw_folder(place, mode: str, side: int, classes=("cat", "ant", "bee"), count: int = 3) -> np.ndarray:
    """train/ and test/ with `count` random pictures per class; returns those of test/, by sorted class."""
    rng, drawn = np.random.default_rng(0), []
    for part, name in product(("train", "test"), sorted(classes)):
        (place / part / name).mkdir(parents=True)
        for i in range(count):
            drawn.append(rng.integers(0, 256, (side, side) if mode == "L" else (side, side, 3), dtype=np.uint8))
            Image.fromarray(drawn[-1]).save(place / part / name / f"{i}.png")
    return np.stack(drawn[len(drawn) // 2 :])


def test_a_folder_with_test_pictures_only_is_enough_to_test(tmp_path):
    draw_folder(tmp_path, "L", 8)
    shutil.rmtree(tmp_path / "train")
    test, tune = (load(tmp_path, split) for split in ("test", "tune"))
    assert test.classes == ("ant", "bee", "cat") and torch.equal(test.images, tune.images)
    with pytest.raises(DataError, match="train is missing"):
        load(tmp_path, "train")


@pytest.mark.parametrize("mode, channels", [("L", 1), ("RGB", 3)])
@pytest.mark.parametrize("side", [28, 16])
def test_a_folder_is_read_as_it_is_but_for_its_size(tmp_path, mode, channels, side):
    drawn = draw_folder(tmp_path / "insects", mode, side)
    split = load(str(tmp_path / "insects"), "test")
    assert (split.name, split.classes) == ("insects test", ("ant", "bee", "cat"))
    assert split.labels.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2] and split.labels.dtype == torch.int64
    assert (split.mean, split.std) == ((0.5,) * channels, (0.5,) * channels)
    assert tuple(split.images.shape) == (9, channels, 32, 32) and split.images.is_contiguous()
    pil = [np.asarray(Image.fromarray(image).resize((32, 32), Image.Resampling.BILINEAR)) for image in drawn]
    assert np.array_equal(split.images.permute(0, 2, 3, 1).numpy(), np.stack(pil).reshape(9, 32, 32, channels))
    as_drawn = load(tmp_path / "insects", "test", size=side)  # a Path will do too; at its own size nothing is resampled
    assert np.array_equal(as_drawn.images.permute(0, 2, 3, 1).numpy(), drawn.reshape(9, side, side, channels))
    train, tune, test = (load(tmp_path / "insects", split) for split in SPLITS)
    assert torch.equal(train.images, tune.images) and not torch.equal(train.images, test.images)


def test_numbers_as_class_names_and_oblong_pictures_are_read_with_a_warning(tmp_path):
    for part in "train", "test":
        for k in range(1, 11):
            (tmp_path / part / str(k)).mkdir(parents=True)
            Image.new("L", (30, 32)).save(tmp_path / part / str(k) / "0.png")
    with pytest.warns(DataWarning, match="order of text .1, 10, 2, 3.*01, 02") as said:
        found = load(tmp_path, "test")
    assert len(said) == 1 and found.classes[1] == "10"
    Image.new("L", (48, 32)).save(tmp_path / "test" / "3" / "0.png")
    with pytest.warns(DataWarning, match=r"^1 of 10 pictures.*not square.*3.0\.png, 48 x 32.*squeezed to 32 x 32"):
        load(tmp_path, "test")
    for part in "train", "test":
        (tmp_path / part / "10").rename(tmp_path / part / "0")
    Image.new("L", (32, 32)).save(tmp_path / "test" / "3" / "0.png")
    with warnings.catch_warnings(action="error"):
        load(tmp_path, "test")


def test_grey_pictures_become_rgb_and_rgb_grey_when_asked_for(tmp_path):
    draw_folder(tmp_path / "grey", "L", 16)
    rgb = load(tmp_path / "grey", "test", channels=3, mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6))
    assert rgb.images.shape[1] == 3 and torch.equal(rgb.images[:, 0], rgb.images[:, 2])
    assert (rgb.mean, rgb.std) == ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    drawn = draw_folder(tmp_path / "colour", "RGB", 16)
    grey = load(tmp_path / "colour", "test", size=16, channels=1)
    luma = drawn @ np.array([0.299, 0.587, 0.114])  # ITU-R 601, as Pillow weighs the colours
    assert grey.images.shape[1] == 1 and np.abs(grey.images[:, 0].numpy() - luma).max() <= 1
    shutil.rmtree(tmp_path / "colour" / "test")
    shutil.move(tmp_path / "grey" / "test", tmp_path / "colour" / "test")  # as some programs save what looks grey
    assert [load(tmp_path / "colour", split).images.shape[1] for split in SPLITS] == [3, 3, 3]


def test_labels_follow_train_even_where_test_lacks_a_class(tmp_path):
    draw_folder(tmp_path, "L", 16)
    shutil.rmtree(tmp_path / "test" / "ant")
    test = load(tmp_path, "test")
    assert test.classes == ("ant", "bee", "cat") and test.labels.tolist() == [1, 1, 1, 2, 2, 2]


def test_hidden_files_and_other_files_are_left_alone(tmp_path):
    draw_folder(tmp_path, "L", 16)
    (tmp_path / "train" / ".ipynb_checkpoints").mkdir()
    (tmp_path / "train" / "ant" / "._0.png").write_bytes(b"what macOS leaves behind")
    (tmp_path / "train" / "ant" / "notes.txt").write_text("not a picture")
    assert len(load(tmp_path, "train")) == 9


# ---- a named set made of pictures ------------------------------------------------------------------------------------

ORDERS = {"words": ("square", "circle", "triangle"), "numbers": tuple(map(str, range(12)))}  # "10" sorts before "2"


@pytest.mark.filterwarnings("ignore::rdskd_lab.datasets.DataWarning")
@pytest.mark.parametrize("classes", ORDERS.values(), ids=ORDERS)
def test_a_set_whose_classes_are_not_alphabetical_names_every_picture_rightly(classes, tmp_path, monkeypatch):
    for part, (k, name) in product(("train", "test"), enumerate(classes)):
        (tmp_path / "shapes" / part / name).mkdir(parents=True)
        for n in range(3):
            Image.new("L", (32, 32), k).save(tmp_path / "shapes" / part / name / f"{n}.png")
    record = DataSet("shapes", 1, 32, classes, (0.5,), (0.5,), files=("shapes/train", "shapes/test"))
    monkeypatch.setitem(registry.SETS, "shapes", record)
    monkeypatch.setenv("RDSKD_DATA", str(tmp_path))
    assert record.is_here()
    for split in SPLITS:
        found = load("shapes", split)
        assert found.classes == classes and found.labels.tolist() == found.images[:, 0, 0, 0].tolist()
    folder = load(tmp_path / "shapes", "test")  # the same as a folder: numbered otherwise, and made equal by name
    assert folder.classes == tuple(sorted(classes))
    assert folder.numbered_as(classes).labels.tolist() == folder.images[:, 0, 0, 0].tolist()
    (tmp_path / "shapes" / "train" / classes[0]).rename(tmp_path / "shapes" / "train" / "lorry")
    with pytest.raises(DataError, match=f"{classes[0]}.*lorry"):
        load("shapes", "train")
    shutil.rmtree(tmp_path / "shapes" / "test")
    with pytest.raises(DataError, match="RDSKD_DATA"):
        load("shapes", "test")


# ---- what is wrong ---------------------------------------------------------------------------------------------------


def cut(place):
    picture = place / "train/bee/1.png"
    picture.write_bytes(picture.read_bytes()[:100])


def emptied(place):
    (place / "train/bee/1.png").write_bytes(b"")


def deep(place):
    Image.fromarray(np.full((16, 16), 40_000, np.uint16)).save(place / "train/bee/1.png")


def hollow(place):
    for path in (place / "train/bee").iterdir():
        path.unlink()


def bare(place):
    shutil.rmtree(place / "test")
    (place / "test").mkdir()


WRONG = [
    (cut, "train", "train/bee/1.png", "cannot be read"),
    (emptied, "train", "train/bee/1.png", "cannot be read"),
    (deep, "train", "train/bee/1.png", "8 bits"),
    (hollow, "train", "train/bee", "no pictures"),
    (bare, "test", "test", "no class folders"),
    (lambda place: shutil.rmtree(place / "test"), "test", "test", "missing"),
    (lambda place: (place / "test/ant").rename(place / "test/ants"), "test", "test/ants", "train/"),
]


@pytest.mark.parametrize("damage, split, path, words", WRONG)
def test_what_is_wrong_with_a_folder_is_said_with_its_path(damage, split, path, words, tmp_path):
    draw_folder(tmp_path, "L", 16)
    damage(tmp_path)
    with pytest.raises(DataError) as caught:
        load(tmp_path, split)
    assert str(tmp_path / path) in str(caught.value) and words in str(caught.value)


@pytest.mark.parametrize("wish", [{"channels": 2}, {"size": 0}, {"mean": (0.5,) * 3}, {"std": (0.5,) * 3}])
@pytest.mark.parametrize("data", ["digits", "FOLDER"])
def test_what_cannot_be_asked_of_a_folder_or_a_set(data, wish, tmp_path):
    draw_folder(tmp_path, "L", 16)
    with pytest.raises(DataError, match="1 or 3 channels|Give 1 number"):
        load(tmp_path if data == "FOLDER" else data, "test", **wish)


def test_a_file_or_nothing_is_no_folder(tmp_path):
    (tmp_path / "insects.zip").write_bytes(b"PK")
    with pytest.raises(DataError, match="insects.zip is a file.*unpack"):
        load(tmp_path / "insects.zip", "test")
    with pytest.raises(DataError, match="gone.*neither a folder"):
        load(tmp_path / "gone", "test")
