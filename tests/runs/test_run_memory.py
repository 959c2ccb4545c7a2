"""What a run will take of the memory, against numbers that can be counted by hand."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from rdskd_lab.distillation import Distillation
from rdskd_lab.methods.rdskd import PRESETS, rdskd
from rdskd_lab.networks.architectures import LeNet5, LeNet5Half
from rdskd_lab.networks.foreign import NetworkWarning
from rdskd_lab.networks.weights import load_weights
from rdskd_lab.runs import memory
from rdskd_lab.runs.config import Config
from rdskd_lab.runs.execute import execute, prepare
from rdskd_lab.runs.run_folder import RunError

SMALL = replace(PRESETS["classroom"], generator_steps=10, batch_size=20, student_batch_size=30, width=4)


def distillation(student=None, settings=SMALL):
    return Distillation(load_weights(LeNet5(), "lenet5"), student or LeNet5Half(), rdskd(), settings)


def test_pool_and_networks_are_counted():
    run = distillation()
    pool, networks, *_ = memory.needs(run)
    assert pool.size == 2 * (run.pool.images.nbytes + run.pool.logits.nbytes)  # the pool, and as much for a round
    weights = sum(p.numel() for net in (run.source, run.student) for p in net.parameters())
    assert networks.size == 3 * 4 * weights  # a gradient and Adam's two averages
    rest = memory.needs(distillation(settings=replace(SMALL, pooled=False)))
    assert rest[0].size == 0


def test_what_a_step_keeps_for_the_gradient_is_counted_once_for_each_image():
    student = nn.Sequential(nn.Flatten(), nn.Linear(1024, 50), nn.Sigmoid(), nn.Linear(50, 10))
    kept = 4 * (1024 + 50)  # the input of the first layer; the sigmoid's answer, which is the input of the second
    assert memory.needs(distillation(student))[3].size == 30 * kept
    assert all(p.grad is None for p in student.parameters())


def test_looking_changes_nothing():
    run = distillation(nn.Sequential(nn.Flatten(), nn.BatchNorm1d(1024), nn.Dropout(), nn.Linear(1024, 10)))
    before, random = run.state(), torch.get_rng_state()
    memory.needs(run)
    assert torch.equal(torch.get_rng_state(), random)
    after = run.state()
    assert torch.equal(after["rng"], before["rng"])
    for part in "generator", "student":
        assert all(torch.equal(t, after[part][name]) for name, t in before[part].items())


def test_a_run_that_cannot_fit_is_refused_and_one_that_may_not_fit_now_is_warned_of(monkeypatch, tmp_path):
    run = distillation()
    monkeypatch.setattr(memory, "free_memory", lambda reserved: 10**6)
    with pytest.raises(RunError, match=r"needs about \d+ MB of memory \(.*, and there is 1 MB; lower \w+.*--set NAME"):
        memory.check_memory(run)
    with pytest.raises(RunError, match="needs about"):
        execute(Config(device="cpu"), tmp_path / "run")
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(memory, "free_memory", lambda reserved: 10**12)
    monkeypatch.setattr(memory, "available_memory", lambda: 10**6)
    with pytest.warns(NetworkWarning, match=r"1 MB free now; lower .*, or close other programs"):
        memory.check_memory(run)
    monkeypatch.setattr(memory, "available_memory", lambda: None)
    memory.check_memory(run)


def test_a_generator_that_is_far_too_wide_is_refused_before_it_is_made(monkeypatch):
    refused = pytest.raises(RunError, match=r"about (\S+) \S+ of .* for the generator .*; lower width or latent .--set")
    monkeypatch.setattr(memory, "free_memory", lambda reserved: 10**10)
    for name, value in ("width", 10**12), ("width", 30_000), ("latent", 10**9):
        with refused:
            prepare(Config(device="cpu", change=((name, str(value)),)))
    run = prepare(Config(device="cpu", change=(("width", "128"),))).run
    weights = sum(p.numel() for p in run.source.parameters())
    monkeypatch.setattr(memory, "free_memory", lambda reserved: 0)
    with refused as caught:
        memory.check_generator(run.method, run.settings, 1, 32, run.device)
    assert float(str(caught.value).split()[4]) == pytest.approx(16 * weights / 1e6, rel=0.05)


def test_the_largest_part_is_named(monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda reserved: 10**6)
    for change, word in (
        ({"student_batch_size": 200, "pooled": False}, "student_batch_size"),
        ({"batch_size": 400, "pooled": False}, "batch_size or width"),
        ({"generator_steps": 400}, "generator_steps or batch_size"),
    ):
        with pytest.raises(RunError, match=f"lower {word} "):
            memory.check_memory(distillation(settings=replace(SMALL, **change)))


def test_a_shipped_preset_fits_into_a_gigabyte():
    assert sum(need.size for need in memory.needs(prepare(Config(device="cpu")).run)) < 1e9
