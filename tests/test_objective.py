"""The table of terms: what weight, on, damped and anchor do to the gradient, and when each anchor moves."""

import copy
import math
from functools import partial

import pytest
import torch
from toys import F64, seeded

from rdskd_lab.batch import Batch
from rdskd_lab.methods.rdskd import rdskd
from rdskd_lab.objective import ANCHORS, Objective, Term, average, epoch, previous


def batch(seed=0, n=6, k=4, dtype=F64):
    rng = seeded(seed)
    images = torch.randn(n, 1, 3, 3, generator=rng, dtype=dtype, requires_grad=True)
    return Batch(images, logits=torch.randn(n, k, generator=rng, dtype=dtype, requires_grad=True))


def square(b):
    return (b.logits**2).mean()


def cube(b):
    return (b.logits**3).sum() / 7


def touch(b):
    return (b.images.sum((1, 2, 3)) * b.logits[:, 0]).mean()


def table():
    return Objective(
        a=Term(square, weight=0.7, damped=True, anchor=0.3), b=Term(cube, weight=-2.0), c=Term(touch, weight=5.0)
    )


def gradients(objective, b):
    return torch.autograd.grad(objective(b).total, (b.images, b.logits), allow_unused=True, materialize_grads=True)


# ---- what is asked ---------------------------------------------------------------------------------------------------


def test_the_total_is_the_sum_of_w_exp_L_minus_a_where_damped_and_w_L_where_plain():
    b = batch()
    want = 0.7 * math.exp(square(b).item() - 0.3) - 2 * cube(b).item() + 5 * touch(b).item()
    assert table()(b).total.item() == pytest.approx(want, rel=1e-14)


def test_rdskd_is_exp_oh_plus_exp_ie_plus_ds_without_any_weight():
    # methods.md 1.1: L_G = exp(L_OH - L^_OH) + exp(L_IE - L^_IE) + L_DS, references start at 0
    b, objective = batch(), rdskd()
    assert list(objective) == ["oh", "ie", "ds"]
    p = b.logits.softmax(1)
    oh = -(p.max(1).values.log().sum() / 6).item()
    m = p.mean(0)
    ie = (m * m.log()).sum().item()
    ds = ((p[3:] - p[:3]).norm() / (b.images[3:] - b.images[:3]).norm()).item()
    assert objective(b).total.item() == pytest.approx(math.exp(oh) + math.exp(ie) + ds, rel=1e-8)
    objective["oh"].anchor, objective["ie"].anchor = 0.4, -1.1
    assert objective(b).total.item() == pytest.approx(math.exp(oh - 0.4) + math.exp(ie + 1.1) + ds, rel=1e-8)
    assert objective(b).raw.tolist() == pytest.approx([oh, ie, ds], rel=1e-8)
    assert objective(b).gain.tolist() == pytest.approx([math.exp(oh - 0.4), math.exp(ie + 1.1), 1.0])


def test_gain_is_exp_L_minus_a_if_damped_1_if_plain_0_if_off():
    b, objective = batch(), table()
    objective["c"].on = False
    tally = objective(b)
    assert tally.gain.tolist() == pytest.approx([math.exp(square(b).item() - 0.3), 1.0, 0.0])
    assert not tally.gain.requires_grad and not tally.raw.requires_grad


@pytest.mark.parametrize("off", [[], ["a"], ["b", "c"], ["c"]])
def test_weight_times_gain_is_what_multiplies_each_terms_gradient(off):
    b, objective = batch(), table()
    for name in off:
        objective[name].on = False
    gain = objective(b).gain.tolist()
    got = gradients(objective, b)
    for leaf, g in zip((b.images, b.logits), got, strict=True):
        want = torch.zeros_like(leaf)
        for (_, term), gain_ in zip(objective.items(), gain, strict=True):
            (dl,) = torch.autograd.grad(term.measure(b), leaf, allow_unused=True, materialize_grads=True)
            want += term.weight * gain_ * dl
        assert torch.allclose(g, want, rtol=1e-13, atol=1e-15)


def test_the_anchor_is_a_number_and_carries_no_gradient():
    b, objective = batch(), Objective(a=Term(square, damped=True))
    objective.re_anchor(1, {"a": objective(b).raw.item()})
    (g,) = torch.autograd.grad(objective(b).total, b.logits)
    (plain,) = torch.autograd.grad(square(b), b.logits)
    assert isinstance(objective["a"].anchor, float)
    assert torch.equal(g, plain)  # gain 1: were the anchor part of the graph, this would be 0


# ---- off -------------------------------------------------------------------------------------------------------------


def test_off_is_still_measured_but_never_differentiated():
    seen = []

    def watched(b):
        seen.append(torch.is_grad_enabled())
        return square(b)

    b = batch()
    objective = Objective(a=Term(watched, on=False), b=Term(cube))
    assert objective(b).raw.tolist() == pytest.approx([square(b).item(), cube(b).item()])
    assert objective(b).total.item() == pytest.approx(cube(b).item())
    assert seen == [False, False]
    objective["a"].on = True
    objective(b)
    assert seen == [False, False, True]


def test_weight_0_is_on_and_adds_nothing():
    b, objective, absent = batch(), table(), table()
    objective["c"].weight = 0.0
    del absent["c"]
    tally = objective(b)
    assert tally.gain[2] == 1.0 and tally.total.item() == absent(b).total.item()
    for x, y in zip(gradients(objective, b), gradients(absent, b), strict=True):
        assert torch.equal(x, y)


@pytest.mark.parametrize("asks", [("on",) * 3, ("weight",) * 3, ("on", "weight", "on")])
def test_where_nothing_is_asked_there_is_no_total_but_every_value(asks):
    b, objective = batch(), table()
    for term, name in zip(objective.values(), asks, strict=True):
        assert objective.asks
        setattr(term, name, False if name == "on" else 0.0)
    tally = objective(b)
    assert not objective.asks and tally.total is None
    assert tally.raw.tolist() == pytest.approx([square(b).item(), cube(b).item(), touch(b).item()])


def test_scoring_inside_no_grad_stays_without_a_graph():
    with torch.no_grad():
        assert not table()(batch()).total.requires_grad


# ---- when anchors move -----------------------------------------------------------------------------------------------


def values(steps=300):
    return [1 + math.sin(i / 7) + i / 100 for i in range(steps)]


def used(rule, steps=300):
    """The anchor that each step was damped by, when anchors move after each step."""
    objective, anchors = Objective(a=Term(square, damped=True, rule=rule)), []
    for i, raw in enumerate(values(steps)):
        anchors.append(objective["a"].anchor)
        objective.re_anchor(i, {"a": raw})
    return anchors


def test_epoch_starts_at_0_and_is_taken_after_the_second_step_of_every_120():
    # methods.md 1.1: epoch 0, i = 0, 1 use 0; epoch e, i = 2..119 use (e, i=1); epoch e+1, i = 0, 1 still use (e, i=1)
    raw, anchors = values(), used(epoch)
    assert anchors[0] == anchors[1] == 0.0
    assert set(anchors[2:122]) == {raw[1]}  # to step 121, which is the second of its epoch and still uses the old one
    assert set(anchors[122:242]) == {raw[121]}
    assert set(anchors[242:300]) == {raw[241]}


def test_epoch_length_and_place_can_be_chosen():
    raw, anchors = values(12), used(partial(epoch, every=5, at=3), 12)
    assert anchors == [0.0] * 4 + [raw[3]] * 5 + [raw[8]] * 3


def test_previous_is_the_value_one_step_ago():
    assert used(previous) == [0.0] + values()[:-1]


def test_average_starts_at_the_first_value_and_forgets_over_50_steps():
    raw, anchors = values(), used(average)
    assert anchors[0] == 0.0 and anchors[1] == raw[0]
    want = raw[0]
    for i in range(1, 299):
        want = want + 0.02 * (raw[i] - want)
        assert anchors[i + 1] == pytest.approx(want, rel=1e-12)


def test_the_rules_have_names_and_the_published_one_is_the_default():
    assert ANCHORS == {"epoch": epoch, "previous": previous, "average": average}
    assert Term(square).rule is epoch and Term(square).anchor == 0.0 and not Term(square).damped
    assert [(t.rule, t.damped, t.weight, t.on) for t in rdskd().values()] == [
        (epoch, True, 1.0, True),
        (epoch, True, 1.0, True),
        (epoch, False, 1.0, True),
    ]


def test_each_term_follows_its_own_rule_from_its_own_value():
    objective = Objective(a=Term(square, rule=previous), b=Term(cube, rule=partial(epoch, every=3, at=0)))
    objective.re_anchor(0, {"a": 1.0, "b": 10.0})
    objective.re_anchor(1, {"a": 2.0, "b": 20.0})
    assert (objective["a"].anchor, objective["b"].anchor) == (2.0, 10.0)


@pytest.mark.parametrize("rule", ANCHORS.values())
def test_a_value_that_is_not_finite_never_becomes_an_anchor(rule):
    # a term that is off may be NaN for a while; switched on again later, it must not be damped by that NaN
    objective = Objective(a=Term(square, damped=True, on=False, rule=rule))
    for i, raw in enumerate([1.0, math.nan, math.inf]):
        objective.re_anchor(i, {"a": raw})
    objective.re_anchor(121, {"a": math.nan})
    assert math.isfinite(objective["a"].anchor)


# ---- the table itself ------------------------------------------------------------------------------------------------


def test_an_unknown_term_is_named_and_so_are_those_there_are():
    with pytest.raises(KeyError, match=r"no term 'dd'; this objective has oh, ie, ds"):
        rdskd()["dd"]


def test_a_table_keeps_its_order_and_can_be_copied_whole():
    objective = rdskd()
    twin = copy.deepcopy(objective)
    twin["oh"].weight, twin["oh"].anchor = 3.0, 1.0
    assert list(twin) == list(objective) and type(twin) is Objective
    assert (objective["oh"].weight, objective["oh"].anchor) == (1.0, 0.0)


def test_it_asks_the_teacher_for_no_more_than_its_terms_need():
    assert rdskd().needs == set()
    terms = {"a": Term(square, needs=("features",)), "b": Term(cube, needs=("features", "bn"), on=False)}
    assert Objective(terms).needs == {"features", "bn"}  # off is still measured, so it still needs


# ---- strength --------------------------------------------------------------------------------------------------------


def flat(b, rule, steps=40, rate=0.3):
    """Descend on w exp(b (L - a)) / b for L = x^2 / 2 + sin 3x by its closed-form gradient, in plain floats."""
    x, anchor, rows = 1.7, None if b != 1 else 0.0, []
    for i in range(steps):
        loss, slope = x * x / 2 + math.sin(3 * x), x + 3 * math.cos(3 * x)
        reference = loss if anchor is None else anchor
        gain = math.exp(b * (loss - reference))
        gain = min(max(gain, 1 / 20), 20) if b != 1 else gain
        rows.append((loss, gain, reference))
        x -= rate * 0.1 * 0.7 * gain * slope
        anchor = rule(i, loss, reference)
    return rows, x


@pytest.mark.parametrize("b", [0.0, 0.5, 1.0, 7.0, 20.0, 50.0])
@pytest.mark.parametrize("rule", [partial(epoch, every=7), previous, average])
def test_strength_is_a_flat_loop_with_the_closed_form_gradient(b, rule):
    x = torch.tensor(1.7, dtype=F64, requires_grad=True)
    term = Term(lambda batch: x * x / 2 + (3 * x).sin(), 0.7, damped=True, strength=b, rule=rule)
    objective, rows = Objective(a=term), []
    for i in range(40):
        tally = objective(None)
        (slope,) = torch.autograd.grad(tally.total, x)
        raw, gain = tally.raw.item(), tally.gain.item()
        rows.append((raw, gain, term.start(raw)))
        with torch.no_grad():
            x -= 0.3 * 0.1 * slope
        objective.re_anchor(i, {"a": raw})
    want, end = flat(b, rule)
    assert rows == [pytest.approx(row, rel=1e-9, abs=1e-12) for row in want] and x.item() == pytest.approx(end)
    assert rows[0][1] == (1 if b != 1 else pytest.approx(math.exp(rows[0][0])))
    if b == 0:
        assert {gain for _, gain, _ in rows} == {1.0}


def test_gains_are_held_between_a_twentieth_and_20_and_never_at_the_strength_1():
    for anchor, held, free in (-9.0, 20, math.exp(9 + 0.3)), (9.0, 1 / 20, math.exp(0.3 - 9)):
        for b, want in (1.0, free), (3.0, held):
            x = torch.tensor(0.3, dtype=F64, requires_grad=True)
            term = Term(lambda batch, x=x: x, 2.0, damped=True, strength=b, anchor=anchor)
            tally = Objective(a=term)(None)
            assert tally.gain.item() == pytest.approx(want)
            assert torch.autograd.grad(tally.total, x)[0].item() == pytest.approx(2 * want)


def test_what_is_asked_is_w_exp_b_L_minus_a_over_b_and_goes_on_as_its_tangent_where_the_gain_is_held():
    term = Term(square, 0.7, damped=True, strength=5.0, anchor=0.3)
    for loss in 0.1, 0.3, 0.8:
        want = 0.7 * math.exp(5 * (loss - 0.3)) / 5
        assert term.asked(torch.tensor(loss, dtype=F64)).item() == pytest.approx(want)
    edge = 0.3 + math.log(20) / 5
    want = 0.7 * (20 / 5 + 20 * 0.5)
    assert term.asked(torch.tensor(edge + 0.5, dtype=F64)).item() == pytest.approx(want)


def test_strength_1_is_bit_for_bit_the_released_code():
    loss = torch.randn(50, generator=seeded(3)).requires_grad_()
    term = Term(square, 0.7, damped=True, anchor=-0.37)
    ours, theirs = (torch.autograd.grad(f.sum(), loss)[0] for f in (term.asked(loss), 0.7 * (loss + 0.37).exp()))
    assert torch.equal(ours, theirs) and torch.equal(term.gain(loss), (loss + 0.37).exp())
