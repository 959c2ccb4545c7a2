"""Two parabolas in conflict: what the penalty on increments does, exactly.  docs/damping.md explains it.

    python benchmarks/damping_toy.py              # prints the figures of that page; two minutes

One weight x and two losses, k1 (x - 1)^2 / 2 and k2 (x + 1)^2 / 2, trained by the package's own loop in float64.  They
balance at x* = (k1 - k2) / (k1 + k2), where both still have a gradient.
"""

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from rdskd_lab.batch import Batch
from rdskd_lab.evaluation.image_quality import fluctuation
from rdskd_lab.objective import ANCHORS, Objective, Term
from rdskd_lab.training import descend, reanchoring

RATE, MOMENTUM = 0.05, 0.9
STRENGTHS = 1.0, 3.0, 10.0, 20.0


def parabolas(x: Tensor, strength: float, curvature: tuple[float, float] = (1.0, 1.0), anchor: str = "previous"):
    """Return the table of both losses at `x`, damped by `strength`, and of a push that differs in every batch.

    The push is a linear term, so that its gradient is the noise of a batch and the parabolas stay what they are.
    """

    def damped(k: float, centre: float) -> Term:
        on = dict(damped=True, strength=strength, rule=ANCHORS[anchor]) if strength else {}
        return Term(lambda b: k * (x - centre).square().sum() / 2, **on)

    first, second = (damped(k, centre) for k, centre in zip(curvature, (1.0, -1.0), strict=True))
    return Objective(first=first, second=second, push=Term(lambda b: (b.images * x).sum()))


def course(
    strength: float, steps: int, *, start: float = 0.0, noise: float = 0.0, momentum: float = MOMENTUM, seed: int = 0
) -> dict[str, list[float]]:
    """Train x from `start`: return x after each step, and both losses before it."""
    x = nn.Parameter(torch.tensor([start], dtype=torch.float64))
    table = parabolas(x, strength)
    for name in ("first", "second"):  # from the first step on, also for b = 1, whose anchors start at 0
        table[name].anchor = table[name].measure(Batch(x)).item()
    optimizer = torch.optim.SGD([x], lr=RATE, momentum=momentum, dampening=momentum)
    found = {"x": [], "first": [], "second": []}
    for step in reanchoring(descend(pushes(steps, noise, seed), table, optimizer), table):
        found["x"].append(x.item())
        for name in ("first", "second"):
            found[name].append(step.raw[name])
    return found


def pushes(steps: int, noise: float, seed: int) -> Iterator[Batch]:
    """Yield one normal number for each step, with standard deviation `noise`."""
    rng = torch.Generator().manual_seed(seed)
    for push in noise * torch.randn(steps, 1, generator=rng, dtype=torch.float64):
        yield Batch(push)


def effective_momentum(strength: float, momentum: float = MOMENTUM, slopes: float = 2.0) -> float:
    """Compute beta - (1 - beta) rate b sum g^2; `slopes` is that sum at the balance, 2 for the two parabolas."""
    return momentum - (1 - momentum) * RATE * strength * slopes


def factor(strength: float, momentum: float = MOMENTUM) -> float:
    """Compute the factor by which the rule changes the mean increment of a noisy run, by the formula."""
    return math.sqrt((1 - momentum**2) / (1 - effective_momentum(strength, momentum) ** 2))


def main() -> None:
    """Print the formula beside a simulation."""
    for momentum in MOMENTUM, 0.0:
        plain = fluctuation(course(0.0, 40_000, noise=1.0, momentum=momentum)["first"])
        for strength in STRENGTHS if momentum else STRENGTHS[:2]:
            found = fluctuation(course(strength, 40_000, noise=1.0, momentum=momentum)["first"]) / plain
            beta = effective_momentum(strength, momentum)
            words = f"momentum {momentum:g}, b = {strength:g}: beta_eff {beta:.3f}"
            print(f"{words}, factor {factor(strength, momentum):.3f} by the formula, {found:.3f} in a simulation")


if __name__ == "__main__":
    main()
