"""The recipes of docs/recipes.md, as they stand there, with files that the library in question has made.

A library that is not installed is stood in for by a module of its name that answers and saves in the same form, so that
the recipe is run in any case.
"""

import argparse
import importlib
import re
import sys
from collections import OrderedDict
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import nn

from rdskd_lab.methods.checks import check_teacher
from rdskd_lab.networks.registry import Shape, make_teacher
from rdskd_lab.networks.weights import WeightsError, load_weights

RECIPES = Path(__file__).parents[2] / "docs/recipes.md"
SHAPE = Shape(3, 32, 7)
IMAGES = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def recipe(heading, block=0):
    """Return a Python block of the section whose heading contains `heading`."""
    section = next(part for part in RECIPES.read_text().split("\n## ")[1:] if heading in part.splitlines()[0])
    return re.findall(r"```python\n(.*?)```", section, re.DOTALL)[block]


def network():
    return nn.Sequential(nn.Conv2d(3, 6, 3, 2), nn.BatchNorm2d(6), nn.Flatten(), nn.Linear(1350, 7)).eval()


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "nets", raising=False)
    yield tmp_path
    for name in "nets", "my_training":
        sys.modules.pop(name, None)


def stand_in(monkeypatch, name, **contents):
    """Put a module of this name where Python looks first."""
    module = ModuleType(name)
    vars(module).update(contents)
    monkeypatch.setitem(sys.modules, name, module)


def distils(right, weights="", head=None):
    """The factory in nets.py gives a teacher that answers as `right`, and that a generator can be trained against."""
    teacher = make_teacher("nets:teacher", weights, SHAPE)
    teacher, classes = check_teacher(teacher, SHAPE.channels, SHAPE.size, "cpu")
    with torch.no_grad():
        assert classes == 7 and torch.allclose(teacher.eval()(IMAGES), right.eval()(IMAGES), atol=1e-5)


def test_torchvision(place):
    torchvision = importlib.import_module("torchvision")
    (place / "nets.py").write_text(recipe("torchvision"))
    net = torchvision.models.resnet18(num_classes=7)
    torch.save(net.state_dict(), "best.pth")
    distils(net, "best.pth")
    training = {"model": net.state_dict(), "epoch": 3, "args": argparse.Namespace(lr=0.1)}  # as its reference script
    torch.save(training, "model_89.pth")
    with pytest.raises(WeightsError, match="Namespace.*could run code"):
        load_weights(net, "model_89.pth")
    exec(recipe("more than weights"), {})
    distils(net, "net.pt")


@pytest.mark.parametrize("library", ["installed", "stood in for"])
def test_timm(place, library, monkeypatch):
    if library == "installed":
        timm = pytest.importorskip("timm")
        net, optimizer = timm.create_model("resnet18", num_classes=7), None
        optimizer = torch.optim.SGD(net.parameters(), 0.1)
        saver = importlib.import_module("timm.utils").CheckpointSaver
        args = argparse.Namespace(model="resnet18")
        saver(net, optimizer, args, checkpoint_dir=".", recovery_dir=".").save_checkpoint(1, 0.5)
    else:
        net = network()
        net.num_classes, net.pretrained_cfg = 7, {}
        saved = {"epoch": 1, "arch": "x", "state_dict": net.state_dict(), "args": argparse.Namespace(), "metric": 0.5}
        torch.save(saved, "model_best.pth.tar")

        def create_model(name, num_classes, checkpoint_path):
            made = network()
            made.load_state_dict(torch.load(checkpoint_path, weights_only=False)["state_dict"])
            return made

        stand_in(monkeypatch, "timm", create_model=create_model)
    (place / "nets.py").write_text(recipe("timm"))
    distils(net)
    with pytest.raises(WeightsError, match="Namespace"):
        load_weights(net, "model_best.pth.tar")


@pytest.mark.parametrize("library", ["installed", "stood in for"])
def test_a_hugging_face_classifier(place, library, monkeypatch):
    if library == "installed":
        transformers = pytest.importorskip("transformers")
        sizes = {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "layer_type": "basic"}
        net = transformers.ResNetForImageClassification(transformers.ResNetConfig(num_labels=7, **sizes)).eval()
        net.save_pretrained("my-model")
    else:
        net = Hugging(network())

        class AutoModelForImageClassification:
            from_pretrained = staticmethod(lambda name: net)

        stand_in(monkeypatch, "transformers", AutoModelForImageClassification=AutoModelForImageClassification)
    (place / "nets.py").write_text(recipe("Hugging Face"))
    distils(Logits(net))


class Hugging(nn.Module):
    """Answers as transformers does: an ordered dict, whose values are attributes too, behind named arguments."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, pixel_values=None, labels=None, return_dict=None):
        class Output(OrderedDict):
            logits = self.net(pixel_values)

        return Output(logits=Output.logits)


class Logits(nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return self.net(x).logits


LIGHTNING = """
import lightning
import torch
from torch import nn

class Classifier(lightning.LightningModule):
    def __init__(self, lr=0.1, classes=7):
        super().__init__()
        self.save_hyperparameters()
        self.model = nn.Sequential(nn.Conv2d(3, 6, 3, 2), nn.BatchNorm2d(6), nn.Flatten(), nn.Linear(1350, classes))

    def forward(self, x):
        return self.model(x)

    def training_step(self, batch, i):
        return nn.functional.cross_entropy(self(batch[0]), batch[1])

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.hparams.lr)
"""


@pytest.mark.parametrize("library", ["installed", "stood in for"])
def test_a_lightning_checkpoint(place, library, monkeypatch):
    if library == "installed":
        lightning = pytest.importorskip("lightning")
        (place / "my_training.py").write_text(LIGHTNING)
        monkeypatch.syspath_prepend(place)
        net = importlib.import_module("my_training").Classifier()
        quiet = dict.fromkeys(("logger", "enable_progress_bar", "enable_checkpointing", "enable_model_summary"), False)
        trainer = lightning.Trainer(max_steps=1, accelerator="cpu", **quiet)
        data = torch.utils.data.TensorDataset(IMAGES, torch.arange(4))
        trainer.fit(net, torch.utils.data.DataLoader(data, batch_size=4))
        trainer.save_checkpoint("last.ckpt")
    else:
        net = nn.Module()
        net.model = network()
        net.forward = net.model.forward
        saved = {
            "state_dict": net.state_dict(),
            "hyper_parameters": {"lr": 0.1, "classes": 7},
            "hparams_name": "kwargs",
        }
        optimizer = torch.optim.Adam(net.parameters()).state_dict()
        more = {"pytorch-lightning_version": "2.6.0", "loops": {}, "callbacks": {}, "optimizer_states": [optimizer]}
        torch.save(saved | more | {"epoch": 0, "global_step": 1, "lr_schedulers": []}, "last.ckpt")

        class Classifier:
            load_from_checkpoint = staticmethod(lambda path, weights_only: net)

        stand_in(monkeypatch, "my_training", Classifier=Classifier)
    (place / "nets.py").write_text(recipe("Lightning"))
    distils(net)
    inner = load_weights(network(), "last.ckpt")  # without the module's class
    assert torch.allclose(inner(IMAGES), net.eval()(IMAGES), atol=1e-5)


@pytest.mark.parametrize("library", ["installed", "stood in for"])
def test_an_onnx_model_is_told_why_not_and_a_converted_one_is_taken(place, library, monkeypatch):
    net = network()
    if library == "installed":
        onnx = pytest.importorskip("onnx")
        graph = onnx.helper.make_graph([], "net", [], [])
        onnx.save(onnx.helper.make_model(graph), "plain.onnx")
        with pytest.raises(WeightsError, match="ONNX model.*without gradients"):
            load_weights(net, "plain.onnx")
        pytest.importorskip("onnx2torch")
        torch.onnx.export(net, (IMAGES,), "net.onnx", dynamo=False, input_names=["x"], dynamic_axes={"x": {0: "n"}})
    else:
        Path("net.onnx").write_bytes(b"\x08\x07\x12\x07pytorch")
        stand_in(monkeypatch, "onnx2torch", convert=lambda path: net)
    with pytest.raises(WeightsError, match="ONNX model.*without gradients.*exported from"):
        load_weights(network(), "net.onnx")
    (place / "nets.py").write_text(recipe("ONNX"))
    distils(net)


def test_a_teacher_that_asks_onnxruntime_is_refused(place):
    class Session(nn.Module):  # onnxruntime takes and gives numpy arrays
        def __init__(self):
            super().__init__()
            self.net = network()

        def forward(self, x):
            return torch.from_numpy(self.net(x).detach().numpy())

    with pytest.raises(ValueError, match="no gradient reaches the images"):
        check_teacher(Session(), *SHAPE[:2], "cpu")
