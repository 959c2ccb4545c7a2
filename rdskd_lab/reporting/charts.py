"""Charts of a run: plain data made from a history, a result or samples, that can draw itself in two ways.

`chart.plotly()` is an interactive figure for a screen, `chart.matplotlib()` a figure for a PNG file, and
`chart.alt_text()` says the same in words computed from the same data; a notebook shows the PNG with these words.
Nothing here shows, saves or trains, and plotly and matplotlib are imported only when a figure is asked for. Lines
differ in colour (Okabe and Ito's palette), dash and the label at their end; long ones are thinned, extremes kept.
"""

from __future__ import annotations

import csv
import html
import io
from dataclasses import dataclass
from importlib import import_module
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..methods.registry import describe

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")  # Okabe and Ito, no yellow
DASHES = (("solid", "-"), ("dash", "--"), ("dot", ":"), ("dashdot", "-."))  # each in plotly's word and matplotlib's
MARKS = (("circle-open", "o"), ("diamond-open", "D"), ("square-open", "s"), ("triangle-up-open", "^"))
INK, FAINT = "#1a1a1a", "#d9d9d9"


# ---------------------------------------------------------------- data: history -> arrays


def read_history(path: str | Path) -> dict[str, np.ndarray]:
    """Columns of a history.csv with N rows: `phase` str (N,), all others float64 (N,), NaN where nothing was measured.
    Rows that a crash cut short are dropped."""
    with open(path, newline="", encoding="utf-8") as file:
        head, *rows = list(csv.reader(file)) or [[]]
    columns = list(zip(*(row for row in rows if len(row) == len(head)), strict=True)) or [()] * len(head)
    return {name: _column(name, values) for name, values in zip(head, columns, strict=True)}


def history_of(rows: list[dict]) -> dict[str, np.ndarray]:
    """The same columns from `Step.row()` of each step, for a run that was never written to disk."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: _column(name, [row.get(name, "") for row in rows]) for name in names}


def _column(name: str, values) -> np.ndarray:
    if name == "phase":
        return np.array(values, dtype=str)
    return np.array([float("nan") if value == "" else float(value) for value in values])


def phases(history: dict[str, np.ndarray]) -> list[str]:
    """Names of the phases, in the order in which they were run."""
    return list(dict.fromkeys(history["phase"].tolist())) if "phase" in history else []


def terms(history: dict[str, np.ndarray], phase: str) -> list[str]:
    """Keys of the terms that have at least one finite value in `phase`."""
    rows = history.get("phase") == phase
    return [key for key in history if f"{key}_gain" in history and np.isfinite(history[key][rows]).any()]


def thin(x: np.ndarray, y: np.ndarray, points: int = 1200) -> tuple[np.ndarray, np.ndarray]:
    """At most about `points` of the N points: first, last, and lowest and highest of each of points/2 equal pieces."""
    if len(y) <= points:
        return x, y
    edges = np.linspace(0, len(y), points // 2 + 1).astype(int)
    keep = {a + int(find(y[a:b])) for a, b in zip(edges, edges[1:], strict=False) for find in (np.argmin, np.argmax)}
    index = np.array(sorted(keep | {0, len(y) - 1}))
    return x[index], y[index]


def running_median(x: np.ndarray, y: np.ndarray, centres: int = 400) -> tuple[np.ndarray, np.ndarray, int]:
    """Median of y over 2 % of its N points around each of at most `centres` points, and that window in points."""
    half = max(2, len(y) // 100)
    at = np.unique(np.linspace(0, len(y) - 1, min(centres, len(y))).astype(int))
    return x[at], np.array([np.median(y[max(0, i - half) : i + half + 1]) for i in at]), 2 * half + 1


def number(value: float) -> str:
    """Three significant digits, thousands set apart: 0.153, -2.3, 12,800."""
    return f"{value:,.0f}" if 100 <= abs(value) < 1e9 else f"{value:.3g}"


# ---------------------------------------------------------------- charts: arrays -> figures and words


def load(module: str):
    """Import plotly or matplotlib, or say in one sentence how to get it."""
    try:
        return import_module(module)
    except ImportError as error:
        package = module.split(".")[0]
        raise ImportError(f'Figures need {package}, which is not installed: pip install "rdskd-lab[lab]"') from error


def canvas(width: float, height: float, columns: int = 1, rows: int = 1):
    """A matplotlib figure of width x height inches and its axes in a flat array, on an Agg canvas, without pyplot."""
    figure = load("matplotlib.figure").Figure(figsize=(width, height), dpi=120, layout="constrained")
    load("matplotlib.backends.backend_agg").FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, squeeze=False).flatten()


def layout(height: int, **margin) -> dict:
    """What all plotly figures share: a white ground in light and dark pages, dark ink, large type."""
    return dict(
        template="none",
        height=height,
        paper_bgcolor="white",
        plot_bgcolor="white",
        margin=margin,
        dragmode=False,
        font=dict(family="system-ui, 'Segoe UI', Arial, sans-serif", size=14, color=INK),
        legend=dict(orientation="h", x=1, xanchor="right", y=1, yanchor="bottom"),
    )


class Chart:
    """What every chart can do: draw itself, and in a notebook show its PNG with its words."""

    def png(self) -> bytes:
        """The matplotlib figure as the bytes of a PNG file."""
        file = io.BytesIO()
        self.matplotlib().savefig(file, format="png")
        return file.getvalue()

    def _repr_mimebundle_(self, include=None, exclude=None):
        # The words go where screen readers look; the plain text is the same on every machine, for nbval to compare.
        name = f"[{type(self).__name__.lower()}: {self.title}]"
        return {"image/png": self.png(), "text/plain": name}, {"image/png": {"alt": self.alt_text()}}


class Line(NamedTuple):
    """x, y (N,), finite. `style` picks colour, dash and mark; `kind`: line, noisy (adds its median), bars or dots."""

    label: str
    x: np.ndarray
    y: np.ndarray
    style: int = 0
    kind: str = "line"

    def strokes(self) -> list[tuple]:
        """(x, y, width, opacity, dash, mark) of what to draw, dash and mark as (plotly's, matplotlib's)."""
        dash, mark = DASHES[self.style % len(DASHES)], MARKS[self.style % len(MARKS)]
        if self.kind == "noisy":
            return [
                (*thin(self.x, self.y), 1, 0.45, DASHES[0], None),
                (*running_median(self.x, self.y)[:2], 2.6, 1, dash, None),
            ]
        width = {"bars": None, "dots": 0}.get(self.kind, 2.2)
        return (
            []
            if width is None
            else [(self.x, self.y, width, 1, dash, mark if not width or len(self.x) <= 80 else None)]
        )

    def end(self, last: bool = True) -> float:
        """The last (or first) value; of a noisy line, the median of its last (or first) 2 %."""
        few = max(1, len(self.y) // 50) if self.kind == "noisy" else 1
        return float(np.median(self.y[-few:] if last else self.y[:few]))

    def words(self, unit: str, ticks: list[str] | None, over: str = "steps") -> str:
        """'one-hot loss falls from 1.9 to 0.15 over steps 0 to 999 (between 0.1 and 2.3)'; of bars, the extremes."""
        a, b, low, high = self.end(False), self.end(), self.y.min(), self.y.max()
        if ticks:
            return (
                f"{self.label}: lowest {number(low)}{unit} for {ticks[int(self.x[self.y.argmin()])]}, "
                f"highest {number(high)}{unit} for {ticks[int(self.x[self.y.argmax()])]}"
            )
        way = f"{'falls' if b < a else 'rises'} from {number(a)} to {number(b)}"
        way = f"stays near {number(b)}" if abs(b - a) <= 0.05 * max(abs(a), abs(b)) else way
        return (
            f"{self.label} {way}{unit} over {over} {self.x[0]:,.0f} to {self.x[-1]:,.0f} "
            f"(between {number(low)} and {number(high)}{unit})"
        )


@dataclass
class Curves(Chart):
    """Lines over the same axes, each labelled at its end; or bars, or dots, over named classes."""

    title: str
    lines: list[Line]
    xlabel: str = "step"
    ylabel: str = ""
    level: tuple[float, str] | None = None  # value and meaning of a horizontal line
    log: bool = False  # logarithmic y
    unit: str = ""  # put after each number, as in " %"
    ticks: list[str] | None = None  # names of x = 0, 1, 2 and so on

    def place(self, y: float) -> float:
        """Where the axis puts y: log10 y if it is logarithmic."""
        return float(np.log10(y)) if self.log else float(y)

    def span(self) -> tuple[float, float]:
        """Lowest and highest place to show, with room around; bars stand on 0."""
        values = np.concatenate([line.y for line in self.lines] + ([[self.level[0]]] if self.level else []))
        low, high = self.place(values.min()), self.place(values.max())
        room = 0.08 * (high - low) or 0.1 * abs(high) or 1.0
        return (0.0, 1.15 * high or 1.0) if self.lines[0].kind == "bars" else (low - room, high + room)

    @property
    def height(self) -> int:
        """Pixels of the axis: room for a label at the end of every line."""
        return max(170, 17 * len(self.lines))

    def ends(self) -> list[tuple[str, float, float]]:
        """(label, y, shift upwards in pixels) for the end of each line: no two overlap, none lies above the axis."""
        low, high = self.span()
        lines = sorted(self.lines if not self.ticks else [], key=Line.end)
        at = [(self.place(line.end()) - low) / (high - low) * self.height for line in lines]
        put = list(accumulate(at, lambda below, pixel: max(pixel, below + 17)))
        down = accumulate([min(p, self.height) for p in put[::-1]], lambda above, pixel: min(pixel, above - 17))
        put = list(down)[::-1]
        name = [f" {line.label}" * (len(self.lines) > 1) for line in lines]
        return [(f"{number(line.end())}{self.unit}{n}", line.end(), p - a)
                for line, n, p, a in zip(lines, name, put, at, strict=True)]  # fmt: skip

    def _axes(self) -> tuple[str, str, list[float]]:
        """x label, y label and, on a logarithmic axis, the values to mark: 1, 2, 5, 10 and so on."""
        windows = {running_median(line.x, line.y)[2] for line in self.lines if line.kind == "noisy"}
        key = f" (thick line: median of {' or '.join(map(number, sorted(windows)))} steps)" if windows else ""
        low, high = self.span()
        heads = (1, 1.2, 1.5, 2, 3, 5, 7, 8.5) if high - low < 0.6 else (1, 2, 5) if high - low < 2 else (1,)
        marks = [m * 10.0**e for e in range(int(low) - 1, int(high) + 2) for m in heads] if self.log else []
        marks = [mark for mark in marks if low <= np.log10(mark) <= high]
        return self.xlabel + key, self.ylabel + ", log scale" * self.log, marks

    def alt_text(self) -> str:
        over = "seconds" if self.xlabel == "seconds" else "steps"
        said = [line.words(self.unit, self.ticks, over) for line in self.lines]
        if self.ticks and [len(line.y) for line in self.lines] == [len(self.ticks)] * 2:
            gap = np.abs(self.lines[0].y - self.lines[1].y)
            points = " points" if self.unit == " %" else self.unit
            said.append(f"the widest gap is {number(gap.max())}{points}, for {self.ticks[int(gap.argmax())]}")
        text = "; ".join(said + ([f"a line marks {self.level[1]}"] if self.level else []))
        return text[:1].upper() + text[1:] + "."

    def plotly(self):
        figure, safe, (xlabel, ylabel, marks) = load("plotly.graph_objects").Figure(), html.escape, self._axes()
        if self.level:  # a trace and not a shape: above the grid, below the curves
            x, edge = np.concatenate([line.x for line in self.lines]), 0.5 if self.ticks else 0
            look = dict(
                mode="lines", line=dict(color=INK, width=1.4, dash="longdash"), hoverinfo="skip", showlegend=False
            )
            figure.add_scatter(x=[x.min() - edge, x.max() + edge], y=[self.level[0]] * 2, **look)
        for line in self.lines:
            colour = COLOURS[line.style % len(COLOURS)]
            look = dict(
                name=safe(line.label), showlegend=line.kind == "dots", hovertemplate="%{x}: %{y:.4g}" + self.unit
            )
            if line.kind == "bars":
                figure.add_bar(
                    x=line.x,
                    y=line.y,
                    marker_color=colour,
                    text=[f"{y:.1f}" for y in line.y],
                    textposition="outside",
                    textangle=0,
                    textfont_size=11,
                    constraintext="none",
                    **look,
                )
            for x, y, width, opacity, dash, mark in line.strokes():
                figure.add_scatter(
                    x=x,
                    y=y,
                    mode="+".join(["lines"] * (width > 0) + ["markers"] * bool(mark)),
                    line=dict(color=colour, width=width, dash=dash[0]),
                    opacity=opacity,
                    **look,
                    marker=mark and dict(symbol=mark[0], size=11, line_width=2.2, color=colour),
                )
        for text, y, shift in self.ends():
            figure.add_annotation(
                text=safe(text),
                x=1,
                xref="paper",
                xanchor="left",
                xshift=4,
                y=self.place(y),
                yshift=shift,
                showarrow=False,
                font_size=13,
            )
        title, longest = f"<b>{safe(self.title)}</b>", max((len(text) for text, *_ in self.ends()), default=0)
        if self.level:
            title += f"<br>– – {safe(self.level[1])}"
        figure.add_annotation(
            text=title,
            align="left",
            x=0,
            y=1,
            xref="paper",
            yref="paper",
            xanchor="left",
            yanchor="bottom",
            xshift=-60,
            yshift=4,
            showarrow=False,
        )
        figure.update_yaxes(
            type="log" if self.log else "linear",
            range=self.span(),
            nticks=6,
            ticksuffix=self.unit,
            title=dict(text=ylabel, font_size=13),
            gridcolor=FAINT,
            zeroline=False,
            **dict(tickvals=marks, ticktext=[number(mark) for mark in marks]) if marks else {},
        )
        named = dict(tickvals=list(range(len(self.ticks or []))), ticktext=[safe(tick) for tick in self.ticks or []])
        figure.update_xaxes(
            title=dict(text=xlabel, font_size=13, standoff=8),
            gridcolor=FAINT,
            zeroline=False,
            tickangle=0,
            **named if self.ticks else dict(tickformat=",", nticks=5),
        )
        top = 54 if self.level else 34
        return figure.update_layout(**layout(self.height + 46 + top, l=70, r=12 + 8 * longest, t=top, b=46))

    def matplotlib(self):
        figure, [axis] = canvas(8, 3 * self.height / 170)
        self.draw(axis)
        return figure

    def draw(self, axis) -> None:
        """Draw on a matplotlib axis."""
        xlabel, ylabel, marks = self._axes()
        axis.set_yscale("log" if self.log else "linear")
        axis.set_ylim(*(10.0 ** np.array(self.span()) if self.log else self.span()))
        for line in self.lines:
            colour = COLOURS[line.style % len(COLOURS)]
            if line.kind == "bars":
                axis.bar_label(axis.bar(line.x, line.y, color=colour), fmt="%.1f", padding=2)
            for x, y, width, opacity, dash, mark in line.strokes():
                axis.plot(
                    x,
                    y,
                    dash[1] if width else "",
                    color=colour,
                    linewidth=width,
                    alpha=opacity,
                    marker=mark and mark[1],
                    mfc="none",
                    ms=8,
                    mew=1.8,
                    label=line.label,
                )
        for text, y, shift in self.ends():
            axis.annotate(
                text,
                (1.01, y),
                (0, 0.7 * shift),
                xycoords=("axes fraction", "data"),
                fontsize=9,
                textcoords="offset points",
                va="center",
                annotation_clip=False,
            )
        if self.level:
            axis.axhline(self.level[0], color=INK, linewidth=1, linestyle=(0, (8, 3)), zorder=0.9)
            axis.set_title(f"– – {self.level[1]}", loc="right", fontsize=10)
        axis.yaxis.set_major_formatter(lambda y, _: f"{number(y)}{self.unit}")
        axis.xaxis.set_major_formatter("{x:,.0f}")
        if self.ticks:
            axis.set_xticks(range(len(self.ticks)), self.ticks)
        if marks:
            axis.set_yticks(marks, [number(mark) for mark in marks])
            axis.minorticks_off()
        if any(line.kind == "dots" for line in self.lines):
            axis.legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 1), ncols=3, borderpad=0)
        axis.set_title(self.title, loc="left", fontsize=11, fontweight="bold")
        axis.set(xlabel=xlabel, ylabel=ylabel, axisbelow=True)
        axis.grid(color=FAINT)


@dataclass
class Panels(Chart):
    """Several curves in one picture, beside and below each other."""

    title: str
    charts: list[Curves]
    columns: int = 2

    def alt_text(self) -> str:
        return " ".join(chart.alt_text() for chart in self.charts)

    def matplotlib(self):
        rows = -(-len(self.charts) // self.columns)
        figure, axes = canvas(6 * self.columns, 2.6 * rows, self.columns, rows)
        for axis, chart in zip(axes, self.charts, strict=False):
            chart.draw(axis)
        for axis in axes[len(self.charts) :]:
            axis.set_axis_off()
        return figure


@dataclass
class Heat(Chart):
    """Counts (K, K): row = teacher's answer, column = student's. Only disagreement is coloured, in % of its row."""

    title = "where student and teacher disagree"

    names: list[str]
    counts: np.ndarray

    def shares(self) -> np.ndarray:
        """(K, K) percent of the row that lies off the diagonal; NaN on the diagonal."""
        share = 100 * self.counts / np.maximum(self.counts.sum(1, keepdims=True), 1)
        return np.where(np.eye(len(share), dtype=bool), np.nan, share)

    def worst(self, most: int = 5) -> list[tuple[str, str, int, float]]:
        """(teacher's answer, student's answer, images, % of the row) of the commonest disagreements."""
        off, share = np.where(np.eye(len(self.counts), dtype=bool), 0, self.counts), self.shares()
        best = [divmod(int(i), len(off)) for i in np.argsort(-off, axis=None, kind="stable")[:most]]
        return [(self.names[r], self.names[c], int(off[r, c]), float(share[r, c])) for r, c in best if off[r, c]]

    def alt_text(self) -> str:
        total, same = int(self.counts.sum()), int(np.trace(self.counts))
        pairs = "; ".join(f"teacher {t}, student {s}: {n:,} images" for t, s, n, _ in self.worst(3))
        return (
            f"Student and teacher give the same answer on {same:,} of {total:,} test images"
            f" ({100 * same / max(total, 1):.1f} %). Most frequent disagreements: {pairs or 'none'}."
        )

    def plotly(self):
        figure, names, share = load("plotly.graph_objects").Figure(), list(map(html.escape, self.names)), self.shares()
        text = dict(text=np.where(self.counts > 0, self.counts.astype(str), ""), texttemplate="%{text}")
        common = dict(
            x=names,
            y=names,
            xgap=1,
            ygap=1,
            textfont_size=11,
            customdata=self.counts,
            zmin=0,
            hovertemplate="teacher %{y}, student %{x}: %{customdata:,} images<extra></extra>",
            **text if len(names) <= 12 else {},
        )
        figure.add_heatmap(z=np.where(np.isnan(share), 0, np.nan), colorscale=[FAINT] * 2, showscale=False, **common)
        bar = dict(title=dict(text="% of the row", side="top"), thickness=12, orientation="h", y=1, yanchor="bottom")
        figure.add_heatmap(z=share, colorscale=["#fff", COLOURS[1]], zmax=np.nanmax(share) or 1, colorbar=bar, **common)
        figure.update_yaxes(title_text="teacher's answer", type="category", autorange="reversed", dtick=1)
        figure.update_xaxes(title_text="student's answer", type="category", dtick=1, tickangle=0)
        return figure.update_layout(**layout(530, l=56, r=6, t=70, b=50))

    def matplotlib(self):
        figure, [axis] = canvas(6.4, 6)
        share, size = self.shares(), len(self.names)
        colours = load("matplotlib.colors").LinearSegmentedColormap.from_list("share", ["#ffffff", COLOURS[1]])
        image = axis.imshow(share, cmap=colours.with_extremes(bad=FAINT), vmin=0, vmax=np.nanmax(share) or 1)
        for row, column in np.argwhere(self.counts) if size <= 12 else []:
            axis.text(column, row, self.counts[row, column], ha="center", va="center", fontsize=9)
        axis.set_xticks(range(size), self.names)
        axis.set_yticks(range(size), self.names)
        axis.set(xlabel="student's answer", ylabel="teacher's answer")
        figure.colorbar(image, label="% of the row", shrink=0.7)
        return figure


@dataclass
class Samples(Chart):
    """The same n latents painted at M moments of the generator's training. Pictures: they have no plotly form."""

    title = "what the generator painted"

    steps: np.ndarray  # int64 (M,)
    images: np.ndarray  # uint8 (M, n, C, H, W)
    labels: np.ndarray  # int64 (M, n): the teacher's argmax
    confidence: np.ndarray  # float32 (M, n): the teacher's probability of that class
    names: list[str]  # K class names

    def moments(self, most: int = 5) -> list[int]:
        """Indices of at most `most` moments, the first and the last among them."""
        return np.unique(np.linspace(0, len(self.steps) - 1, min(most, len(self.steps))).round().astype(int)).tolist()

    def mosaic(self, moment: int, columns: int = 6) -> np.ndarray:
        """uint8 (rows, width, 3). One row per class of the teacher's *last* answer, the surest first: a tile shows the
        same latent at every moment, and a class that never occurs has an empty row. Over 20 classes: the surest."""
        height, width = self.images.shape[-2:]
        sure = np.argsort(-self.confidence[-1], kind="stable")
        rows = [[i for i in sure if self.labels[-1, i] == k][:columns] for k in range(len(self.names))]
        if len(rows) > 20:
            rows = [sure[i : i + columns] for i in range(0, len(sure), columns)]
        out = np.full((len(rows) * (height + 2), columns * (width + 2), 3), 235, np.uint8)
        for r, c, i in ((r, c, i) for r, row in enumerate(rows) for c, i in enumerate(row)):
            top, left = r * (height + 2) + 1, c * (width + 2) + 1
            out[top : top + height, left : left + width] = np.moveaxis(self.images[moment, i], 0, -1)[..., :3]
        return out

    def caption(self, moment: int) -> str:
        """'step 480: 9 of 10 classes, mean confidence 87 %', over all n latents."""
        return (
            f"step {self.steps[moment]:,}: {len(np.unique(self.labels[moment]))} of {len(self.names)} classes, "
            f"mean confidence {100 * self.confidence[moment].mean():.0f} %"
        )

    def alt_text(self, moment: int | None = None) -> str:
        """Words for one moment, or for all that `matplotlib()` shows."""
        if moment is None:
            return " ".join(self.alt_text(m) for m in self.moments())
        found = np.bincount(self.labels[moment], minlength=len(self.names))
        tally = ", ".join(f"{count} of class {name}" for name, count in zip(self.names, found, strict=True) if count)
        return f"{self.images.shape[1]} generated images at {self.caption(moment)}. The teacher sees {tally}."

    def matplotlib(self):
        shown, tall = self.moments(), self.images.shape[-2] + 2
        rows = len(self.mosaic(shown[0])) // tall
        figure, axes = canvas(2.2 * len(shown) + 0.4, 1.5 + 0.3 * rows, len(shown))
        for axis, moment in zip(axes, shown, strict=True):
            axis.imshow(self.mosaic(moment), interpolation="nearest")
            axis.set_title(self.caption(moment).replace(": ", "\n").replace(", mean ", "\n"), fontsize=10)
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
        if len(self.names) <= 20:
            axes[0].set_yticks([tall * (k + 0.5) for k in range(len(self.names))], self.names)
            axes[0].set_ylabel("the teacher's answer at the last step")
        return figure


# ---------------------------------------------------------------- the charts of a run


def curve(history: dict[str, np.ndarray], phase: str, key: str, part: str = "") -> Line:
    """What the term `key` did in `phase`: its raw value, or its `part` "_gain" or "_weight"; finite values only."""
    rows = (history["phase"] == phase) & np.isfinite(history[key + part])
    style = [name for name in history if f"{name}_gain" in history].index(key)
    label = f"{part[1:]} of {key}" if part else describe(key).name
    return Line(label, history["step"][rows], history[key + part][rows], style, "noisy")


def _ratio(y: np.ndarray) -> float:
    return float(y.max() / y.min()) if len(y) and y.min() > 0 else 1.0


def loss_terms(history: dict[str, np.ndarray], phase: str = "synthesise") -> list[Curves]:
    """The raw value of each term that was measured in `phase`; logarithmic where it spans a lot."""
    lines = {key: curve(history, phase, key) for key in terms(history, phase)}
    return [
        Curves(
            f"{line.label} ({key})",
            [line],
            ylabel=describe(key).unit,
            log=_ratio(running_median(line.x, line.y)[1]) > 20 and 1 < _ratio(line.y) < 1e6,
        )
        for key, line in lines.items()
    ]


def gains(history: dict[str, np.ndarray], phase: str = "synthesise") -> list[Curves]:
    """The gain of each term whose gain changes in `phase`, with a line at gain 1."""
    lines = [curve(history, phase, key, "_gain") for key in terms(history, phase)]
    lines = [line for line in lines if len(line.y) and np.ptp(line.y) > 0]
    log = all(line.y.min() > 0 for line in lines) and any(_ratio(line.y) > 5 for line in lines)
    level = (1.0, "gain 1: the loss is at its anchor")
    return [Curves(line.label, [line], ylabel="gain", level=level, log=log) for line in lines]


def accuracy_curve(history: dict[str, np.ndarray], teacher_accuracy: float | None = None) -> list[Curves]:
    """The student's accuracy in percent where it was measured, with the teacher's as a line; [] if it never was."""
    rows = np.isfinite(history.get("accuracy", np.array([])))
    level = teacher_accuracy and (100 * teacher_accuracy, f"teacher, test images: {100 * teacher_accuracy:.2f} %")
    line = Line("student's accuracy", history["step"][rows], 100 * history["accuracy"][rows]) if rows.any() else None
    return [Curves(line.label, [line], level=level or None, unit=" %")] if line else []


def class_histogram(result: dict) -> Curves:
    """Shares (K,) of the generated images in percent that the teacher puts into each class (from result.json)."""
    counts = np.array(result["class_histogram"], dtype=float)
    names, total, even = [str(name) for name in result["classes"]], max(counts.sum(), 1), 100 / len(counts)
    line = Line(f"share of {total:,.0f} generated images", np.arange(len(counts)), 100 * counts / total, 0, "bars")
    level = (even, f"even share: {even:.3g} %")
    return Curves(line.label, [line], "the teacher's answer", level=level, unit=" %", ticks=names)


def recall(result: dict) -> Curves:
    """Teacher's and student's recall in percent of each class that has test images (from result.json)."""
    lines = []
    for style, (who, values) in enumerate(result["per_class_recall"].items()):
        share = 100 * np.array(values, dtype=float)  # None, for a class without test images, becomes NaN
        seen = np.isfinite(share)
        lines.append(Line(who, np.flatnonzero(seen), share[seen], style, "dots"))
    return Curves("recall", lines, "class", unit=" %", ticks=[str(name) for name in result["classes"]])


def confusion(result: dict) -> Heat:
    """Where student and teacher part on the test images (from result.json)."""
    return Heat([str(name) for name in result["classes"]], np.array(result["confusion"], dtype=np.int64))


def samples(pictures: list[dict], names: list[str] | None = None) -> Samples:
    """What `Distillation.picture` gave at several moments, as a chart."""
    arrays = {key: np.stack([np.asarray(picture[key]) for picture in pictures]) for key in pictures[0]}
    return _samples(arrays, names)


def read_samples(path: str | Path, names: list[str] | None = None) -> Samples:
    """samples.npz as a chart. Without `names` the classes are called 0, 1, 2 and so on."""
    with np.load(path, allow_pickle=False) as file:
        return _samples(dict(file), names)


def _samples(arrays: dict[str, np.ndarray], names: list[str] | None) -> Samples:
    return Samples(**arrays, names=[str(name) for name in names or range(int(arrays["labels"].max()) + 1)])
