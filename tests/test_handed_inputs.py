"""The 21 inputs that were handed with the issue: each works, or ends in one true sentence.

The numbers are those of the inputs' folders.  Five are met where their code is tested: 01 and 10 in
methods/test_checks.py, 04 in runs/test_runs.py, 15 and 18 in test_cli.py.
"""

import importlib
import json
import re
import sys
import types
from pathlib import Path

import pytest
import torch
from PIL import Image

from rdskd_lab import cli
from rdskd_lab.networks.weights import SHIPPED, load_weights, save_weights

TOP = Path(__file__).parents[1]
TINY = "--set generator_steps=4 --set batch_size=16 --set student_steps=4 --set student_batch_size=16 --set width=4"
NETS = """
import torch
from torch import nn
from rdskd_lab import LeNet5, load_weights

def shipped(): return load_weights(LeNet5(), "lenet5")
def flat(side=28, classes=10, channels=1): return nn.Sequential(nn.Flatten(), nn.Linear(channels * side * side, classes))
def seven(): return flat(classes=7)
def hundred(): return flat(classes=100)
def fruit(): return flat(32, 10, 3)
def rgb(): return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.LazyLinear(10))
def big(): return nn.Sequential(nn.Conv2d(3, 8, 7, 4), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(128, 2))
def softmax(): return nn.Sequential(shipped(), nn.Softmax(1))
def sigmoid(): return nn.Sequential(shipped(), nn.Sigmoid())
def no_config(): raise RuntimeError("config.yaml not found")
def wrong_key(): return {}["state_dict"]
def scripted(): return torch.jit.script(flat())

class Inside(nn.Module):
    def __init__(self): super().__init__(); self.net = shipped()
    def forward(self, x): return self.net((x - 0.1307) / 0.3081)

class Pair(nn.Module):
    def __init__(self): super().__init__(); self.net = flat()
    def forward(self, x): return self.net(x), x

class Picky(nn.Module):
    def __init__(self): super().__init__(); self.net = flat()
    def forward(self, x): assert x.min() >= 0, "expects pixels in [0, 1]"; return self.net(x)

class Alias(nn.Module):
    def __init__(self): super().__init__(); self.body = flat(); self.fc = self.body[1]
    def forward(self, x): return self.body(x)

class AuxLast(nn.Module):
    def __init__(self): super().__init__(); self.head, self.aux = nn.Linear(784, 10), nn.Linear(784, 10)
    def forward(self, x): return self.head(x.flatten(1))

class HeadFirst(nn.Module):
    def __init__(self):
        super().__init__()
        self.head, self.f = nn.Linear(32, 10), nn.Sequential(nn.Flatten(), nn.Linear(784, 32), nn.ReLU())
    def forward(self, x): return self.head(self.f(x))

class ConvHead(nn.Module):
    def __init__(self): super().__init__(); self.f = nn.Conv2d(1, 10, 5)
    def forward(self, x): return self.f(x).mean((2, 3))
"""
AT_32 = "--channels 1 --size 32 --classes 10 --mean 0.1307 --std 0.3081"
AT_28 = "--channels 1 --size 28 --classes 10 --mean 0.13 --std 0.31"


@pytest.fixture
def lab(tmp_path, monkeypatch, capfd):
    """Run a command in a folder with NETS as `nets.py`; gives exit status, stdout, stderr."""
    (tmp_path / "nets.py").write_text(NETS)
    monkeypatch.chdir(tmp_path)

    def lab(command):
        sys.modules.pop("nets", None)
        try:
            cli.main(command.split())
            status = 0
        except SystemExit as stop:
            status = stop.code or 0
        return status, *capfd.readouterr()

    yield lab
    sys.modules.pop("nets", None)


def refused(found, words, out="run"):
    """It ended in one sentence, and nothing half-written stayed."""
    status, said, err = found
    sentences = [line for line in err.splitlines() if "warning:" not in line and "no real image" not in line]
    assert status and len(sentences) == 1 and sentences[0].startswith("rdskd-lab: "), err
    assert re.search(words, sentences[0]) and not Path(out).exists()


def works(found, said=""):
    status, out, err = found
    assert status == 0 and "Traceback" not in err and re.search(said, err + out), err


def pictures(place, classes, parts=("train", "test"), channels=1, side=28):
    for part in parts:
        for k in range(classes):
            (place / part / f"kind{k:03}").mkdir(parents=True)
            pixels = torch.randint(0, 256, (side, side) + (3,) * (channels == 3), dtype=torch.uint8).numpy()
            Image.fromarray(pixels).save(place / part / f"kind{k:03}" / "0.png")
    return place


def distil(teacher, student="nets:flat", shape=AT_28, more="", out="run"):
    return f"distill --out {out} --teacher {teacher} --student {student} {shape} {TINY} {more}"


def test_02_a_teacher_that_ends_in_softmax_or_sigmoid(lab):
    works(lab(distil("nets:softmax", "lenet5-half", AT_32)), "warning: .*softmax.*the logarithm is taken")
    works(lab(distil("nets:sigmoid", "lenet5-half", AT_32, out="b")), r"warning: .*lie in \[0, 1\]")


def test_03_a_teacher_that_normalises_inside(lab):
    plain = "--channels 1 --size 32 --classes 10 --mean 0 --std 1"
    works(lab(distil("nets:Inside", "lenet5-half", plain)), "warning: --mean 0 --std 1.*--takes pixels")
    told = distil("nets:Inside", "lenet5-half", AT_32, "--takes pixels --data digits", "b")
    works(lab(told), r"teacher: +99\.\d+% of the same")


def test_06_a_student_that_does_not_fit(lab):
    refused(lab(distil("nets:flat", "nets:seven")), "student answers 7 classes, the teacher 10")
    refused(lab(distil("nets:flat", "nets:rgb")), "student.*Lazy|student cannot read")
    works(lab(distil("nets:flat", "nets:Pair")))


def test_07_a_student_with_one_layer_under_two_names(lab):
    works(lab(distil("nets:flat", "nets:Alias")))
    nets = importlib.import_module("nets")
    found = load_weights(nets.Alias(), "run/student.safetensors")
    assert found.fc.weight is found.body[1].weight and found.fc.weight.isfinite().all()


def test_08_a_pool_that_takes_more_memory_than_there_is(lab, monkeypatch):
    command = "distill --out run --teacher nets:big --student nets:big --channels 3 --size 224 --classes 2"
    monkeypatch.setattr("rdskd_lab.runs.memory.free_memory", lambda reserved: 2 * 2**30)
    refused(lab(command), r"memory \(1\d(\.\d)? GB.*generator_steps")


def test_09_foreign_code_raises_what_it_likes(lab):
    refused(lab(distil("nets:Picky")), r"AssertionError: expects pixels in \[0, 1\] \(nets\.py:\d+\)")
    refused(lab(distil("nets:no_config")), r"config\.yaml not found \(nets\.py:\d+\)")
    refused(lab(distil("nets:wrong_key")), r"KeyError: 'state_dict' \(nets\.py:\d+\)")
    Path("vit.py").write_text("import torchvision\ndef make(): return torchvision.models.vit_b_32(weights=None)\n")
    colour = "--channels 3 --size 32 --classes 10 --mean .5,.5,.5 --std .5,.5,.5"
    refused(lab(distil("vit:make", "nets:fruit", colour)), "AssertionError: Wrong image height! Expected 224")


def test_11_heads(lab):
    more = "--method dafl --set student_steps=20"
    for name in "AuxLast", "HeadFirst", "ConvHead":
        found = lab(distil(f"nets:{name}", more=more, out=name))
        works(found) if name != "ConvHead" else refused(found, "--head", out=name)
    refused(lab(distil("nets:scripted", more=more)), "TorchScript.*hooks")


def test_13_two_channels_and_a_run_of_another_size(lab):
    refused(lab(f"distill --out run --channels 2 {TINY}"), "1 or 3 channels")
    works(lab(distil("nets:flat")))
    status, _, err = lab("evaluate run --teacher lenet5 --data digits")
    assert status == 1 and len(err.splitlines()) == 1 and re.search("28|32", err)


@pytest.mark.parametrize(
    ("missing", "command"),
    [
        ("distributed", "study run fluctuation --out s --minutes 0.01"),
        ("matplotlib", "compare --out c --methods noise --seeds 0 --budget 2s"),
    ],
)
def test_14_a_package_that_is_not_installed(missing, command, lab, monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == missing]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    refused(lab(command), f"{missing.replace('distributed', 'Dask')}.*pip install", out="s")
    assert not list(Path("c").rglob("result.json"))  # so it was said before the runs


def test_17_evaluate_and_compare_take_a_teacher_of_ones_own(lab):
    works(lab("evaluate lenet5-half --data digits"), r"student 9\d")
    works(lab(distil("nets:flat")))
    works(lab(f"evaluate run/student.safetensors --network nets:flat --teacher nets:flat --data digits {AT_28}"))
    nothing = "compare --out c --methods rdskd --seeds 0 --budget 2s --teacher nets:flat --student nets:flat"
    refused(lab(nothing), "give .*--channels", out="c")


def test_19_no_pictures_at_all_or_only_some_to_test_on(lab):
    seven = AT_28.replace("--classes 10", "--classes 7")
    works(lab(distil("nets:seven", "nets:seven", seven)), "no real image is used")
    fruit = "--channels 3 --size 32 --classes 10 --mean .5,.5,.5 --std .5,.5,.5"
    works(lab(distil("nets:fruit", "nets:fruit", fruit, out="b")), "no real image is used")
    place = pictures(Path("pictures"), 7, ("test",))
    works(lab(distil("nets:seven", "nets:seven", seven, f"--data {place}", "c")), "student: ")


def test_20_the_training_cell_of_notebook_07_makes_its_own_run():
    cells = json.loads((TOP / "notebooks/07_fluctuations_and_damping.ipynb").read_text())["cells"]
    cell = next("".join(cell["source"]) for cell in cells if "in run.synthesise()" in "".join(cell["source"]))
    assert re.search(r"^run = start\(\)", cell, re.MULTILINE)


def test_21_weights_as_people_have_them(lab):
    state = {name: t.clone() for name, t in torch_state().items()}
    nets = importlib.import_module("nets")
    save_weights(Parallel(nets.shipped()), "parallel.safetensors")
    torch.save(state, "plain.pt")
    torch.save({"epoch": 3, "state_dict": state}, "nested.pth")
    for i, file in enumerate(("parallel.safetensors", "plain.pt", "nested.pth")):
        command = f"distill --teacher lenet5 --weights {file} --data digits --out r{i} {TINY}"
        works(lab(command), r"teacher: +99\.\d+% of the same")


def torch_state():
    return importlib.import_module("nets").shipped().state_dict()


class Parallel(torch.nn.Module):  # whose names begin with "module."
    def __init__(self, module):
        super().__init__()
        self.module = module


def test_22_a_run_with_relative_paths_is_tested_from_another_folder(lab, tmp_path_factory, monkeypatch):
    Path("mine.safetensors").write_bytes(SHIPPED["lenet5"].read_bytes())
    works(lab(f"distill --teacher mine.safetensors --out run {TINY}"))
    run = Path("run").absolute()
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    works(lab(f"evaluate {run}"), "student ")


def test_24_a_google_colab_without_a_widget_manager(monkeypatch):
    package, colab = types.ModuleType("google"), types.ModuleType("google.colab")
    package.colab, colab.output = colab, types.ModuleType("google.colab.output")
    for name, module in {"google": package, "google.colab": colab, "google.colab.output": colab.output}.items():
        monkeypatch.setitem(sys.modules, name, module)
    for path in sorted((TOP / "notebooks").glob("*.ipynb")):
        cells = json.loads(path.read_text())["cells"]
        exec("".join(next(cell for cell in cells if cell["cell_type"] == "code")["source"]), {})


def test_25_a_hundred_classes(lab):
    place = pictures(Path("pictures"), 100)
    shape = AT_28.replace("--classes 10", "--classes 100")
    found = lab(distil("nets:hundred", "nets:hundred", shape, f"--data {place}"))
    works(found)
    assert max(map(len, found[2].splitlines())) < 500, found[2]
