"""A lab on one page to keep or hand in: what was tried, and of the last try the pictures, curves, edits and code.

The page is made of the parts of `rdskd_lab.reporting.run_report`, as the report of a run on disk is.
"""

from pathlib import Path

import numpy as np

from ... import __version__
from ...methods.registry import describe
from ...reporting import charts
from ...reporting.charts import number
from ...reporting.run_report import (
    figure,
    gains_section,
    losses_section,
    numbers,
    page,
    safe,
    samples_section,
    table,
    write_page,
)
from ..drawing.view import reached
from ..widgets.run_log import HEAD
from .script import ExportError
from .share_string import ShareError


def write_report(lab, path: Path | str) -> Path:
    """Write the report of `lab` to `path`, whole or not at all, and return the path."""
    experiment, record = lab.experiment, lab.record
    tries = lab.tries.all()
    history, phase = record.history(), record.phase
    config = {"terms": {name: {"on": term.on} for name, term in experiment.objective.items()}}
    some = len(record) > 0
    none = "<p>The generator has made no step in this run.</p>"
    return write_page(
        path,
        page(
            f"A lab of {experiment.method.upper()}: {len(tries)} {'try' if len(tries) == 1 else 'tries'}",
            _lead(lab, tries),
            [
                ("What was tried", _tries(tries)),
                ("What the generator painted", samples_section(_samples(lab.trace))),
                ("What was changed, and when", _edits(lab)),
                ("What the generator was asked for", losses_section(history, phase, config) if some else none),
                ("How hard each term pulled", gains_section(history, phase) if some else none),
                ("How the student learned", _student(record)),
                ("Open it again", _again(lab)),
            ],
        ),
    )


def _lead(lab, tries: list) -> str:
    experiment, measured = lab.experiment, lab.record.student["accuracy"]
    cards = numbers(
        [
            (f"{experiment.done:,}", "steps of the generator in the run on the page"),
            (reached(experiment.shares()), "in its latest training batches"),
            (f"{measured[-1]:.1%}" if measured else "not measured", "of 1,000 real digits read by its student"),
            (str(len(tries)), "configurations tried"),
        ]
    )
    return (
        f"<p>Method {safe(experiment.method)}, seed {experiment.seed}, played in the live lab of rdskd-lab "
        f"{__version__}. The student's digits were only looked at: they trained nothing and chose nothing.</p>{cards}"
    )


def _tries(tries: list) -> str:
    if not tries:
        return "<p>Nothing was played yet.</p>"
    terms = list(dict.fromkeys(name for one in tries for name in one.raw))
    text = (
        "<p>A row is a run from its step 0. Its losses are those of the same 40 probe latents after its last step, so "
        "rows of one seed can be compared; one seed proves little.</p>"
    )
    return text + table("Tries, the newest first", [*HEAD, *terms], [tuple(one.cells(terms)) for one in tries])


def _samples(trace) -> charts.Samples:
    moments = [trace.moments[step] for step in sorted(trace.moments)]
    parts = {name: np.array([getattr(m.look, name) for m in moments]) for name in ("images", "labels", "confidence")}
    return charts.Samples(steps=np.array(sorted(trace.moments)), names=trace.classes, **parts)


def _edits(lab) -> str:
    rows = [(f"{edit.step:,}", str(edit), describe(edit.term).name if edit.term in lab.record.names else "student")
            for edit in lab.record.edits]  # fmt: skip
    if not rows:
        return "<p>Nothing was changed: the terms are the method's own.</p>"
    return table("Edits of the run on the page", ["before step", "edit", "of what"], rows)


def _student(record) -> str:
    student = {key: np.array(column, dtype=float) for key, column in record.student.items()}
    shown = charts.accuracy_curve(student)
    if not shown:
        return "<p>No student learned along in this run.</p>"
    return figure("Right answers on 1,000 real digits, of a student that saw painted images only.", *shown)


def _again(lab) -> str:
    try:
        text = f"Lab.from_share({lab.share()!r})"
    except ShareError as error:
        text = f"# {error}"
    try:
        code = lab.export_code()
    except ExportError as error:
        code = f"# {error}"
    stood = ", ".join(
        f"{name} {'on' if t.on else 'off'} x {number(t.weight)}{', damped' if t.damped else ''}"
        for name, t in lab.experiment.objective.items()
    )
    return (
        "<p>In a cell, after <code>from rdskd_lab.lab import Lab</code>:</p>"
        f'<pre tabindex="0"><code>{safe(text)}</code></pre>'
        f"<p>The settings at last ({safe(stood)}) as a plain loop, from step 0 and without the edits:</p>"
        f'<pre tabindex="0"><code>{safe(code)}</code></pre>'
    )
