"""A lab on one page to keep or hand in: what was tried, and of the last try the pictures, curves, edits and code."""

from pathlib import Path

import numpy as np

from ... import __version__
from ...reporting import charts
from ...reporting.history import number
from ...reporting.html_page import Html, figure, numbers, page, paragraph, table, write_page
from ...reporting.run_report import gains_section, losses_section, samples_section
from ..drawing.view import reached, student_title
from ..session.record import words_of
from .script import ExportError
from .share_string import ShareError


def write_report(lab, path: Path | str) -> Path:
    """Write the report of `lab` to `path`, whole or not at all, and return the path."""
    experiment, record = lab.experiment, lab.record
    tries = lab.run_log.all()
    history, phase = record.history(), record.phase
    config = {"terms": {name: {"on": term.on} for name, term in experiment.objective.items()}}
    none = paragraph("The generator was not trained in this run.")
    title = f"A lab of {experiment.method.upper()}: {len(tries)} {'try' if len(tries) == 1 else 'tries'}"
    sections = [
        ("What was tried", _tries(lab.run_log.rows(tries))),
        ("What the generator makes", samples_section(_samples(lab.trace))),
        ("What was changed, and when", _edits(lab)),
        ("What each loss is for", losses_section(history, phase, config) if len(record) else none),
        ("How hard each loss pulled", gains_section(history, phase) if len(record) else none),
        ("How the student learned", _student(lab.experiment, record)),
        ("Open it again", _again(lab)),
    ]
    return write_page(path, page(title, _lead(lab, tries), sections))


def _lead(lab, tries: list) -> Html:
    experiment, measured = lab.experiment, lab.record.student["accuracy"]
    cards = [
        (f"{experiment.done:,}", "training steps of the generator in this run"),
        (reached(experiment.shares()), "in its latest training batches"),
        (f"{measured[-1]:.1%}" if measured else "not measured", student_title(experiment)),
        (str(len(tries)), "configurations tried"),
    ]
    tested = experiment.tested_on
    real = f"The {tested} only tested the student: nothing was trained on them or chosen by them."
    text = "Method {}, seed {}, run in the live lab of rdskd-lab {}. {}"
    said = real if tested else "No real images were used."
    return paragraph(text, experiment.method, experiment.seed, __version__, said) + numbers(cards)


def _tries(rows: list[list[str]]) -> Html:
    if len(rows) < 2:
        return paragraph("Nothing was tried yet.")
    text = paragraph(
        "A row is a run from step 0. Its losses are those of the same 40 probe latents after its last step, so rows of "
        "one seed can be compared; one seed proves little."
    )
    return text + table("Tries, the newest first", rows[0], [tuple(row) for row in rows[1:]])


def _samples(trace) -> charts.Samples:
    moments = [trace.moments[step] for step in sorted(trace.moments)]
    parts = {name: np.array([getattr(m.look, name) for m in moments]) for name in ("images", "labels", "confidence")}
    return charts.Samples(steps=np.array(sorted(trace.moments)), names=trace.classes, **parts)


def _edits(lab) -> Html:
    named = {name: words_of(lab.experiment.objective, name).name for name in lab.experiment.objective}
    rows = [(f"{edit.step:,}", str(edit), named.get(edit.term, "student")) for edit in lab.record.edits]
    if not rows:
        return paragraph("Nothing was changed: the terms are those of the method.")
    return table("Edits of this run", ["before step", "edit", "changes"], rows)


def _student(experiment, record) -> Html:
    student = {key: np.array(column, dtype=float) for key, column in record.student.items()}
    shown = charts.accuracy_curve(student)
    if not shown:
        return paragraph("No student was trained in this run.")
    return figure(f"A student trained on generated images only. {student_title(experiment).capitalize()}.", *shown)


def _again(lab) -> Html:
    try:
        text = f"Lab.from_share({lab.share()!r})"
    except ShareError as error:
        text = f"# {error}"
    try:
        code = lab.export_code()
    except ExportError as error:
        code = f"# {error}"
    terms = ", ".join(
        f"{name} {'on' if t.on else 'off'} x {number(t.weight)}{', damped' if t.damped else ''}"
        for name, t in lab.experiment.objective.items()
    )
    block = Html('<pre tabindex="0"><code>{}</code></pre>')
    return (
        paragraph("In a cell, after <code>from rdskd_lab.lab import Lab</code>:")
        + block.format(text)
        + paragraph("The last settings ({}) as a plain loop, from step 0 and without the edits:", terms)
        + block.format(code)
    )
