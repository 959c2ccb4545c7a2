"""The student's optimisers and their falling rate, restated by hand."""

from types import SimpleNamespace

import pytest
import torch
from toys import F64

from rdskd_lab.methods.building_blocks import optimizer, stepwise


@pytest.mark.parametrize("kind", ["sgd", "adam"])
def test_the_students_optimisers_are_what_their_formulas_say(kind):
    net, lr, target = torch.nn.Linear(3, 1, bias=False).double(), 0.1, torch.tensor([[1.0, -2.0, 3.0]], dtype=F64)
    given = optimizer(net, SimpleNamespace(student_optimizer=kind, student_lr=lr))
    w = net.weight.detach().clone()
    m, v = torch.zeros_like(w), torch.zeros_like(w)
    for i in range(1, 6):
        given.zero_grad()
        ((net.weight - target) ** 2).sum().backward()
        given.step()
        g = 2 * (w - target)
        if kind == "sgd":
            m = 0.9 * m + g + 5e-4 * w
            w = w - lr * m
        else:
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
            w = w - lr * (m / (1 - 0.9**i)) / ((v / (1 - 0.999**i)).sqrt() + 1e-8)
    assert torch.allclose(net.weight, w, rtol=0, atol=1e-12)


def test_the_stepwise_rate_falls_to_a_tenth_when_each_share_of_the_steps_is_done():
    given = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], 1.0)
    steps = stepwise((SimpleNamespace(i=i) for i in range(10)), given, 10, 1e-2)
    rates = [given.param_groups[0]["lr"] for _ in steps]
    assert rates == pytest.approx([1e-2] * 3 + [1e-3] * 4 + [1e-4] * 3)
