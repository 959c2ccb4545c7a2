"""Every method and the lab on a device that is not the CPU: a tensor that somebody forgot there is noticed everywhere."""

from dataclasses import replace

import pytest
import torch
from device_double import DEVICE, device_double
from methods.test_methods import TINY, digits
from recorded import SMALL
from toys import SIZE, ToyStudent, ToyTeacher

from rdskd_lab.batch import Batch
from rdskd_lab.distillation import Distillation
from rdskd_lab.evaluation import image_quality
from rdskd_lab.generator import Generator
from rdskd_lab.methods import baselines, building_blocks, image_pool
from rdskd_lab.methods.registry import METHODS
from rdskd_lab.torch_state import seeded

OPTIMISES_IMAGES = "zskd", "deepinversion", "adaptive"  # which look once more, whether a sheet is finished


def begin(name: str, device=DEVICE, edit=lambda objective: None) -> Distillation:
    method = METHODS[name]
    data, objective = digits() if method.real_images else None, method.terms()
    edit(objective)
    nets = seeded(0, ToyTeacher), seeded(0, ToyStudent)
    return Distillation(*nets, objective, TINY[name], method=method, size=SIZE, device=device, data=data)


def distil(name: str, edit=lambda objective: None) -> list[dict[str, float]]:
    """Make every step of a small run, and a picture."""
    run = begin(name, edit=edit)
    run.picture()
    return [step.raw for step in run]


def test_the_double_computes_what_the_cpu_does_and_refuses_what_a_gpu_would():
    here = torch.arange(6.0).view(2, 3)
    with device_double() as waits:
        there = here.to(DEVICE).requires_grad_()
        assert there.device.type == "lazy" and not waits
        loss = (there[torch.tensor([1])] * torch.tensor(2.0)).square().sum()  # an index, and one number, of the CPU
        loss.backward()
        assert loss.item() == 4 * (9 + 16 + 25) and there.grad.tolist() == [[0, 0, 0], [24, 32, 40]] and len(waits) == 2
        assert torch.zeros(2, device=DEVICE).device.type == "lazy" and here.new_zeros(2).device.type == "cpu"
        for refused in (
            lambda: there + here,
            lambda: there.detach().numpy(),
            lambda: torch.randn(2, device=DEVICE, generator=torch.Generator()),
            lambda: torch.cat([there, here]),
        ):
            with pytest.raises((RuntimeError, TypeError), match="device|numpy"):
                refused()
    assert here.numpy().sum() == 15


# ---- runs ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", METHODS)
def test_a_run_is_on_one_device_and_says_what_it_says_on_the_cpu(name):
    here = [step.raw for step in begin(name, "cpu")]
    with device_double():
        there = distil(name)
    assert len(there) == len(here)
    assert there[0] == pytest.approx(here[0], rel=1e-4, abs=1e-6)  # later steps: Adam rounds in another order there


def test_images_are_measured_where_a_device_has_no_float64_as_apples_gpus(monkeypatch):
    def double(tensor):
        assert tensor.device.type != "lazy", "the device doesn't support float64"
        return tensor.to(torch.float64)

    here = image_quality.of_last(begin("noise", "cpu"), torch.ones(9, 1, SIZE, SIZE).cumsum(0))
    monkeypatch.setattr(torch.Tensor, "double", double)
    monkeypatch.setattr(image_quality, "SINGLE", ("lazy",))
    with device_double():
        there = image_quality.of_last(begin("noise"), torch.ones(9, 1, SIZE, SIZE).cumsum(0))
    assert there == pytest.approx(here, rel=1e-4)


@pytest.mark.parametrize("name", METHODS)
def test_the_host_waits_for_the_device_once_per_step(name):
    with device_double() as waits:
        run, counts = begin(name), []
        for _ in run:
            counts.append(len(waits))
            waits.clear()
    most = 3 if name in OPTIMISES_IMAGES else 1
    assert max(counts[1:]) <= most and (name in OPTIMISES_IMAGES or set(counts[1:]) == {1})


# ---- the lab ---------------------------------------------------------------------------------------------------------


def play(monkeypatch, name: str = "rdskd", device=DEVICE):
    """Play a lab with a student that learns; look at all that it shows, fork it, and inspect a step."""
    pytest.importorskip("ipywidgets")
    import importlib

    from rdskd_lab.lab.widgets.step_inspector import Rehearsal

    module = importlib.import_module("rdskd_lab.lab.lab")
    monkeypatch.setattr(module, "find_device", lambda name: torch.device(name))
    images = torch.randint(0, 256, (20, 1, 32, 32), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    test = replace(digits(), images=images, labels=torch.arange(20) % 10, classes=tuple("0123456789"))
    monkeypatch.setattr("rdskd_lab.lab.session.experiment.datasets.load", lambda *of: test)
    lab = module.Lab(name, mode="inline", settings=SMALL, steps=4, device=device)
    lab.play(4)
    lab.edit("oh" if "oh" in lab.experiment.objective else "bal", "weight", 3.0) if name != "dfad" else None
    lab.play(4)
    fork = lab.fork(next(iter(lab.experiment.objective)), "weight", 7.0)
    fork.play(2)
    for player in lab.player, fork.player:
        if player.reason.startswith("Stopped"):  # an error in a step is a sentence there
            raise RuntimeError(player.reason)
    return lab, fork, Rehearsal(lab.experiment)


@pytest.mark.parametrize("name", ["rdskd", "rdskd+bn", "dafl", "mskd", "dfad"])
def test_a_lab_its_twin_fork_and_step_inspector_are_on_one_device(name, monkeypatch):
    with device_double():
        lab, fork, rehearsal = play(monkeypatch, name)
        assert lab.experiment.run.device.type == "lazy" and lab.experiment.done == 8
        assert {branch.experiment.done for branch in fork.branches} == {10} and len(rehearsal.stages) >= 8
        assert (lab.twin is None) == (name == "dfad") and 0 <= lab.experiment.accuracy() <= 1
        lab.close()


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
    patch.setattr(baselines.OnDevice, "sample", lambda self, n, rng=None: self.draw(n, rng))
    distil("noise")


def in_the_look(patch):
    patch.setattr("rdskd_lab.lab.session.experiment.to_bytes", lambda images: images.to(torch.uint8).numpy())
    play(patch)


def in_the_students_batches(patch):
    from rdskd_lab.lab.session.experiment import Experiment

    def batches(self):
        while True:
            yield Batch(self.recent[-1].images.cpu(), logits=self.recent[-1].logits)

    patch.setattr(Experiment, "_batches", batches)
    play(patch)


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
