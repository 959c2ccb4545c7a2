"""Charts of a study: the intervals that decide its claims, and what each setting did to each method's student."""

import json
from dataclasses import dataclass

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


@dataclass
class Intervals(Rows):
    """A row for each verdict, with a line at 0: what lies to its right supports the claim."""

    title: str
    rows: list  # of verdicts that have an interval (studies.verdict.Verdict)
    xlabel: str = ""
    zero = True
    looks = {"holds": (0, 0, True), "does not hold": (1, 2, True), "": (GREY, 1, False)}

    def names(self) -> list[str]:
        return [row.label for row in self.rows]

    def spots(self) -> list[Spot]:
        return [Spot(i, r.estimate, r.verdict, r.words, r.low, r.high) for i, r in enumerate(self.rows)]

    def alt_text(self) -> str:
        said = "; ".join(row.words for row in self.rows)
        return f"{self.title}. Estimates with their 95 % intervals, {self.xlabel}: {said or 'none'}."


@dataclass
class Spreads(Rows):
    """A row for each method, a mark for each setting at its mean over seeds; the worst is named."""

    title: str
    settings: dict[tuple[str, str], np.ndarray]  # (method, setting): accuracy over seeds in %, stopped runs as guesses
    xlabel = "student's accuracy, %"
    looks = {"default": (6, 1, True), "": (0, 0, False)}

    def names(self) -> list[str]:
        """List the methods, those with the best mean over all runs first."""
        means: dict[str, list[float]] = {}
        for (method, _), accuracy in self.settings.items():
            means.setdefault(method, []).extend(accuracy)
        return sorted(means, key=lambda method: -float(np.mean(means[method])))

    def of(self, method: str) -> list[tuple[str, np.ndarray]]:
        """List a method's settings with their accuracies, the worst first."""
        mine = [(name, accuracy) for (whose, name), accuracy in self.settings.items() if whose == method]
        return sorted(mine, key=lambda one: one[1].mean())

    def spots(self) -> list[Spot]:
        spots = []
        for i, method in enumerate(self.names()):
            for k, (name, accuracy) in enumerate(self.of(method)):
                group = "default" if name == "default" else "one setting changed"
                mean, worst = accuracy.mean(), f"worst {accuracy.min():.2f} %"
                note = name if k == 0 else f"{name}, mean {mean:.2f} %, {worst}"
                spots.append(Spot(i, float(mean), group, note, named=k == 0))
        return spots

    def alt_text(self) -> str:
        said = []
        for method in self.names():
            mine = self.of(method)
            worst, best = (f"{number(accuracy.mean())} % ({name})" for name, accuracy in (mine[0], mine[-1]))
            default = [f"default {number(accuracy.mean())} %, " for name, accuracy in mine if name == "default"]
            said.append(f"{method}: {''.join(default)}worst {worst}, best {best}")
        return f"{self.title}. Mean accuracy of the student over seeds, by setting. {'; '.join(said)}."
