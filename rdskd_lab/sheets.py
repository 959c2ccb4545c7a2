"""Images as parameters, a sheet at a time: a new sheet of noise, many steps, its best images kept, the next sheet.

`Sheets` is the source, `keeping_best` and `renewing` are the adapters that ride on its steps.  The best images are a
copy: published codes keep `best = x.data`, an alias of what goes on changing, and so return the last images instead.
"""

import math
from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor

from .batch import Batch, last_linear, read
from .loops import Step
from .sources import Pixels


class Sheets(Pixels):
    """Pixels that begin anew; what has been best of the present sheet is part of their state."""

    def __init__(self, draw: Callable[[int], Tensor], channels: int, size: int, jitter: int, rng: torch.Generator):
        """`draw(k)` gives the k-th sheet's targets; `rng` its first pixels, N(0, 1), as normalised data are."""
        super().__init__(draw(0), channels, size, jitter, rng)
        self.draw = draw
        self.register_buffer("best", self.images.detach().clone())
        self.register_buffer("lowest", torch.tensor(math.inf))

    @torch.no_grad()
    def renew(self, k: int, rng: torch.Generator) -> None:
        """Begin the k-th sheet."""
        self.targets.copy_(self.draw(k))
        self.images.copy_(torch.randn(self.images.shape, generator=rng))
        self.lowest.fill_(math.inf)


def keeping_best(steps: Iterable[Step], run) -> Iterator[Step]:
    """Copy the images whenever their sum of terms is the lowest of this sheet: as the teacher saw them, jitter too."""
    for step in steps:
        on = [name for name, gain in step.gain.items() if gain]
        total = sum(step.weight[name] * step.raw[name] for name in on)
        if total < run.source.lowest:
            run.source.lowest.fill_(total)
            run.source.best.copy_(step.batch.images)
        yield step


def renewing(steps: Iterable[Step], run) -> Iterator[Step]:
    """After `sheet_steps` steps, let the pool have the sheet's best images and begin the next one, moments and all."""
    for step in steps:
        sheet, rest = divmod(step.i + 1, run.settings.sheet_steps)
        if not rest:
            with torch.no_grad():
                run.pool.add(read(run.teacher, Batch(run.source.best)))
            run.source.renew(sheet, run.rng)
            run.source_optimizer.state.clear()
        yield step


# ---- what a sheet should become -------------------------------------------------------------------------------------


def of_labels(run) -> Sheets:
    """Sheets whose images should become class 0, 1, 2 ... and again.  Source: DeepInversion, published code."""
    s = run.settings
    labels = torch.arange(s.batch_size) % run.classes
    return Sheets(lambda k: labels, run.channels, run.size, s.jitter, run.rng)


def of_dirichlet(run) -> Sheets:
    """Sheets whose images should become soft answers that the last layer makes likely, beta 1.0 and 0.1 by turns."""
    s, head = run.settings, last_linear(run.teacher)
    return Sheets(lambda k: dirichlet_targets(head, s.batch_size, (1.0, 0.1)[k % 2], run.rng),
                  run.channels, run.size, s.jitter, run.rng)  # fmt: skip


def dirichlet_targets(head: torch.nn.Linear, n: int, beta: float = 1.0, rng: torch.Generator | None = None) -> Tensor:
    """ZSKD's soft targets (n, K): Dirichlet draws, class after class, whose concentration is class similarity.

    alpha_c = beta (r - min r) / (max r - min r) + 1e-4, where r is row c of the cosines between the rows of the head's
    weight (K, D).  The published code stretches once more after multiplying, so that its beta of 0.1 did nothing.
    """
    w = torch.nn.functional.normalize(head.weight.detach(), dim=1)
    r = w @ w.T
    low, high = r.amin(1, keepdim=True), r.amax(1, keepdim=True)
    alpha = (beta * (r - low) / (high - low) + 1e-4)[torch.arange(n) % len(w)]
    gamma = torch._standard_gamma(alpha.double().cpu(), generator=rng).clamp_min(1e-300)
    return (gamma / gamma.sum(1, keepdim=True)).to(w)
