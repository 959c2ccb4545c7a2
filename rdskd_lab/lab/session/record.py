"""The numbers of a run: every step and every edit.  With both, the bare loop repeats the run exactly."""

from array import array
from dataclasses import dataclass, replace
from math import isfinite
from numbers import Real

import numpy as np

from ...methods.registry import describe
from ...objective import ANCHORS, CLAMP, STRONGEST, Objective, Term, Words
from ...training import Step

FIELDS = ("on", "weight", "damped", "rule", "strength")  # of a Term, that may be edited
WINDOW, BLOCKS = 100, 10  # steps over which a fluctuation is taken, and parts of them for its error
STUDENT = "student"  # in the place of a term: whether the student learns along, the field "learns"
HEAVIEST = 100.0  # weight
PARTS = ("", "_gain", "_weight", "_anchor", "_damped", "_strength")  # of a term, that are written down at each step


@dataclass(frozen=True)
class Edit:
    """One change of one term, or of whether the student learns, made before step `step`."""

    step: int
    term: str  # or STUDENT
    field: str  # one of FIELDS; of STUDENT: "learns"
    value: bool | float | str  # of `rule`: a key of ANCHORS

    def check(self, objective: Objective) -> None:
        """Raise an error that says so if these terms have no such field, or the field no such value."""
        fields = FIELDS
        if self.term == STUDENT:
            fields = ("learns",)
        else:
            objective[self.term]  # a KeyError here names the terms
        if self.field not in fields:
            raise ValueError(f"{self.term} has no {self.field!r} to edit; it has {', '.join(fields)}")
        most = {"weight": HEAVIEST, "strength": STRONGEST}.get(self.field)
        if most is not None:
            if not (_is_number(self.value) and 0 <= self.value <= most):
                raise ValueError(f"a {self.field} lies between 0 and {most:g}; it is {self.value}")
        elif self.field == "rule":
            if self.value not in list(ANCHORS):
                raise ValueError(f"no anchor rule {self.value!r}; there are {', '.join(ANCHORS)}")
        elif not (_is_number(self.value) and self.value in (0, 1)):
            raise ValueError(f"{self.term}: {self.field!r} is True or False, not {self.value!r}")

    def apply(self, objective: Objective) -> bool:
        """Change the term and return True, or return False if it was so already."""
        value = ANCHORS[self.value] if self.field == "rule" else self.value
        if getattr(objective[self.term], self.field) == value:
            return False
        setattr(objective[self.term], self.field, value)
        return True

    def __str__(self) -> str:
        words = {"on": ("off", "on"), "damped": ("plain", "damped"), "learns": ("rests", "learns")}.get(self.field)
        if words:
            return f"{self.term} {words[bool(self.value)]}"
        if self.field == "strength":
            return f"{self.term} damped x {self.value:g}"
        return f"{self.term} x {self.value:g}" if self.field == "weight" else f"{self.term} {self.value}"


def checked(objective: Objective, term: str, field: str, value: object, step: int = 0) -> Edit:
    """Make an edit of what a learner asked for, or raise an error that says what is wrong with it."""
    edit = Edit(step, term, field, value)
    edit.check(objective)
    kind = {"weight": float, "strength": float, "rule": str}.get(field, bool)
    return replace(edit, value=kind(value))


def words_of(objective: Objective, name: str) -> Words:
    """Return what a term is in words: its own, or the package's for its key."""
    return describe(name, objective.words)


def rule_of(term: Term) -> str:
    """Return the name of a term's anchor rule; "" for one of the learner's own."""
    return next((rule for rule, function in ANCHORS.items() if function is term.rule), "")


class Record:
    """Columns that grow: 8 bytes a number, so that a long evening of playing fits in a few megabytes."""

    def __init__(self, objective: Objective, phase: str = "synthesise"):
        self.phase = phase
        self.names = tuple(objective)
        self.columns = {"step": array("q")} | {n + part: array("d") for n in objective for part in PARTS}
        self.edits: list[Edit] = []
        self.probe = {"step": array("q")} | {name: array("d") for name in objective}  # terms on the fixed probe
        self.seen = {"step": array("q"), "classes": array("d"), "certainty": array("d")}  # `Experiment.measure`
        self.student = {"step": array("q"), "accuracy": array("d")}  # accuracy in [0, 1]
        self.anchors = {name: term.anchor for name, term in objective.items()}

    def __len__(self) -> int:
        return len(self.columns["step"])

    def add(self, step: Step, objective: Objective) -> None:
        """Write a step down; its anchors are those that were in force, `objective` already has the next ones."""
        self.columns["step"].append(step.i)
        for name in self.names:
            term = objective[name]
            row = step.raw[name], step.gain[name], step.weight[name], self.anchors[name], term.damped, term.strength
            for part, value in zip(PARTS, row, strict=True):
                self.columns[name + part].append(value)
            self.anchors[name] = term.anchor

    def add_probe(self, step: int, raw: dict[str, float]) -> None:
        """Write down the terms on the fixed probe after `step` steps; a second call for a step replaces the first."""
        _append(self.probe, step, raw)

    def add_measured(self, step: int, found) -> None:
        """Write down what `Experiment.measure` found after `step` steps."""
        self.add_probe(step, found.raw)
        _append(self.seen, step, {"classes": found.classes, "certainty": found.certainty})

    def add_accuracy(self, step: int, accuracy: float) -> None:
        """Write down the student's accuracy in [0, 1] after the generator's `step` steps."""
        _append(self.student, step, {"accuracy": accuracy})

    def until(self, step: int, objective: Objective) -> "Record":
        """Copy the first `step` steps and the edits up to there, to continue with `objective` as it stands."""
        copy = Record(objective, self.phase)
        copy.columns = {name: column[:step] for name, column in self.columns.items()}
        copy.edits = [edit for edit in self.edits if edit.step <= step]
        for mine, its in (self.probe, copy.probe), (self.seen, copy.seen), (self.student, copy.student):
            kept = sum(at <= step for at in mine["step"])
            its |= {name: column[:kept] for name, column in mine.items()}
        return copy

    def column(self, name: str) -> np.ndarray:
        """Copy a column, one number per step: "step", or NAME and its PARTS for a term."""
        return np.array(self.columns[name], dtype=float)

    def clamped(self, name: str, last: int = 100) -> float:
        """Return the share of the last steps in which a gain was held at 1/20 or 20, in [0, 1]; 0 at strength 1."""
        raw, anchor, strength, damped = (
            np.array(self.columns[name + part][-last:]) for part in ("", "_anchor", "_strength", "_damped")
        )
        held = (damped > 0) & (strength != 1) & (anchor != 0)  # 0: no anchor yet, and the gain is 1
        return float((held & (np.abs(strength * (raw - anchor)) > CLAMP)).mean()) if len(raw) else 0.0

    def fluctuation(self, name: str, window: int = WINDOW, start: int = 0) -> tuple[float, float] | None:
        """Return F of the last `window` steps from `start` on, with its standard error; None before there were so many.

        F is the mean positive increment a step on the fixed probe.  Neighbouring increments depend on each other (a
        rise follows a fall), so the error is that of the mean of BLOCKS blocks, each a run of increments.
        """
        steps = np.array(self.probe["step"])
        if not len(steps) or steps[-1] - window < start:
            return None
        kept = steps >= steps[-1] - window
        rises = np.maximum(np.diff(np.array(self.probe[name])[kept]), 0) / np.diff(steps[kept])
        blocks = [block.mean() for block in np.array_split(rises, BLOCKS) if len(block)]
        return float(rises.mean()), float(np.std(blocks, ddof=1) / np.sqrt(len(blocks)))

    def history(self) -> dict[str, np.ndarray]:
        """Return all columns, in the form that `reporting.charts` draws."""
        return {"phase": np.full(len(self), self.phase)} | {name: self.column(name) for name in self.columns}


def _is_number(value: object) -> bool:
    return isinstance(value, Real | np.bool_) and isfinite(value)


def _append(columns: dict[str, array], step: int, values: dict[str, float]) -> None:
    if columns["step"] and columns["step"][-1] == step:
        for name, value in values.items():
            columns[name][-1] = value
        return
    columns["step"].append(step)
    for name, value in values.items():
        columns[name].append(value)
