"""The chart of a comparison: how often each method's student is right, seed by seed, and what it learned from."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .charts import Chart, Samples
from .style import COLOURS, FAINT, GREY, INK, canvas, colour, layout, load

TICKS = (10, 50, 80, 90, 95, 98, 99, 99.5, 99.9)  # %
FINER = (10, 20, 30, 40, 50, 60, 70, 80, 85, 90, 92, 94, 95, 96, 97, 98, 98.5, 99, 99.5, 99.9)  # where few of these fit


class Standing(NamedTuple):
    """One method: its name, its students' accuracies (n seeds,) in %, and some pictures of what they learned from."""

    name: str
    accuracy: np.ndarray
    shown: Samples
    control: bool = False  # grey, with a mark of its own: not a method, but a bound to compare the others with


def right(accuracy) -> np.ndarray:
    """Place an accuracy in % on the axis: -log10 of the share of wrong answers, which sets 98 and 99 apart."""
    return -np.log10(np.maximum(100 - np.asarray(accuracy, float), 0.05) / 100)


@dataclass
class Standings(Chart):
    """A row for each method, best mean first: a mark for each seed, and the image of each class that the teacher is
    most certain of."""

    title: str
    rows: list[Standing]

    def __post_init__(self):
        self.rows = sorted(self.rows, key=lambda row: -row.accuracy.mean())

    def label(self, row: Standing) -> str:
        """'97.75 ± 0.17 %', the spread where there are seeds to have one."""
        spread = f" ± {row.accuracy.std(ddof=1):.2f}" if len(row.accuracy) > 1 else ""
        return f"{row.accuracy.mean():.2f}{spread} %"

    def alt_text(self) -> str:
        """Say the standings in words, best first."""
        told = "; ".join(f"{r.name}{' (control)' if r.control else ''} {self.label(r)}" for r in self.rows)
        return f"{self.title}. Share of right answers, best first: {told}."

    def ticks(self) -> list[float]:
        """Choose round accuracies for the axis, from the last one below the worst student on."""
        every = np.concatenate([row.accuracy for row in self.rows])
        worst, best = every.min(), every.max()
        for marks in TICKS, FINER:
            low = max((t for t in marks if t <= worst), default=0)
            high = min((t for t in marks if t >= best), default=marks[-1])
            found = [t for t in (0, *marks) if low <= t <= high]
            if len(found) > 3:
                break
        return found

    def strip(self, row: Standing) -> np.ndarray:
        """Join each class's image that the teacher is most certain of, uint8 (S, K x S, 3); grey if none."""
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
        n, ticks, classes = len(self.rows), self.ticks(), self.rows[0].shown.names
        figure, (left, side) = canvas(11, 0.9 + 0.48 * n, 2)
        for y, row in enumerate(self.rows):
            ink, mark = (colour(GREY), "D") if row.control else (COLOURS[0], "o")
            left.plot(right(row.accuracy), [y] * len(row.accuracy), mark, color=ink, mfc="none", ms=7, mew=1.6)
            left.plot(right(row.accuracy.mean()), y, "|", color=INK, ms=15, mew=2)
            place = (0, len(classes), y + 0.46, y - 0.46)
            side.imshow(self.strip(row), extent=place, interpolation="nearest", aspect="auto")
        left.set_yticks(range(n), [f"{row.name}\n{self.label(row)}" for row in self.rows], fontsize=9)
        left.set_xticks(right(ticks), [f"{t:g}" for t in ticks])
        left.set_xlabel("right answers, %; equal steps: equal factors in the wrong ones", fontsize=9)
        left.grid(axis="x", color=FAINT)
        left.set_axisbelow(True)
        side.set_yticks([])
        side.set_xticks([k + 0.5 for k in range(len(classes))], classes, fontsize=9)
        side.set_xlabel("what its student learned from, by the teacher's answer", fontsize=9)
        side.set_xlim(0, len(classes))
        if max(map(len, classes)) > 2:
            side.tick_params(axis="x", labelrotation=45)
        for axis in left, side:
            axis.set_ylim(n - 0.5, -0.5)
            axis.spines[:].set_visible(False)
        figure.suptitle(f"{self.title}  (o method, ◇ control, | mean)", fontsize=11)
        return figure

    def plotly(self):
        ticks, names = self.ticks(), {row.name: f"{row.name}  {self.label(row)}" for row in self.rows}
        figure = load("plotly.graph_objects").Figure(layout=layout(100 + 40 * len(names), l=250, r=20, t=20, b=60))
        for control, symbol, style in (False, "circle-open", 0), (True, "diamond-open", GREY):
            rows = [row for row in self.rows if row.control is control]
            if rows:
                accuracy = np.concatenate([row.accuracy for row in rows])
                figure.add_scatter(
                    x=right(accuracy),
                    y=[names[row.name] for row in rows for _ in row.accuracy],
                    mode="markers",
                    name="control" if control else "method",
                    marker=dict(symbol=symbol, color=colour(style), size=11, line=dict(width=2)),
                    customdata=accuracy,
                    hovertemplate="%{y}: %{customdata:.2f} %<extra></extra>",
                )
        figure.update_yaxes(categoryorder="array", categoryarray=list(names.values())[::-1])
        marks = dict(tickvals=right(ticks), ticktext=[f"{t:g}" for t in ticks])
        figure.update_xaxes(title="right answers, %", gridcolor=FAINT, **marks)
        return figure
