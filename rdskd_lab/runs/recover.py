"""Recover by itself: notice a collapse or a loss that is not finite, go back to the last good state, go on otherwise.

    for step in recovering(run): ...          # in place of `for step in run`
    run.recovered                             # what happened, one Recovery each

The remedies are tried in the order of the list, each from the last good state, and stay once they were tried.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch

from ..distillation import Distillation
from ..training import Step

EVERY = 50  # steps between two looks
GRACE = 200  # steps that a generator has to find half of the classes, and a student to answer with more than one
RARE = 0.01  # share of images below which a class does not count


@dataclass(frozen=True)
class Recovery:
    """One trouble and its remedy."""

    phase: str
    step: int  # at which it was noticed
    trouble: str  # in words
    back_to: int  # the step from which it went on
    remedy: str  # in words

    def __str__(self) -> str:
        stage = {"synthesise": "generator", "distill": "student"}[self.phase]
        return f"{stage} step {self.step}: {self.trouble}; undone to step {self.back_to}, then {self.remedy}"


class Unrecovered(FloatingPointError):
    """No remedy is left."""


def slower_generator(run: Distillation) -> None:
    """Divide the generator's learning rate by 4."""
    run.settings = replace(run.settings, lr=run.settings.lr / 4)
    for group in run.source_optimizer.param_groups:
        group["lr"] = run.settings.lr


def more_classes(run: Distillation) -> None:
    """Count the term of class diversity three times, and undamped, so that its pull has a limit."""
    run.objective["ie"].weight *= 3
    run.objective["ie"].damped = False


def stop_generator(run: Distillation) -> None:
    """End the generator's training here: the student learns from what the pool holds, and from procedural images."""
    run.done["synthesise"] = run.settings.generator_steps
    if run.pool.filled < run.settings.student_batch_size:
        run.pool.filled = 0
        run.settings = replace(run.settings, procedural=1.0)


def slower_student(run: Distillation) -> None:
    """Divide the student's learning rate by 4."""
    run.settings = replace(run.settings, student_lr=run.settings.student_lr / 4)
    for group in run.student_optimizer.param_groups:
        group["lr"] = run.settings.student_lr


REMEDIES: dict[str, tuple[tuple[str, Callable], ...]] = {
    "synthesise": (
        ("with a quarter of the generator's learning rate", slower_generator),
        ("with the class diversity term times 3 and undamped", more_classes),
        ("without the generator from here on", stop_generator),
    ),
    "distill": (
        ("with a quarter of the student's learning rate", slower_student),
        ("with a sixteenth of the student's learning rate", slower_student),
    ),
}


def recovering(
    run: Distillation,
    steps: Callable[[], Iterator[Step]] | None = None,
    undone: Callable[[Recovery], None] = lambda recovery: None,
) -> Iterator[Step]:
    """Yield the run's remaining steps, or those of `steps()`; undo those that lead into trouble and try again.

    Steps that were undone have been yielded; `undone(recovery)` is called after each undoing.  Without trouble the run
    is bit for bit the same as without this.  Raises `Unrecovered` when all remedies were tried.
    """
    steps, good = steps or (lambda: iter(run)), deque([run.state()], maxlen=2)
    watch = _Watch(run)
    while True:
        trouble, phase = "", "synthesise"
        try:
            for step in steps():
                phase = step.phase
                if trouble := watch(step):
                    break
                if watch.healthy:
                    good.append(run.state())
                yield step
        except FloatingPointError as error:
            if isinstance(error, Unrecovered):
                raise
            phase = _turn(run)
            trouble = str(error).split(". Nothing was updated")[0]
        if not trouble:
            return
        tried = sum(r.phase == phase for r in run.recovered)
        if tried == len(REMEDIES[phase]):
            raise Unrecovered(
                f"{trouble}; all {tried} remedies were tried before: " + "; ".join(map(str, run.recovered))
            )
        at, back = run.done[phase], good[0 if tried else -1]  # further back, if the last good state did not help
        run.restore(back)
        recovery = Recovery(phase, at, trouble, run.done[phase], REMEDIES[phase][tried][0])
        apply(run, recovery)
        good.clear()
        good.append(run.state())
        watch = _Watch(run)
        undone(recovery)


def apply(run: Distillation, recovery: Recovery) -> None:
    """Change a run as a recovery's remedy says, and note it."""
    dict(REMEDIES[recovery.phase])[recovery.remedy](run)
    run.recovered = [*run.recovered, recovery]


class _Watch:
    """Looks at the steps that pass, every EVERY of them; says what is wrong with them, or that they are healthy."""

    def __init__(self, run: Distillation):
        self.run, self.healthy, self.seen = run, False, {"synthesise": [], "distill": []}
        self.had = False  # half of the classes before

    def __call__(self, step: Step) -> str:
        self.healthy = False
        self.seen[step.phase].append(self._labels(step))
        if len(self.seen[step.phase]) < EVERY:
            return ""
        labels, half = torch.cat(self.seen[step.phase]), self.run.classes / 2
        self.seen[step.phase] = []
        share = torch.bincount(labels, minlength=self.run.classes) / len(labels)
        classes = int((share >= RARE).sum())
        self.healthy = classes >= half if step.phase == "synthesise" else classes > 1
        late = step.i + 1 >= GRACE or self.had
        self.had |= step.phase == "synthesise" and self.healthy
        if self.healthy or not late:
            return ""
        if step.phase == "synthesise":
            return f"the teacher takes the generator's images for {classes} of {self.run.classes} classes"
        return "the student gives the same answer to every image"

    def _labels(self, step: Step) -> torch.Tensor:
        logits = step.batch.logits if step.phase == "synthesise" else step.batch.student
        return logits.argmax(1)


def _turn(run: Distillation) -> str:
    """Return whose step failed."""
    return run.turns[min(sum(run.done.values()), len(run.turns) - 1)]
