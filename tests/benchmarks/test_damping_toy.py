"""What docs/damping.md says of the penalty on increments, in float64, with the package's own terms and loop."""

import math

import pytest
import torch
from damping_toy import MOMENTUM, RATE, course, effective_momentum, factor, parabolas
from torch.optim import Adam

from rdskd_lab.batch import Batch
from rdskd_lab.evaluation.image_quality import fluctuation
from rdskd_lab.objective import Objective, Term

STILL = Batch(torch.zeros(1, 1, dtype=torch.float64))


def slope(table: Objective, x: torch.Tensor) -> float:
    return torch.autograd.grad(table(STILL).total, x)[0].item()


def leaf(value: float) -> torch.Tensor:
    return torch.tensor([value], dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("strength", [0.5, 1.0, 3.0])
def test_with_fixed_anchors_the_direction_is_that_of_a_log_sum_exp_and_the_size_is_not(strength):
    w = torch.linspace(-0.4, 0.5, 5, dtype=torch.float64).requires_grad_()
    losses = [lambda b: (w - 1).square().sum() / 2, lambda b: w.cos().sum(), lambda b: (3 * w).sin().sum()]
    weights = (1.0, 0.5, 2.0)
    anchors = [loss(STILL).item() - rise for loss, rise in zip(losses, (0.3, -0.4, 0.1), strict=True)]
    table = Objective(
        {str(k): Term(loss, weight=v, damped=True, strength=strength, anchor=a)
         for k, (loss, v, a) in enumerate(zip(losses, weights, anchors, strict=True))}
    )  # fmt: skip
    (penalty,) = torch.autograd.grad(table(STILL).total, w)
    rises = torch.stack([loss(STILL) - a for loss, a in zip(losses, anchors, strict=True)])
    smooth = torch.logsumexp(strength * rises + torch.tensor(weights, dtype=torch.float64).log(), 0) / strength
    (softmax,) = torch.autograd.grad(smooth, w)
    assert torch.cosine_similarity(penalty, softmax, 0).item() == pytest.approx(1, abs=1e-12)
    assert (penalty.norm() / softmax.norm()).item() == pytest.approx(math.exp(strength * smooth.item()))


def test_the_penalty_becomes_the_plain_sum_as_its_strength_goes_to_0():
    x = leaf(0.3)
    gentle, plain = (slope(parabolas(x, strength, (1.0, 2.5)), x) for strength in (1e-7, 0.0))
    assert gentle == pytest.approx(plain, rel=1e-6)


def test_a_strong_penalty_follows_the_term_that_rose_most():
    x = leaf(0.3)
    table = parabolas(x, 2.0)
    for name, rise in (("first", -1.0), ("second", 0.5)):
        table[name].anchor = table[name].measure(STILL).item() - rise
    assert slope(table, x) == pytest.approx(math.exp(1.0) * 1.3 + math.exp(-2.0) * -0.7)


def test_with_the_anchor_at_the_previous_step_no_function_is_minimised():
    """At one and the same x, the gradient depends on where the run came from."""
    x, found = leaf(0.3), []
    for before in (0.2, 0.4):
        table = parabolas(x, 10.0)
        for name, centre in (("first", 1.0), ("second", -1.0)):
            table[name].anchor = (before - centre) ** 2 / 2
        found.append(slope(table, x))
    assert found[0] > slope(parabolas(x, 0.0), x) > found[1]


@pytest.mark.parametrize("momentum", [0.0, 0.5, MOMENTUM])
@pytest.mark.parametrize("strength", [1.0, 5.0])
def test_near_the_balance_the_rule_is_friction(strength, momentum):
    """The exact run beside the linear one of momentum beta_eff and rate (1 - beta) / (1 - beta_eff)."""
    tiny = 1e-7
    exact = course(strength, 30, start=tiny, momentum=momentum)["x"]
    u, v, linear = tiny, 0.0, []
    for step in range(30):  # in the first step the anchor is where the run stands: no friction yet
        beta = effective_momentum(strength, momentum) if step else momentum
        rate = RATE * (1 - momentum) / (1 - beta)
        v = (
            beta * v - ((1 - beta) if step else 1.0) * (rate if step else RATE) * 2 * u
        )  # PyTorch begins with a whole one
        u += v
        linear.append(u)
    assert exact == pytest.approx(linear, rel=1e-4, abs=1e-12)


@pytest.mark.parametrize("strength", [3.0, 20.0])
def test_it_calms_a_noisy_run_with_momentum_as_the_formula_says(strength):
    plain, damped = (fluctuation(course(b, 3_000, noise=1.0)["first"]) for b in (0.0, strength))
    assert damped / plain == pytest.approx(factor(strength), rel=0.05)
    assert factor(strength) < 0.9


def test_without_momentum_it_does_the_opposite():
    plain, damped = (fluctuation(course(b, 3_000, noise=1.0, momentum=0.0)["first"]) for b in (0.0, 3.0))
    assert damped / plain == pytest.approx(factor(3.0, 0.0), rel=0.05)
    assert damped > plain


def test_a_constant_gain_cancels_in_adam():
    """After the estimates have settled, a term alone moves the weights as far with a gain of 3 as without."""
    ends = []
    for gain in (1.0, 3.0):
        x = torch.nn.Parameter(torch.tensor([3.0], dtype=torch.float64))
        optimizer = Adam([x], lr=0.01, eps=0.0)
        for _ in range(50):
            optimizer.zero_grad()
            (gain * x.square().sum()).backward()
            optimizer.step()
        ends.append(x.item())
    assert ends[0] == pytest.approx(ends[1], rel=1e-12)


def test_two_batch_means_differ_by_the_floor_that_the_page_states():
    sigma, n = 1.7, 16
    rng = torch.Generator().manual_seed(0)
    means = (sigma * torch.randn(40_000, n, generator=rng, dtype=torch.float64)).mean(1).tolist()
    assert fluctuation(means) == pytest.approx(sigma / math.sqrt(math.pi * n), rel=0.02)


def test_the_mean_gain_of_noise_alone_is_above_1():
    rng = torch.Generator().manual_seed(0)
    noise = 0.5 * torch.randn(200_000, generator=rng, dtype=torch.float64)
    assert noise.exp().mean().item() == pytest.approx(math.exp(0.5**2 / 2), rel=0.01)
