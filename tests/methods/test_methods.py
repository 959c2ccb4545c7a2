"""The other methods against flat loops written from methods.md in float64, and every method as a run that can be cut."""

import copy
import json
import math
from dataclasses import asdict, replace
from functools import partial
from itertools import islice

import pytest
import torch
import torch.nn.functional as F
import toys
from torch import nn
from toys import CLASSES, F64, LATENT, SIZE, ToyTeacher, copied, ln_softmax, same, seeded

from rdskd_lab import losses
from rdskd_lab.datasets import Split
from rdskd_lab.distillation import SCHEDULES, Distillation
from rdskd_lab.methods import dafl, zskd
from rdskd_lab.methods.method import Settings
from rdskd_lab.methods.registry import METHODS, describe
from rdskd_lab.objective import Objective, Term, Words
from rdskd_lab.runs.config import Config, resolve

LIVE = Settings(generator_steps=6, batch_size=6, latent=LATENT, width=toys.WIDTH, student_steps=6, temperature=1.0)
SHEETS = dict(generator_steps=8, batch_size=6, sheet_steps=4, lr=0.05, jitter=1, pooled=True)
SHEET = Settings(**SHEETS, student_steps=5, student_batch_size=4, temperature=3.0)
BARE = Settings(generator_steps=0, latent=LATENT, width=toys.WIDTH, student_steps=5, student_batch_size=4)
TINY = {
    **dict.fromkeys(("rdskd", "rdskd+bn"), replace(LIVE, student_steps=4, student_batch_size=4)),
    "any-teacher": replace(LIVE, student_steps=4, student_batch_size=4, pooled=True, procedural=0.5, bank=8, blend=0.5),
    **dict.fromkeys(("dafl", "mskd"), LIVE),
    **dict.fromkeys(("zskd", "deepinversion"), SHEET),
    "adaptive": replace(SHEET, student_turn=3, student_steps=6, augment=1.0),
    "dfad": replace(LIVE, student_turn=2, student_steps=12, student_batch_size=4),
    **dict.fromkeys(("procedural", "noise", "untrained", "real", "labels"), BARE),
}


def digits(n=20):
    images = torch.randint(0, 256, (n, 1, SIZE, SIZE), generator=seeded(5)).to(torch.uint8)
    labels = torch.arange(n) % CLASSES
    return Split(images, labels, (0.4,), (0.3,), tuple("abcde"), "toys train")


def run(name, seed=0, settings=None, student=None, teacher=None):
    method = METHODS[name]
    how = dict(method=method, seed=seed, size=SIZE, data=digits() if method.real_images else None)
    return Distillation(
        teacher or ToyTeacher(), student or toys.ToyStudent(), method.terms(), settings or TINY[name], **how
    )


def test_every_method_and_control_is_tested_here():
    assert set(TINY) == set(METHODS)


# ---- losses, each written a second time ------------------------------------------------------------------------------


def test_activation_is_minus_the_mean_of_the_absolute_features():
    f = torch.randn(3, 4, dtype=F64, generator=seeded(0))
    assert losses.activation(f).item() == pytest.approx(-sum(abs(v) for v in f.flatten().tolist()) / 12, abs=1e-12)


def test_mode_seeking_divides_mean_absolute_differences_and_takes_the_reciprocal():
    x, z = (torch.randn(4, *s, dtype=F64, generator=seeded(1)) for s in ((1, 2, 2), (3,)))
    dx = sum(abs(a - b) for a, b in zip(x[2:].flatten().tolist(), x[:2].flatten().tolist(), strict=True)) / 8
    dz = sum(abs(a - b) for a, b in zip(z[2:].flatten().tolist(), z[:2].flatten().tolist(), strict=True)) / 6
    assert losses.mode_seeking(x, z).item() == pytest.approx(1 / (dx / dz + 1e-5), abs=1e-12)


def test_total_variation_sums_four_norms_over_the_whole_batch():
    x = torch.randn(2, 1, 3, 3, dtype=F64, generator=seeded(2))
    want = 0.0
    for di, dj in (0, 1), (1, 0), (1, 1), (1, -1):
        square = 0.0
        for n in range(2):
            for i in range(3):
                for j in range(3):
                    if 0 <= i + di < 3 and 0 <= j + dj < 3:
                        square += (x[n, 0, i, j] - x[n, 0, i + di, j + dj]).item() ** 2
        want += math.sqrt(square)
    assert losses.total_variation(x).item() == pytest.approx(want, abs=1e-12)


def test_bn_statistics_are_norms_that_are_not_squared_summed_over_layers():
    layers = [tuple(torch.rand(3, dtype=F64, generator=seeded(i + 4 * k)) for i in range(4)) for k in range(2)]
    want = sum(
        math.sqrt(sum((a - b) ** 2 for a, b in zip(v.tolist(), rv.tolist(), strict=True)))
        + math.sqrt(sum((a - b) ** 2 for a, b in zip(m.tolist(), rm.tolist(), strict=True)))
        for m, v, rm, rv in layers
    )
    assert losses.bn_statistics(layers).item() == pytest.approx(want, abs=1e-12)


def test_competition_is_one_minus_the_clamped_divergence_from_the_mixture():
    s, t = (torch.randn(4, 3, dtype=F64, generator=seeded(k)) * 9 for k in (6, 7))
    total = 0.0
    for a, b in zip(s, t, strict=True):
        p, q = (ln_softmax((v / 3)[None])[0].exp().tolist() for v in (a, b))
        m = [(x + y) / 2 for x, y in zip(p, q, strict=True)]
        p, q, m = ([min(max(x, 0.01), 0.99) for x in d] for d in (p, q, m))
        total += sum(x * math.log(x / y) + x * math.log(x / w) for x, y, w in zip(m, p, q, strict=True)) / 2
    assert losses.competition(s, t).item() == pytest.approx(1 - min(max(total / 4, 0), 1), abs=1e-12)


def test_dafls_weight_5_on_log10_is_2_171_in_nats():
    # methods.md 2.1: 1 nat = 0.4343 digits
    table = dafl.dafl()
    assert table["ie"].weight == pytest.approx(2.171, abs=5e-4)
    p = torch.rand(6, 4, dtype=F64, generator=seeded(8)).log()
    mean = p.softmax(1).mean(0)
    digits = 5 * (mean * mean.log10()).sum().item()
    batch = type("B", (), {"logits": p})
    assert table["ie"].asked(table["ie"].measure(batch)).item() == pytest.approx(digits, abs=1e-12)
    cifar = dict(METHODS["dafl"].presets["paper-cifar10"].weights)
    assert (cifar["oh"], cifar["act"]) == (0.05, 0.01) and cifar["ie"] == pytest.approx(2.171, abs=5e-4)


# ---- ZSKD's targets --------------------------------------------------------------------------------------------------


def test_dirichlet_targets_follow_the_similarity_of_the_last_layers_rows():
    head = nn.Linear(4, 3)
    w = head.weight.detach()
    r = [[float(a @ b / (a.norm() * b.norm())) for b in w] for a in w]
    alpha = [[(v - min(row)) / (max(row) - min(row)) for v in row] for row in r]
    draws = zskd.dirichlet_targets(head, 30_000, 1.0, seeded(0))
    assert draws.shape == (30_000, 3) and draws.sum(1).allclose(torch.ones(30_000), atol=1e-5)
    for c in range(3):
        want = torch.tensor([a + 1e-4 for a in alpha[c]])
        assert draws[c::3].mean(0).tolist() == pytest.approx((want / want.sum()).tolist(), abs=0.02)


def test_beta_of_a_tenth_really_makes_spikier_targets():
    # methods.md 4.3: in the published code the factor cancels
    torch.manual_seed(0)
    head = nn.Linear(8, 5)
    entropy = [
        -(y := zskd.dirichlet_targets(head, 2000, beta, seeded(1)).clamp_min(1e-30)).mul(y.log()).sum(1).mean().item()
        for beta in (1.0, 0.1)
    ]
    assert entropy[1] < 0.6 * entropy[0]


# ---- flat loops ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["dafl", "mskd"])
def test_dafl_is_one_backward_through_the_sum_of_all_terms(double, name):
    """methods.md 2.1 and 3: G and S step together; the detaches give G its terms and S the KL at temperature 1."""
    r = run(name, seed=3)
    spec, student, teacher = toys.SpecGenerator(copied(r.source)), copy.deepcopy(r.student), copy.deepcopy(r.teacher)
    rng, g, s = seeded(3), toys.Adam([*spec.w.values()], 1e-3), toys.Adam(student.parameters(), 2e-3)
    student.train()
    steps = list(r)
    for k in range(6):
        z = torch.randn(6, LATENT, generator=rng)
        x = spec(z, training=True)
        features = x
        for layer in list(teacher)[:-1]:
            features = layer(features)
        t = teacher(x)
        p = ln_softmax(t).exp().sum(0) / 6
        oh = -ln_softmax(t)[range(6), t.argmax(1)].sum() / 6
        ie, act = (p * p.log10()).sum(), -features.abs().sum() / features.numel()
        loss = oh + 5 * ie + 0.1 * act
        if name == "mskd":
            ms = 1 / ((x[3:] - x[:3]).abs().mean() / (z[3:] - z[:3]).abs().mean() + 1e-5)
            loss = loss + ms
        fixed = x.detach()
        ln_t, ln_s = ln_softmax(t.detach()), ln_softmax(student(fixed))
        kd = (ln_t.exp() * (ln_t - ln_s)).sum() / 6
        grown, learned = steps[2 * k], steps[2 * k + 1]
        assert (grown.phase, learned.phase, grown.i, learned.i) == ("synthesise", "distill", k, k)
        want = {"oh": oh.item(), "ie": ie.item() * math.log(10), "act": act.item()}
        want |= {"ms": ms.item()} if name == "mskd" else {}
        assert grown.raw == pytest.approx(want, abs=1e-8) and learned.raw == pytest.approx({"kd": kd.item()}, abs=1e-8)
        g.step(loss), s.step(kd)
    assert toys.apart(r.student.state_dict(), student.state_dict()) < 1e-6


def test_dfad_lets_the_student_close_a_gap_and_the_generator_open_it(double):
    """methods.md 7: student steps on fresh images first, then one generator step on -mean |s - t|, student in train mode."""
    r = run("dfad", seed=2)
    spec, student, teacher = toys.SpecGenerator(copied(r.source)), copy.deepcopy(r.student), copy.deepcopy(r.teacher)
    rng, g, s = seeded(2), toys.Adam([*spec.w.values()], 1e-3), toys.Adam(student.parameters(), 2e-3)
    student.train()
    steps = iter(list(r))
    for _ in range(6):
        for _ in range(2):
            with torch.no_grad():
                x = spec(torch.randn(4, LATENT, generator=rng), training=True)
                t = teacher(x)
            gap = (student(x) - t).abs().sum() / (4 * CLASSES)
            step = next(steps)
            assert step.phase == "distill" and step.raw["l1"] == pytest.approx(gap.item(), abs=1e-8)
            s.step(gap)
        kept = copied(student)
        x = spec(torch.randn(6, LATENT, generator=rng), training=True)
        loss = -(student(x) - teacher(x)).abs().sum() / (6 * CLASSES)
        step = next(steps)
        assert step.phase == "synthesise" and step.raw["adv"] == pytest.approx(loss.item(), abs=1e-8)
        g.step(loss)
        student.load_state_dict(kept)  # the statistics of a generator's step are not the student's
    assert toys.apart(r.student.state_dict(), student.state_dict()) < 1e-6


@pytest.mark.parametrize("name", ["deepinversion", "adaptive"])
def test_deepinversion_descends_its_sum_over_rolled_pixels_and_returns_the_best_of_each_sheet(double, name):
    """methods.md 5.1; the student, where there is a competition, is in eval mode and not trained by it."""
    settings = replace(TINY[name], student_turn=1, student_steps=2) if name == "adaptive" else TINY[name]
    r = run(name, seed=7, settings=settings)
    teacher, student, rng = copy.deepcopy(r.teacher), copy.deepcopy(r.student).eval(), seeded(7)
    conv, bn = teacher[0], teacher[1]
    images, kept = torch.randn(6, 1, SIZE, SIZE, generator=rng), None
    y = torch.arange(6) % CLASSES
    best, adam, x = (math.inf, None), None, images.requires_grad_()
    adam = toys.Adam([x], 0.05)
    for k, step in enumerate(islice(r.synthesise(), 4)):
        shift = torch.randint(-1, 2, (2,), generator=rng).tolist()
        seen = x.roll(shift, (2, 3))
        h = conv(seen)
        mean = h.mean((0, 2, 3))
        var = ((h - mean[:, None, None]) ** 2).mean((0, 2, 3))
        ce = -ln_softmax(teacher(seen))[range(6), y].sum() / 6
        rf = ((var - bn.running_var) ** 2).sum().sqrt() + ((mean - bn.running_mean) ** 2).sum().sqrt()
        tv = sum(
            (a - b).pow(2).sum().sqrt()
            for a, b in (
                (seen[:, :, :, 1:], seen[:, :, :, :-1]),
                (seen[:, :, 1:], seen[:, :, :-1]),
                (seen[:, :, 1:, 1:], seen[:, :, :-1, :-1]),
                (seen[:, :, 1:, :-1], seen[:, :, :-1, 1:]),
            )
        )
        loss = ce + 10 * rf + 2.5e-5 * tv
        want = {"ce": ce.item(), "bn": rf.item(), "tv": tv.item(), "l2": seen.pow(2).sum().sqrt().item()}
        if name == "adaptive":
            p, q = (ln_softmax(net(seen) / 3).exp() for net in (student, teacher))
            m = (p + q) / 2
            p, q, m = (d.clamp(0.01, 0.99) for d in (p, q, m))
            js = ((m * (m / p).log()).sum(1).mean() + (m * (m / q).log()).sum(1).mean()) / 2
            loss = loss + 1 - js.clamp(0, 1)
            want["comp"] = 1 - js.clamp(0, 1).item()
        assert step.raw == pytest.approx(want, abs=1e-8), k
        if loss.item() < best[0]:
            best = (loss.item(), seen.detach().clone())
        adam.step(loss)
    kept = r.pool.images[:6].double()
    assert r.pool.filled == 6 and (kept - best[1]).abs().max() < 2e-3  # half precision
    assert torch.equal(r.source.images.detach(), torch.randn(6, 1, SIZE, SIZE, generator=rng))  # a new sheet
    assert not r.source_optimizer.state and r.source.lowest == math.inf


def test_the_best_images_are_a_copy_and_really_the_best(double):
    r = run("deepinversion", settings=replace(SHEET, lr=5.0, jitter=0))  # so wild that the last is not the best
    totals, seen = [], []
    for step in islice(r.synthesise(), 4):
        totals.append(sum(step.weight[n] * step.raw[n] for n in step.raw))
        seen.append(step.batch.images.clone())
        assert torch.equal(step.batch.images, seen[-1])
    assert totals.index(min(totals)) < 3
    assert torch.equal(r.pool.images[:6], seen[totals.index(min(totals))].half())


@pytest.mark.parametrize("name", ["deepinversion", "zskd"])
def test_sheets_that_are_smaller_than_the_classes_are_many_go_on_where_the_last_one_ended(name):
    teacher = ToyTeacher()
    teacher[-1].weight.data.copy_(torch.eye(*teacher[-1].weight.shape))  # each row is like itself alone
    r = run(name, settings=replace(SHEET, batch_size=2, sheet_steps=1), teacher=teacher)
    asked = [step.batch.targets for step in islice(r.synthesise(), 5)]
    asked = torch.cat([y.argmax(1) if y.ndim == 2 else y for y in asked])
    assert asked.tolist() == [*range(CLASSES), *range(CLASSES)]


def test_zskd_descends_soft_cross_entropy_at_20_and_relabels_by_the_teacher(double):
    settings = replace(SHEET, jitter=0, temperature=20.0, augment=0.0)
    r = run("zskd", seed=1, settings=settings)
    y, x = r.source.targets.clone(), r.source.images.detach().clone().requires_grad_()
    teacher, adam, best = copy.deepcopy(r.teacher), toys.Adam([x], 0.05), (math.inf, None)
    for step in islice(r.synthesise(), 4):
        loss = -(y * ln_softmax(teacher(x) / 20)).sum() / 6
        assert step.raw["ce"] == pytest.approx(loss.item(), abs=1e-9)
        best = min(best, (loss.item(), x.detach().clone()), key=lambda pair: pair[0])
        adam.step(loss)
    with torch.no_grad():
        assert (r.pool.logits[:6].double() - teacher(best[1])).abs().max() < 1e-4
    assert not torch.equal(y, r.source.targets)  # the second sheet has other targets


def test_rdskd_bn_is_rdskd_and_a_tenth_of_deepinversions_statistics():
    a, b = run("rdskd"), run("rdskd+bn")
    assert list(b.objective) == [*a.objective, "bn"] and b.objective["bn"].weight == 0.1
    first, second = next(iter(a)), next(iter(b))
    assert all(first.raw[n] == pytest.approx(second.raw[n], rel=1e-6) for n in first.raw) and second.raw["bn"] > 0


# ---- every method ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", METHODS)
def test_each_can_be_cut_between_any_two_steps_and_leaves_the_rest_alone(name):
    teacher, before = ToyTeacher(), torch.get_rng_state()
    fixed = copied(teacher)
    whole = run(name, teacher=teacher)
    want = toys.record(whole)
    assert len(want) == sum(whole.stages.values()) and same(fixed, teacher.state_dict())
    assert torch.equal(torch.get_rng_state(), before)
    for cut in range(len(want) + 1):
        said, second = toys.cut_and_resumed(partial(run, name), cut)
        assert said == want, cut
        assert same(whole.student.state_dict(), second.student.state_dict()), cut


@pytest.mark.parametrize("name", METHODS)
def test_each_shows_40_images_and_looking_changes_nothing(name):
    r = run(name)
    next(iter(r))
    state, before = toys.through_a_file(r.state()), torch.get_rng_state()
    a, b = r.picture(), r.picture()
    assert torch.equal(torch.get_rng_state(), before)
    assert a["images"].shape == (40, 1, SIZE, SIZE) and torch.equal(a["images"], b["images"])
    assert same(state["student"], r.state()["student"]) and torch.equal(state["rng"], r.rng.get_state())
    assert "generator" not in state or same(state["generator"], r.state()["generator"])


def test_when_a_sheet_is_finished_its_best_images_are_shown_not_the_noise_that_follows():
    r = run("deepinversion")
    steps, sheet = r.synthesise(), r.settings.sheet_steps
    toys.record(islice(steps, sheet))
    kept = r.pool.images[: r.pool.filled][-40:]
    shown = r.probe_images()
    assert torch.equal(shown[: len(kept)].half(), kept) and not torch.equal(shown[:1], r.source.images[:1])
    next(steps)
    assert not torch.equal(r.probe_images()[: len(kept)].half(), kept)


def test_a_live_student_with_a_pool_sees_what_was_painted_so_far_and_can_be_cut_too():
    settings = replace(LIVE, pooled=True, student_turn=2, student_steps=12, student_batch_size=4)
    r, seen = run("dafl", settings=settings), []
    for step in r:
        if step.phase == "distill":
            pool = r.pool.images[: r.pool.filled].float()
            assert all(any(torch.equal(image, kept) for kept in pool) for image in step.batch.images.float())
            seen.append(r.pool.filled)
    assert seen == [6 * (k // 2 + 1) for k in range(12)]
    assert toys.cut_and_resumed(partial(run, "dafl", settings=settings), 10)[0] == toys.record(
        run("dafl", settings=settings)
    )


@pytest.mark.parametrize("name", ["dfad", "adaptive"])
def test_a_step_of_the_source_changes_nothing_in_a_student_that_watches(name):
    r = run(name)
    before = copied(r.student)
    list(islice(r.synthesise(), 3))
    assert same(before, r.student.state_dict()) and all(p.grad is None for p in r.student.parameters())


@pytest.mark.parametrize("name", ["deepinversion", "rdskd+bn"])
def test_statistics_of_a_teacher_without_batchnorm_are_refused_unless_the_term_is_off(name):
    teacher = ToyTeacher(bn=False)
    with pytest.raises(ValueError, match="has no BatchNorm2d layer, so term 'bn' .*lenet5-bn.*--off bn"):
        run(name, teacher=teacher)
    method = METHODS[name]
    objective = method.terms()
    objective["bn"].on = False
    r = Distillation(teacher, toys.ToyStudent(), objective, TINY[name], method=method, size=SIZE)
    assert next(iter(r)).raw["bn"] == 0


def test_labels_learn_from_labels_and_real_from_the_teacher():
    data = digits()
    for name in "labels", "real":
        r = run(name)
        step = next(iter(r))
        rows = torch.randint(20, (4,), generator=seeded(0))
        images = (data.images[rows].float() / 255 - 0.4) / 0.3
        assert (step.batch.images - images).abs().max() < 1e-6 and torch.equal(step.batch.targets, data.labels[rows])
        fresh = toys.ToyStudent().train()
        answer = fresh(images)
        with torch.no_grad():
            t = r.teacher(images)
        want = (
            F.cross_entropy(answer, data.labels[rows])
            if name == "labels"
            else 100 * F.kl_div(ln_softmax(answer / 10), ln_softmax(t / 10), reduction="batchmean", log_target=True)
        )
        assert step.raw == pytest.approx({"ce" if name == "labels" else "kd": want.item()}, rel=1e-4)


def test_real_images_are_asked_for_where_there_are_none():
    with pytest.raises(ValueError, match="learns from real images"):
        Distillation(ToyTeacher(), toys.ToyStudent(), METHODS["real"].terms(), BARE, method=METHODS["real"], size=SIZE)


def test_turns_that_do_not_fit_the_students_steps_are_refused():
    with pytest.raises(ValueError, match="student_steps must be 6, not 7"):
        run("dafl", settings=replace(LIVE, student_steps=7))


def test_every_preset_of_every_method_can_be_planned():
    for name, method in METHODS.items():
        assert {"classroom"} <= set(method.presets), name
        for preset, s in method.presets.items():
            counted = [0, 0]
            for turn in islice(method.turns(s), 5):
                counted[turn == "distill"] += 1
            fits = s.generator_steps % s.sheet_steps == 0 and s.batch_size % 2 == 0
            assert sum(counted) == 5 and fits and s.student_schedule in ("constant", *SCHEDULES), (name, preset)
            pool = s.generator_steps // s.sheet_steps * s.batch_size
            assert not s.pooled or s.student_batch_size <= pool, (name, preset)


def test_the_published_schedules():
    # methods.md 2.2, 5.2, 7
    dafl, dfad = METHODS["dafl"].presets, METHODS["dfad"].presets
    mnist = dafl["paper-mnist"]
    assert (mnist.generator_steps, mnist.batch_size, mnist.temperature) == (24_000, 512, 1.0)
    assert (mnist.lr, mnist.student_lr) == (0.2, 2e-3)
    cifar = dafl["paper-cifar10"]
    assert (cifar.generator_steps, cifar.batch_size, cifar.latent, cifar.lr) == (240_000, 1024, 1000, 0.02)
    assert (cifar.student_optimizer, cifar.student_lr, cifar.student_schedule) == ("sgd", 0.1, "steps")
    deep = METHODS["deepinversion"].presets["paper-cifar10"]
    assert (deep.batch_size, deep.sheet_steps, deep.lr, deep.jitter, deep.temperature) == (256, 2_000, 0.05, 2, 3.0)
    assert deep.generator_steps // deep.sheet_steps * deep.batch_size == 256_000
    zero = METHODS["zskd"].presets["paper-mnist"]
    assert (zero.generator_steps // zero.sheet_steps * zero.batch_size, zero.temperature) == (40_000, 20.0)
    assert (dfad["paper-mnist"].generator_steps, dfad["paper-mnist"].student_turn) == (40 * 50, 5)
    assert METHODS["adaptive"].presets["paper-cifar10"].student_turn == 50


# ---- a preset's weights, and words -----------------------------------------------------------------------------------


def test_a_presets_weights_are_in_the_objective_however_a_run_begins():
    method, published = METHODS["dafl"], METHODS["dafl"].presets["paper-cifar10"].weights
    settings = replace(TINY["dafl"], weights=published)

    def weights(objective):
        r = Distillation(ToyTeacher(), toys.ToyStudent(), objective, settings, method=method, size=SIZE)
        return {name: term.weight for name, term in r.objective.items()}

    config = Config(method="dafl", preset="paper-cifar10")
    for table in method.terms(), resolve(config).objective, method.objective(settings):
        assert weights(table) == dict(published)
    own = method.terms()
    own["oh"].weight = 3.0
    assert weights(own) == dict(published) | {"oh": 3.0}
    own = resolve(replace(config, weight=(("oh", 1.0),))).objective  # what the table says, but said by hand
    assert weights(own) == dict(published) | {"oh": 1.0}
    assert weights(Objective(mine=Term(lambda b: b.images.mean(), 2.0))) == {"mine": 2.0}


def test_every_term_has_words_that_can_be_written_down():
    for method in METHODS.values():
        for table in method.terms(), method.student(2.0):
            assert set(table.words) == set(table)
            for name, words in table.words.items():
                assert describe(name) == words == Words(**json.loads(json.dumps(asdict(words))))
                assert all(value for field, value in asdict(words).items() if field != "script")
    assert describe("zz").name == "zz" and "no description" in describe("zz").purpose
    assert describe("zz", {"zz": words}) == words and describe("oh", {"zz": words}).name == "one-hot loss"
