"""The loop against flat loops written from methods.md in float64; what stops it; what it never touches."""

import copy
import math
from functools import partial
from itertools import islice

import pytest
import torch
import toys
from torch import nn
from toys import F64, LATENT, SIZE, ToyStudent, ToyTeacher, apart, copied, same, seeded

from rdskd_lab import losses
from rdskd_lab.batch import Batch
from rdskd_lab.datasets import Split
from rdskd_lab.distillation import use_anchor
from rdskd_lab.generator import Generator
from rdskd_lab.methods.image_optimization import Pixels
from rdskd_lab.methods.rdskd import rdskd
from rdskd_lab.objective import ANCHORS, Objective, Term, epoch
from rdskd_lab.runs.train_teacher import labelled_batches
from rdskd_lab.training import cosine, descend, distill, fit, generated_batches, reanchoring, synthesise

FORMS = {"safe": losses.diversity_seeking, "pairs": losses.diversity_seeking_pairs}


def generator(seed=0, dtype=F64):
    torch.manual_seed(seed)
    return Generator(LATENT, 1, SIZE, toys.WIDTH).to(dtype)


def adam(net, lr=1e-3):
    return torch.optim.Adam(net.parameters(), lr)


def six(source, objective=None, optimizer=None, rng=None, **how):
    """RDSKD's steps, or those of another table, on batches of six."""
    objective, optimizer = objective or rdskd(), optimizer or adam(source)
    return synthesise(ToyTeacher().double(), source, objective, optimizer, batch_size=6, rng=rng or seeded(5), **how)


def snapshot(net, optimizer):
    return copied(net), copy.deepcopy(optimizer.state_dict())


def unchanged(net, optimizer, before, buffers=True) -> bool:
    """Every weight and moment as it was; and every running statistic, unless told to look away."""
    weights, moments = before
    names = weights if buffers else dict(net.named_parameters())
    state = optimizer.state_dict()
    if state["param_groups"] != moments["param_groups"] or state["state"].keys() != moments["state"].keys():
        return False
    slots = all(same(state["state"][k], moments["state"][k]) for k in state["state"])
    return slots and all(torch.equal(net.state_dict()[k], weights[k]) for k in names)


# ---- RDSKD, the generator stage --------------------------------------------------------------------------------------


def both_ways(steps, *, anchor="epoch", every=120, diversity="safe", batch=8, form=lambda g: g, teacher=None):
    """The package's generator stage and the flat loop from one start: (source, records) and (spec, records)."""
    teacher = teacher or ToyTeacher().double()
    source = form(generator())
    objective = rdskd(FORMS.get(diversity, losses.diversity_seeking))
    use_anchor(objective, anchor)
    if every != 120:
        for term in objective.values():
            term.rule = partial(epoch, every=every)
    start, plain_teacher = copied(source), copy.deepcopy(teacher).eval()
    steps_ = synthesise(teacher, source, objective, adam(source), batch_size=batch, rng=seeded(5))
    record = [(*s.raw.values(), s.gain["oh"], s.gain["ie"]) for s in islice(reanchoring(steps_, objective), steps)]
    spec, flat = toys.flat_generator_stage(
        plain_teacher, start, steps=steps, batch=batch, rng=seeded(5), anchor=anchor, every=every, diversity=diversity
    )
    return source, record, spec, flat


def gap(a, b):
    assert len(a) == len(b)
    return max(abs(x - y) for p, q in zip(a, b, strict=True) for x, y in zip(p, q, strict=True))


def learnt_the_same(source, spec) -> bool:
    """Weights and running statistics to 1e-9.

    But for the two biases that a BatchNorm takes away again, and its running mean, which follows them: their gradient
    is 0 in truth and 1e-17 in rounding, and Adam divides that by its 1e-8, so that they wander by 1e-9 in every run.
    """
    idle = {f"paint.{i}" for i in ("2.bias", "3.running_mean", "6.bias", "7.running_mean")}
    a, b = source.state_dict(), spec.state()
    left, right = ({k: v for k, v in d.items() if k not in idle} for d in (a, b))
    return apart(left, right) < 1e-9 and apart({k: a[k] for k in idle}, {k: b[k] for k in idle}) < 1e-7


def test_rdskd_equals_the_published_flat_loop_over_two_anchors():
    # 250 steps with the published rule: anchors are taken after steps 1, 121 and 241
    source, record, spec, flat = both_ways(250)
    assert gap(record, flat) < 1e-9
    assert learnt_the_same(source, spec)
    gains = [r[3] for r in record]
    assert gains[0] > 1.05 and gains[121] != pytest.approx(gains[122], rel=1e-6)  # damping was really at work
    assert apart(source.state_dict(), copied(generator())) > 0.05  # and so was learning


@pytest.mark.parametrize("diversity", FORMS)
@pytest.mark.parametrize("anchor", [*ANCHORS, "none"])
def test_every_anchor_rule_and_both_diversities_equal_their_flat_loops(anchor, diversity):
    every = 7 if anchor == "epoch" else 120
    source, record, spec, flat = both_ways(16, anchor=anchor, every=every, diversity=diversity, batch=6)
    assert gap(record, flat) < 1e-9
    assert learnt_the_same(source, spec)


def test_the_published_quotient_to_the_letter_gives_the_same_run():
    # ours adds 1e-8 to |x2 - x1|, here about 20: one part in 2e9
    source, record, spec, flat = both_ways(16, diversity="published", every=7)
    assert gap(record, flat) < 1e-8
    assert apart(source.state_dict(), spec.state()) < 1e-7


def test_the_rules_and_forms_differ_from_each_other():
    ends = [both_ways(6, anchor=a, diversity=d, batch=6)[0] for a in [*ANCHORS, "none"] for d in FORMS]
    for i, a in enumerate(ends):
        assert all(apart(a.state_dict(), b.state_dict()) > 1e-6 for b in ends[:i])


def test_an_editing_hand_between_two_steps_is_obeyed_by_the_next():
    def run(edit):
        source, objective = generator(), rdskd()
        steps = six(source, objective)
        record = []
        for step in islice(steps, 4):
            record.append(step)
            if edit and step.i == 1:
                objective["ie"].on, objective["oh"].weight = False, 3.0
        return record, source

    (plain, a), (edited, b) = run(False), run(True)
    assert plain[1].raw == edited[1].raw and plain[2].raw == edited[2].raw  # measured on the same weights
    assert [s.gain["ie"] > 0 for s in edited] == [True, True, False, False]
    assert [s.weight["oh"] for s in edited] == [1.0, 1.0, 3.0, 3.0]
    assert plain[3].raw != edited[3].raw and apart(a.state_dict(), b.state_dict()) > 1e-6


def test_off_leaves_the_same_weights_as_a_table_without_the_term():
    ends = []
    for change in "off", "absent", "weight 0", "on":
        source, objective = generator(), rdskd()
        if change == "off":
            objective["ds"].on = False
        if change == "absent":
            del objective["ds"]
        if change == "weight 0":
            objective["ds"].weight = 0.0
        steps = six(source, objective)
        last = list(islice(reanchoring(steps, objective), 8))[-1]
        if change == "off":
            assert last.raw["ds"] > 0 and last.gain["ds"] == 0.0  # its curve goes on
        ends.append(copied(source))
    assert same(ends[0], ends[1]) and same(ends[0], ends[2]) and not same(ends[0], ends[3])


def test_a_run_of_everything_off_draws_the_same_latents():
    on, off = rdskd(), rdskd()
    for term in off.values():
        term.on = False
    drawn = [[s.batch.z for s in islice(six(generator(), table), 3)] for table in (on, off)]
    assert all(torch.equal(a, b) for a, b in zip(*drawn, strict=True))


@pytest.mark.parametrize("change", [{"on": False}, {"weight": 0.0}])
@pytest.mark.parametrize("make", [generator, lambda: Pixels(torch.arange(6), size=SIZE, rng=seeded(0)).double()])
def test_with_everything_off_nothing_changes_running_statistics_included(change, make):
    source, objective = make(), rdskd()
    for term in objective.values():
        vars(term).update(change)
    optimizer = adam(source)
    before = snapshot(source, optimizer)
    steps = list(islice(six(source, objective, optimizer), 3))
    assert unchanged(source, optimizer, before)
    assert all(math.isfinite(v) for s in steps for v in s.raw.values())
    objective["oh"].on, objective["oh"].weight = True, 1.0
    next(six(source, objective, optimizer))
    assert not unchanged(source, optimizer, before)


# ---- what a step tells, and what a run leaves alone ------------------------------------------------------------------


def test_a_step_says_what_happened_before_and_holds_no_graph():
    source = generator()
    steps = six(source, start=40)
    first, second = next(steps), next(steps)
    assert (first.i, second.i, first.phase) == (40, 41, "synthesise")
    assert list(first.raw) == list(first.gain) == list(first.weight) == ["oh", "ie", "ds"]
    assert first.gain["oh"] == pytest.approx(math.exp(first.raw["oh"])) and first.gain["ds"] == 1.0
    assert all(type(v) is float for d in (first.raw, first.gain) for v in d.values())
    assert not any(t.requires_grad for t in (first.batch.images, first.batch.logits, first.batch.z))
    start = toys.SpecGenerator(copied(generator()))
    assert torch.allclose(first.batch.images, start(first.batch.z, training=True), atol=1e-12)  # the weights before


def test_a_step_as_a_row_names_every_number():
    source = generator()
    step = next(six(source))
    row = step.row()
    assert list(row)[:5] == ["phase", "step", "oh", "oh_gain", "oh_weight"] and len(row) == 11
    assert (row["phase"], row["step"], row["ie"], row["ds_gain"]) == ("synthesise", 0, step.raw["ie"], 1.0)


def test_a_step_is_yielded_after_the_update_and_the_next_is_not_begun():
    source, rng = generator(), seeded(5)
    before = copied(source)
    steps = six(source, rng=rng)
    next(steps)
    one = seeded(5)
    torch.randn(6, LATENT, generator=one, dtype=F64)
    assert apart(source.state_dict(), before) > 0
    assert torch.equal(rng.get_state(), one.get_state())  # the latents of one step are gone, and no more


def test_only_the_generator_gets_a_gradient_and_the_teacher_stays_as_it_was():
    teacher, source, seen = ToyTeacher().double().train(), generator().eval(), []
    objective = Objective(oh=Term(lambda b: seen.append(toys.leaves(b.logits)) or losses.one_hot(b.logits)))
    before = copied(teacher)
    list(islice(synthesise(teacher, source, objective, adam(source), batch_size=6, rng=seeded(5)), 2))
    assert seen == [set(source.parameters())] * 2
    assert same(teacher.state_dict(), before) and all(p.grad is None and p.requires_grad for p in teacher.parameters())
    assert all(m.training for m in teacher.modules()) and not any(m.training for m in source.modules())


def test_the_generator_learns_with_batch_statistics_whatever_its_mode():
    ends = []
    for training in True, False:
        source = generator().train(training)
        list(islice(six(source), 3))
        assert source.training is training
        ends.append(copied(source))
    assert same(*ends)


def test_one_deepcopy_forks_a_run():
    source, objective = generator(), rdskd()
    state = [source, objective, adam(source), seeded(5)]

    def go_on(source, objective, optimizer, rng, start, n):
        steps = six(source, objective, optimizer, rng, start=start)
        return [s.raw for s in islice(reanchoring(steps, objective), n)]

    go_on(*state, 0, 3)
    twin, third = copy.deepcopy(state), copy.deepcopy(state)
    third[1]["ds"].on = False
    a, b, c = (go_on(*s, 3, 4) for s in (state, twin, third))
    assert a == b and same(state[0].state_dict(), twin[0].state_dict())
    assert c[0] == a[0] and c[-1] != a[-1]  # same weights and latents at the fork, another way from there


# ---- the student -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("falling", [False, True])
def test_the_student_stage_equals_its_flat_loop(falling):
    # T = 10, Adam 2e-3, generator in eval mode, student in train mode
    teacher, source, student = ToyTeacher().double(), generator(), ToyStudent().double()
    with torch.no_grad():
        for _ in range(5):
            source.train()(torch.randn(8, LATENT, dtype=F64, generator=seeded(1)))
    source.train()  # generated_batches must not care
    spec, twin = toys.SpecGenerator(copied(source)), copy.deepcopy(student)
    optimizer = adam(student, 2e-3)
    steps = distill(student, generated_batches(source, teacher, 6, seeded(7)), optimizer, temperature=10.0)
    if falling:
        steps = cosine(steps, optimizer, 60, 2e-3)
    record = [s.raw["kd"] for s in islice(steps, 60)]
    flat = toys.flat_student_stage(copy.deepcopy(teacher), spec, twin, steps=60, batch=6, rng=seeded(7), cosine=falling)
    assert record == pytest.approx(flat, abs=1e-9)
    assert apart(student.state_dict(), twin.state_dict()) < 1e-9
    assert record[-1] < record[0] / 2


def test_the_falling_learning_rate_ends_at_0_and_does_not_rise_again():
    student = ToyStudent().double()
    optimizer = adam(student, 2e-3)
    batches = generated_batches(generator().train(), ToyTeacher().double(), 6, seeded(7))
    rates = [
        optimizer.param_groups[0]["lr"]
        for _ in islice(cosine(distill(student, batches, optimizer, temperature=10.0), optimizer, 4, 2e-3), 6)
    ]
    assert rates == pytest.approx([1e-3 * (1 + c) for c in (0.5**0.5, 0, -(0.5**0.5), -1, -1, -1)])


def test_batches_have_no_graph_and_the_students_graph_ends_at_the_student():
    teacher, source, student, seen = ToyTeacher().double(), generator(), ToyStudent().double(), []
    student.register_forward_hook(lambda net, args, out: seen.append(toys.leaves(out)))
    before = copied(source), copied(teacher)
    given = []

    def watched():
        for batch in generated_batches(source, teacher, 6, seeded(7)):
            given.append(batch)
            yield batch

    list(islice(distill(student, watched(), adam(student), temperature=10.0), 3))
    assert seen == [set(student.parameters())] * 3
    for batch in given:
        for t in batch.images, batch.logits, batch.z:
            assert t.grad_fn is None and not t.requires_grad
    assert all(p.grad is None and p.requires_grad for net in (source, teacher) for p in net.parameters())
    assert same(source.state_dict(), before[0]) and same(teacher.state_dict(), before[1])  # running statistics too


def test_painting_restores_modes_and_ends_no_gradient_outside():
    source, teacher = generator().train(), ToyTeacher().double().train()
    batches = generated_batches(source, teacher, 6, seeded(7))
    next(batches)
    assert torch.is_grad_enabled() and source.training and teacher.training
    assert all(p.requires_grad for p in source.parameters())


def test_fit_is_cross_entropy_with_the_labels():
    net = ToyStudent().double().eval()
    twin, rng = copy.deepcopy(net).train(), seeded(3)
    batches = [
        Batch(
            torch.randn(6, 1, SIZE, SIZE, generator=rng, dtype=F64),
            targets=torch.randint(toys.CLASSES, (6,), generator=rng),
        )
        for _ in range(20)
    ]
    steps = list(fit(net, batches, adam(net)))
    assert len(steps) == 20 and steps[3].phase == "fit" and not net.training
    hand = toys.Adam(twin.parameters(), 1e-3)
    for batch, step in zip(batches, steps, strict=True):
        ln_p = toys.ln_softmax(twin(batch.images))
        loss = -sum(ln_p[i, k] for i, k in enumerate(batch.targets.tolist())) / 6
        assert step.raw["ce"] == pytest.approx(loss.item(), abs=1e-10)
        hand.step(loss)
    assert apart(net.state_dict(), twin.state_dict()) < 1e-9


# ---- what stops a run ------------------------------------------------------------------------------------------------


class Paper(nn.Module):
    """A source without running statistics: images 1 + w, so that a term can be broken at will."""

    def __init__(self, dtype=F64, w=0.0):
        super().__init__()
        self.w = nn.Parameter(torch.full((4, 1, SIZE, SIZE), w, dtype=dtype))

    def sample(self, n=None, rng=None):
        return Batch(1 + self.w)


def fine(b):
    return b.images.square().mean()


BROKEN = {
    "a value that is NaN": (F64, Term(lambda b: b.images.mean() * math.nan), "the value of term 'bad' is nan"),
    "a value that is infinite": (F64, Term(lambda b: b.images.mean() / 0), "the value of term 'bad' is inf"),
    "a gain that overflows": (
        torch.float32,
        Term(lambda b: 200 * b.images.mean(), damped=True),
        r"the gain of term 'bad' is inf \(loss 200.0, anchor 0.0\)",
    ),
    "a gain by its anchor": (F64, Term(fine, damped=True, anchor=-1e4), "the gain of term 'bad' is inf"),
    "a gradient": (F64, Term(lambda b: (b.images - 1).sum().sqrt()), "the gradient of term 'bad' is not finite"),
    "a gradient by its weight": (torch.float32, Term(lambda b: 99 * b.images.sum(), 1e38), "gradient of term 'bad'"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_not_finite_stops_the_run_before_the_optimiser_and_names_the_term(case):
    dtype, bad, sentence = BROKEN[case]
    source, teacher = Paper(dtype), ToyTeacher().to(dtype)
    optimizer = adam(source)
    objective = Objective(good=Term(fine, on=True), bad=bad)
    next(synthesise(teacher, source, Objective(good=Term(fine)), optimizer))  # moments that are not zero
    with torch.no_grad():
        source.w.zero_()
    before = snapshot(source, optimizer)
    with pytest.raises(FloatingPointError, match=f"synthesise step 7: .*{sentence}.*Nothing was updated"):
        next(synthesise(teacher, source, objective, optimizer, start=7))
    assert unchanged(source, optimizer, before)


@pytest.mark.parametrize("case", BROKEN)
def test_the_same_term_switched_off_stops_nothing(case):
    dtype, bad, _ = BROKEN[case]
    source, twin, teacher = Paper(dtype), Paper(dtype), ToyTeacher().to(dtype)
    objective = Objective(good=Term(fine), bad=copy.copy(bad))
    objective["bad"].on = False
    steps = list(islice(synthesise(teacher, source, objective, adam(source)), 3))
    list(islice(synthesise(teacher, twin, Objective(good=Term(fine)), adam(twin)), 3))
    assert same(source.state_dict(), twin.state_dict())
    assert all(s.gain["bad"] == 0.0 for s in steps)


def test_the_student_is_guarded_too():
    teacher, source, student = ToyTeacher(), generator(dtype=torch.float32), ToyStudent()
    optimizer = adam(student)
    before = snapshot(student, optimizer)
    bad = (Batch(b.images, logits=b.logits * math.inf) for b in generated_batches(source, teacher, 6, seeded(7)))
    with pytest.raises(FloatingPointError, match="distill step 0: the value of term 'kd'"):
        next(distill(student, bad, optimizer, temperature=10.0))
    assert unchanged(student, optimizer, before, buffers=False)


def test_a_gradient_that_breaks_behind_the_terms_is_not_blamed_on_one():
    class Kink(Paper):
        def sample(self, n=None, rng=None):
            return Batch(1 + self.w.abs().sqrt())

    source = Kink()
    optimizer = adam(source)
    before = snapshot(source, optimizer)
    with pytest.raises(FloatingPointError, match="the gradient in the networks behind the terms is not finite"):
        next(synthesise(ToyTeacher().double(), source, Objective(good=Term(fine)), optimizer))
    assert unchanged(source, optimizer, before)


@pytest.mark.parametrize(
    "other",
    [
        Term(lambda b: sum((mean - running).norm() for mean, _, running, _ in b.bn), needs=("bn",)),
        Term(lambda b: torch.ones((), dtype=F64)),
        Term(fine),
    ],
    ids=["reads BN statistics", "looks at nothing", "is fine"],
)
def test_the_search_for_the_culprit_survives_its_neighbours(other):
    objective = Objective(other=other, bad=Term(lambda b: (b.images - 1).sum().sqrt()))
    source = Paper()
    with pytest.raises(FloatingPointError, match="the gradient of term 'bad' is not finite"):
        next(synthesise(ToyTeacher().double(), source, objective, adam(source)))


def test_descend_needs_no_teacher_at_all():
    p = nn.Parameter(torch.tensor([3.0, -4.0], dtype=F64))
    batches = (Batch(p * 1) for _ in range(3))
    optimizer = torch.optim.SGD([p], 0.1)
    steps = list(descend(batches, Objective(l2=Term(lambda b: (b.images**2).sum())), optimizer, "toy", start=2))
    assert [s.i for s in steps] == [2, 3, 4] and steps[0].raw["l2"] == 25.0
    assert p.tolist() == pytest.approx([3.0 * 0.8**3, -4.0 * 0.8**3])


def test_a_last_batch_of_one_labelled_image_is_left_out():
    """BatchNorm knows no variance of one."""
    split = Split(torch.zeros(129, 1, 8, 8).byte(), torch.zeros(129).long(), (0.0,), (1.0,), ("a", "b"), "")
    batches = labelled_batches(split, seeded(0), "cpu")
    assert [len(next(batches).images) for _ in range(2)] == [128, 128]
