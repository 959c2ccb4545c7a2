"""Weights on disk: the same bytes for the same state, no pickle ever opened, a misfit named, a file whole or as it was."""

import os
import pickle
import stat

import pytest
import torch
from pickles import Code
from safetensors import safe_open
from safetensors.torch import save_file

from rdskd_lab.networks import weights
from rdskd_lab.networks.architectures import LeNet5, LeNet5Half
from rdskd_lab.networks.weights import SHIPPED, WeightsError, fingerprint, load_weights, save_weights, write_whole


def equal(a, b):
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


def test_weights_come_back_as_they_were_with_their_facts(tmp_path):
    net = LeNet5Half().to(memory_format=torch.channels_last)
    save_weights(net, tmp_path / "net.safetensors", width="16", latent="100", name="für 7 €")
    assert equal(load_weights(LeNet5Half(), tmp_path / "net.safetensors"), net)
    with safe_open(tmp_path / "net.safetensors", "pt") as file:
        assert file.metadata() == {"width": "16", "latent": "100", "name": "für 7 €"}
    save_weights(net, tmp_path / "plain.safetensors")
    assert equal(load_weights(LeNet5Half(), tmp_path / "plain.safetensors"), net)


def test_the_same_state_gives_the_same_bytes(tmp_path):
    """safetensors itself writes facts in an order that changes from call to call."""
    net, facts = LeNet5Half(), {name: str(i) for i, name in enumerate("abcdefgh")}
    for i in range(8):
        save_weights(net, tmp_path / str(i), **facts)
    assert len({fingerprint(tmp_path / str(i)) for i in range(8)}) == 1


def test_a_shipped_network_goes_by_its_name(tmp_path):
    net = load_weights(LeNet5(), "lenet5")
    assert fingerprint("lenet5") == fingerprint(SHIPPED["lenet5"])
    with safe_open(SHIPPED["lenet5"], "pt") as file:
        save_weights(net, tmp_path / "again", **file.metadata())
    assert fingerprint(tmp_path / "again") == fingerprint("lenet5")
    with pytest.raises(WeightsError, match="there is no weights file lenet6; shipped with rdskd-lab: lenet5"):
        load_weights(LeNet5(), "lenet6")
    with pytest.raises(WeightsError, match="there is no weights file"):
        fingerprint(tmp_path)


@pytest.mark.parametrize("size", [0, 5, 1000, 200_000])
def test_a_truncated_file_is_refused(size, tmp_path):
    (tmp_path / "cut").write_bytes(SHIPPED["lenet5"].read_bytes()[:size])
    with pytest.raises(WeightsError, match="cut is not a whole safetensors file"):
        load_weights(LeNet5(), tmp_path / "cut")


@pytest.mark.parametrize("dump", [torch.save, lambda thing, path: path.write_bytes(pickle.dumps(thing))])
def test_a_pickle_is_never_opened(dump, tmp_path):
    dump({"fc2.bias": Code(tmp_path / "ran")}, tmp_path / "teacher.pt")
    with pytest.raises(WeightsError, match=r"A pickled \.pt file is never opened"):
        load_weights(LeNet5(), tmp_path / "teacher.pt")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        (LeNet5(1, 7), r"fc2\.weight is \(7, 84\) in the file and \(10, 84\) in the network"),
        (LeNet5(3, 10), r"conv1\.weight is \(6, 3, 5, 5\) in the file and \(6, 1, 5, 5\)"),
        (torch.nn.Linear(2, 2), r"conv1\.weight is missing in the file"),
        (
            torch.nn.ModuleDict({**dict(LeNet5().named_children()), "fc3": torch.nn.Linear(1, 1)}),
            r"fc3\.\w+ is \(1.* in the file and unknown in the network",
        ),
    ],
    ids=["classes", "channels", "foreign", "more"],
)
def test_a_network_that_does_not_fit_is_named_and_changes_nothing(other, sentence, tmp_path):
    save_weights(other, tmp_path / "other")
    net = LeNet5()
    before = {name: t.clone() for name, t in net.state_dict().items()}
    with pytest.raises(WeightsError, match=rf"does not fit this LeNet5: {sentence}"):
        load_weights(net, tmp_path / "other")
    assert all(torch.equal(before[name], t) for name, t in net.state_dict().items())


def test_weights_that_are_not_numbers_are_refused(tmp_path):
    state = LeNet5().state_dict()
    state["conv2.bias"][3] = torch.nan
    save_file(state, tmp_path / "nan")
    with pytest.raises(WeightsError, match=r"conv2\.bias holds values that are not finite"):
        load_weights(LeNet5(), tmp_path / "nan")


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    write_whole(tmp_path / "file", b"old")

    def full(handle):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(weights.os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            write_whole(tmp_path / "file", b"new and longer")
        assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("file", b"old")]
    write_whole(tmp_path / "file", b"new")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("file", b"new")]


def test_a_file_is_in_its_place_only_when_it_is_whole(tmp_path, monkeypatch):
    seen = []
    replace = os.replace

    def watched(part, path):
        seen.append((path.exists(), part.read_bytes()))
        replace(part, path)

    monkeypatch.setattr(weights.os, "replace", watched)
    write_whole(tmp_path / "new folder" / "file", b"content")
    assert seen == [(False, b"content")]


@pytest.mark.skipif(os.name == "nt", reason="no umask here")
def test_a_file_is_as_private_as_the_user_wants_files_to_be(tmp_path):
    before = os.umask(0o077)
    try:
        write_whole(tmp_path / "file", b"")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o600
