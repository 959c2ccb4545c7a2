"""A distillation in memory: published settings, the flat loops end to end, and a cut anywhere that changes nothing."""

import copy
from dataclasses import replace
from functools import partial
from itertools import islice

import pytest
import torch
import toys
from torch import nn
from toys import LATENT, SIZE, WIDTH, ToyStudent, ToyTeacher, copied, record, same, seeded

from rdskd_lab.batch import Batch
from rdskd_lab.distillation import Distillation, find_device, use_anchor
from rdskd_lab.generator import Generator
from rdskd_lab.methods.method import Settings
from rdskd_lab.methods.rdskd import PRESETS, rdskd
from rdskd_lab.networks.architectures import LeNet5, LeNet5Half
from rdskd_lab.objective import ANCHORS, epoch, previous
from rdskd_lab.torch_state import seeded as built

TINY = Settings(generator_steps=6, batch_size=6, latent=LATENT, width=WIDTH, student_steps=9, student_batch_size=4)
POOLED = replace(TINY, pooled=True, augment=1.0, reuse=2, student_schedule="cosine")


def run(settings=TINY, seed=0, anchor="epoch", teacher=None, student=None):
    objective = rdskd()
    use_anchor(objective, anchor)
    teacher = teacher or ToyTeacher()
    return Distillation(teacher, student or ToyStudent(), objective, settings, seed=seed, size=SIZE)


def test_paper_mnist_is_the_published_schedule():
    # methods.md 1.2: G Adam 1e-3, 20 x 120 it, batch 512, latent 100; S Adam 2e-3, 1000 x 120 it, batch 512, T = 10
    s = PRESETS["paper-mnist"]
    assert (s.generator_steps, s.batch_size, s.latent, s.width, s.lr) == (20 * 120, 512, 100, 128, 1e-3)
    assert (s.student_steps, s.student_batch_size, s.student_lr, s.temperature) == (1000 * 120, 512, 2e-3, 10.0)
    assert s.student_schedule == "constant" and not s.pooled and s.augment == 0.0


def test_a_second_run_with_the_same_table_begins_with_the_anchors_of_the_first():
    table = rdskd()
    runs = (Distillation(ToyTeacher(), ToyStudent(), table, TINY, size=SIZE) for _ in range(2))
    first, again = ([step.gain for step in run] for run in runs)
    assert again == first


# ---- both stages -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_a_run_is_the_two_flat_loops_of_the_paper_one_after_the_other(double, schedule):
    settings = replace(TINY, generator_steps=10, student_steps=12, student_schedule=schedule)
    r = run(settings, seed=4)
    start, twin, teacher = copied(r.generator), copy.deepcopy(r.student), copy.deepcopy(r.teacher)
    steps = list(r)
    rng = seeded(4)
    spec, g = toys.flat_generator_stage(teacher, start, steps=10, batch=6, rng=rng, diversity="safe")
    s = toys.flat_student_stage(teacher, spec, twin, steps=12, batch=4, rng=rng, cosine=schedule == "cosine")
    assert [(x.phase, x.i) for x in steps] == [("synthesise", i) for i in range(10)] + [
        ("distill", i) for i in range(12)
    ]
    for x, want in zip(steps[:10], g, strict=True):
        assert [*x.raw.values()] == pytest.approx(want[:3], abs=1e-9)
    assert [x.raw["kd"] for x in steps[10:]] == pytest.approx(s, abs=1e-6)
    assert toys.apart(r.student.state_dict(), twin.state_dict()) < 1e-6


def test_a_pooled_student_learns_from_the_images_that_trained_the_generator():
    r = run(replace(POOLED, augment=0.0))
    images, logits = zip(*[(s.batch.images, s.batch.logits) for s in r.synthesise()], strict=True)
    assert torch.equal(r.pool.images, torch.cat(images).half()) and torch.equal(r.pool.logits, torch.cat(logits))
    kept = {tuple(x) for x in r.pool.images.float().flatten(1).tolist()}
    for step in r.distill():
        assert all(tuple(x) in kept for x in step.batch.images.flatten(1).tolist())


def test_after_the_last_step_there_is_no_other():
    r = run()
    assert len(list(r)) == 15 and list(r) == [] and r.done == {"synthesise": 6, "distill": 9}


def test_a_picture_shows_the_same_40_latents_each_time_as_the_teacher_sees_them_and_changes_nothing():
    r = run()
    next(r.synthesise())
    before, rng = copied(r.generator), r.rng.get_state()
    a, b = r.picture(), r.picture()
    assert all(torch.equal(a[key], b[key]) for key in ("images", "labels", "confidence")) and a["steps"] == 1
    assert same(r.generator.state_dict(), before) and torch.equal(r.rng.get_state(), rng)
    assert torch.equal(r.probe, run().probe) and r.probe.shape == (40, LATENT)
    with torch.no_grad():
        images = copy.deepcopy(r.generator).train()(r.probe)
        probs = r.teacher(images).softmax(1)
    assert a["labels"].tolist() == probs.argmax(1).tolist()
    assert a["confidence"].tolist() == pytest.approx(probs.max(1).values.tolist(), rel=1e-5)
    assert a["images"].shape == (40, 1, SIZE, SIZE) and a["images"].dtype == torch.uint8
    for got, image in zip(a["images"], images, strict=True):  # from the darkest pixel, 0, to the brightest, 255
        want = 255 * (image - image.min()) / (image.max() - image.min())
        assert (got - want).abs().max() <= 0.51


# ---- seeds -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [TINY, POOLED])
def test_one_seed_gives_one_run_whatever_the_global_random_state(settings):
    torch.manual_seed(1)
    a = run(settings)
    first = record(a)
    torch.manual_seed(2)
    b = run(settings)
    assert record(b) == first and same(a.student.state_dict(), b.student.state_dict())
    assert record(run(settings, seed=1)) != first


def test_a_seeded_network_depends_on_its_seed_alone():
    before = torch.get_rng_state()
    a, b, c = built(3, LeNet5Half, 1, 10), built(3, LeNet5Half, 1, 10), built(4, LeNet5Half, 1, 10)
    assert same(a.state_dict(), b.state_dict()) and not same(a.state_dict(), c.state_dict())
    assert torch.equal(torch.get_rng_state(), before)


def test_a_runs_generator_starts_from_the_weights_that_its_seed_gives_a_plain_one():
    assert same(run(seed=3).generator.state_dict(), built(3, Generator, LATENT, 1, SIZE, WIDTH).state_dict())


# ---- cut and go on ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("anchor", [*ANCHORS, "none"])
@pytest.mark.parametrize("settings", [TINY, POOLED], ids=["fresh", "pooled"])
def test_a_run_cut_between_any_two_steps_goes_on_bit_for_bit(settings, anchor):
    whole = run(settings, anchor=anchor)
    want = record(whole)
    for cut in (0, 1, 2, 5, 6, 7, 11, 14, 15) if anchor == "epoch" else (3, 10):
        said, second = toys.cut_and_resumed(partial(run, settings, anchor=anchor), cut)
        assert said == want, cut
        for part in "generator", "student":
            assert same(getattr(whole, part).state_dict(), getattr(second, part).state_dict()), (cut, part)


def test_edits_of_the_table_are_part_of_the_state():
    first = run()
    next(first.synthesise())
    first.objective["ie"].on, first.objective["oh"].weight, first.objective["ds"].damped = False, 2.5, True
    first.objective["oh"].anchor, first.objective["ie"].strength = 0.25, 20.0
    second = run()
    second.restore(toys.through_a_file(first.state()))
    for name in first.objective:
        a, b = vars(first.objective[name]), vars(second.objective[name])
        kept = ("on", "weight", "damped", "strength", "anchor")
        assert {k: a[k] for k in kept} == {k: b[k] for k in kept}


def test_a_state_in_hand_does_not_change_when_the_run_goes_on():
    # `best = x.data` is an alias under an in-place optimiser; a state that is handed out is a copy
    r = run()
    list(islice(r, 3))
    state = r.state()
    kept = toys.through_a_file(state)
    list(islice(r, 3))
    assert same(state["generator"], kept["generator"])
    assert all(
        same(state["generator_optimizer"]["state"][k], v) for k, v in kept["generator_optimizer"]["state"].items()
    )
    assert state["done"] == kept["done"] and torch.equal(state["rng"], kept["rng"])


def test_one_state_in_hand_can_be_gone_on_from_twice():
    r = run()
    list(islice(r, 8))
    state, ends = toys.through_a_file(r.state()), []
    for _ in range(2):
        again = run()
        again.restore(state)
        ends.append((record(again), copied(again.student)))
    assert ends[0][0] == ends[1][0] and same(ends[0][1], ends[1][1])


# ---- anchors and teachers by name ------------------------------------------------------------------------------------


def test_an_anchor_rule_by_name_reaches_the_damped_terms_only():
    objective = rdskd()
    use_anchor(objective, "previous")
    assert [t.rule for t in objective.values()] == [previous, previous, epoch]
    assert [t.damped for t in objective.values()] == [True, True, False]
    use_anchor(objective, "none")
    assert not any(t.damped for t in objective.values())


def test_an_unknown_anchor_rule_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match="no anchor rule 'epok'; there are epoch, previous, average, none"):
        use_anchor(rdskd(), "epok")


def test_asking_how_many_classes_leaves_the_teacher_as_it_was():
    teacher = ToyTeacher().train()
    before = copied(teacher)
    assert run(teacher=teacher).classes == toys.CLASSES
    assert teacher.training and same(teacher.state_dict(), before)
    assert all(p.requires_grad for p in teacher.parameters())


def test_a_device_that_is_not_there_is_refused_in_a_sentence():
    assert find_device("cpu") == torch.device("cpu")
    for name in "quantum", "gpu", "meta":  # torch knows the last one, on which nothing is computed
        with pytest.raises(ValueError, match=f"device '{name}' cannot be used here; say auto, cpu, cuda or mps"):
            find_device(name)


# methods.md 0.2, for 1 x 32 x 32: parameters, multiply-adds an image in millions, layer shapes
NETS = {
    LeNet5: (61_706, 0.417, [(6, 1, 5, 5), (16, 6, 5, 5), (120, 16, 5, 5), (84, 120), (10, 84)]),
    LeNet5Half: (15_738, 0.134, [(3, 1, 5, 5), (8, 3, 5, 5), (60, 8, 5, 5), (42, 60), (10, 42)]),
}


@pytest.mark.parametrize("net", NETS)
def test_the_students_and_teachers_are_those_of_the_specification(net):
    count, millions, shapes = NETS[net]
    model, macs, maps = net(), [], []

    def counted(layer, args, out):
        maps.append(tuple(out.shape[1:]))
        macs.append(out[0].numel() * layer.weight[0].numel())  # one product per weight that an output number sees

    layers = [m for m in model.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    for layer in layers:
        layer.register_forward_hook(counted)
    logits = model(torch.zeros(1, 1, 32, 32))
    assert logits.shape == (1, 10)
    assert sum(p.numel() for p in model.parameters()) == count
    assert [tuple(m.weight.shape) for m in layers] == shapes
    assert [m[1:] for m in maps[:3]] == [(28, 28), (10, 10), (1, 1)]
    assert round(sum(macs) / 1e6, 3) == millions
    assert all(m.bias is not None for m in layers) and not any(isinstance(m, nn.BatchNorm2d) for m in model.modules())


@pytest.mark.parametrize("net", NETS)
def test_lenet_computes_conv_relu_pool_twice_then_conv_relu_and_two_linear_layers(net):
    model, x = net().double(), torch.randn(3, 1, 32, 32, dtype=toys.F64, generator=seeded(0))
    w = model.state_dict()
    h = x
    for name in "conv1", "conv2":
        h = nn.functional.conv2d(h, w[f"{name}.weight"], w[f"{name}.bias"]).clamp(min=0)
        n, c, s, _ = h.shape
        h = h.reshape(n, c, s // 2, 2, s // 2, 2).amax((3, 5))
    h = (torch.einsum("ncij,ocij->no", h, w["conv3.weight"]) + w["conv3.bias"]).clamp(min=0)
    h = (h @ w["fc1.weight"].T + w["fc1.bias"]).clamp(min=0)
    assert torch.allclose(model(x), h @ w["fc2.weight"].T + w["fc2.bias"], rtol=1e-12, atol=1e-14)


def test_a_batch_without_logits_has_no_probabilities():
    with pytest.raises(AttributeError):
        _ = Batch(torch.zeros(1)).probs
