"""The loss console: a row per term, to switch, weigh and damp it, and to see how hard it pulls."""

from collections.abc import Callable
from html import escape

import ipywidgets as widgets

from ...methods.registry import describe
from ...objective import ANCHORS, Objective, Term
from ...reporting.charts import number
from ..session.experiment import Look
from ..session.record import HEAVIEST, rule_of


class Row(widgets.HBox):
    """One term's controls.  Every label names the term, so that it makes sense when a screen reader reads it alone."""

    def __init__(self, name: str, term, edit: Callable[[str, str, object], None]):
        rule = rule_of(term)
        own = [] if rule else ["own"]  # a rule that has no name here: it can be left, not chosen
        self.on = widgets.Checkbox(term.on, description=f"{name}: {describe(name).name}", indent=False)
        self.weight = widgets.BoundedFloatText(term.weight, min=0, max=HEAVIEST, step=0.1, description=f"{name} weight")
        self.damped = widgets.Checkbox(term.damped, description=f"{name} damped", indent=False)
        self.rule = widgets.Dropdown(options=[*ANCHORS, *own], value=rule or "own", description=f"{name} anchor")
        self.pull = widgets.HTML()
        controls = {"on": self.on, "weight": self.weight, "damped": self.damped, "rule": self.rule}
        for field, width in ("on", "250px"), ("weight", "170px"), ("damped", "110px"), ("rule", "190px"):
            controls[field].layout.width = width
            controls[field].observe(lambda change, field=field: edit(name, field, change["new"]), "value")
        super().__init__([*controls.values(), self.pull])
        self.layout.flex_flow, self.layout.align_items = "row wrap", "center"
        self.add_class("rdskd-row")

    def set(self, term: Term) -> None:
        """Set the controls as the term is."""
        self.on.value, self.weight.value, self.damped.value = term.on, term.weight, term.damped
        self.rule.value = rule_of(term) or self.rule.value


class Console(widgets.VBox):
    """A row per term of an objective.  `edit(term, field, value)` is asked for each time that a control changes."""

    def __init__(self, objective: Objective, edit: Callable[[str, str, object], None]):
        super().__init__()
        self.edit, self.rows = edit, {}
        self.fill(objective)

    def fill(self, objective: Objective) -> None:
        """Rows for these terms, in place of any that were there."""
        old = self.children
        self.rows = {name: Row(name, term, self.edit) for name, term in objective.items()}
        self.children = tuple(self.rows.values())
        for row in old:
            close(row)

    def show(self, objective: Objective, look: Look) -> None:
        """Write into each row how the term stands now."""
        for name, row in self.rows.items():
            row.pull.value = pull(objective[name], look, name)


def pull(term, look: Look, name: str) -> str:
    """'0.153  gain 1.02  pull 0.8 (62 %)  cosine +0.71' of one term, as HTML.

    The gain is on the probe images, with the anchor of now; the pull is the norm of weight x gain x gradient there.
    """
    gain = number(2.718281828459045 ** (look.raw[name] - term.anchor)) if term.damped else "1"
    cosine = look.cosine[name]
    parts = (
        ("value", number(look.raw[name])),
        ("gain", gain if term.on else "off"),
        ("pull", f"{number(look.norm[name])} ({look.share[name]:.0%})"),
        ("cosine", "none" if cosine != cosine else f"{cosine:+.2f}"),
    )
    spans = "".join(f"<span>{word} <b>{escape(value)}</b></span>" for word, value in parts)
    return f'<div class="rdskd"><div class="pull{"" if term.on else " off"}">{spans}</div></div>'


def close(widget: widgets.Widget) -> None:
    """Close a widget and everything in it, layouts and styles too, so that kernel and page let go of them."""
    for part in (*getattr(widget, "children", ()), getattr(widget, "layout", None), getattr(widget, "style", None)):
        if isinstance(part, widgets.Widget):
            close(part)
    widget.close()
