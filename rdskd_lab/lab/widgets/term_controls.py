"""A row per term: controls to switch, weigh and damp it, and how hard it pulls."""

from collections.abc import Callable
from html import escape

import ipywidgets as widgets
import torch

from ...objective import ANCHORS, Objective, Term
from ...reporting.charts import number
from ..session.experiment import Look
from ..session.record import HEAVIEST, rule_of, words_of
from .control import Control, close

OWN = "own"  # an anchor rule of the learner's own, which has no name here: it can be left, not chosen


class TermRow(widgets.HBox):
    """One term's controls.  Every label names the term, so that it makes sense when a screen reader reads it alone."""

    def __init__(self, name: str, label: str, ask: Callable[[str, str, object], None]):
        self.on = widgets.Checkbox(description=label, indent=False)
        self.weight = widgets.BoundedFloatText(min=0, max=HEAVIEST, step=0.1, description=f"{name} weight")
        self.damped = widgets.Checkbox(description=f"{name} damped", indent=False)
        self.rule = widgets.Dropdown(options=ANCHORS.keys(), description=f"{name} anchor")
        self.pull = widgets.HTML()
        widths = {"on": "250px", "weight": "170px", "damped": "110px", "rule": "190px"}
        self.controls = {
            field: Control(getattr(self, field), lambda value, field=field: ask(name, field, value)) for field in widths
        }
        for field, width in widths.items():
            getattr(self, field).layout.width = width
        super().__init__([self.on, self.weight, self.damped, self.rule, self.pull])
        self.layout.flex_flow, self.layout.align_items = "row wrap", "center"
        self.add_class("rdskd-row")

    def follow(self, term: Term) -> None:
        """Set the controls as the term is."""
        rule = rule_of(term)
        for field in "on", "weight", "damped":
            self.controls[field].follow(value=getattr(term, field))
        self.controls["rule"].follow(options=(*ANCHORS, *([] if rule else [OWN])), value=rule or OWN)


class TermControls(widgets.VBox):
    """A row per term of an objective.  `ask(term, field, value)` is called each time that a control is changed."""

    def __init__(self, ask: Callable[[str, str, object], None]):
        super().__init__()
        self.ask, self.rows = ask, {}

    def follow(self, objective: Objective) -> None:
        """Set every control as its term is; with other terms, in rows of their own."""
        labels = {name: f"{name}: {words_of(objective, name).name}" for name in objective}
        if labels != {name: row.on.description for name, row in self.rows.items()}:
            old, self.rows = self.children, {name: TermRow(name, label, self.ask) for name, label in labels.items()}
            self.children = tuple(self.rows.values())
            for row in old:
                close(row)
        for name, row in self.rows.items():
            row.follow(objective[name])

    def show(self, objective: Objective, look: Look) -> None:
        """Write into each row how the term stands now."""
        for name, row in self.rows.items():
            row.pull.value = pull(objective[name], look, name)


def pull(term: Term, look: Look, name: str) -> str:
    """Describe one term as HTML: '0.153  gain 1.02  pull 0.8 (62 %)  cosine +0.71'.

    The gain is on the probe images, with the anchor of now; the pull is the norm of weight x gain x gradient there.
    """
    gain = number(term.gain(torch.tensor(look.raw[name])).item())
    cosine = look.cosine[name]
    parts = (
        ("value", number(look.raw[name])),
        ("gain", gain if term.on else "off"),
        ("pull", f"{number(look.norm[name])} ({look.share[name]:.0%})"),
        ("cosine", "none" if cosine != cosine else f"{cosine:+.2f}"),
    )
    spans = "".join(f"<span>{word} <b>{escape(value)}</b></span>" for word, value in parts)
    return f'<div class="rdskd"><div class="pull{"" if term.on else " off"}">{spans}</div></div>'
