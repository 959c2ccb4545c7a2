"""Fork here: a run goes on twice from this very step, in one state and with the same latents; one edit differs.

    lab.fork("ie", "on", False)

Both make a step in turn, so any difference afterwards was caused by the edit and by nothing else.  The run without the
edit is, bit for bit, what the lab would have done.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from html import escape
from time import monotonic

import ipywidgets as widgets
import numpy as np

from ...reporting.charts import Curves, Line, data_uri, side_by_side
from ...reporting.history import number
from ..drawing.recorded import SMOOTH, smoothed
from ..drawing.sheet import mosaic, png, sheet, sheet_words
from ..drawing.view import class_shares, reached, student_title
from ..session.cores import leave_a_core
from ..session.experiment import Experiment, Look
from ..session.player import Player
from ..session.record import Edit, words_of
from ..session.trace import Trace, copy_run
from .cell_output import CellOutput
from .playback_buttons import PlaybackButtons, button
from .static_snapshot import StaticSnapshot

EVERY = 4.0  # s between two measurements of both students
SAME = "as it was"  # the branch without an edit
STYLES = "c0", "c1 dash"  # of the two in all charts, where they are the lines of style 0 and 1
DIFFERENCE = 6  # the style of their difference


@dataclass
class Branch:
    """One of the two runs."""

    name: str
    experiment: Experiment
    trace: Trace  # from the run's beginning, through the fork
    look: Look | None = None

    def step(self, pulled) -> None:
        """Record a step."""
        self.trace.record.add(pulled, self.experiment.objective)
        self.trace.note(self.experiment)


def split(experiment: Experiment, trace: Trace, edit: Edit) -> tuple[Branch, Branch]:
    """Make two runs in the state of `experiment`, the second with the edit, which must change something."""
    edit.check(experiment.objective)
    same, changed = (Branch(name, *copy_run(experiment, trace)) for name in (SAME, str(edit)))
    if not changed.experiment.change(edit):
        raise ValueError(f"A fork needs a change, and {edit} is how it is already; choose another.")
    changed.trace.record.edits.append(edit)
    return same, changed


def beside_twin(lab) -> "Fork":
    """Fork a lab where its twin began: the twin as it is now, and the lab's run as it is now."""
    twin, trace = lab.twin, lab.trace
    past = trace.until(twin.since, twin.experiment)
    past.record = twin.record
    runs = copy_run(twin.experiment, past), copy_run(lab.experiment, trace)
    runs, edit = (runs, twin.without()) if twin.edits else (runs[::-1], twin.kind)  # the run with the edit comes second
    branches = tuple(Branch(name, *run) for name, run in zip((SAME, edit), runs, strict=True))
    return Fork(lab, None, inside=True, branches=branches, start=twin.since)


class Fork(CellOutput):
    """Both branches of a lab's run, played and compared.  `inside`: it is shown in the place of the lab's controls."""

    kind = "fork"

    def __init__(self, lab, edit: Edit | None, *, inside: bool = False, branches=None, start: int = 0):
        self.branches = branches or split(lab.experiment, lab.trace, edit)
        self.lab, self.start, self.inside = lab, start if branches else edit.step, inside
        self._measured = -1e9  # when the students were, on the monotonic clock
        player = lab.player
        self.attach(
            Player(self._in_turn, mode=player.mode, at_once=player.at_once, surround=leave_a_core), ForkSnapshot
        )
        self.status, self.pictures = widgets.HTML(), widgets.HTML()
        self.buttons = PlaybackButtons(self.player, self._extra(), self.status)
        self.lay_out(self.style, self.status, self.buttons, self.pictures)
        if not inside:
            self.replace_earlier()

    @property
    def experiment(self) -> Experiment:
        """The branch with the edit."""
        return self.branches[1].experiment

    @property
    def look(self) -> Look:
        """What the branch with the edit generates."""
        return self.branches[1].look

    # ---- what a learner may do

    def play(self, steps: int | None = None) -> None:
        """Train both on, in turn; `steps` steps of each, or until paused."""
        self.player.play(steps)

    def keep(self, which: int) -> None:
        """Let the lab go on with this branch: 0 as it was, 1 with the edit."""
        self.player.ask(partial(self._keep, which))

    # ---- on the main thread, between two steps

    def _in_turn(self) -> Iterator[int]:
        """Yield after a step of each; a branch that is behind, because the other was stopped, makes its step first."""
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
        self.lab.player.ask(partial(self.lab.adopt, *copy_run(branch.experiment, branch.trace), branch.name))

    def _follow(self):
        self.buttons.follow()

    @leave_a_core()
    def _draw(self):
        self._pause_unwatched()
        playing = self.player.playing
        due = not playing or monotonic() - self._measured > EVERY
        for branch in self.branches:
            experiment, record = branch.experiment, branch.trace.record
            branch.look = experiment.look()
            if experiment.learning and due:
                record.add_accuracy(experiment.done, experiment.accuracy())
                self._measured = monotonic()
        forked = f"Forked at step {self.start:,}: {SAME}, and {self.branches[1].name}."
        done = self.branches[0].experiment.done
        self.status.value = (
            f'<div class="rdskd"><div class="status"><b>Step {done:,}</b> &middot; seed {self.experiment.seed} '
            f"&middot; {escape(forked)} {escape(self.player.reason)}</div></div>"
        )
        self.pictures.value = pictures(self.branches, self.start)
        self.liveness.say(lambda: sentence(self.branches, self.start), playing)
        self.snapshot.renew(playing)

    # ---- building

    def _extra(self):
        keep = "The lab goes on with this branch"
        self.keep_same = button("Keep as it was", "check", keep, partial(self.keep, 0))
        self.keep_edit = button("Keep the edit", "check", keep, partial(self.keep, 1))
        to = "To the lab at the step where it was forked"
        self.leave = button("Back to the lab", "sign-out", to, lambda: self.lab.player.ask(self.lab.shut))
        return self.keep_same, self.keep_edit, *([self.leave] if self.inside else [])

    def _fill(self):
        if self.player.mode == "inline" and not self.player.pulled:
            self.play()


class ForkSnapshot(StaticSnapshot):
    """A fork's last state as pictures and words."""

    def title(self) -> str:
        """Return a title that is the same on every machine, for nbval to compare."""
        fork = self.lab
        return f"[fork: {fork.experiment.method}, seed {fork.experiment.seed}, {fork.branches[1].name} at {fork.start}]"

    def html(self) -> str:
        """Write both sheets of images and every chart as HTML, each with its words as text alternative."""
        fork, shown = self.lab, []
        for branch in fork.branches:
            tiles = np.kron(mosaic(branch.look.images[:24], 8), np.ones((2, 2, 1), np.uint8))
            shown.append((data_uri("image/png", png(tiles)), f"{branch.name}: {branch_words(branch)}"))
        shown += [picture for chart in curves(fork.branches, fork.start) for picture in chart.pictures()]
        return side_by_side(f"{self.title()}, step {fork.look.step:,}; first {SAME}, then the edit", shown)


# ---- pictures --------------------------------------------------------------------------------------------------------


def pictures(branches: tuple[Branch, Branch], start: int) -> str:
    """Draw samples side by side, then a row per term: both courses since the fork, and their difference."""
    cells = [samples(branch, style) for branch, style in zip(branches, STYLES, strict=True)]
    cells += [chart.svg() for chart in curves(branches, start)]
    return f'<div class="rdskd fork">{"".join(f"<div>{cell}</div>" for cell in cells)}</div>'


def curves(branches: tuple[Branch, Branch], start: int) -> list[Curves]:
    """List two charts for each term, and for the students once both were measured: both branches, their difference."""
    drawn = [chart for name in branches[0].experiment.objective for chart in overlay(name, branches, start)]
    measured = all(len(branch.trace.record.student["step"]) for branch in branches)
    return drawn + (students(branches, start) if measured else [])


def samples(branch: Branch, style: str) -> str:
    """Draw what one branch generates, and what the teacher sees in its latest batches; both have the same latents."""
    experiment, look = branch.experiment, branch.look
    line = f'<svg class="rdskd-chart" viewBox="0 0 30 10"><path class="{style}" stroke-width="2" d="M0 5H30"/></svg>'
    return (
        f'<h4 class="{style.split()[0]}">{line}{escape(branch.name)}<small>the same latents in both</small></h4>'
        + sheet(look.images, look.labels, look.confidence, experiment.classes, look.step)
        + class_shares(experiment).svg()
    )


def overlay(name: str, branches: tuple[Branch, Branch], start: int) -> list[Curves]:
    """Chart a term in both branches since the fork, and by how much they differ, on the same training latents."""
    steps, *since = courses(name, branches, start)
    about = words_of(branches[0].experiment.objective, name)
    unit = f"{about.unit}, mean of {SMOOTH} steps"
    return _pair(f"{name}: {about.name}", f"{name}: ", unit, branches, steps, since, len(steps))


def _pair(title, before, unit, branches, steps, since, until, sign="") -> list[Curves]:
    """Chart both branches, and what the second has more than the first."""
    about = dict(ylabel=unit, xlabel="steps since the fork", until=float(until), tall=92)
    both = [Line(branch.name, steps, y, k) for k, (branch, y) in enumerate(zip(branches, since, strict=True))]
    gap = [Line("difference", steps, since[1] - since[0], DIFFERENCE, dash=0)]
    return [
        Curves(title, both, unit=sign, **about),
        Curves(f"{before}{branches[1].name} minus {SAME}", gap, level=(0.0, ""), **about),
    ]


def courses(name: str, branches: tuple[Branch, Branch], start: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the steps since the fork and a term in both branches on the training batches, mean of SMOOTH; each (N,).

    One branch is a step ahead when the other was refused a step: N counts the steps that both have made.
    """
    since = [branch.trace.record.column(name)[start:] for branch in branches]
    n = min(map(len, since))
    return np.arange(1, n + 1), *(smoothed(y[:n]) for y in since)


def students(branches: tuple[Branch, Branch], start: int) -> list[str]:
    """Draw the accuracy of both students since the fork, measured now and then, and their difference."""
    marks = [dict(zip(*branch.trace.record.student.values(), strict=True)) for branch in branches]
    steps = np.array(sorted(step for step in marks[0] if step in marks[1] and step >= start), int)
    until, since = branches[0].experiment.done - start, [np.array([100 * m[s] for s in steps]) for m in marks]
    title, before = student_title(branches[0].experiment), "student: "
    return _pair(title, before, "per cent", branches, steps - start, since, until, " %")


def branch_words(branch: Branch) -> str:
    """Describe the images of one branch: '40 generated images after 300 steps; ...'."""
    look = branch.look
    return sheet_words(look.labels, look.confidence, branch.experiment.classes, look.step)


def sentence(branches: tuple[Branch, Branch], start: int) -> str:
    """Describe both for screen readers: 'step 450, 150 after the fork; as it was: one-hot loss 0.12, ...'."""
    told = []
    for branch in branches:
        objective = branch.experiment.objective
        terms = ", ".join(f"{words_of(objective, name).name} {number(raw)}" for name, raw in branch.look.raw.items())
        told.append(f"{branch.name}: {terms}, {reached(branch.experiment.shares())}")
    done = branches[0].experiment.done
    return f"step {done:,}, {done - start:,} after the fork; {'; '.join(told)}"
