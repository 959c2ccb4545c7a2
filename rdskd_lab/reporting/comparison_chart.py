"""One picture of a comparison: how often each method's student is right, seed by seed, and what it learned from."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .charts import COLOURS, FAINT, INK, Chart, Samples, canvas, layout, load

TICKS = (10, 50, 80, 90, 95, 98, 99, 99.5, 99.9)  # %
FINER = (10, 20, 30, 40, 50, 60, 70, 80, 85, 90, 92, 94, 95, 96, 97, 98, 98.5, 99, 99.5, 99.9)  # where few of these fit


class Standing(NamedTuple):
    """One method: its name, its students' accuracies (n seeds,) in %, and some pictures of what they learned from."""

    name: str
    accuracy: np.ndarray
    shown: Samples
    control: bool = False  # drawn in grey, with another mark: no method, but a bound to read the others against


def right(accuracy) -> np.ndarray:
    """Where an accuracy in % stands on the axis: -log10 of the share of wrong answers, so that 98 and 99 lie apart."""
    return -np.log10(np.maximum(100 - np.asarray(accuracy, float), 0.05) / 100)


@dataclass
class Standings(Chart):
    """A row a method, best mean first; a mark a seed; an image a class, the surest of the last picture, if any."""

    title: str
    rows: list[Standing]

    def __post_init__(self):
        self.rows = sorted(self.rows, key=lambda row: -row.accuracy.mean())

    def label(self, row: Standing) -> str:
        """'97.75 ± 0.17 %', the spread where there are seeds to have one."""
        spread = f" ± {row.accuracy.std(ddof=1):.2f}" if len(row.accuracy) > 1 else ""
        return f"{row.accuracy.mean():.2f}{spread} %"

    def alt_text(self) -> str:
        """The standings in words, best first."""
        told = "; ".join(f"{r.name}{' (control)' if r.control else ''} {self.label(r)}" for r in self.rows)
        return f"{self.title}. Share of right answers, best first: {told}."

    def ticks(self) -> list[float]:
        """Round accuracies for the axis, from the last one below the worst student on."""
        worst, best = (f(r.accuracy.min() if f is min else r.accuracy.max() for r in self.rows) for f in (min, max))
        for marks in TICKS, FINER:
            low = max((t for t in marks if t <= worst), default=0)
            high = min((t for t in marks if t >= best), default=marks[-1])
            found = [t for t in (0, *marks) if low <= t <= high]
            if len(found) > 3:
                break
        return found

    def strip(self, row: Standing) -> np.ndarray:
        """uint8 (S, K x S, 3): for each class the image that the teacher is surest of; grey where it has none."""
        s = row.shown
        size = s.images.shape[-1]
        out = np.full((size, len(s.names) * size, 3), 235, np.uint8)
        for k in range(len(s.names)):
            mine = np.flatnonzero(s.labels[-1] == k)
            if len(mine):
                best = s.images[-1, mine[s.confidence[-1, mine].argmax()]]
                out[:, k * size : (k + 1) * size] = np.moveaxis(best, 0, -1)
        return out

    def matplotlib(self):
        n, ticks = len(self.rows), self.ticks()
        figure, (left, side) = canvas(11, 0.9 + 0.48 * n, 2)
        for y, row in enumerate(self.rows):
            colour, mark = ("#666666", "D") if row.control else (COLOURS[0], "o")
            left.plot(right(row.accuracy), [y] * len(row.accuracy), mark, color=colour, mfc="none", ms=7, mew=1.6)
            left.plot(right(row.accuracy.mean()), y, "|", color=INK, ms=15, mew=2)
            side.imshow(self.strip(row), extent=(0, len(row.shown.names), y + 0.46, y - 0.46), interpolation="nearest",
                        aspect="auto")  # fmt: skip
        names = [f"{row.name}\n{self.label(row)}" for row in self.rows]
        left.set_yticks(range(n), names, fontsize=9)
        left.set_xticks(right(ticks), [f"{t:g}" for t in ticks])
        left.set_xlabel("right answers, %; equal steps: equal factors in the wrong ones", fontsize=9)
        left.grid(axis="x", color=FAINT), left.set_axisbelow(True)
        classes = self.rows[0].shown.names
        side.set_yticks([]), side.set_xticks([k + 0.5 for k in range(len(classes))], classes, fontsize=9)
        side.set_xlabel("what its student learned from, by the teacher's answer", fontsize=9)
        if max(map(len, classes)) > 2:
            side.tick_params(axis="x", labelrotation=45)
        for axis in left, side:
            axis.set_ylim(n - 0.5, -0.5)
            axis.spines[:].set_visible(False)
        side.set_xlim(0, len(classes))
        figure.suptitle(f"{self.title}  (o method, ◇ control, | mean)", fontsize=11)
        return figure

    def plotly(self):
        go, ticks = load("plotly.graph_objects"), self.ticks()
        figure = go.Figure(layout=layout(100 + 40 * len(self.rows), l=250, r=20, t=20, b=60))
        for control, mark, colour in (False, "circle-open", COLOURS[0]), (True, "diamond-open", "#666666"):
            spots = [(a, f"{r.name}  {self.label(r)}") for r in self.rows if r.control is control for a in r.accuracy]
            if spots:
                accuracy, names = zip(*spots, strict=True)
                figure.add_scatter(
                    x=right(accuracy), y=names, mode="markers", name="control" if control else "method",
                    marker=dict(symbol=mark, color=colour, size=11, line=dict(width=2)),
                    customdata=accuracy, hovertemplate="%{y}: %{customdata:.2f} %<extra></extra>",
                )  # fmt: skip
        figure.update_yaxes(
            categoryorder="array", categoryarray=[f"{r.name}  {self.label(r)}" for r in self.rows[::-1]]
        )
        figure.update_xaxes(title="right answers, %", tickvals=right(ticks), ticktext=[f"{t:g}" for t in ticks],
                            gridcolor=FAINT)  # fmt: skip
        return figure
