"""The lab's pictures: what the generator paints, where each term stands, what damping does, how the student fares.

They are HTML and SVG strings in `widgets.HTML`, made in the kernel from a few thousand numbers.  Why not plotly: one
live FigureWidget costs 5 MB when it is first shown, is never freed, and fell behind at 60 updates a second; why not
PNG: matplotlib needs 0.1 s a chart, which at five a second is half of a core that should train.  These strings take
about 5 ms and 20 kB a snapshot, need no script in the page (so they work on Colab and in VS Code), keep their text
readable at 200 % zoom, follow the dark theme, and say what they show.  Plotly is for afterwards: `Lab.charts()`.
"""

from html import escape
from importlib.resources import files

import ipywidgets as widgets
import numpy as np

from ...methods.registry import describe
from ...objective import Objective
from ...reporting.charts import number
from ..session.experiment import Experiment, Look
from ..session.record import Record
from .drawing import Mark, Stroke, bars, chart, sheet, strip

GAINS = (0.001, 0.01, 0.1, 0.2, 0.5, 1, 2, 5, 10, 100, 1000)  # that the damping's axis may name
SMOOTH = 10  # steps over which increments are averaged: alone, each is mostly the luck of its batch
MOVES = 60  # dots at most; a rule that moves an anchor at each step would draw a line of them
DASHES = ("", " dash", " dot", " dashdot")  # with the colours: no two terms of a method share both


class View:
    """Four pieces of page (`style`, `status`, `paintings`, `charts`) and the functions that fill them."""

    def __init__(self):
        style = f"<style>{(files(__package__) / 'style.css').read_text()}</style>"
        self.style = widgets.HTML(style, layout={"display": "none"})
        self.status = widgets.HTML()
        self.paintings = widgets.HTML(layout={"flex": "1 1 380px", "min_width": "330px", "max_width": "540px"})
        self.charts = widgets.HTML(layout={"flex": "2 1 420px", "min_width": "330px"})
        self.pictures = widgets.HBox([self.paintings, self.charts], layout={"flex_flow": "row wrap"})

    def show(self, experiment: Experiment, record: Record, look: Look) -> None:
        """Draw everything but the status."""
        self.paintings.value = paintings(experiment, record, look)
        self.charts.value = charts(experiment, record)

    def say(self, reason: str, experiment: Experiment) -> None:
        """The line above the pictures: how far, why, and what an objective that asks for nothing means."""
        asks = (
            "" if experiment.objective.asks else " Every term is off: no weight and no buffer of the generator moves."
        )
        self.status.value = (
            f'<div class="rdskd"><div class="status"><b>Step {experiment.done:,}</b> &middot; seed {experiment.seed} '
            f"&middot; {escape(reason)}{asks}</div></div>"
        )


def paintings(experiment: Experiment, record: Record, look: Look) -> str:
    """What comes of it: the probe images, the classes of the latest training batches, the student once measured."""
    return (
        '<div class="rdskd">'
        "<h4>What the generator paints<small>framed by the teacher's answer and how sure it is</small></h4>"
        + sheet(look.images, look.labels, look.confidence, experiment.classes, look.step)
        + bars("What the teacher sees", experiment.shares(), experiment.classes, "latest batches; dashed: even shares")
        + (student_chart(record, float(experiment.done)) if len(record.student["step"]) else "")
        + "</div>"
    )


def charts(experiment: Experiment, record: Record) -> str:
    """What is asked: a chart per term, and what damping makes of it."""
    until, marks = float(experiment.done), _marks(record)
    drawn = [term_chart(name, record, experiment.objective, until, marks) for name in record.names]
    return f'<div class="rdskd">{"".join(drawn)}{damping(experiment, record)}</div>'


def damping(experiment: Experiment, record: Record) -> str:
    """What damping looks at and what it does: increments of each term, gains in force, anchors."""
    until = float(experiment.done)
    strips = "".join(increments_strip(name, record, until) for name in record.names)
    return (
        "<h4>damping: what rises is asked for harder<small>increments "
        f"L<sub>i</sub> - L<sub>i-1</sub>, mean of the last {SMOOTH} steps</small></h4>"
        f"{strips}{gain_chart(record, until, _marks(record))}<p>{anchors(experiment.objective, record)}</p>"
    )


def _marks(record: Record) -> list[Mark]:
    return [Mark(edit.step, str(edit)) for edit in record.edits if edit.step]


def term_chart(name: str, record: Record, objective: Objective, until: float, marks: list[Mark]) -> str:
    """A term on the training batch and on the probe images, and its anchor as it moves; grey while it is off."""
    step, raw, on = record.column("step"), record.column(name), record.column(f"{name}_gain") > 0
    colour = f"c{record.names.index(name)}"
    probe = Stroke("probe", np.array(record.probe["step"]), np.array(record.probe[name]), f"{colour} dash")
    strokes = [
        Stroke("batch", step, np.where(on, raw, np.nan), f"{colour} thin"),
        Stroke("off", step, np.where(on, np.nan, raw), "grey thin"),
        probe if objective[name].on else probe._replace(style="grey dash"),
    ]
    if objective[name].damped:
        strokes.append(Stroke("anchor", step, record.column(f"{name}_anchor"), "c6 dot"))
    about = describe(name)
    mine = [mark for mark in marks if mark.label.split()[0] == name]
    return chart(f"{name}: {about.name}", strokes, until=until, note=about.unit, marks=mine)


def increments_strip(name: str, record: Record, until: float) -> str:
    """How a term rises and falls from step to step, light smoothing; grey while it is off."""
    step, on = record.column("step"), record.column(f"{name}_gain") > 0
    rise, style = record.increments(name, SMOOTH), f"c{record.names.index(name)}"
    title = f"increments of {name} per step, mean of {SMOOTH} steps, {describe(name).unit}"
    strokes = [
        Stroke(name, step, np.where(on, rise, np.nan), style),
        Stroke(f"{name} while off", step, np.where(on, np.nan, rise), "grey"),
    ]
    return strip(title, strokes, until)


def gain_chart(record: Record, until: float, marks: list[Mark]) -> str:
    """exp(L - anchor) of each damped term on a logarithmic axis, and a dot where an anchor has moved."""
    step, strokes, moved = record.column("step"), [], np.zeros(len(record), bool)
    for k, name in enumerate(record.names):
        anchor = record.column(f"{name}_anchor")
        damped = (record.column(f"{name}_damped") > 0) & (record.column(f"{name}_gain") > 0)
        if damped.any():
            moved[1:] |= (np.diff(anchor) != 0) & damped[1:]
            increment = np.where(damped, record.column(name) - anchor, np.nan)
            strokes.append(Stroke(name, step, increment, f"c{k}{DASHES[k % 4]}"))
    note = "exp(L - anchor)"
    if 0 < moved.sum() <= MOVES:
        at = np.repeat(step[moved], 2)  # each followed by a gap, so that it is a dot and not a line
        strokes.append(Stroke("", at, np.where(np.arange(len(at)) % 2, np.nan, 0.0), "c6 dots"))
        note += "; dots: an anchor moves"
    return chart(
        "gain in force", strokes, until=until, level=0.0, marks=marks, tall=True, note=note,
        ticks=np.log(GAINS).tolist(), scale=lambda y: f"{number(float(np.exp(y)))} x",
    )  # fmt: skip


def anchors(objective: Objective, record: Record) -> str:
    """'Anchors: oh 0.22 since step 481, ie -2.16 since step 481. ...', as HTML."""
    said = []
    for name, term in objective.items():
        if term.damped:
            earlier = np.flatnonzero(record.column(f"{name}_anchor") != term.anchor)
            since = int(earlier[-1]) + 1 if len(earlier) else 0
            said.append(f"<b>{escape(name)} {number(term.anchor)}</b> since step {since:,}")
    if not said:
        return "No term is damped, so every gain is 1."
    return f"Anchors: {', '.join(said)}; dotted in the terms' own charts."


def student_chart(record: Record, until: float) -> str:
    """The student's accuracy on the shipped test digits, in percent."""
    steps, accuracy = np.array(record.student["step"]), 100 * np.array(record.student["accuracy"])
    return chart(
        "student: right answers on 1,000 real digits", [Stroke(f"{accuracy[-1]:.0f} %", steps, accuracy, "c0")],
        until=until, note="from painted images only", scale=lambda y: f"{y:.0f} %",
    )  # fmt: skip


def sentence(experiment: Experiment, record: Record, look: Look) -> str:
    """'step 300, one-hot loss 0.12, ..., 9 of 10 classes, student 91 %': the lab, for somebody who listens."""
    terms = ", ".join(
        f"{describe(name).name} {number(look.raw[name])}{'' if term.on else ' (off)'}"
        for name, term in experiment.objective.items()
    )
    student = f", student {record.student['accuracy'][-1]:.0%}" if record.student["step"] else ""
    return f"step {look.step:,}, {terms}, {reached(experiment.shares())}{student}"


def classes_reached(shares: np.ndarray) -> int:
    """How many classes have at least a third of an even share; (K,) in [0, 1]."""
    return int((shares > 1 / (3 * len(shares))).sum())


def reached(shares: np.ndarray) -> str:
    """'9 of 10 classes'"""
    return f"{classes_reached(shares)} of {len(shares)} classes"
