"""Fork here: a run goes on twice from this very step, in one state and with the same latents, one edit between them.

    lab.fork("ie", "on", False)

Both go on in turn, a step each, so whatever is different afterwards came of the edit and of nothing else.  The run
without the edit is, bit for bit, what the lab would have done.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from html import escape
from time import monotonic

import ipywidgets as widgets
import numpy as np

from ...methods.registry import describe
from ...objective import ANCHORS, Objective
from ...reporting import charts
from ...reporting.charts import number
from ..drawing.drawing import Stroke, bars, chart, mosaic, sheet, sheet_words
from ..drawing.view import SMOOTH, View, reached
from ..session.checkpoint import freeze, thaw
from ..session.cores import leave_a_core
from ..session.experiment import Experiment, Look
from ..session.player import Player
from ..session.record import HEAVIEST, Edit
from ..session.trace import Trace
from .cell_output import InCell
from .page_liveness import Beacon
from .playback_buttons import Transport, button
from .redraw_throttle import Pace
from .static_snapshot import Postcard

MARK = 4.0  # s between two examinations of both students
SAME = "as it was"  # the branch without an edit
STYLES = "c0", "c1 dash"  # of the two, in all charts
CHANGES = {"switch on or off": "on", "damp or do not": "damped", "set the weight": "weight"}  # besides anchor rules


@dataclass
class Branch:
    """One of the two runs."""

    name: str
    experiment: Experiment
    trace: Trace  # from the run's beginning, through the fork
    look: Look | None = None

    def step(self, pulled) -> None:
        """Write a step down."""
        self.trace.record.add(pulled, self.experiment.objective)
        self.trace.note(self.experiment)


def split(experiment: Experiment, trace: Trace, edit: Edit) -> tuple[Branch, Branch]:
    """Two runs in the state of `experiment`, the second with the edit.  Raises ValueError if that changes nothing."""
    edit.check(experiment.objective)
    same, changed = (Branch(name, *twin(experiment, trace)) for name in (SAME, str(edit)))
    if not changed.experiment.change(edit):
        raise ValueError(f"A fork needs a change, and {edit} is how it is already; choose another.")
    changed.trace.record.edits.append(edit)
    return same, changed


def twin(experiment: Experiment, trace: Trace) -> tuple[Experiment, Trace]:
    """The same run in the same state, and its trace so far; neither shares anything that moves with the first."""
    run = experiment.run
    other = Experiment(experiment.method, experiment.seed, teacher=run.teacher, settings=run.settings)
    thaw(other, freeze(experiment))
    for name, term in other.objective.items():  # a rule of the learner's own cannot be frozen
        term.rule = experiment.objective[name].rule
    return other, trace.until(other.done, other)


class Fork(InCell):
    """Both branches of a lab's run, played and compared.  `inside`: it is shown in the lab's own place."""

    kind = "fork"

    def __init__(self, lab, edit: Edit, *, inside: bool = False):
        self.branches = split(lab.experiment, lab.trace, edit)
        if not inside:
            self.occupy()
        self.lab, self.start, self.inside = lab, edit.step, inside
        player = lab.player
        self.player = Player(self._in_turn, mode=player.mode, at_once=player.at_once, surround=leave_a_core)
        self.pace = self.player.on_show = Pace(self._draw, self.player.loop)
        self.view, self.beacon, self.postcard = View(), Beacon(), Card(self)
        self.pictures = widgets.HTML()
        self.transport = Transport(self.player, self._extra(), self.view.status)
        self.page = widgets.VBox([self.view.style, self.view.status, self.transport, self.pictures, self.beacon])
        self.page.add_class("rdskd-box")
        self._marked = -1e9
        self._draw()

    @property
    def experiment(self) -> Experiment:
        """The branch with the edit."""
        return self.branches[1].experiment

    @property
    def look(self) -> Look:
        """What the branch with the edit paints."""
        return self.branches[1].look

    # ---- what a learner may do

    def play(self, steps: int | None = None) -> None:
        """Train both on, in turn; `steps` steps of each, or until paused."""
        self.player.play(steps)

    def pause(self) -> None:
        """Stop before the next step."""
        self.player.pause()

    def keep(self, which: int) -> None:
        """Let the lab go on with this branch: 0 as it was, 1 with the edit."""
        self.player.ask(partial(self._keep, which))

    # ---- on the main thread, between two steps

    def _in_turn(self) -> Iterator[int]:
        """A step of each, so that both are level after every pull; one that stopped within is first to go on."""
        runs = [branch.experiment.steps() for branch in self.branches]
        while True:
            goal = min(branch.experiment.done for branch in self.branches) + 1
            for branch, run in zip(self.branches, runs, strict=True):
                if branch.experiment.done < goal:
                    try:
                        branch.step(next(run))
                    except FloatingPointError as error:
                        raise FloatingPointError(f"In the branch {branch.name!r}: {error}") from error
            yield goal

    def _keep(self, which):
        if self.lab.closed:
            raise ValueError("The lab that was forked is closed; run its cell again.")
        branch = self.branches[which]
        self.player.stop(f"The lab goes on from here: {branch.name}.")
        self.lab.player.ask(partial(self.lab.adopt, *twin(branch.experiment, branch.trace), branch.name))

    @leave_a_core()
    def _draw(self):
        now, playing = monotonic(), self.player.playing
        if playing and self.beacon.unwatched:
            self.player.stop("Paused, because no page has shown this fork for a while.")
        mark = not playing or now - self._marked > MARK
        for branch in self.branches:
            experiment, record = branch.experiment, branch.trace.record
            branch.look = experiment.look()
            record.add_probe(branch.look.step, branch.look.raw)
            if experiment.learning and mark:
                record.add_accuracy(experiment.done, experiment.accuracy())
                self._marked = monotonic()
        self.view.say(f"Forked at step {self.start:,}: {SAME}, and {self.branches[1].name}. {self.player.reason}",
                      self.branches[0].experiment)  # fmt: skip
        self.pictures.value = pictures(self.branches, self.start)
        self.beacon.tell(lambda: sentence(self.branches, self.start), playing)
        self.postcard.renew(playing)

    # ---- building

    def _extra(self):
        keep = "The lab goes on with this branch"
        self.keep_same = button("Keep as it was", "check", keep, partial(self.keep, 0))
        self.keep_edit = button("Keep the edit", "check", keep, partial(self.keep, 1))
        self.leave = button("Back to the lab", "sign-out", "To the lab at the step where it was forked",
                            lambda: self.lab.player.ask(self.lab.shut))  # fmt: skip
        return self.keep_same, self.keep_edit, *([self.leave] if self.inside else [])

    def _fill(self):
        if self.player.mode == "inline" and not self.player.pulled:
            self.play()


class Card(Postcard):
    """A fork's last state as PNG and words."""

    def title(self) -> str:
        """The same on every machine, for nbval to compare."""
        fork = self.lab
        return f"[fork: {fork.experiment.method}, seed {fork.experiment.seed}, {fork.branches[1].name} at {fork.start}]"

    def tiles(self) -> np.ndarray:
        """The first 20 images of both, the branch with the edit below."""
        return np.concatenate([mosaic(branch.look.images[:20], 5) for branch in self.lab.branches])

    def words(self) -> str:
        """What both sheets of images show."""
        return " ".join(f"{branch.name}: {branch_words(branch)}" for branch in self.lab.branches)

    def alt_text(self) -> str:
        """The images and every chart in words; a chart's lines are named for branches, so its title goes before."""
        return " ".join([self.words(), *(f"{curve.title}: {curve.alt_text()}" for curve in self.curves())])

    def rows(self) -> list[list[charts.Curves]]:
        """A row per term: both branches, and the difference."""
        rows, xlabel = [], f"step since the fork (mean of the last {SMOOTH})"
        for name in self.lab.experiment.objective:
            steps, *both = courses(name, self.lab.branches, self.lab.start)
            if len(steps):
                named = enumerate(zip(self.lab.branches, both, strict=True))
                lines = [charts.Line(branch.name, steps, y, k) for k, (branch, y) in named]
                gap = [charts.Line("difference", steps, both[1] - both[0], 6)]
                minus = dict(xlabel=xlabel, ylabel=f"{self.lab.branches[1].name} minus {SAME}", level=(0.0, "0"))
                curves = (
                    charts.Curves(describe(name).name, lines, xlabel),
                    charts.Curves(f"{name}: difference", gap, **minus),
                )
                rows.append(list(curves))
        return rows


class ForkRow(widgets.HBox):
    """Controls to choose the one edit of a fork; `fork(term, field, value)` when "Fork here" is pressed."""

    def __init__(self, objective: Objective, fork: Callable[[str, str, object], None]):
        wide = {"description_width": "initial"}
        self.term = widgets.Dropdown(options=list(objective), description="fork's term", style=wide)
        self.change = widgets.Dropdown(options=[*CHANGES, *ANCHORS], description="fork's change", style=wide)
        self.weight = widgets.BoundedFloatText(
            0.0, min=0, max=HEAVIEST, step=0.1, description="fork's weight", style=wide
        )
        self.press = button("Fork here", "code-fork", "Go on twice from this step, once with this edit",
                            lambda: fork(*self.edit()))  # fmt: skip
        self.objective = objective
        super().__init__([self.press, self.term, self.change, self.weight])
        self.layout.flex_flow, self.layout.align_items = "row wrap", "center"
        for control, width in (self.term, "150px"), (self.change, "260px"), (self.weight, "170px"):
            control.layout.width = width

    def fill(self, objective: Objective) -> None:
        """Terms of another objective, in place of those that were there."""
        self.objective, self.term.options = objective, list(objective)

    def edit(self) -> tuple[str, str, bool | float | str]:
        """What is chosen, as (term, field, value); a switch is turned to what it is not."""
        term, change = self.objective[self.term.value], self.change.value
        field = CHANGES.get(change, "rule")
        value = {"weight": self.weight.value, "rule": change}.get(field)
        return self.term.value, field, not getattr(term, field) if value is None else value


# ---- pictures --------------------------------------------------------------------------------------------------------


def pictures(branches: tuple[Branch, Branch], start: int) -> str:
    """Samples side by side, then a row per term: both courses since the fork, and their difference."""
    cells = [samples(branch, style) for branch, style in zip(branches, STYLES, strict=True)]
    for name in branches[0].experiment.objective:
        cells += overlay(name, branches, start)
    if all(len(branch.trace.record.student["step"]) for branch in branches):
        cells += students(branches, start)
    return f'<div class="rdskd fork">{"".join(f"<div>{cell}</div>" for cell in cells)}</div>'


def samples(branch: Branch, style: str) -> str:
    """What one branch paints from the same latents as the other, and what the teacher sees in its latest batches."""
    experiment, look = branch.experiment, branch.look
    line = f'<svg viewBox="0 0 30 10"><path class="{style}" d="M0 5H30"/></svg>'
    return (
        f'<h4 class="{style.split()[0]}">{line}{escape(branch.name)}<small>the same latents in both</small></h4>'
        + sheet(look.images, look.labels, look.confidence, experiment.classes, look.step)
        + bars("What the teacher sees", experiment.shares(), experiment.classes, "latest batches; dashed: even shares")
    )


def overlay(name: str, branches: tuple[Branch, Branch], start: int) -> list[str]:
    """A term's course in both branches since the fork, and by how much they differ, on the same training latents."""
    steps, *since = courses(name, branches, start)
    until, about = len(steps), describe(name)
    both = [Stroke(b.name, steps, y, style) for b, y, style in zip(branches, since, STYLES, strict=True)]
    gap = [Stroke("difference", steps, since[1] - since[0], "c6")]
    means = f"mean of the last {SMOOTH} steps since the fork"
    return [
        chart(f"{name}: {about.name}", both, until=until, note=f"{about.unit}; {means}"),
        chart(f"{name}: {branches[1].name} minus {SAME}", gap, until=until, level=0.0, note=f"{about.unit}; {means}"),
    ]


def courses(name: str, branches: tuple[Branch, Branch], start: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Steps since the fork and a term in both branches on the training batches, means of the last SMOOTH; each (N,).

    One branch is a step ahead when the other was refused a step: N counts the steps that both have made.
    """
    since = [branch.trace.record.column(name)[start:] for branch in branches]
    n = min(map(len, since))
    steps = np.arange(1, n + 1)
    before = np.maximum(steps - SMOOTH, 0)
    sums = [np.concatenate([[0.0], np.cumsum(y[:n])]) for y in since]
    return steps, *((total[steps] - total[before]) / (steps - before) for total in sums)


def students(branches: tuple[Branch, Branch], start: int) -> list[str]:
    """The accuracy of both students, which are examined now and then, since the fork, and by how much they differ."""
    marks = [dict(zip(*branch.trace.record.student.values(), strict=True)) for branch in branches]
    steps = np.array(sorted(step for step in marks[0] if step in marks[1] and step >= start), int)
    until, since = branches[0].experiment.done - start, [np.array([100 * m[s] for s in steps]) for m in marks]
    both = [Stroke(b.name, steps - start, y, style) for b, y, style in zip(branches, since, STYLES, strict=True)]
    gap = [Stroke("difference", steps - start, since[1] - since[0], "c6")]
    return [
        chart("student: right answers on 1,000 real digits", both, until=until, note="per cent; steps since the fork",
              scale=lambda y: f"{y:.0f} %"),
        chart(f"student: {branches[1].name} minus {SAME}", gap, until=until, level=0.0, note="percentage points"),
    ]  # fmt: skip


def branch_words(branch: Branch) -> str:
    """'40 generated images after 300 steps; ...' of one branch."""
    look = branch.look
    return sheet_words(look.labels, look.confidence, branch.experiment.classes, look.step)


def sentence(branches: tuple[Branch, Branch], start: int) -> str:
    """'step 450, 150 after the fork; as it was: one-hot loss 0.12, ..., 9 of 10 classes; ie off: ...', to listen to."""
    told = []
    for branch in branches:
        terms = ", ".join(f"{describe(name).name} {number(raw)}" for name, raw in branch.look.raw.items())
        told.append(f"{branch.name}: {terms}, {reached(branch.experiment.shares())}")
    done = branches[0].experiment.done
    return f"step {done:,}, {done - start:,} after the fork; {'; '.join(told)}"
