"""Charts of a run as `Lab.charts()` lists them, what its fork draws besides, and its words for those who listen.

They are described once, in `reporting.charts`, and drawn as SVG or by plotly; the live screen draws its own, in the
page, from the numbers of `session.screen_state`.
"""

from importlib.resources import files

import numpy as np

from ...objective import Objective
from ...reporting.charts import Curves, Line, Mark
from ...reporting.draw_svg import DARK, LIGHT, style_sheet
from ...reporting.history import number
from ...reporting.style import GREY
from ..session.experiment import Experiment, Look
from ..session.record import Record, words_of

MOVES = 60  # dots at most; a rule that moves an anchor at each step would draw a line of them
INK = 6  # the style of an anchor: the colour of the text


def page_style() -> str:
    """Read the style sheets of the lab and of its charts as one <style> element."""
    own = (files(__package__) / "style.css").read_text("utf-8")
    colours = f'.rdskd{{{LIGHT}}}[data-jp-theme-light="false"] .rdskd{{{DARK}}}'
    return f"<style>{colours}{style_sheet()}{own}</style>"


def every_chart(experiment: Experiment, record: Record) -> list[Curves]:
    """List all charts of a run so far; none before the first step."""
    until, marks, drawn = float(experiment.done), _marks(record), []
    for name in record.names if len(record) else ():
        drawn.append(term_chart(name, record, experiment.objective, until, marks))
    drawn += [gain_chart(record, until, marks)] if drawn else []
    return [chart for chart in [*drawn, *student_chart(experiment, record, until)] if chart.lines]


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
    strong = any((record.column(f"{name}_strength") != 1).any() for name in record.names)
    note = "exp(b (L - anchor)), b the strength" if strong else "exp(L - anchor)"
    if 0 < moved.sum() <= MOVES:
        lines.append(Line("", step[moved], np.ones(moved.sum()), INK, "dots"))
        note += "; marks: an anchor moves"
    return Curves("gain", lines, ylabel=note, level=(1.0, ""), log=True, marks=marks, until=until, tall=130)


def student_chart(experiment: Experiment, record: Record, until: float) -> list[Curves]:
    """Chart the student's accuracy on its test images, or its agreement, in percent; none if it was never measured."""
    steps, accuracy = (np.array(column, dtype=float) for column in record.student.values())
    line = Line(student_title(experiment), steps, 100 * accuracy)
    about = dict(ylabel="trained on generated images", until=until, unit=" %", tall=92)
    return [Curves(line.label, [line], **about)] if len(steps) else []


def student_title(experiment: Experiment) -> str:
    """Say what is measured of the student, above its chart."""
    tested = experiment.tested_on
    return f"student: correct on {tested}" if tested else "student: gives the teacher's answer on generated images"


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
