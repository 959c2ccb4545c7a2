"""What stays of a lab in a saved notebook: a still of its last state with words, beside the live widgets.

A cell's output holds two bundles.  The first is the live page; the second, a widget that shows nothing with pictures
as its alternative: with a kernel one sees the first, without one the second.  Only the second is renewed while the lab
lives, since renewing a bundle redraws its widget, and would take the keyboard's focus out of the first.
"""

import weakref
from time import monotonic
from uuid import uuid4

import ipywidgets as widgets

from ...reporting.charts import data_uri, side_by_side
from ..drawing.still import still, words
from ..session.screen_state import terms
from .control import close

REST = 1.5  # s after the last step: drawing takes most of a second, and somebody may press Play again
WHILE_PLAYING = 60.0  # s between two pictures while it trains
VIEW = "application/vnd.jupyter.widget-view+json"


class StaticSnapshot:
    """The last state of a lab as pictures and words, renewed when it has come to rest."""

    def __init__(self, lab):
        self.lab = weakref.proxy(lab)
        self.id: str | None = None  # of its output; None until it is displayed
        self.nothing = widgets.Box(layout={"display": "none"})
        self._timer, self._drawn, self._sent = None, (), monotonic()

    def title(self) -> str:
        """Return a title that is the same on every machine, for nbval to compare."""
        experiment = self.lab.experiment
        return f"[{self.lab.kind}: {experiment.method}, seed {experiment.seed}]"

    def display(self) -> None:
        """Show the lab, and below it the output that holds its picture."""
        from IPython.display import display

        page, words = self.lab.page, {"text/plain": self.title()}
        self.id = uuid4().hex
        display({VIEW: {"version_major": 2, "version_minor": 0, "model_id": page.model_id}, **words}, raw=True)
        display(self.bundle(), raw=True, display_id=self.id)

    def renew(self, playing: bool) -> None:
        """Have the picture show the last state soon, but never while somebody waits for a button."""
        loop = self.lab.player.loop
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.id is None or self._drawn == self._shown():
            return
        if loop is None:
            if not playing:
                self.send()
        elif not playing:
            self._timer = loop.call_later(REST, self.send)
        elif monotonic() - self._sent > WHILE_PLAYING:
            self.send()

    def send(self) -> None:
        """Put the current state into the notebook."""
        from IPython.display import update_display

        update_display(self.bundle(), raw=True, display_id=self.id)

    def stop(self) -> None:
        """Send nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
        self.id = None
        close(self.nothing)

    def bundle(self) -> dict:
        """Make the output: a widget that shows nothing, and for whoever has no kernel the still."""
        self._drawn, self._sent = self._shown(), monotonic()
        view = {"version_major": 2, "version_minor": 0, "model_id": self.nothing.model_id}
        return {VIEW: view, "text/html": self.html(), "text/plain": self.title()}

    def _shown(self) -> tuple:
        """Return what tells one picture from another: the run, its step, and what changes it without a step."""
        experiment, run = self.lab.experiment, [getattr(self.lab, name, 0) for name in ("run_id", "window")]
        return experiment.done, terms(experiment.objective), experiment.learning, id(getattr(self.lab, "twin", 0)), run

    def html(self) -> str:
        """Draw the screen as it stands, with its words as text alternative."""
        state = self.lab.state()
        return side_by_side(self.title(), [(data_uri("image/svg+xml", still(state).encode()), words(state))])
