"""Images as parameters, a sheet at a time: a new sheet of noise, many steps, its best images kept, the next sheet.

`Sheets` is the source, `keeping_best` and `renewing` are the adapters of its steps.  The best images are a copy:
released codes keep `best = x.data`, an alias of what goes on changing, and so return the last images instead.
"""

import math
from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor, nn

from ..batch import Batch, read
from ..training import Step


class Pixels(nn.Module):
    """A sheet of images that are themselves the parameters, each with something to become.

    targets (M,) or (M, K); `jitter` rolls the whole sheet by up to that many pixels while training, so that no
    image depends on the position of its pixels.  A sample is a copy, so that a batch still shows what was measured
    when the optimiser has moved the sheet.  Source: DeepInversion, released code.
    """

    def __init__(
        self, targets: Tensor, channels: int = 1, size: int = 32, jitter: int = 0, rng: torch.Generator | None = None
    ):
        super().__init__()
        self.images = nn.Parameter(torch.randn(len(targets), channels, size, size, generator=rng))
        self.register_buffer("targets", targets)
        self.jitter = jitter

    def sample(self, n: int | None = None, rng: torch.Generator | None = None) -> Batch:
        """Return all images, or `n` of them drawn without replacement."""
        images, targets = self.images.clone(), self.targets.clone()
        if self.training and self.jitter:
            shift = torch.randint(-self.jitter, self.jitter + 1, (2,), generator=rng).tolist()
            images = images.roll(shift, (2, 3))
        if n is not None and n < len(images):
            pick = torch.randperm(len(images), generator=rng)[:n].to(images.device)
            images, targets = images[pick], targets[pick]
        return Batch(images, targets=targets)


class Sheets(Pixels):
    """Pixels that begin anew; what has been best of the present sheet is part of their state."""

    def __init__(self, draw: Callable, channels: int, size: int, jitter: int, rng: torch.Generator):
        """`draw(k, rng)` gives the k-th sheet's targets; `rng` its first pixels, N(0, 1), as normalised data are."""
        super().__init__(draw(0, rng), channels, size, jitter, rng)
        self.draw = draw
        self.register_buffer("best", self.images.detach().clone())
        self.register_buffer("lowest", torch.tensor(math.inf))

    @torch.no_grad()
    def renew(self, k: int, rng: torch.Generator) -> None:
        """Begin the k-th sheet."""
        self.targets.copy_(self.draw(k, rng))
        self.images.copy_(torch.randn(self.images.shape, generator=rng))
        self.lowest.fill_(math.inf)


def classes_of(k: int, n: int, classes: int) -> Tensor:
    """Return the classes of the k-th sheet of n images, (n,): 0, 1, 2 ..., or where the last ended if n is too few."""
    return (torch.arange(n) + k * n * (n < classes)) % classes


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
    """After `sheet_steps` steps, add the sheet's best images to the pool and begin the next one, moments and all."""
    for step in steps:
        sheet, rest = divmod(step.i + 1, run.settings.sheet_steps)
        if not rest:
            with torch.no_grad():
                run.pool.add(read(run.teacher, Batch(run.source.best)))
            run.source.renew(sheet, run.rng)
            run.source_optimizer.state.clear()
        yield step


IMPRESSIONS = dict(
    adapters=(keeping_best, renewing),
    seen="images that were optimised pixel by pixel, and the teacher's answers to them",
)
