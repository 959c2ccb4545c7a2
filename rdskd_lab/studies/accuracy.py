"""Whose student is best under equal budgets?  Every method and control, tested on MNIST's official images."""

from collections.abc import Iterable

from ..methods.rdskd import PRESETS
from ..methods.registry import METHODS
from .engine import Study, Trial, plan_trial
from .students import RIVALS, WORDS, right, train_student
from .verdict import Verdict, judge, paired

# A method of your own is in no stored table, so it is not planned for by itself.
FIELD = ("rdskd", "rdskd+bn", *RIVALS, "adaptive", "dfad", "noise", "untrained", "real", "labels")


def plan(seeds: Iterable[int] = range(5), preset: str = "classroom", device: str = "cpu") -> list[Trial]:
    """Plan every method and control with its settings of a preset and one budget.

    The budget is what the student sees: as many batches as RDSKD's does there (in `classroom` 4,000 of 128).  A source
    continues for as long as it then has to.
    """
    trials, steps = [], PRESETS[preset].student_steps
    for method in FIELD:
        s = METHODS[method].presets[preset]
        sheets = s.generator_steps * steps // s.student_steps // s.sheet_steps  # whole ones; else a sheet is a step
        change = {"student_steps": steps, "generator_steps": sheets * s.sheet_steps}
        common = dict(data="mnist", change=change, preset=preset, device=device)
        trials += [plan_trial(method, seed, train_student, **common) for seed in seeds]
        if method == "rdskd":  # once more with the teacher that DeepInversion needs, or the teachers would be compared
            other = "teacher lenet5-bn", "teacher"
            trials += [plan_trial(method, seed, train_student, *other, teacher="lenet5-bn", **common) for seed in seeds]
    return trials


def verdicts(rows: list[dict]) -> list[Verdict]:
    """Judge RDSKD's student against each rival's, seed by seed; both by the same teacher."""
    rows, found = [r | {"accuracy": right(r)} for r in rows], []
    for rival in RIVALS:
        teacher = next((r["teacher"] for r in rows if r["method"] == rival), None)
        found.append(
            judge(
                f"RDSKD's student is better than that of {rival}",
                "accuracy",
                f"student's accuracy, rdskd less rival, teacher {teacher}",
                paired(rows, {"method": "rdskd", "teacher": teacher}, {"method": rival}, "accuracy"),
                unit=" points",
                main=True,
                label=f"rdskd against {rival}",
            )
        )
    return found


STUDY = Study(
    name="accuracy",
    question="Whose student is best under equal budgets?",
    rank=3,
    trials=plan,
    verdicts=verdicts,
    how_to_read="Every student sees the same number of images. Methods without terms are controls: noise and untrained "
    "have images that were not optimised, real and labels have real images.",
    apart="Budgets are equal in what the student sees; what it costs to make the images differs. Each method has its "
    "own `classroom` preset, and the search for RDSKD's settings was longer (`search.csv`). DeepInversion needs "
    "BatchNorm, so it is compared with RDSKD with the same teacher.",
    **WORDS,
)
