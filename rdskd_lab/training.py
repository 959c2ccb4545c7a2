"""The one training loop, the functions that feed it, and the adapters around it.

Every run is a Python generator of Steps: pull it with `for step in islice(steps, 2400)`.  There are no callbacks.
State lives in the arguments (source, objective, optimiser, random generator, index of the first step): copy all
five to fork a run, write them to disk to save it.
"""

import math
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from .batch import Batch, read, watch
from .losses import distillation
from .objective import Objective, Term, Words
from .torch_state import buffers_kept, frozen, train_mode


@dataclass(frozen=True)
class Step:
    """What just happened.  Holds no graph; it does hold the images, so keep the floats, not the Step."""

    i: int  # steps before this one
    phase: str  # "synthesise", "distill" or "fit"
    raw: dict[str, float]  # value of each term
    gain: dict[str, float]  # what damping did to its gradient; 0 where the term was off
    weight: dict[str, float]  # so that weight * gain is what really multiplied its gradient
    batch: Batch

    def row(self) -> dict[str, float | str]:
        """The step as one row of a history: phase, step, and NAME, NAME_gain, NAME_weight for each term."""
        row = {"phase": self.phase, "step": self.i}
        for name, raw in self.raw.items():
            row |= {name: raw, f"{name}_gain": self.gain[name], f"{name}_weight": self.weight[name]}
        return row


def descend(
    batches: Iterable[Batch], objective: Objective, optimizer: Optimizer, phase: str = "", start: int = 0
) -> Iterator[Step]:
    """Score each batch, take a gradient step and yield it.  Teacher, generator, pixels and student all train here.

    Raises FloatingPointError before the optimiser moves when a term that is on has a value, gain or gradient that
    is not finite.  The host waits for the device once per step, to read the record.
    """
    for i, batch in enumerate(batches, start):
        tally = objective(batch)
        numbers = [tally.raw, tally.gain]
        if tally.total is not None:
            optimizer.zero_grad()
            tally.total.backward()
            weights = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
            numbers.append(nn.utils.get_total_norm([p.grad for p in weights]).view(1))
        numbers = torch.cat(numbers).tolist()  # the one host synchronisation
        names = list(objective)
        raw, gain = dict(zip(names, numbers, strict=False)), dict(zip(names, numbers[len(names) :], strict=False))
        refuse_non_finite(i, phase, objective, raw, gain, numbers[-1], batch)
        if tally.total is not None:
            optimizer.step()
        yield Step(i, phase, raw, gain, {n: t.weight for n, t in objective.items()}, batch.detach())


def synthesise(teacher: nn.Module, source: nn.Module, objective: Objective, optimizer: Optimizer, *,
               batch_size: int | None = 512, rng: torch.Generator | None = None, start: int = 0,
               student: nn.Module | None = None, memory=None) -> Iterator[Step]:  # fmt: skip
    """Yield training steps that minimise `objective` on images from `source`.  Never ends.

    Teacher and student are frozen.  With every term off nothing changes: no weight, no running statistic.
    """

    def batches():
        while True:
            with train_mode(source, training=True), nullcontext() if objective.asks else buffers_kept(source):
                batch = source.sample(batch_size, rng)
            yield show(batch, objective, teacher, student, memory)

    return descend(batches(), objective, optimizer, "synthesise", start)


def show(batch: Batch, objective: Objective, teacher: nn.Module, student=None, memory=None) -> Batch:
    """Fill in what the terms of `objective` see: the teacher's answer, the memory, the student's answer if needed."""
    needs = objective.needs
    batch = replace(read(teacher, batch, needs), memory=memory)
    return watch(student, batch, "training" in needs) if "student" in needs else batch


def distill(
    student: nn.Module, batches: Iterable[Batch], optimizer: Optimizer, *, temperature: float = 1.0, start: int = 0
) -> Iterator[Step]:
    """Train `student` to answer as the teacher did, on `batches` of images and the teacher's logits."""
    return learn(student, batches, imitation(temperature), optimizer, "distill", start)


def fit(net: nn.Module, batches: Iterable[Batch], optimizer: Optimizer, *, start: int = 0) -> Iterator[Step]:
    """Train `net` on the labels in `targets`: this is how a teacher is made."""
    return learn(net, batches, labels(), optimizer, "fit", start)


def learn(
    net: nn.Module, batches: Iterable[Batch], objective: Objective, optimizer: Optimizer, phase: str, start: int = 0
) -> Iterator[Step]:
    """Train `net`, in training mode, to minimise `objective` on its answers to `batches`."""

    def answers():
        for batch in batches:
            with train_mode(net, training=True):
                answer = net(batch.images)
            yield replace(batch, student=answer)

    return descend(answers(), objective, optimizer, phase, start)


DISTILLATION = Words(
    "distillation loss",
    "T² · mean<sub>i</sub> KL(teacher<sub>i</sub> ‖ student<sub>i</sub>; T)",
    "nats × T²",
    "0 upwards",
    "The student should give the teacher's answers, softened by the temperature T. At 0 the two agree in every "
    "probability.",
    "distillation(student(x), t, temperature=T)",
)
CROSS_ENTROPY = Words(
    "cross-entropy",
    "−mean<sub>i</sub> Σ<sub>k</sub> y<sub>ik</sub> ln p<sub>ik</sub>",
    "nats per image",
    "0 upwards",
    "Each image should be answered with the label, or the soft answer, that it was given as its target.",
)


def imitation(temperature: float = 1.0) -> Objective:
    """Return a student's table: kd, its distance to the teacher's answers at this temperature."""
    return Objective(kd=Term(lambda b: distillation(b.student, b.logits, temperature), words=DISTILLATION))


def labels() -> Objective:
    """Return the table of a network that learns from labels: ce."""
    return Objective(ce=Term(lambda b: nn.functional.cross_entropy(b.student, b.targets), words=CROSS_ENTROPY))


def generated_batches(
    source: nn.Module, teacher: nn.Module, batch_size: int = 512, rng: torch.Generator | None = None
) -> Iterator[Batch]:
    """Yield fresh images of a finished source, in eval mode, with the teacher's answers, no graph.  Never ends."""
    while True:
        with torch.no_grad(), frozen(source):
            batch = read(teacher, source.sample(batch_size, rng))
        yield batch


# ---- adapters: steps in, steps out ---------------------------------------------------------------------------------


def reanchoring(steps: Iterable[Step], objective: Objective) -> Iterator[Step]:
    """Move the damping anchors after each step, each term by its own rule: RDSKD's penalty on increments."""
    for step in steps:
        objective.re_anchor(step.i, step.raw)
        yield step


def cosine(steps: Iterable[Step], optimizer: Optimizer, total: int, lr: float) -> Iterator[Step]:
    """Lower the learning rate from `lr` to 0 along half a cosine over `total` steps, by the step's own index."""
    for step in steps:
        for group in optimizer.param_groups:
            group["lr"] = lr * (1 + math.cos(math.pi * min(step.i + 1, total) / total)) / 2
        yield step


# ---- the check that everything is finite -----------------------------------------------------------------------------


def refuse_non_finite(
    i: int, phase: str, objective: Objective, raw: dict, gain: dict, norm: float, batch: Batch
) -> None:
    """Raise FloatingPointError if a term that is on has a value or gain that is not finite, or the gradient's norm."""
    for what, values in ("value", raw), ("gain", gain):
        for name, value in values.items():
            if objective[name].on and not math.isfinite(value):
                raise FloatingPointError(
                    f"{phase} step {i}: the {what} of term {name!r} is {value} (loss {raw[name]}, anchor "
                    f"{objective[name].anchor}). Nothing was updated; lower its weight or the learning rate, "
                    "or turn its damping off."
                )
    if not math.isfinite(norm):
        terms = blame(objective, batch)
        where = f"of term {terms[0]!r}" if terms else "in the networks behind the terms"
        raise FloatingPointError(
            f"{phase} step {i}: the gradient {where} is not finite. Nothing was updated; lower a weight "
            "or the learning rate."
        )


def blame(objective: Objective, batch: Batch) -> list[str]:
    """Find the terms whose gradient at what they see is not finite; slow, for the error message only."""
    leaves = batch.map(lambda t: t.detach().requires_grad_(t.is_floating_point()))
    return [name for name, term in objective.items() if term.on and not _finite_gradient(term, leaves)]


def _finite_gradient(term: Term, leaves: Batch) -> bool:
    inputs = [t for t in [*vars(leaves).values(), *sum(leaves.bn, ())] if isinstance(t, Tensor) and t.requires_grad]
    loss = term.asked(term.measure(leaves))
    if not (isinstance(loss, Tensor) and loss.requires_grad):
        return True  # it sees nothing of the batch
    return all(g.isfinite().all() for g in torch.autograd.grad(loss, inputs, allow_unused=True) if g is not None)
