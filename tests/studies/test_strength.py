"""The study of damping's strength: each control differs from the damped run in what its name says, and in nothing else."""

import math

import numpy as np
import pytest
import torch

from rdskd_lab.studies import strength
from rdskd_lab.studies.strength import ARMS, adapted, gains_of, norms_of, rescaled, scheduled, summary, undamped
from rdskd_lab.studies.verdict import Verdict, holm, judge


@pytest.fixture
def config(monkeypatch):
    monkeypatch.setattr(strength, "STEPS", 6)
    return strength._config(3, 20.0, "previous")


def weights(run) -> torch.Tensor:
    for _ in run.synthesise():
        pass
    return torch.cat([w.detach().flatten() for w in run.generator.parameters()])


def test_weights_that_stay_1_are_the_plain_run_and_others_are_not(config):
    plain = weights(undamped(config))
    assert torch.equal(weights(adapted(undamped(config), scheduled([{"oh": 1.0, "ie": 1.0}] * 6))), plain)
    assert not torch.equal(weights(adapted(undamped(config), scheduled([{"oh": 2.0, "ie": 1.0}] * 6))), plain)


def test_the_damped_runs_gains_in_their_own_order_are_the_damped_run(config):
    """A gain is what multiplies a gradient, so weights can stand in for damping."""
    gains = gains_of(ARMS["damped"](config))
    assert gains[0] == {"oh": 1.0, "ie": 1.0} and gains[1]["oh"] != 1.0
    damped, shuffled = (weights(ARMS[arm](config)) for arm in ("damped", "shuffled"))
    replayed = weights(adapted(undamped(config), scheduled(gains)))
    assert (replayed - damped).norm() < 0.05 * (shuffled - damped).norm()  # Adam's first moves magnify rounding


def test_a_constant_weight_is_the_mean_gain(config):
    gains = gains_of(ARMS["damped"](config))
    run = ARMS["constant"](config)
    steps = list(run.synthesise())
    assert steps[2].weight["ie"] == pytest.approx(np.mean([g["ie"] for g in gains]))
    assert not any(term.damped for term in run.objective.values())


def test_moves_are_as_long_as_they_are_told_to_be_and_keep_their_direction(config):
    plain, wanted = undamped(config), [0.1, 0.2, 0.3, 0.2, 0.1, 0.05]
    other = adapted(undamped(config), rescaled(wanted))
    assert norms_of(other) == pytest.approx(wanted, rel=1e-3)
    one = [w.detach().clone() for w in plain.generator.parameters()]
    fresh = adapted(undamped(config), rescaled(wanted))
    next(plain.synthesise()), next(fresh.synthesise())
    moves = [
        torch.cat([(w.detach() - b).flatten() for w, b in zip(run.generator.parameters(), one, strict=True)])
        for run in (plain, fresh)
    ]
    assert torch.cosine_similarity(*moves, 0).item() == pytest.approx(1, abs=1e-5)


def test_what_a_course_is_said_to_be():
    """A straight fall by 0.01 a step, with a rise of 0.02 after every second step."""
    fall = [1.0]
    for step in range(200):
        fall.append(fall[-1] + (0.02 if step % 2 else -0.03))
    found = summary(fall, 0.5)
    assert found["probe"] == pytest.approx(0.01)
    assert found["equal"] == pytest.approx(0.01)
    assert found["end"] == pytest.approx(np.mean(fall[-20:]))
    means = [np.mean(fall[i - 19 : i + 1]) for i in range(19, 201)]
    assert found["reached"] == 19 + next(i for i, m in enumerate(means) if m <= 0.5)
    assert summary(fall, -9.0)["reached"] is None and summary(fall, -9.0)["equal"] is None


def test_holm_multiplies_the_smallest_p_by_their_number_and_the_next_by_one_less():
    def verdict(p, low=0.1):
        return Verdict("", "", "", 0.5, low, 0.9, 5, p=p)

    found = holm([verdict(0.01), verdict(0.04), verdict(0.03), Verdict("", "", "", math.nan, math.nan, math.nan, 1)])
    assert [v.p for v in found[:3]] == pytest.approx([0.03, 0.06, 0.06])
    assert [v.verdict for v in found] == ["holds", "undecided", "undecided", "too few pairs"]
    alike, apart = (judge("", "", "", differences) for differences in ([0.0, 0.0, 0.0], [1.0, 1.1, 0.9]))
    assert [v.verdict for v in holm([alike, apart])] == ["undecided", "holds"]  # where no seed differs, scipy has no p


def test_a_narrow_interval_around_0_says_how_small_the_difference_is():
    wide, narrow = (Verdict("", "", "", 0.0, -half, half, 5, small=0.1) for half in (0.2, 0.05))
    assert (wide.verdict, narrow.verdict) == ("undecided", "smaller than 0.1")


def test_the_plan_has_each_control_ten_times_and_every_trial_once():
    plan = strength.plan()
    main = [t for t in plan if not t.kind]
    assert {t.arm for t in main} >= {"damped", *strength.CONTROLS, "rescaled"}
    assert all(sum(t.arm == arm for t in main) == 10 for arm in {t.arm for t in main})
    assert {t.config.seed for t in plan} == set(range(100, 110))
    assert len({t.key for t in plan}) == len(plan)
