"""A log of the runs of a lab: how each was set up, how it went, and a way to do it again.

A try is a run from its step 0: method, seed, and what was changed before which step.  It is logged when another run
takes its place; the run on the page is the last row.  The same configuration has one row, that of the longer run, since
the shorter one did the same.  Opening a try repeats it, edits and all.
"""

import weakref
from dataclasses import dataclass
from functools import partial
from html import escape

import ipywidgets as widgets

from ...methods.registry import describe
from ...reporting.charts import number
from ..drawing.view import classes_reached
from ..session.cores import leave_a_core
from ..sharing.share_string import Recipe, ShareError
from .playback_buttons import button

ORDERS = ("newest", "steps", "classes", "student")  # besides the terms; the last three largest first
SHOWN = 8  # edits of a row


@dataclass(frozen=True)
class Try:
    """One configuration and how far it was trained."""

    number: int  # 1, 2, 3 and so on, in the order in which they began
    method: str
    seed: int
    recipe: Recipe | None  # None: it cannot be made again, since an anchor rule of one's own has no name
    steps: int  # of the generator
    raw: dict[str, float]  # the terms on the probe images at last
    classes: int  # that the latest training batches have at least a third of their even share of
    student: float | None  # accuracy in [0, 1] at last; None: it was not measured

    def changes(self) -> str:
        """Describe what was changed, and before which step: 'oh x 2.5, ie off at 120'."""
        if self.recipe is None:
            return "an anchor rule of your own, or a shipped start"
        edits = [f"{edit}{f' at {edit.step:,}' if edit.step else ''}" for edit in self.recipe.edits]
        if len(edits) > SHOWN:
            edits = [*edits[:SHOWN], f"and {len(edits) - SHOWN} edits more"]
        return ", ".join(["terms as they stood at last:"] * self.recipe.final + edits) or "nothing"

    def cells(self, terms: list[str]) -> list[str]:
        """Return the row of a table: number, method, seed, changes, steps, classes, student, and each of `terms`."""
        values = [number(self.raw[name]) if name in self.raw else "" for name in terms]
        student = "not measured" if self.student is None else f"{self.student:.1%}"
        steps, classes = f"{self.steps:,}", str(self.classes)
        return [str(self.number), self.method, str(self.seed), self.changes(), steps, classes, student, *values]


class RunLog:
    """The log of one lab, and its `panel` on the page."""

    def __init__(self, lab):
        self.lab = weakref.proxy(lab)
        self.past: list[Try] = []
        self._begun = 0  # tries before the one on the page
        self.order = widgets.Dropdown(options=ORDERS, description="sort tries by", layout={"width": "230px"})
        self.order.observe(lambda _: self.lab.player.ask(self.show), "value")
        self.which = widgets.Dropdown(options=[], description="try", layout={"width": "420px"})
        for control in self.order, self.which:
            control.style.description_width = "auto"
        self.again = button("Open this try", "folder-open", "Do it again from step 0, with its edits", self._chosen)
        self.table = widgets.HTML()
        row = widgets.HBox([self.order, self.which, self.again], layout={"flex_flow": "row wrap"})
        self.panel, self.folded = widgets.VBox([row, self.table]), True
        self.show()

    def now(self) -> Try:
        """Describe the run on the page; if it repeats a try, it has that try's number."""
        lab, experiment = self.lab, self.lab.experiment
        try:
            recipe = lab.recipe()
        except ShareError:
            recipe = None
        same = next((old.number for old in self.past if recipe is not None and old.recipe == recipe), self._begun + 1)
        measured = lab.record.student["accuracy"]
        return Try(
            number=same,
            method=experiment.method,
            seed=experiment.seed,
            recipe=recipe,
            steps=experiment.done,
            raw=self._raw(),
            classes=classes_reached(experiment.shares()),
            student=measured[-1] if measured else None,
        )

    def note(self) -> None:
        """Log the run on the page, if it was played at all, because another is about to take its place."""
        if not self.lab.experiment.done:
            return
        made = self.now()
        same = next((old for old in self.past if old.number == made.number), None)
        if same is None:
            self.past.append(made)
            self._begun += 1
        elif same.steps <= made.steps:
            self.past[self.past.index(same)] = made

    def all(self, by: str = "newest") -> list[Try]:
        """Return every try, the one on the page too if it was played.

        by: "newest"; "steps", "classes" or "student", most first; or a term, lowest first.  What lacks it comes last.
        """
        if not self.lab.experiment.done:
            return in_order(self.past, by)
        made = self.now()
        return in_order([*(old for old in self.past if old.number != made.number), made], by)

    def open(self, which: int) -> None:
        """Repeat try number `which` from step 0, with its edits before the steps at which they were made."""
        found = next((one for one in self.all() if one.number == which), None)
        if found is None:
            raise ValueError(f"there is no try {which}; there are {', '.join(str(t.number) for t in self.all())}")
        if found.recipe is None:
            raise ValueError(f"try {which} had an anchor rule of your own or a shipped start, which no log can name")
        self.lab.player.ask(partial(self.lab.repeat, found.recipe, f"Try {which} again"))

    def fold(self) -> None:
        """Hide the log, or show it again.  Between two steps only: from a request."""
        self.folded = not self.folded
        self.show()

    def show(self) -> None:
        """Draw the log; the panel is hidden while it is folded or empty."""
        tries = self.all()
        self.panel.layout.display = None if tries and not self.folded else "none"
        terms = list(dict.fromkeys(name for one in tries for name in one.raw))
        orders = (*ORDERS, *terms)
        if self.order.options != orders:
            self.order.options = orders
        choices = [(f"{one.number}: {one.method}, seed {one.seed}, {one.changes()}"[:70], one.number) for one in tries]
        if self.which.options != tuple(choices):
            kept = self.which.value
            self.which.options = choices
            self.which.value = kept if kept in [n for _, n in choices] else choices[0][1] if choices else None
        made = self.now().number if self.lab.experiment.done else None
        self.table.value = html(in_order(tries, self.order.value), terms, made, self._shared())

    def rows(self, tries: list[Try] | None = None) -> list[list[str]]:
        """Return the log as a table of words, its head first."""
        tries = self.all() if tries is None else tries
        terms = list(dict.fromkeys(name for one in tries for name in one.raw))
        return [HEAD + terms, *(one.cells(terms) for one in tries)]

    def __str__(self) -> str:
        rows = self.rows()
        wide = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
        return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(row, wide, strict=True)).rstrip() for row in rows)

    __repr__ = __str__

    @leave_a_core()
    def _raw(self) -> dict[str, float]:
        look = getattr(self.lab, "look", None)
        experiment = self.lab.experiment
        return dict(look.raw if look is not None and look.step == experiment.done else experiment.look().raw)

    def _shared(self) -> str:
        try:
            return f"Lab.from_share({self.lab.share()!r})"
        except ShareError as error:
            return str(error)

    def _chosen(self):
        if self.which.value is not None:
            self.open(self.which.value)


def in_order(tries: list[Try], by: str) -> list[Try]:
    """Sort tries, the best first."""
    if by not in ORDERS and tries and not any(by in one.raw for one in tries):
        raise ValueError(f"tries are sorted by {', '.join(ORDERS)} or a term that they have; not by {by!r}")

    def place(one: Try) -> tuple:
        if by not in ORDERS:
            return by not in one.raw, one.raw.get(by), -one.number
        value = one.number if by == "newest" else getattr(one, by)
        return value is None, -(value or 0), -one.number

    return sorted(tries, key=place)


HEAD = ["try", "method", "seed", "changed", "steps", "classes", "student"]


def html(tries: list[Try], terms: list[str], now: int | None, shared: str) -> str:
    """Write the log as a table that marks the run on the page, and how a classmate opens that run."""
    top = "".join(f'<th scope="col">{escape(name)}</th>' for name in HEAD)
    top += "".join(f'<th scope="col" title="{escape(describe(name).name)}">{escape(name)}</th>' for name in terms)
    body = "".join(
        f"<tr{mark}><th scope=row>{escape(first)}{' (now)' if mark else ''}</th>"
        + "".join(f"<td>{escape(cell)}</td>" for cell in rest)
        + "</tr>"
        for one in tries
        for mark in [' class="now"' if one.number == now else ""]
        for first, *rest in [one.cells(terms)]
    )
    return (
        '<div class="rdskd"><div class="tries" tabindex="0" role="region" aria-label="Log of tries"><table>'
        f"<caption>What was tried in this lab<small>losses are those of the probe images</small></caption>"
        f"<thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"
        f"<p>For a classmate, the run on the page: <code>{escape(shared)}</code></p></div>"
    )
