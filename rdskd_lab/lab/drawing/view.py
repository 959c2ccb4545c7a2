"""The lab's pictures: what the generator makes, where each term stands, what damping does, how the student does.

They are HTML and SVG strings in `widgets.HTML`, made in the kernel from a few thousand numbers.  Why not plotly: one
live FigureWidget costs 5 MB when it is first shown, is never freed, and fell behind at 60 updates a second.  Why not
PNG: matplotlib needs 0.1 s a chart, which at five a second is half of a core that should train.  These strings take
about 10 ms and 25 kB a snapshot, need no script in the page (so they work on Colab and in VS Code), follow the dark
theme and say in words what they show.  The charts are those of `reporting.charts`, so that the same description is
drawn here, in the snapshot that stays in a saved notebook, and by plotly: `Lab.charts()`.
"""

from html import escape
from importlib.resources import files

import ipywidgets as widgets
import numpy as np

from ...objective import Objective
from ...reporting.charts import Curves, Line, Mark
from ...reporting.draw_svg import DARK, LIGHT, style_sheet
from ...reporting.history import number
from ...reporting.style import GREY
from ..session.experiment import Experiment, Look
from ..session.record import Record, words_of
from .sheet import sheet

SMOOTH = 10  # steps over which increments are averaged: alone, each is mostly the luck of its batch
MOVES = 60  # dots at most; a rule that moves an anchor at each step would draw a line of them
INK = 6  # the style of an anchor: the colour of the text


def page_style() -> str:
    """Read the style sheets of the lab and of its charts as one <style> element."""
    own = (files(__package__) / "style.css").read_text("utf-8")
    colours = f'.rdskd{{{LIGHT}}}[data-jp-theme-light="false"] .rdskd{{{DARK}}}'
    return f"<style>{colours}{style_sheet()}{own}</style>"


class View:
    """Four pieces of the page (`style`, `status`, `paintings`, `charts`) and the functions that fill them."""

    def __init__(self):
        self.style = widgets.HTML(page_style(), layout={"display": "none"})
        self.status = widgets.HTML()
        self.paintings = widgets.HTML(layout={"flex": "1 1 380px", "min_width": "330px", "max_width": "540px"})
        self.charts = widgets.HTML(layout={"flex": "2 1 420px", "min_width": "330px"})
        self.pictures = widgets.HBox([self.paintings, self.charts], layout={"flex_flow": "row wrap"})

    def show(self, experiment: Experiment, record: Record, look: Look) -> None:
        """Draw everything but the status."""
        self.paintings.value = paintings(experiment, record, look)
        self.charts.value = charts(experiment, record)

    def say(self, reason: str, experiment: Experiment) -> None:
        """Write the line above the pictures: the step, why it stands there, and what it means that no term is on."""
        asks = (
            "" if experiment.objective.asks else " Every term is off: no weight and no buffer of the generator moves."
        )
        self.status.value = (
            f'<div class="rdskd"><div class="status"><b>Step {experiment.done:,}</b> &middot; seed {experiment.seed} '
            f"&middot; {escape(reason)}{asks}</div></div>"
        )


def paintings(experiment: Experiment, record: Record, look: Look) -> str:
    """Draw what comes out: the probe images, the classes of the latest training batches, the student once measured."""
    drawn = [class_shares(experiment), *student_chart(record, float(experiment.done))]
    return (
        '<div class="rdskd">'
        "<h4>What the generator makes<small>framed by the teacher's answer and how certain it is</small></h4>"
        + sheet(look.images, look.labels, look.confidence, experiment.classes, look.step)
        + "".join(chart.svg() for chart in drawn)
        + "</div>"
    )


def charts(experiment: Experiment, record: Record) -> str:
    """Draw a chart for each term, and what damping makes of it."""
    until, marks, objective = float(experiment.done), _marks(record), experiment.objective
    drawn = [term_chart(name, record, objective, until, marks) for name in record.names]
    strips = [increments_strip(name, record, objective, until) for name in record.names]
    return (
        f'<div class="rdskd">{"".join(chart.svg() for chart in drawn)}'
        "<h4>Damping: a loss that rises pulls harder<small>increments "
        f"L<sub>i</sub> - L<sub>i-1</sub>, mean of the last {SMOOTH} steps</small></h4>"
        f"{''.join(strip.svg() for strip in strips)}{gain_chart(record, until, marks).svg()}"
        f"<p>{anchors(objective, record)}</p></div>"
    )


def every_chart(experiment: Experiment, record: Record) -> list[Curves]:
    """List all charts of a run so far, each term's before its increments; none before the first step."""
    until, marks, drawn = float(experiment.done), _marks(record), []
    for name in record.names if len(record) else ():
        drawn.append(term_chart(name, record, experiment.objective, until, marks))
        drawn.append(increments_strip(name, record, experiment.objective, until))
    drawn += [gain_chart(record, until, marks)] if drawn else []
    return [chart for chart in [*drawn, *student_chart(record, until)] if chart.lines]


def _marks(record: Record) -> list[Mark]:
    return [Mark(edit.step, str(edit)) for edit in record.edits if edit.step]


def class_shares(experiment: Experiment) -> Curves:
    """Chart the teacher's answers to the latest training batches."""
    shares, classes = 100 * experiment.shares(), list(experiment.classes)
    line = Line("share of the latest batches", np.arange(len(shares)), shares, 0, "bars")
    level = (100 / len(shares), "even shares")
    return Curves("What the teacher sees", [line], "", level=level, unit=" %", ticks=classes, tall=70)


def term_chart(name: str, record: Record, objective: Objective, until: float, marks: list[Mark]) -> Curves:
    """Chart a term on the training batches and on the probe images, and its anchor as it moves; grey while off."""
    step, raw, on = record.column("step"), record.column(name), record.column(f"{name}_gain") > 0
    style = record.names.index(name)
    probe = np.array(record.probe["step"], float), np.array(record.probe[name], float)
    lines = [
        Line("batch", step, np.where(on, raw, np.nan), style, "thin", dash=0),
        Line("off", step, np.where(on, np.nan, raw), GREY, "thin", dash=0),
        Line("probe", *probe, style if objective[name].on else GREY, dash=1),
    ]
    if objective[name].damped:
        lines.append(Line("anchor", step, record.column(f"{name}_anchor"), INK, dash=2))
    about = words_of(objective, name)
    mine = [mark for mark in marks if mark.label.split()[0] == name]
    return Curves(f"{name}: {about.name}", lines, ylabel=about.unit, marks=mine, until=until, tall=92)


def increments_strip(name: str, record: Record, objective: Objective, until: float) -> Curves:
    """Chart how a term rises and falls from step to step, smoothed a little; grey while it is off.

    It reaches to about twice what 95 % of the points stay within, and is cut outside.
    """
    step, on = record.column("step"), record.column(f"{name}_gain") > 0
    rise, style = record.increments(name, SMOOTH), record.names.index(name)
    sizes = np.abs(rise[np.isfinite(rise)])
    reach = float(f"{(2 * np.quantile(sizes, 0.95) if len(sizes) else 0) or 1:.0e}")  # one digit
    lines = [
        Line(name, step, np.where(on, rise, np.nan), style, dash=0),
        Line(f"{name} while off", step, np.where(on, np.nan, rise), GREY, dash=0),
    ]
    title = f"increments of {name} per step, mean of {SMOOTH} steps, {words_of(objective, name).unit}"
    return Curves(title, lines, until=until, reach=reach, tall=40)


def gain_chart(record: Record, until: float, marks: list[Mark]) -> Curves:
    """Chart the gain exp(L - anchor) of each damped term on a logarithmic axis, with a dot where an anchor moves."""
    step, lines, moved = record.column("step"), [], np.zeros(len(record), bool)
    for k, name in enumerate(record.names):
        anchor = record.column(f"{name}_anchor")
        damped = (record.column(f"{name}_damped") > 0) & (record.column(f"{name}_gain") > 0)
        if damped.any():
            moved[1:] |= (np.diff(anchor) != 0) & damped[1:]
            gain = np.clip(record.column(f"{name}_gain"), 1e-130, 1e130)  # so that it can be drawn
            lines.append(Line(name, step, np.where(damped, gain, np.nan), k))
    note = "exp(L - anchor)"
    if 0 < moved.sum() <= MOVES:
        lines.append(Line("", step[moved], np.ones(moved.sum()), INK, "dots"))
        note += "; marks: an anchor moves"
    return Curves("gain", lines, ylabel=note, level=(1.0, ""), log=True, marks=marks, until=until, tall=130)


def anchors(objective: Objective, record: Record) -> str:
    """Write 'Anchors: oh 0.22 since step 481, ie -2.16 since step 481. ...' as HTML."""
    said = []
    for name, term in objective.items():
        if term.damped:
            earlier = np.flatnonzero(record.column(f"{name}_anchor") != term.anchor)
            since = int(earlier[-1]) + 1 if len(earlier) else 0
            said.append(f"<b>{escape(name)} {number(term.anchor)}</b> since step {since:,}")
    if not said:
        return "No term is damped, so every gain is 1."
    return f"Anchors: {', '.join(said)}; dotted in the terms' own charts."


def student_chart(record: Record, until: float) -> list[Curves]:
    """Chart the student's accuracy on the shipped test digits, in percent; none if it was never measured."""
    steps, accuracy = (np.array(column, dtype=float) for column in record.student.values())
    line = Line("student: correct on 1,000 real digits", steps, 100 * accuracy)
    about = dict(ylabel="trained on generated images", until=until, unit=" %", tall=92)
    return [Curves(line.label, [line], **about)] if len(steps) else []


def sentence(experiment: Experiment, record: Record, look: Look) -> str:
    """Write 'step 300, one-hot loss 0.12, ..., 9 of 10 classes, student 91 %' for somebody who listens."""
    terms = ", ".join(
        f"{words_of(experiment.objective, name).name} {number(look.raw[name])}{'' if term.on else ' (off)'}"
        for name, term in experiment.objective.items()
    )
    student = f", student {record.student['accuracy'][-1]:.0%}" if record.student["step"] else ""
    return f"step {look.step:,}, {terms}, {reached(experiment.shares())}{student}"


def classes_reached(shares: np.ndarray) -> int:
    """Count the classes with at least a third of an even share; (K,) in [0, 1]."""
    return int((shares > 1 / (3 * len(shares))).sum())


def reached(shares: np.ndarray) -> str:
    """'9 of 10 classes'"""
    return f"{classes_reached(shares)} of {len(shares)} classes"
