"""Every method and the lab on a device that is not the CPU: a tensor that somebody forgot there is noticed everywhere."""

import sys
from dataclasses import replace
from itertools import islice

import pytest
import torch
from device_double import DEVICE, device_double
from methods.test_methods import TINY, digits
from toys import SIZE, ToyStudent, ToyTeacher

from rdskd_lab.distillation import Distillation
from rdskd_lab.generator import Generator
from rdskd_lab.methods import baselines, building_blocks, image_pool
from rdskd_lab.methods.method import Settings
from rdskd_lab.methods.registry import METHODS
from rdskd_lab.networks.architectures import LeNet5BN

SMALL = Settings(batch_size=8, width=4, latent=16, lr=1e-2, student_batch_size=8)


def distil(name: str, edit=lambda objective: None) -> None:
    """Make every step of a small run, and a picture."""
    method = METHODS[name]
    data, objective = digits() if method.real_images else None, method.terms()
    edit(objective)
    place = dict(size=SIZE, device=DEVICE, data=data)
    run = Distillation(ToyTeacher(), ToyStudent(), objective, TINY[name], method=method, **place)
    steps = [run.picture(), *run]
    assert len(steps) == 1 + sum(run.stages.values())


@pytest.fixture(autouse=True)
def unchecked(monkeypatch):
    """Leave out the check of both networks: it reads values, which fake tensors have none of."""

    def moved(teacher, student, channels, size, device, *more):
        classes = [m for m in teacher.modules() if isinstance(m, torch.nn.Linear)][-1].out_features
        return *(net.to(device, memory_format=torch.channels_last) for net in (teacher, student)), classes

    monkeypatch.setattr(sys.modules["rdskd_lab.distillation"], "check_networks", moved)


def play(name: str, monkeypatch) -> None:
    """Play a lab with a student that learns, and look at all that it shows."""
    pytest.importorskip("ipywidgets")
    from rdskd_lab.lab.session import experiment
    from rdskd_lab.lab.session.record import Record
    from rdskd_lab.lab.session.twin import Twin
    from rdskd_lab.lab.widgets.step_inspector import Rehearsal

    zeros = torch.zeros(20, 1, 32, 32, dtype=torch.uint8)
    test = replace(digits(), images=zeros, labels=torch.arange(20) % 10, classes=tuple("0123456789"))
    monkeypatch.setattr(experiment.datasets, "load", lambda *of: test)
    made = experiment.Experiment(name, teacher=LeNet5BN(), settings=SMALL, device=DEVICE, data="digits")
    made.learning = True
    beside, record = Twin(made, Record(made.objective)), Record(made.objective)
    for i, step in enumerate(islice(made.steps(), 4)):
        record.add(step, made.objective)
        if i % 2:
            record.add_measured(made.done, made.measure())
        beside.step(made, record)
    assert beside.experiment.done == 4 and len(beside.record.probe["step"]) == 2 and beside.sentence(record)
    assert made.look().labels.shape == (40,) and made.shares().shape == (10,) and made.accuracy() == 1
    assert len(Rehearsal(made).stages) >= 8


@pytest.mark.parametrize("name", METHODS)
def test_a_run_is_on_one_device(name):
    with device_double():
        distil(name)


@pytest.mark.parametrize("name", ["rdskd", "rdskd+bn", "dafl", "mskd", "dfad"])
def test_a_lab_is_on_one_device(name, monkeypatch):
    with device_double():
        play(name, monkeypatch)


def in_a_term(patch):
    def edit(objective):
        objective["oh"].measure = lambda b: (b.logits + torch.zeros(b.logits.shape)).mean()

    distil("rdskd", edit)


def in_an_anchor(patch):
    distil("rdskd", lambda objective: setattr(objective["oh"], "rule", lambda i, raw, anchor: torch.zeros(2)))


def in_the_pool(patch):
    init = image_pool.Pool.__init__
    patch.setattr(image_pool.Pool, "__init__", lambda self, *shape: init(self, *shape[:4]))
    distil("deepinversion")


def in_the_warp(patch):
    def warp(images, strength=1.0, rng=None):
        rows = torch.rand(len(images), 2, 3, generator=rng)
        grid = torch.nn.functional.affine_grid(rows, list(images.shape), align_corners=False)
        return torch.nn.functional.grid_sample(images, grid, align_corners=False)

    patch.setattr(building_blocks, "warp", warp)
    distil("adaptive")


def in_the_latents(patch):
    patch.setattr(Generator, "latents", lambda self, n, rng=None: torch.randn(n, self.latent, generator=rng))
    distil("dfad")


def in_a_control(patch):
    patch.setattr(baselines.OnDevice, "sample", lambda self, n, rng=None: self.source.sample(n, rng))
    distil("noise")


def in_the_look(patch):
    patch.setattr("rdskd_lab.lab.session.experiment.to_bytes", lambda images: images.to(torch.uint8).numpy())
    play("rdskd", patch)


def in_the_students_batches(patch):
    from rdskd_lab.lab.session.experiment import Batch, Experiment

    def batches(self):
        while True:
            yield Batch(self.recent[-1].images.cpu(), logits=self.recent[-1].logits)

    patch.setattr(Experiment, "_batches", batches)
    play("rdskd", patch)


@pytest.mark.parametrize(
    "mistake",
    [
        in_a_term,
        in_an_anchor,
        in_the_pool,
        in_the_warp,
        in_the_latents,
        in_a_control,
        in_the_look,
        in_the_students_batches,
    ],
)
def test_a_tensor_left_on_the_cpu_is_noticed(mistake, monkeypatch):
    with device_double(), pytest.raises((RuntimeError, TypeError), match="device|numpy"):
        mistake(monkeypatch)
