"""A recorded run as data: to look back at, to resume from any step, to save and to send.

The numbers of every step, of the fixed probe after every second one, and the edits are in its `Record`.  Every STRIDE
steps it keeps a `Moment` (16 images and what the teacher and the terms make of them), every FREEZE steps a checkpoint.
When there are too many of either, every second one is dropped, so that they stay evenly spread.  It holds its terms
with their words, so that it can be looked at even where a later version has changed them.  `tracefile` writes it down.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace

import numpy as np
from torch import nn

from ... import __version__
from ...methods.method import Settings
from ...objective import Objective
from .checkpoint import freeze, thaw
from .experiment import PLAYABLE, Experiment, Look
from .record import Record, rule_of, words_of

STRIDE, FREEZE, PROBE_EVERY = 20, 100, 2  # steps
SHOWN = 16  # images of a moment, unless a trace asks for more (`shown`)
MOMENTS, CHECKPOINTS = 500, 10  # at most
LARGEST = 40e6  # bytes of checkpoints


class TraceError(ValueError):
    """A trace that cannot be opened or resumed; the message says why and what to do."""


@dataclass(frozen=True)
class Moment:
    """What could be seen after some step."""

    look: Look  # of 16 images
    shares: np.ndarray  # (K,) how the teacher sorts the latest training batches


class Trace:
    """One run so far: how it was set up, `record`, `moments` and `checkpoints` by step.

    terms   as they were set before step 0, with their words; they cannot be measured
    """

    def __init__(
        self,
        record: Record,
        *,
        terms: Objective,
        method: str,
        seed: int,
        settings: dict,
        classes: list[str],
        own_teacher: bool = False,
        start: str = "",
        version: str = __version__,
        shown: int = SHOWN,
    ):
        self.record, self.terms, self.method, self.seed, self.settings = record, terms, method, seed, settings
        self.classes, self.own_teacher, self.start, self.version = classes, own_teacher, start, version
        self.moments: dict[int, Moment] = {}
        self.checkpoints: dict[int, dict[str, np.ndarray]] = {}
        self.stride, self.freeze, self.shown = STRIDE, FREEZE, shown

    def __len__(self) -> int:
        return len(self.record)

    @property
    def form(self) -> tuple[int, int]:
        """Channels and size of its images."""
        return self.last_moment(len(self)).look.images.shape[1:3]

    def note(self, experiment: Experiment) -> None:
        """Keep what is due after this step."""
        if experiment.done % PROBE_EVERY == 0:
            self.record.add_measured(experiment.done, experiment.measure())
        if experiment.done % self.stride == 0:
            self.keep_moment(experiment)
        if experiment.done and experiment.done % self.freeze == 0:
            self.checkpoints[experiment.done] = freeze(experiment)
        while len(self.moments) > MOMENTS:
            self.stride *= 2
            self.moments = _every(self.stride, self.moments)
        while len(self.checkpoints) > 1 and (len(self.checkpoints) > CHECKPOINTS or self._size() > LARGEST):
            self.freeze *= 2
            self.checkpoints = _every(self.freeze, self.checkpoints)

    def keep_moment(self, experiment: Experiment) -> None:
        """Keep what can be seen now, due or not."""
        look = experiment.look()
        part = {name: getattr(look, name)[: self.shown] for name in ("images", "labels", "confidence")}
        self.moments[experiment.done] = Moment(replace(look, **part), experiment.shares())

    def last_moment(self, step: int) -> Moment:
        """Return what could be seen at `step`, or at the last moment before it that was kept."""
        return self.moments[max((at for at in self.moments if at <= step), default=min(self.moments))]

    def last_checkpoint(self, step: int) -> int:
        """Return the last step up to `step` from which the run can be resumed; 0, its seed, is always one."""
        return max((at for at in self.checkpoints if at <= step), default=0)

    def resume(self, step: int, teacher: nn.Module | None = None, **place) -> Experiment:
        """Rebuild the live run as it was after `step`, where a checkpoint or the start is, with the edits made there.

        `teacher` is needed again if the run had one of the learner's own, and so are its `data`; `place` may also name
        a device.
        """
        if step and step not in self.checkpoints:
            raise TraceError(
                f"there is no checkpoint at step {step:,}; the last before it is {self.last_checkpoint(step):,}"
            )
        if self.own_teacher and teacher is None:
            raise TraceError("this run had a teacher of your own, which a trace does not hold; give it (teacher=...)")
        if self.method not in PLAYABLE:
            raise TraceError(
                f"this version of rdskd-lab does not play {self.method!r}, so the run cannot be resumed, only looked "
                f"at; resume it with version {self.version}"
            )
        try:
            how = dict(teacher=teacher, settings=Settings(**self.settings), start=self.start, form=self.form) | place
            experiment = Experiment(self.method, self.seed, **how)
            self._set_terms(experiment.objective)
            if step:
                thaw(experiment, self.checkpoints[step])
        except TraceError:
            raise
        except Exception as error:  # a foreign file's settings and arrays can be wrong in any way
            raise TraceError(
                f"the run cannot go on from step {step:,} ({error}); take another step or trace"
            ) from error
        if experiment.done != step:
            raise TraceError(f"the checkpoint at step {step:,} belongs to step {experiment.done:,}; take another step")
        for edit in self.record.edits:
            if edit.step == step:
                experiment.change(edit)
        return experiment

    def _set_terms(self, objective: Objective) -> None:
        """Set terms of this version as those of the trace were before step 0."""
        if list(objective) != list(self.terms):
            raise TraceError(
                f"this run has the terms {', '.join(self.terms)}, and {self.method!r} in this version of rdskd-lab has "
                f"{', '.join(objective)}, so the run cannot be resumed, only looked at; resume it with version "
                f"{self.version}"
            )
        for name, was in self.terms.items():
            term = objective[name]
            term.weight, term.on, term.damped, term.strength = was.weight, was.on, was.damped, was.strength
            term.rule = was.rule if rule_of(was) else term.rule

    def until(self, step: int, experiment: Experiment) -> "Trace":
        """Copy this trace up to `step`, to continue with `experiment`, which was resumed there."""
        cut = Trace(self.record.until(step, experiment.objective), **self.facts(), shown=self.shown)
        cut.moments = {at: moment for at, moment in self.moments.items() if at <= step}
        cut.checkpoints = {at: arrays for at, arrays in self.checkpoints.items() if at <= step}
        cut.stride, cut.freeze = self.stride, self.freeze
        return cut

    def facts(self) -> dict:
        """Return how the run was set up."""
        names = "terms", "method", "seed", "settings", "classes", "own_teacher", "start"
        return {name: getattr(self, name) for name in names}

    def _size(self) -> int:
        return sum(array.nbytes for arrays in self.checkpoints.values() for array in arrays.values())


def begin(experiment: Experiment, own_teacher: bool = False, shown: int = SHOWN) -> Trace:
    """Start the trace of a run that has made no step yet; its moments keep `shown` images, 40 at most."""
    terms = Objective()
    for name, term in experiment.objective.items():
        words = replace(words_of(experiment.objective, name), script="")
        rule = term.rule if rule_of(term) else not_recorded
        terms[name] = replace(term, measure=not_recorded, words=words, rule=rule)
    trace = Trace(
        Record(experiment.objective),
        terms=terms,
        method=experiment.method,
        seed=experiment.seed,
        settings=asdict(experiment.run.settings),
        classes=experiment.classes,
        own_teacher=own_teacher,
        start=experiment.start,
        shown=shown,
    )
    trace.note(experiment)
    return trace


def not_recorded(*_):
    """Stand in a trace for a loss, or an anchor rule of the learner's own, which no trace holds."""
    raise TypeError("a recorded term cannot be measured or moved; resume the run (Trace.resume)")


def copy_run(experiment: Experiment, trace: Trace) -> tuple[Experiment, Trace]:
    """Copy a run in its state, and its trace so far; the copies share nothing that changes with the originals."""
    other = experiment.copy()
    return other, trace.until(other.done, other)


class RecordedStep:
    """A step of a trace in the place of a live experiment: everything that drawing needs of one."""

    def __init__(self, trace: Trace, step: int):
        self.method, self.seed, self.classes, self.done = trace.method, trace.seed, trace.classes, step
        self.objective = Objective({name: replace(term) for name, term in trace.terms.items()})
        self.learning, self.moment = False, trace.last_moment(step)
        for edit in trace.record.edits:
            if edit.step <= step:
                Experiment.change(self, edit)
        self.record = trace.record.until(step, self.objective)
        if not trace.record.probe["step"]:  # of a file that is older than the probe's own course
            for at in sorted(at for at in trace.moments if at <= step):
                self.record.add_probe(at, trace.moments[at].look.raw)
        for name, term in self.objective.items():
            column = self.record.columns[f"{name}_anchor"]
            term.anchor = column[-1] if len(column) else term.anchor

    def look(self) -> Look:
        """Return the images of the last moment."""
        return self.moment.look

    def shares(self) -> np.ndarray:
        """Return how the teacher sorted the training batches then, (K,) in [0, 1]."""
        return self.moment.shares


def retrain(trace: Trace, steps: int, teacher: nn.Module | None = None, start: int = 0) -> Iterator[tuple]:
    """Train again from `start`, where a checkpoint is, with the edits: yield (experiment, step) up to step `steps`."""
    experiment = trace.resume(start, teacher)
    todo = [edit for edit in trace.record.edits if edit.step > start]
    for step in experiment.steps():
        yield experiment, step
        while todo and todo[0].step == experiment.done:
            experiment.change(todo.pop(0))
        if experiment.done >= steps:
            return


def _every(stride: int, kept: dict) -> dict:
    return {step: what for step, what in kept.items() if step % stride == 0}
