"""Charts of a study: the intervals that decide its claims, and what each setting did to each method's student."""

import json
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .charts import Drawn, Rows, Spot
from .history import number
from .style import GREY


class Interactive:
    """A chart in a notebook: interactive where plotly is drawn, elsewhere a picture with its words."""

    def __init__(self, chart: Drawn):
        self.chart = chart

    def _repr_mimebundle_(self, include=None, exclude=None):
        plotly = json.loads(self.chart.plotly().to_json())
        return {"application/vnd.plotly.v1+json": plotly, **self.chart._repr_mimebundle_()}


class Interval(NamedTuple):
    """What was compared, its estimate with the interval's ends, and the word that the interval allows."""

    label: str
    estimate: float
    low: float
    high: float
    word: str

    def words(self) -> str:
        """'rdskd against dafl: +2 (+1 to +3), holds'"""
        return f"{self.label}: {self.estimate:+.3g} ({self.low:+.3g} to {self.high:+.3g}), {self.word}"


@dataclass
class Intervals(Rows):
    """A row for each interval, with a line at 0: what lies to its right supports the claim."""

    title: str
    rows: list[Interval]
    xlabel: str = ""
    zero = True
    looks = {"holds": (0, 0, True), "does not hold": (1, 2, True), "": (GREY, 1, False)}

    def names(self) -> list[str]:
        return [row.label for row in self.rows]

    def spots(self) -> list[Spot]:
        return [Spot(i, r.estimate, r.word, r.words(), r.low, r.high) for i, r in enumerate(self.rows)]

    def alt_text(self) -> str:
        said = "; ".join(row.words() for row in self.rows)
        return f"{self.title}. Estimates with their 95 % intervals, {self.xlabel}: {said or 'none'}."


class Setting(NamedTuple):
    """One setting of one method: its accuracies over seeds in %, stopped runs as guesses."""

    method: str
    name: str
    accuracy: np.ndarray


@dataclass
class Spreads(Rows):
    """A row for each method, a mark for each setting at its mean over seeds; the worst is named."""

    title: str
    settings: list[Setting]
    xlabel = "student's accuracy, %"
    looks = {"default": (6, 1, True), "": (0, 0, False)}

    def names(self) -> list[str]:
        """List the methods, those with the best mean over all runs first."""
        means: dict[str, list[float]] = {}
        for s in self.settings:
            means.setdefault(s.method, []).extend(s.accuracy)
        return sorted(means, key=lambda method: -float(np.mean(means[method])))

    def of(self, method: str) -> list[Setting]:
        """List a method's settings, the worst first."""
        return sorted((s for s in self.settings if s.method == method), key=lambda s: s.accuracy.mean())

    def spots(self) -> list[Spot]:
        spots = []
        for i, method in enumerate(self.names()):
            for k, s in enumerate(self.of(method)):
                group = "default" if s.name == "default" else "one setting changed"
                mean, worst = s.accuracy.mean(), f"worst {s.accuracy.min():.2f} %"
                note = s.name if k == 0 else f"{s.name}, mean {mean:.2f} %, {worst}"
                spots.append(Spot(i, float(mean), group, note, named=k == 0))
        return spots

    def alt_text(self) -> str:
        said = []
        for method in self.names():
            mine = self.of(method)
            worst, best = (f"{number(s.accuracy.mean())} % ({s.name})" for s in (mine[0], mine[-1]))
            default = [f"default {number(s.accuracy.mean())} %, " for s in mine if s.name == "default"]
            said.append(f"{method}: {''.join(default)}worst {worst}, best {best}")
        return f"{self.title}. Mean accuracy of the student over seeds, by setting. {'; '.join(said)}."
