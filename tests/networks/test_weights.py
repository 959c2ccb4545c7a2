"""Weights on disk: the same bytes for the same state, nothing but tensors unpickled, a misfit named, a file whole or as it was."""

import importlib
import os
import pickle
import stat
from pathlib import Path

import pytest
import torch
from pickles import Code
from safetensors import safe_open
from safetensors.torch import save_file

from rdskd_lab.networks import weights
from rdskd_lab.networks.architectures import LeNet5, LeNet5Half
from rdskd_lab.networks.weights import SHIPPED, WeightsError, fingerprint, load_weights, save_weights


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
    with pytest.raises(WeightsError, match="folder"):
        fingerprint(tmp_path)


@pytest.mark.parametrize("size", [0, 5, 1000, 200_000])
def test_a_truncated_file_is_refused(size, tmp_path):
    (tmp_path / "cut.safetensors").write_bytes(SHIPPED["lenet5"].read_bytes()[:size])
    with pytest.raises(WeightsError, match="empty|whole"):
        load_weights(LeNet5(), tmp_path / "cut.safetensors")


@pytest.mark.parametrize("dump", [torch.save, lambda thing, path: path.write_bytes(pickle.dumps(thing))])
def test_nothing_but_tensors_is_ever_unpickled(dump, tmp_path):
    dump({"fc2.bias": Code(tmp_path / "ran")}, tmp_path / "teacher.pt")
    with pytest.raises(WeightsError, match=r"pickle.*state_dict|damaged"):
        load_weights(LeNet5(), tmp_path / "teacher.pt")
    assert not (tmp_path / "ran").exists()


@pytest.fixture
def brought(tmp_path, monkeypatch):
    """Write a file of the catalogue of what people bring, and return its path."""
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "benchmarks" / "what_people_bring" / "inputs")
    monkeypatch.chdir(tmp_path)

    def write(name):
        module = importlib.import_module("weight_files")
        getattr(module, name)()
        return max(
            sorted(path for path in tmp_path.iterdir() if path.is_file()), key=lambda path: path.suffix == ".zip"
        )

    return write


@pytest.mark.parametrize(
    "name",
    """safetensors_half safetensors_bfloat16 safetensors_double safetensors_module safetensors_model
    safetensors_compiled safetensors_student safetensors_two_prefixes safetensors_two_networks pt_plain pt_old_format
    pt_parameters pt_model pt_model_state_dict pt_net pt_teacher pt_ema pt_tar pt_lightning_layout
    pt_half pt_of_gpu""".split()
    + [pytest.param("pt_state_dict", marks=pytest.mark.slow)],
)
def test_weights_are_taken_as_people_have_them(name, brought):
    net, shipped = LeNet5(), load_weights(LeNet5(), "lenet5")
    load_weights(net, brought(name))
    off = 2e-3 if name == "pt_ema" else 1e-2 if "bfloat16" in name else 1e-3 if "half" in name else 1e-7
    assert all(torch.allclose(a, b, atol=off) for a, b in zip(net.parameters(), shipped.parameters(), strict=True))
    assert all(p.dtype == torch.float32 for p in net.parameters())


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("pt_namespace", "argparse.Namespace.*state_dict"),
        ("pt_whole_module", "LeNet5.*state_dict"),
        ("pt_bomb", "could run code"),
        ("pt_list", "list"),
        ("pt_optimizer_only", "optimizer"),
        ("torchscript", "TorchScript"),
        pytest.param("exported_program", r"torch\.export", marks=pytest.mark.slow),
        ("numpy_npz", "numpy"),
        ("truncated_pt", "cut off"),
        ("empty", "empty"),
        ("lfs_pointer", "git lfs pull"),
        ("html_page", "HTML"),
        ("zipped", "zip archive"),
        ("other_architecture", r"conv1\.weight is missing.*layer1\.0\.conv1\.weight"),
        ("renamed", r"conv1\.weight is missing.*nearest in the file: features\.0\.weight"),
        ("missing_keys", r"fc2\.weight is missing"),
        ("integers", "int8"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_what_holds_no_weights_that_fit_is_called_what_it_is(name, words, brought, tmp_path):
    with pytest.raises(WeightsError, match=words):
        load_weights(LeNet5(), brought(name))
    assert not (tmp_path / "EXECUTED").exists()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("net.onnx", b"\x08\x07", "ONNX"),
        ("net.h5", b"\x89HDF\r\n\x1a\n", "Keras"),
        ("net.py", b"import torch", "net:FACTORY"),
        ("net.json", b"{}", "shards"),
        ("net.pth", b"some text", "damaged"),
    ],
)
def test_files_of_other_programs_are_called_what_they_are(name, content, words, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsError, match=words):
        load_weights(LeNet5(), tmp_path / name)


def test_an_address_a_folder_and_a_link_to_nothing_are_told(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "nothing")
    for place, words in (("https://host.invalid/a.pth", "address"), (tmp_path, "folder"), (tmp_path / "link", "link")):
        with pytest.raises(WeightsError, match=words):
            load_weights(LeNet5(), place)


def test_of_two_that_fit_one_is_taken_and_told(brought, capsys):
    load_weights(LeNet5(), brought("pt_ema"))
    assert "'model' is used, not 'ema'" in capsys.readouterr().err


def test_the_network_may_be_the_wrapped_one(tmp_path):
    torch.save(LeNet5Half().state_dict(), tmp_path / "net.pt")
    wrapped = torch.nn.DataParallel(LeNet5Half())
    assert equal(load_weights(wrapped, tmp_path / "net.pt").module, load_weights(LeNet5Half(), tmp_path / "net.pt"))


class Tied(torch.nn.Sequential):
    """Two layers with one weight, and a state that is no tensor."""

    def __init__(self):
        super().__init__(torch.nn.Linear(3, 3), torch.nn.Linear(3, 3))
        self[1].weight = self[0].weight

    def get_extra_state(self):
        return {"calls": 3}

    def set_extra_state(self, state):
        pass


def test_tied_weights_and_extra_state_do_not_stop_a_save(tmp_path, capsys):
    net = Tied()
    save_weights(net, tmp_path / "net.safetensors")
    assert "does not keep _extra_state" in capsys.readouterr().err
    again = load_weights(Tied(), tmp_path / "net.safetensors")
    assert torch.equal(again(torch.ones(1, 3)), net(torch.ones(1, 3)))
    save_file({name: net.state_dict()[name].clone() for name in ("0.weight", "0.bias", "1.bias")}, tmp_path / "once")
    assert torch.equal(load_weights(Tied(), tmp_path / "once")[1].weight, net[0].weight)


def test_a_network_in_memory_is_known_by_its_values():
    net = load_weights(LeNet5(), "lenet5")
    before = weights.fingerprint_in_memory(net)
    assert before == weights.fingerprint_in_memory(
        load_weights(LeNet5(), "lenet5").to(memory_format=torch.channels_last)
    )
    with torch.no_grad():
        net.fc2.bias[0] += 1e-6
    assert before != weights.fingerprint_in_memory(net)


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
    weights.write_whole(tmp_path / "file", b"old")

    def full(handle):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(weights.os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            weights.write_whole(tmp_path / "file", b"new and longer")
        assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("file", b"old")]
    weights.write_whole(tmp_path / "file", b"new")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("file", b"new")]


def test_a_file_is_in_its_place_only_when_it_is_whole(tmp_path, monkeypatch):
    seen = []
    replace = os.replace

    def watched(part, path):
        seen.append((path.exists(), part.read_bytes()))
        replace(part, path)

    monkeypatch.setattr(weights.os, "replace", watched)
    weights.write_whole(tmp_path / "new folder" / "file", b"content")
    assert seen == [(False, b"content")]


@pytest.mark.skipif(os.name == "nt", reason="no umask here")
def test_a_file_is_as_private_as_the_user_wants_files_to_be(tmp_path):
    before = os.umask(0o077)
    try:
        weights.write_whole(tmp_path / "file", b"")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o600
