"""The flight recorder: a played run as data, to look back at, to go back into, to save and to send.

Scalars of every step and the edits are in its `Record`; every STRIDE steps a `Moment` (16 images and what the teacher
and the terms say to them), every FREEZE steps a checkpoint.  Both are thinned by halves when they grow too many, which
leaves them evenly spread.  `tracefile` writes a trace down.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace

import numpy as np
from torch import nn

from ... import __version__
from ...methods.method import Settings
from .checkpoint import freeze, thaw
from .experiment import PLAYABLE, Experiment, Look
from .record import Record

STRIDE, FREEZE = 20, 100  # steps
SHOWN = 16  # images of a moment
MOMENTS, CHECKPOINTS = 500, 10  # at most
HEAVIEST = 40e6  # bytes of checkpoints


class TraceError(ValueError):
    """A trace that cannot be opened or gone on with; the message says why and what to do."""


@dataclass(frozen=True)
class Moment:
    """What could be seen after some step."""

    look: Look  # of 16 images
    shares: np.ndarray  # (K,) how the teacher sorts the latest training batches


class Trace:
    """One run so far: how it was set up, `record`, `moments` and `checkpoints` by step."""

    def __init__(self, record: Record, *, method: str, seed: int, settings: dict, classes: list[str],
                 own_teacher: bool = False, version: str = __version__):  # fmt: skip
        self.record, self.method, self.seed, self.settings = record, method, seed, settings
        self.classes, self.own_teacher, self.version = classes, own_teacher, version
        self.moments: dict[int, Moment] = {}
        self.checkpoints: dict[int, dict[str, np.ndarray]] = {}
        self.stride, self.freeze = STRIDE, FREEZE

    def __len__(self) -> int:
        return len(self.record)

    def note(self, experiment: Experiment) -> None:
        """Keep what is due after this step."""
        if experiment.done % self.stride == 0:
            self.keep_moment(experiment)
        if experiment.done and experiment.done % self.freeze == 0:
            self.checkpoints[experiment.done] = freeze(experiment)
        while len(self.moments) > MOMENTS:
            self.stride *= 2
            self.moments = _every(self.stride, self.moments)
        while len(self.checkpoints) > 1 and (len(self.checkpoints) > CHECKPOINTS or self._weight() > HEAVIEST):
            self.freeze *= 2
            self.checkpoints = _every(self.freeze, self.checkpoints)

    def keep_moment(self, experiment: Experiment) -> None:
        """Keep what can be seen now, due or not."""
        look = experiment.look()
        part = {name: getattr(look, name)[:SHOWN] for name in ("images", "labels", "confidence")}
        self.moments[experiment.done] = Moment(replace(look, **part), experiment.shares())

    def last_moment(self, step: int) -> Moment:
        """What could be seen at `step`, or at the last moment before that was kept."""
        return self.moments[max((at for at in self.moments if at <= step), default=min(self.moments))]

    def last_checkpoint(self, step: int) -> int:
        """Where a run can go on, at `step` or before; at 0 it always can, from the seed."""
        return max((at for at in self.checkpoints if at <= step), default=0)

    def revive(self, step: int, teacher: nn.Module | None = None) -> Experiment:
        """A live run in the state of `step`, where a checkpoint or the start is, with the edits that were made there.

        `teacher` is needed again if the run had one of the learner's own.
        """
        if step and step not in self.checkpoints:
            raise TraceError(
                f"there is no checkpoint at step {step:,}; the last before it is {self.last_checkpoint(step):,}"
            )
        if self.own_teacher and teacher is None:
            raise TraceError("this run had a teacher of your own, which a trace does not hold; give it (teacher=...)")
        try:
            experiment = Experiment(self.method, self.seed, teacher=teacher, settings=Settings(**self.settings))
            if step:
                thaw(experiment, self.checkpoints[step])
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

    def until(self, step: int, experiment: Experiment) -> "Trace":
        """This trace up to `step`, to go on with `experiment`, which was revived there."""
        cut = Trace(self.record.until(step, experiment.objective), **self.facts())
        cut.moments = {at: moment for at, moment in self.moments.items() if at <= step}
        cut.checkpoints = {at: arrays for at, arrays in self.checkpoints.items() if at <= step}
        cut.stride, cut.freeze = self.stride, self.freeze
        return cut

    def facts(self) -> dict:
        """How the run was set up."""
        return {name: getattr(self, name) for name in ("method", "seed", "settings", "classes", "own_teacher")}

    def _weight(self) -> int:
        return sum(array.nbytes for arrays in self.checkpoints.values() for array in arrays.values())


def begin(experiment: Experiment, own_teacher: bool = False) -> Trace:
    """The trace of a run that is about to begin."""
    trace = Trace(
        Record(experiment.objective), method=experiment.method, seed=experiment.seed, own_teacher=own_teacher,
        settings=asdict(experiment.run.settings), classes=experiment.classes,
    )  # fmt: skip
    trace.keep_moment(experiment)
    return trace


class Scene:
    """A moment of a trace in the place of a live experiment: what `View` and `Console` ask of one."""

    def __init__(self, trace: Trace, step: int):
        moment = trace.last_moment(step)
        self.method, self.seed, self.classes, self.done = trace.method, trace.seed, trace.classes, step
        self.objective, self.learning = PLAYABLE[trace.method].terms(), False
        self.moment = moment
        for edit in trace.record.edits:
            if edit.step <= step:
                Experiment.change(self, edit)
        self.record = trace.record.until(step, self.objective)
        self.record.probe = {"step": []} | {name: [] for name in self.record.names}
        for at in sorted(at for at in trace.moments if at <= step):
            self.record.add_probe(at, trace.moments[at].look.raw)
        for name, term in self.objective.items():
            column = self.record.columns[f"{name}_anchor"]
            term.anchor = column[-1] if len(column) else term.anchor

    def look(self):
        """The 16 images of the last moment."""
        return self.moment.look

    def shares(self) -> np.ndarray:
        """How the teacher sorted the training batches then, (K,) in [0, 1]."""
        return self.moment.shares


def retrain(trace: Trace, steps: int, teacher: nn.Module | None = None, start: int = 0) -> Iterator[tuple]:
    """The run again from `start`, where a checkpoint is, with its edits: (experiment, step) up to step `steps`."""
    experiment = trace.revive(start, teacher)
    todo = [edit for edit in trace.record.edits if edit.step > start]
    for step in experiment.steps():
        yield experiment, step
        while todo and todo[0].step == experiment.done:
            experiment.change(todo.pop(0))
        if experiment.done >= steps:
            return


def _every(stride: int, kept: dict) -> dict:
    return {step: what for step, what in kept.items() if step % stride == 0}
