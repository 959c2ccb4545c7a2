"""Networks by name: counts and layers of the specification, pairs, steps of every paper pair, and strangers' teachers."""

import json
import re
import sys
from pathlib import Path

import pytest
import torch
from test_handed_inputs import pictures
from torch import nn

from rdskd_lab import cli
from rdskd_lab.distillation import Distillation
from rdskd_lab.methods.method import Settings
from rdskd_lab.methods.rdskd import rdskd
from rdskd_lab.methods.registry import METHODS
from rdskd_lab.networks.architectures import NETWORKS
from rdskd_lab.networks.registry import PAIRS, Shape, is_foreign, make_student, make_teacher, student_of
from rdskd_lab.networks.weights import SHIPPED, WeightsError, save_weights

# methods.md 0.2: parameters, BatchNorm layers, channels; the BN LeNet-5 is ours
COUNTS = {
    "lenet5": (61_706, 0, 1),
    "lenet5-half": (15_738, 0, 1),
    "lenet5-bn": (61_706 + 2 * (6 + 16 + 120), 3, 1),
    "wrn-40-2": (2_243_546, 37, 3),
    "wrn-16-2": (691_674, 13, 3),
    "wrn-16-1": (175_066, 13, 3),
    "resnet34": (21_282_122, 36, 3),
    "resnet18": (11_173_962, 20, 3),
}
STEP = Settings(generator_steps=1, batch_size=8, latent=10, width=8, student_steps=1, student_batch_size=8)


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_have_the_parameters_and_batchnorms_of_the_specification(name):
    count, norms, channels = COUNTS[name]
    net = NETWORKS[name](channels, 10)
    assert sum(p.numel() for p in net.parameters()) == count
    assert sum(isinstance(m, nn.BatchNorm2d) for m in net.modules()) == norms


def test_the_wide_blocks_projection_takes_the_activated_input():
    # methods.md 0.2: out = conv1x1(ReLU(BN(x))) + h, and no projection where the width stays
    net = NETWORKS["wrn-16-1"](3, 10).double().eval()
    x = torch.randn(2, 16, 8, 8, dtype=torch.float64)
    first, widening = net.blocks[0], net.blocks[2]
    assert first.skip is None and widening.skip.weight.shape == (32, 16, 1, 1) and widening.skip.stride == (2, 2)
    a = (x / (1 + 1e-5) ** 0.5).clamp(min=0)
    h = widening.conv2((widening.conv1(a) / (1 + 1e-5) ** 0.5).clamp(min=0))
    assert (widening(x) - (widening.skip(a) + h)).abs().max() < 1e-12


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
@pytest.mark.parametrize(("teacher", "student"), PAIRS.items())
def test_a_step_of_every_pair_with_a_batch_of_8(teacher, student, device):
    channels = COUNTS[teacher][2]
    nets = NETWORKS[teacher](channels, 10), NETWORKS[student](channels, 10)
    run = Distillation(*nets, rdskd(), STEP, channels=channels, device=device)
    before = [p.clone() for p in run.student.parameters()]
    phases = [step.phase for step in run]
    assert phases == ["synthesise", "distill"]
    assert any(not torch.equal(a, b) for a, b in zip(before, run.student.parameters(), strict=True))


def test_students_belong_to_teachers_unless_named():
    assert {student_of(name) for name in (*SHIPPED, "some/file.safetensors")} == {"lenet5-half"}
    assert student_of("my.nets:make") == "wrn-16-1" and student_of("resnet34", "wrn-16-2") == "wrn-16-2"


def test_a_colon_says_that_a_teacher_is_somebody_elses():
    names = ("package.module:factory", "lenet5", "C:\\nets\\a.safetensors")
    assert [is_foreign(name) for name in names] == [True, False, False]


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda shape: make_teacher("wrn-40-2", "", shape), "wrn-40-2 .*--weights .*train-teacher --network wrn-40-2"),
        (lambda shape: make_teacher("nowhere.nets:make", "", shape), "nowhere.nets:make"),
        (lambda shape: make_teacher("json:make", "", shape), "json:make"),
        (lambda shape: make_teacher("json:loads", "", shape), "json:loads .*without arguments"),
        (lambda shape: make_teacher("builtins:dict", "", shape), "torch.nn.Module; it gave dict"),
        (lambda shape: make_student("lenet6", shape), "no student 'lenet6'; there are lenet5, lenet5-half"),
        (lambda shape: make_student("lenet5-half", shape), "lenet5-half .*32 x 32, not 28 x 28; .*wrn-16-1"),
    ],
)
def test_a_network_that_cannot_be_had_is_refused_in_a_sentence(make, sentence):
    with pytest.raises(WeightsError, match=sentence):
        make(Shape(1, 28, 10))


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("nets.make", "nets:make"),
        ("models.nets.make", "models.nets:make"),
        ("nets:make()", "nets:make"),
        ("models/nets.py:make", "models.nets:make"),
        ("./nets.py", "nets:FACTORY"),
    ],
)
def test_a_factory_by_another_notation_is_told_the_right_one(name, meant, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("nets.py").touch()
    with pytest.raises(WeightsError, match=rf"package\.module:factory: {re.escape(meant)}$"):
        make_teacher(name, "", Shape(1, 32, 10))
    for file in "best.pth", "runs/best.safetensors", "lenet6":
        with pytest.raises(WeightsError, match="no weights file [^;]*; shipped with"):
            make_teacher(file, "", Shape(1, 32, 10))


# ---- strangers' teachers on the command line -------------------------------------------------------------------------

STRANGERS = '''
from torch import nn


class Plain(nn.Module):
    """28 x 28, no BatchNorm, a forward that is its own."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(784, 20), nn.Linear(20, 10)

    def forward(self, x):
        return self.b(self.a(x.flatten(1)).tanh())


def colour():
    return nn.Sequential(nn.Conv2d(3, 8, 3, 2), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 15 * 15, 4))


def small():
    return nn.Sequential(nn.Conv2d(1, 6, 3), nn.ReLU(), nn.Dropout(0.5), nn.Flatten(), nn.Linear(6 * 14 * 14, 10))
'''
TINY = (
    "--set generator_steps=2 --set student_turn=1 --set student_steps=2 --set batch_size=8 --set width=4 "
    "--set student_batch_size=8"
)


@pytest.fixture
def strangers(tmp_path, monkeypatch):
    (tmp_path / "strangers_nets.py").write_text(STRANGERS)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.modules.pop("strangers_nets", None)


@pytest.mark.parametrize(
    ("factory", "data", "told", "method"),
    [
        ("Plain", "digits", "--channels 1 --size 28 --classes 10 --mean 0.1307 --std 0.3081", "rdskd"),
        ("colour", "FOLDER", "--channels 3 --size 32 --classes 4 --mean 0.5,0.5,0.5 --std 0.2,0.2,0.2", "rdskd+bn"),
        ("small", "digits", "--channels 1 --size 16 --classes 10 --mean 0.1 --std 0.3", "dafl"),
    ],
)
def test_a_teacher_written_by_somebody_else_distils(factory, data, told, method, strangers, capfd):
    pictures(strangers / "FOLDER", 4, channels=3, side=32)
    command = f"distill --method {method} --teacher strangers_nets:{factory} --weights w --data {data} {told} {TINY} --out run"
    save_weights(make_teacher(f"strangers_nets:{factory}", "", Shape(1, 1, 1)), strangers / "w")
    cli.main(command.split())
    found = json.loads(Path("run/result.json").read_text())
    facts = json.loads(Path("run/config.json").read_text())
    assert found["teacher"] == f"strangers_nets:{factory}" and found["student"] == "wrn-16-1"
    assert len(facts["teacher"]["sha256"]) == 64 and facts["student_network"] == "wrn-16-1"
    capfd.readouterr()
    cli.main(["evaluate", "run"])
    assert f"student {found['student_accuracy']:.2%}" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        ("--channels 1 --mean 0.1", "give --size, --classes, --std"),
        ("--channels 1 --size 28 --classes 7 --mean 0.1 --std 0.3", "digits has 10 classes, and --classes says 7"),
        ("--channels 1 --size 28 --classes 10 --mean 0.1,0.2 --std 0.3", "Give 1 number(s) as mean"),
        (
            "--channels 3 --size 28 --classes 10 --mean .1,0,0 --std 1,1,1",
            "the teacher cannot read images of 3 x 28 x 28",
        ),
    ],
)
def test_what_nobody_can_know_is_asked_for_in_one_sentence(told, sentence, strangers, capfd):
    with pytest.raises(SystemExit):
        cli.main(f"distill --teacher strangers_nets:Plain {told} --data digits --out run".split())
    said = capfd.readouterr().err
    assert said.count("\n") == 1 and sentence in said and not Path("run").exists()


@pytest.mark.gpu
@pytest.mark.parametrize("name", [n for n, m in METHODS.items() if not m.real_images])
def test_the_same_seed_on_cpu_and_gpu_begins_alike(name):
    """Raw values of the first step within 1 %: the latents are the same, the arithmetic is not."""
    first = []
    for device in "cpu", "cuda":
        torch.manual_seed(0)
        method, nets = METHODS[name], (NETWORKS["lenet5-bn"](), NETWORKS["lenet5-half"]())
        run = Distillation(*nets, method.terms(), method.presets["classroom"], method=method, device=device)
        first.append(next(iter(run)).raw)
    assert first[0] == pytest.approx(first[1], rel=1e-2, abs=1e-4)


@pytest.mark.gpu
def test_paper_mnist_is_timed(capsys):
    import time

    run = Distillation(NETWORKS["lenet5"](), NETWORKS["lenet5-half"](), rdskd(), Settings(), device="cuda")
    for phase, n in ("synthesise", 200), ("distill", 500):
        steps = getattr(run, phase)()
        next(steps)
        start = time.perf_counter()
        for _, _ in zip(range(n), steps, strict=False):
            pass
        with capsys.disabled():
            print(f"\npaper-mnist {phase}: {(time.perf_counter() - start) / n * 1e3:.2f} ms a step")
