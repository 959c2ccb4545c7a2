"""Recover by itself: notice a collapse or a loss that is not finite, go back to the last good state, go on otherwise.

    for step in recovering(run): ...          # in place of `for step in run`
    run.recovered                             # what happened, one Recovery each

The remedies are tried in the order of the list and stay once they were tried: each from the last good state, or from
the one before where the last did not help.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from functools import partial

import torch

from ..distillation import Distillation
from ..evaluation.image_quality import rare
from ..training import Step

EVERY = 50  # steps between two looks
GRACE = 200  # steps that a generator has to find half of the classes, and a student to answer with more than one


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


def slower(run: Distillation, rate: str, optimizer: str) -> None:
    """Divide a learning rate by 4."""
    run.settings = replace(run.settings, **{rate: getattr(run.settings, rate) / 4})
    for group in getattr(run, optimizer).param_groups:
        group["lr"] = getattr(run.settings, rate)


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


slower_generator = partial(slower, rate="lr", optimizer="source_optimizer")
slower_student = partial(slower, rate="student_lr", optimizer="student_optimizer")
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
    watch: "Watch | None" = None,
) -> Iterator[Step]:
    """Yield the run's remaining steps, or those of `steps()`; undo those that lead into trouble and try again.

    Steps that were undone have been yielded; `undone(recovery)` is called after each undoing.  Without trouble the run
    is bit for bit the same as without this.  One that was cut needs its `watch` back to go the same way.  Raises
    FloatingPointError when all remedies were tried.
    """
    steps, watch = steps or (lambda: iter(run)), watch or Watch()
    if not watch.good:
        watch.keep(run)
    while True:
        trouble, phase = "", "synthesise"
        try:
            for step in steps():
                phase = step.phase
                if trouble := watch.look(run, step):
                    break
                yield step
        except FloatingPointError as error:
            phase = run.turns[sum(run.done.values())]  # whose step failed
            trouble = str(error).split(". Nothing was updated")[0]
        if not trouble:
            return
        tried = sum(r.phase == phase for r in run.recovered)
        if tried == len(REMEDIES[phase]):
            raise FloatingPointError(
                f"{trouble}; all {tried} remedies were tried before: " + "; ".join(map(str, run.recovered))
            )
        watch.go_back(run, phase, trouble, REMEDIES[phase][tried][0])
        undone(run.recovered[-1])


def apply(run: Distillation, recovery: Recovery) -> None:
    """Change a run as a recovery's remedy says, and note it."""
    dict(REMEDIES[recovery.phase])[recovery.remedy](run)
    run.recovered = [*run.recovered, recovery]


@dataclass
class Watch:
    """Looks at the steps that pass, every EVERY of them, and keeps the last two good states; goes into a checkpoint."""

    good: list[dict] = field(default_factory=list)
    seen: dict[str, list] = field(default_factory=dict)  # the answers since the last look, by phase
    had: bool = False  # half of the classes before

    def keep(self, run: Distillation) -> None:
        """Take the run as it is now for a good one."""
        now = {"state": run.state(), "settings": asdict(run.settings), "remedies": len(run.recovered)}
        self.good = [*self.good[-1:], now]

    def go_back(self, run: Distillation, phase: str, trouble: str, remedy: str) -> None:
        """Put the run back to a good state, with the remedies that were tried since then and a new one."""
        at, tried = run.done[phase], run.recovered
        if any(recovery.phase == phase for recovery in tried[self.good[-1]["remedies"] :]):  # it did not help
            self.good = self.good[:1]
        back = self.good[-1]
        run.restore(back["state"])
        run.settings, run.recovered = replace(run.settings, **back["settings"]), tried[: back["remedies"]]
        for recovery in [*tried[back["remedies"] :], Recovery(phase, at, trouble, run.done[phase], remedy)]:
            apply(run, recovery)
        self.seen, self.had = {}, False

    def look(self, run: Distillation, step: Step) -> str:
        """Return what is wrong with the steps since the last look, in words; "" if nothing is, or before the next."""
        seen = self.seen.setdefault(step.phase, [])
        seen.append((step.batch.logits if step.phase == "synthesise" else step.batch.student).argmax(1))
        if len(seen) < EVERY:
            return ""
        labels = torch.cat([part.cpu() for part in seen])
        seen.clear()
        classes = int((~rare(torch.bincount(labels, minlength=run.classes))).sum())
        healthy = classes >= run.classes / 2 if step.phase == "synthesise" else classes > 1
        late = step.i + 1 >= GRACE or self.had
        self.had |= step.phase == "synthesise" and healthy
        if healthy:
            self.keep(run)
        if healthy or not late:
            return ""
        if step.phase == "synthesise":
            return f"the teacher takes the generator's images for {classes} of {run.classes} classes"
        return "the student gives the same answer to every image"
