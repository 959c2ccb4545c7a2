"""Fashion-MNIST: from either place, divided without overlap, and never from a damaged file."""

import gzip
import hashlib
import struct
from dataclasses import replace

import pytest
import torch

from rdskd_lab.datasets import DataError, dataset, fashion_mnist, load


@pytest.fixture
def files(monkeypatch, tmp_path):
    """Write small files of the published form, in both places; give their places and their images."""
    monkeypatch.setattr(fashion_mnist, "TUNED", 5)
    monkeypatch.setattr(fashion_mnist, "DEBIAN", tmp_path / "debian")
    monkeypatch.setattr(fashion_mnist, "MD5", {})
    raw, packed, made = tmp_path / "data" / "FashionMNIST" / "raw", tmp_path / "debian", {}
    raw.mkdir(parents=True)
    packed.mkdir()
    rng = torch.Generator().manual_seed(0)
    for stem, n in ("train", 12), ("t10k", 7):
        images = torch.randint(0, 256, (n, 28, 28), generator=rng).to(torch.uint8)
        labels = torch.arange(n).remainder(10).to(torch.uint8)
        made[stem] = images, labels
        for kind, head, tensor in (
            ("images-idx3", struct.pack(">IIII", 2051, n, 28, 28), images),
            ("labels-idx1", struct.pack(">II", 2049, n), labels),
        ):
            name, content = f"{stem}-{kind}-ubyte", head + tensor.numpy().tobytes()
            fashion_mnist.MD5[name] = hashlib.md5(content).hexdigest()
            (raw / name).write_bytes(content)
            (packed / f"{name}.gz").write_bytes(gzip.compress(content))
    return tmp_path / "data", packed, made


@pytest.mark.parametrize("place", ["data", "debian"])
def test_splits_are_the_files_images_in_order_and_none_is_in_two(files, place, tmp_path):
    data, _, made = files
    root = data if place == "data" else tmp_path / "elsewhere"
    train, tune, test = (load("fashion-mnist", split, root=root, size=28) for split in ("train", "tune", "test"))
    images, labels = made["train"]
    assert torch.equal(torch.cat([tune.images, train.images])[:, 0], images) and len(tune) == 5
    assert torch.equal(torch.cat([tune.labels, train.labels]), labels.long())
    assert torch.equal(test.images[:, 0], made["t10k"][0]) and test.name == "fashion-mnist test"


def test_it_is_here_in_a_data_folder_or_as_the_systems_package_and_not_otherwise(files, monkeypatch, tmp_path):
    data, packed, _ = files
    monkeypatch.setattr(dataset, "CACHE", tmp_path / "cache")
    whole = replace(fashion_mnist.SET, packaged=tuple(packed.iterdir()))
    for place, record, here in (
        (data, replace(whole, packaged=()), True),
        (tmp_path, whole, True),
        (tmp_path, replace(whole, packaged=(*whole.packaged, packed / "missing.gz")), False),
        (tmp_path, replace(whole, packaged=()), False),
    ):
        monkeypatch.setenv("RDSKD_DATA", str(place))
        assert record.is_here() is here


@pytest.mark.parametrize("damage", ["one bit", "cut short", "empty", "wild"])
def test_a_damaged_file_is_named_and_never_read(files, damage, tmp_path):
    data, packed, _ = files
    for path, root in (
        (data / "FashionMNIST" / "raw" / "t10k-labels-idx1-ubyte", data),
        (packed / "t10k-images-idx3-ubyte.gz", tmp_path / "elsewhere"),
    ):
        content, cut = bytearray(path.read_bytes()), path.read_bytes()[:10]
        content[-3] ^= 1
        path.write_bytes({"one bit": content, "cut short": cut, "empty": b"", "wild": cut + 20 * b"\xff"}[damage])
        with pytest.raises(DataError, match=path.name):
            load("fashion-mnist", "test", root=root)
