"""What stays of a lab in a saved notebook: a PNG of its last state with its description, beside the live widgets.

A cell's output holds two bundles.  The first is the live page; the second, a widget that shows nothing with a PNG as
its alternative: with a kernel one sees the first, without one the second.  Only the second is renewed while the lab
lives, since renewing a bundle redraws its widget, and would take the keyboard's focus out of the first.
"""

import weakref
from time import monotonic
from uuid import uuid4

import ipywidgets as widgets
import numpy as np

from ...reporting import charts
from ..drawing.drawing import mosaic, png, sheet_words
from ..drawing.view import SMOOTH
from ..session.record import words_of
from .control import close

REST = 1.5  # s after the last step: drawing takes most of a second, and somebody may press Play again
WHILE_PLAYING = 60.0  # s between two pictures while it trains
VIEW = "application/vnd.jupyter.widget-view+json"


class StaticSnapshot:
    """The last state of a lab as a PNG with a description, renewed when training has stopped."""

    def __init__(self, lab):
        self.lab = weakref.proxy(lab)
        self.id: str | None = None  # of its output; None until it is displayed
        self.nothing = widgets.Box(layout={"display": "none"})
        self._timer, self._step, self._sent = None, -1, monotonic()

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
        bundle, about = self.bundle(quick=not self.lab.experiment.done)
        display(bundle, metadata=about, raw=True, display_id=self.id)

    def renew(self, playing: bool) -> None:
        """Have the picture show the last state soon, but never while somebody waits for a button."""
        loop = self.lab.player.loop
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.id is None or self._step == self.lab.experiment.done:
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

        bundle, about = self.bundle()
        update_display(bundle, metadata=about, raw=True, display_id=self.id)

    def stop(self) -> None:
        """Send nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
        self.id = None
        close(self.nothing)

    def bundle(self, quick: bool = False) -> tuple[dict, dict]:
        """Return data and metadata of the output; `quick`: the images alone, without loading matplotlib."""
        self._step, self._sent = self.lab.experiment.done, monotonic()
        picture = png(np.kron(mosaic(self.lab.look.images, 8), np.ones((2, 2, 1), np.uint8))) if quick else self.png()
        view = {"version_major": 2, "version_minor": 0, "model_id": self.nothing.model_id}
        data = {VIEW: view, "image/png": picture, "text/plain": self.title()}
        return data, {"image/png": {"alt": self.alt_text()}}

    def alt_text(self) -> str:
        """Describe the images and every chart, from the numbers that are drawn."""
        return " ".join([self.words(), *(chart.alt_text() for chart in self.curves())])

    def curves(self) -> list[charts.Curves]:
        """Return charts of each term with its anchor, its increments, the gains and the student's accuracy."""
        return [curve for row in self.rows() for curve in row]

    def words(self) -> str:
        """Describe the images."""
        look = self.lab.look
        return sheet_words(look.labels, look.confidence, self.lab.experiment.classes, look.step)

    def tiles(self) -> np.ndarray:
        """Lay the images side by side."""
        return mosaic(self.lab.look.images, 5)

    def rows(self) -> list[list[charts.Curves]]:
        """Return a row of charts per term, and one for the gains and the student."""
        record = self.lab.record
        if not len(record):
            return []
        history, rows = record.history(), []
        for name, term in zip(record.names, charts.loss_terms(history), strict=True):
            words = words_of(self.lab.experiment.objective, name)
            term.title, term.ylabel = f"{words.name} ({name})", words.unit
            term.lines[0] = term.lines[0]._replace(label=words.name)
            if history[f"{name}_damped"][-1]:
                term.lines.append(charts.Line("anchor", history["step"], history[f"{name}_anchor"], 6))
                term.log = False
            rise = record.increments(name, SMOOTH)[1:]
            rise = charts.Line(f"increment of {name}", history["step"][1:], rise, term.lines[0].style)
            about = dict(xlabel=f"step (mean of the last {SMOOTH})", ylabel="per step")
            rows.append([term, charts.Curves(f"increments of {name}", [rise], **about)] if len(rise.y) else [term])
        lines = [line for chart in charts.gains(history) for line in chart.lines]
        gains = [charts.Curves("gains", lines, ylabel="exp(L - anchor)", level=(1.0, "1"))] if lines else []
        student = {key: np.array(column, dtype=float) for key, column in record.student.items()}
        return [*rows, gains + charts.accuracy_curve(student)]

    def png(self) -> bytes:
        """Draw the images beside the charts, on an Agg canvas that no other thread uses."""
        rows = self.rows()
        high = max(3, len(rows))
        figure = charts.load("matplotlib.figure").Figure(figsize=(12, 1.9 * high), dpi=80, layout="constrained")
        canvas = charts.load("matplotlib.backends.backend_agg").FigureCanvasAgg(figure)
        grid = figure.add_gridspec(high, 3, width_ratios=(1.2, 1, 1))
        left = figure.add_subplot(grid[:, 0])
        tiles = self.tiles()
        left.imshow(tiles if tiles.shape[2] == 3 else tiles[..., 0], cmap="gray", interpolation="nearest")
        left.set_title(f"{self.title()} step {self.lab.look.step:,}", fontsize=10)
        left.set_axis_off()
        for i, row in enumerate(rows):
            for j, curve in enumerate(row):
                curve.draw(figure.add_subplot(grid[i, 1 + j]))
        canvas.draw()
        return png(np.asarray(canvas.buffer_rgba())[..., :3])  # a third of what matplotlib itself would write
