"""Pictures of a study: intervals that decide claims, and what each setting did to each method's student.

Like all charts of `plots` they draw themselves for a page, for a PNG and in words; in a notebook both, `Interactive`.
"""

import json
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .charts import COLOURS, FAINT, INK, Chart, canvas, layout, load, number

TONES = {"holds": COLOURS[0], "does not hold": COLOURS[1]}  # and grey for what is not decided
MARKS = {"holds": ("circle", "o"), "does not hold": ("square", "s")}  # plotly's word and matplotlib's


class Interactive:
    """A chart in a notebook: to point at where the front end draws plotly, the PNG with its words elsewhere."""

    def __init__(self, chart: Chart):
        self.chart = chart

    def _repr_mimebundle_(self, include=None, exclude=None):
        data, meta = self.chart._repr_mimebundle_()
        return {"application/vnd.plotly.v1+json": json.loads(self.chart.plotly().to_json()), **data}, meta


class Interval(NamedTuple):
    """What was compared, its estimate with the interval's ends, and the word that the interval allows."""

    label: str
    estimate: float
    low: float
    high: float
    word: str


@dataclass
class Intervals(Chart):
    """A row an interval, with a line at 0: what lies to its right speaks for the claim."""

    title: str
    rows: list[Interval]
    xlabel: str = ""

    def alt_text(self) -> str:
        """Every interval and its word."""
        told = "; ".join(f"{r.label}: {r.estimate:+.3g} ({r.low:+.3g} to {r.high:+.3g}), {r.word}" for r in self.rows)
        return f"{self.title}. Estimates with their 95 % intervals, {self.xlabel}: {told or 'none'}."

    def looks(self, row: Interval) -> tuple[str, tuple[str, str]]:
        """Colour and mark of a row: both say its word."""
        return TONES.get(row.word, "#666666"), MARKS.get(row.word, ("diamond-open", "D"))

    def matplotlib(self):
        figure, [axis] = canvas(8, 1.1 + 0.3 * len(self.rows))
        for y, row in enumerate(self.rows):
            colour, (_, mark) = self.looks(row)
            axis.plot([row.low, row.high], [y, y], "-", color=colour, lw=2)
            axis.plot(row.estimate, y, mark, color=colour, ms=7, mfc="white" if row.word not in TONES else colour)
        axis.axvline(0, color=INK, lw=1, ls=(0, (8, 3)))
        axis.set_yticks(range(len(self.rows)), [f"{row.label}: {row.word}" for row in self.rows], fontsize=9)
        axis.set(xlabel=self.xlabel, ylim=(len(self.rows) - 0.5, -0.5))
        figure.suptitle(self.title, x=0.01, ha="left", fontsize=11, fontweight="bold")
        axis.grid(axis="x", color=FAINT), axis.set_axisbelow(True)
        return figure

    def plotly(self):
        figure = load("plotly.graph_objects").Figure(layout=layout(90 + 26 * len(self.rows), l=10, r=20, t=30, b=50))
        for word in dict.fromkeys(row.word for row in self.rows):
            mine = [row for row in self.rows if row.word == word]
            colour, (mark, _) = self.looks(mine[0])
            figure.add_scatter(
                x=[r.estimate for r in mine], y=[r.label for r in mine], mode="markers", name=word,
                marker=dict(symbol=mark, color=colour, size=10, line_width=2),
                error_x=dict(type="data", symmetric=False, array=[r.high - r.estimate for r in mine],
                             arrayminus=[r.estimate - r.low for r in mine], color=colour),
                customdata=[[r.low, r.high] for r in mine],
                hovertemplate="%{y}: %{x:.3g} (%{customdata[0]:.3g} to %{customdata[1]:.3g})",
            )  # fmt: skip
        figure.add_vline(x=0, line=dict(color=INK, dash="longdash", width=1))
        order = [row.label for row in self.rows[::-1]]
        figure.update_yaxes(categoryorder="array", categoryarray=order, automargin=True)
        return figure.update_xaxes(title_text=self.xlabel, gridcolor=FAINT, zeroline=False)


class Setting(NamedTuple):
    """One setting of one method: its accuracies over seeds in %, stopped runs as guesses."""

    method: str
    name: str
    accuracy: np.ndarray


@dataclass
class Spreads(Chart):
    """A row a method, a mark a setting at its mean over seeds: the default filled, the worst named."""

    title: str
    settings: list[Setting]

    def methods(self) -> list[str]:
        """Those with the best mean over all runs first."""
        means: dict[str, list[float]] = {}
        for s in self.settings:
            means.setdefault(s.method, []).extend(s.accuracy)
        return sorted(means, key=lambda method: -float(np.mean(means[method])))

    def of(self, method: str) -> list[Setting]:
        """A method's settings, the worst first."""
        return sorted((s for s in self.settings if s.method == method), key=lambda s: s.accuracy.mean())

    def alt_text(self) -> str:
        """Default, worst and spread of each method, in words."""
        told = []
        for method in self.methods():
            mine = self.of(method)
            default = [f"default {number(s.accuracy.mean())} %, " for s in mine if s.name == "default"]
            told.append(f"{method}: {''.join(default)}worst {number(mine[0].accuracy.mean())} % ({mine[0].name}), "
                        f"best {number(mine[-1].accuracy.mean())} % ({mine[-1].name})")  # fmt: skip
        return f"{self.title}. Mean accuracy of the student over seeds, by setting. {'; '.join(told)}."

    def matplotlib(self):
        order = self.methods()
        figure, [axis] = canvas(9, 1 + 0.55 * len(order))
        for y, method in enumerate(order):
            for s in self.of(method):
                filled = s.name == "default"
                axis.plot(s.accuracy.mean(), y, "D" if filled else "o", color=INK if filled else COLOURS[0], ms=7,
                          mfc=INK if filled else "none", mew=1.4)  # fmt: skip
            worst = self.of(method)[0]
            axis.annotate(worst.name, (worst.accuracy.mean(), y), (0, 7), textcoords="offset points", fontsize=8)
        axis.set_yticks(range(len(order)), order)
        axis.set(ylim=(len(order) - 0.4, -0.7), xlabel="student's accuracy, %: o a setting, filled the default")
        axis.set_title(self.title, loc="left", fontsize=11, fontweight="bold")
        axis.grid(color=FAINT), axis.set_axisbelow(True)
        return figure

    def plotly(self):
        order = self.methods()
        figure = load("plotly.graph_objects").Figure(layout=layout(110 + 40 * len(order), l=10, r=20, t=30, b=50))
        for filled in (False, True):
            mine = [s for s in self.settings if (s.name == "default") == filled]
            figure.add_scatter(
                x=[s.accuracy.mean() for s in mine], y=[s.method for s in mine], mode="markers",
                name="default" if filled else "one setting changed",
                customdata=[[s.name, s.accuracy.min()] for s in mine],
                marker=dict(symbol="diamond" if filled else "circle-open", size=11, line_width=2,
                            color=INK if filled else COLOURS[0]),
                hovertemplate="%{y}, %{customdata[0]}: mean %{x:.2f} %, worst %{customdata[1]:.2f} %<extra></extra>",
            )  # fmt: skip
        figure.update_yaxes(categoryorder="array", categoryarray=order[::-1], automargin=True)
        return figure.update_xaxes(title_text="student's accuracy, %", gridcolor=FAINT, zeroline=False)
