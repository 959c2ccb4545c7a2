"""What methods are made of, beside their tables of terms: what is optimised, when the student trains, what it sees.

Each part is a function of the run (`distillation.Distillation`) or of its settings.
"""

from collections.abc import Iterable, Iterator
from functools import partial
from itertools import repeat

import torch
from torch import nn

from ..batch import Batch, read
from ..generator import Generator
from ..losses import bn_statistics
from ..objective import Term, Words
from ..torch_state import seeded, train_mode
from ..training import Step, cosine, generated_batches
from .fast_generator import lean
from .image_pool import warp

# ---- what is optimised ----------------------------------------------------------------------------------------------


def generator(run) -> Generator:
    """Make a generator; its initial weights depend on the run's seed."""
    s = run.settings
    return lean(seeded(run.seed, Generator, s.latent, run.channels, run.size, s.width))


# ---- adapters: what is kept of its steps ----------------------------------------------------------------------------


def pooling(steps: Iterable[Step], run) -> Iterator[Step]:
    """Keep every batch that trained the source, if the settings say that the student trains on a pool."""
    for step in steps:
        if run.settings.pooled:
            run.pool.add(step.batch)
        yield step


def remembering(steps: Iterable[Step], run) -> Iterator[Step]:
    """Hold the batch that has just trained the source, for a student that is to see the same one (`live`)."""
    for step in steps:
        run.latest = step.batch
        yield step


# ---- when the student trains: whose step it is, one after the other -------------------------------------------------


def after(s) -> Iterator[str]:
    """Train the source first, then the student."""
    yield from repeat("synthesise", s.generator_steps)
    yield from repeat("distill", s.student_steps)


def by_turns(s) -> Iterator[str]:
    """Take turns: `sheet_steps` steps of the source, `student_turn` of the student, and so on."""
    for _ in range(_rounds(s)):
        yield from repeat("synthesise", s.sheet_steps)
        yield from repeat("distill", s.student_turn)


def student_first(s) -> Iterator[str]:
    """Take turns, each round beginning with the student."""
    for _ in range(_rounds(s)):
        yield from repeat("distill", s.student_turn)
        yield from repeat("synthesise", s.sheet_steps)


def _rounds(s) -> int:
    rounds = s.generator_steps // s.sheet_steps
    if s.student_steps != rounds * s.student_turn:
        raise ValueError(
            f"here the student takes {s.student_turn} steps after every {s.sheet_steps} of the source, so "
            f"student_steps must be {rounds * s.student_turn}, not {s.student_steps}"
        )
    return rounds


# ---- what the student sees: batches from the `start`-th on; they never end ------------------------------------------


def finished(run, start: int) -> Iterator[Batch]:
    """Yield the images that trained the source, slightly warped, or fresh ones from it, as the settings say."""
    s = run.settings
    if s.pooled:
        how = dict(seed=run.seed, start=start, augment=s.augment, reuse=s.reuse)
        return run.pool.batches(run.teacher, s.student_batch_size, **how)
    return generated_batches(run.source, run.teacher, s.student_batch_size, run.rng)


def live(run, start: int) -> Iterator[Batch]:
    """Yield the batch that has just trained the source, as published; if pooled, images of all batches so far."""
    if run.settings.pooled:
        yield from growing(run, start)
    while True:
        yield run.latest


def in_training(run, start: int) -> Iterator[Batch]:
    """Yield fresh images of a source in training mode: its BatchNorms use the batch, and their statistics change."""
    while True:
        with torch.no_grad(), train_mode(run.source, training=True):
            batch = run.source.sample(run.settings.student_batch_size, run.rng)
        yield read(run.teacher, batch)


def growing(run, start: int) -> Iterator[Batch]:
    """Yield images drawn from all that the pool holds so far, warped by `augment`, answered anew by the teacher."""
    s, pool = run.settings, run.pool
    while True:
        rows = torch.randint(pool.filled, (s.student_batch_size,), generator=run.rng).to(pool.images.device)
        images = pool.images[rows].to(next(run.teacher.parameters()).dtype)
        with torch.no_grad():
            batch = read(run.teacher, Batch(warp(images, s.augment, run.rng) if s.augment else images))
        yield batch  # out here, since a generator's `with` would hold for whoever pulls it


# ---- how the student's learning rate falls --------------------------------------------------------------------------


def stepwise(
    steps: Iterable[Step], optimizer: torch.optim.Optimizer, total: int, lr: float, at: tuple[float, ...] = (0.4, 0.8)
) -> Iterator[Step]:
    """Divide the learning rate by 10 whenever a share in `at` of `total` steps is done, by the step's own index."""
    for step in steps:
        for group in optimizer.param_groups:
            group["lr"] = lr * 0.1 ** sum(step.i + 1 >= share * total for share in at)
        yield step


SCHEDULES = {"cosine": cosine, "steps": stepwise, "late": partial(stepwise, at=(0.8,))}


def optimizer(net: nn.Module, s) -> torch.optim.Optimizer:
    """Make the student's optimiser: Adam, or SGD with momentum 0.9 and weight decay 5e-4."""
    if s.student_optimizer == "sgd":
        return torch.optim.SGD(net.parameters(), s.student_lr, momentum=0.9, weight_decay=5e-4)
    fused = next(net.parameters()).device.type in ("cpu", "cuda")
    return torch.optim.Adam(net.parameters(), s.student_lr, fused=fused)


# ---- a term that several methods have -------------------------------------------------------------------------------


BN = Words(
    "BatchNorm statistics",
    "Σ<sub>layers</sub> ‖σ² − σ̂²‖ + ‖μ − μ̂‖",
    "units of the teacher's activations",
    "0 upwards",
    "Inside the teacher a batch should have the means and variances of its training data (DeepInversion).",
    "bn_statistics(seen)",
)


def bn_term(weight: float, needs: str = "bn") -> Term:
    """Return R_f as a row; 0 where there is no BatchNorm to match.

    `Distillation` refuses such a teacher if the term is on, or takes the row out if it `needs` "any bn".
    """
    return Term(lambda b: bn_statistics(b.bn) if b.bn else b.images.new_zeros(()), weight, needs=(needs,), words=BN)
