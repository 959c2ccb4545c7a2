"""Charts, described: plain data made from a history, a result or samples.  Nothing here trains, shows or saves.

A chart of lines or of rows is drawn by two renderers, from the same description: `chart.svg()` for notebooks and for
the live lab, `chart.plotly()` for pages where one can point at a line.  Sheets of images and tables of counts are
pictures, drawn by matplotlib: `chart.png()`.  `chart.alt_text()` says in words what is drawn, from the same numbers;
a notebook shows the picture with these words.  plotly and matplotlib are imported only when a figure needs them.
"""

from __future__ import annotations

import base64
import html
import io
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..methods.registry import describe
from . import draw_plotly, draw_svg
from .history import number, running_median, terms, thin
from .style import COLOURS, FAINT, canvas, layout, load

# ---------------------------------------------------------------- what every chart can do


class Chart:
    """A chart that a notebook can show: pictures as data, each with its words as text alternative."""

    title: str

    def pictures(self) -> list[tuple[str, str]]:
        """List (data URI, text alternative) of each picture of the chart."""
        return [(data_uri("image/png", self.png()), self.alt_text())]

    def png(self) -> bytes:
        """Draw the matplotlib figure as a PNG file."""
        file = io.BytesIO()
        with load("matplotlib").rc_context({"text.parse_math": False}):  # a name that is not ours may hold a $
            figure = self.matplotlib()
        figure.savefig(file, format="png")
        return file.getvalue()

    def html(self) -> str:
        """Write the pictures as HTML."""
        return side_by_side(self.title, self.pictures())

    def _repr_mimebundle_(self, include=None, exclude=None):
        # The plain text is the same on every machine, for nbval to compare.
        return {"text/html": self.html(), "text/plain": f"[{type(self).__name__.lower()}: {self.title}]"}


def side_by_side(title: str, pictures: list[tuple[str, str]]) -> str:
    """Write (data URI, text alternative) of pictures as HTML, side by side where there is room, under a title if
    there are several.  It needs no script and passes the filters of notebook viewers: from a notebook that it does
    not trust, JupyterLab drops an <svg>, but shows an <img> with its `alt`."""
    wide = "max-width:100%" if len(pictures) == 1 else "width:100%;max-width:40rem"
    images = "".join(
        f'<img class="rdskd-figure" alt="{html.escape(words)}" style="{wide}" src="{uri}">' for uri, words in pictures
    )
    if len(pictures) > 1:
        row = f'<div style="{COLUMNS}">{images}</div>'
        images = f"<div><b>{html.escape(title)}</b></div>{row}"
    return THEME + images


COLUMNS = "display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,24rem),1fr));gap:12px;align-items:start"
# An SVG in an <img> picks its dark colours by the colour scheme of that element; notebooks do not set it themselves.
THEME = (
    "<style>:is([data-jp-theme-light=false],.vscode-dark,[theme=dark]) .rdskd-figure{color-scheme:dark}"
    ":is([data-jp-theme-light=true],.vscode-light) .rdskd-figure{color-scheme:light}</style>"
)


def data_uri(kind: str, content: bytes) -> str:
    """Put a file into an address, for pages that fetch nothing."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


class Drawn(Chart):
    """A chart that both renderers draw."""

    def svg(self, own_style: bool = False) -> str:
        """Draw an SVG element; with `own_style` it can be a file of its own, and follows light and dark."""
        return draw_svg.draw(self, own_style)

    def plotly(self):
        """Draw an interactive plotly figure."""
        return draw_plotly.draw(self)

    def pictures(self) -> list[tuple[str, str]]:
        return [(data_uri("image/svg+xml", self.svg(own_style=True).encode()), self.alt_text())]


# ---------------------------------------------------------------- lines


class Line(NamedTuple):
    """A line of a chart: x, y (N,), where NaN in y leaves a gap.  A line without a label is drawn but not described.

    `style` picks the colour, the mark and, unless `dash` does, the dash.  `kind`: line, thin (of single steps), noisy
    (thin, with its median on top), bars or dots.
    """

    label: str
    x: np.ndarray
    y: np.ndarray
    style: int = 0
    kind: str = "line"
    dash: int | None = None

    @property
    def finite(self) -> np.ndarray:
        """The values that are numbers, (n,)."""
        return self.y[np.isfinite(self.y)]

    def strokes(self, points: int = 1200) -> list[tuple]:
        """List (x, y, width, opacity, dash, marked) of what to draw; dash is an index or None for no line."""
        dash = self.style if self.dash is None else self.dash
        x, y = thin(self.x, self.y, points)
        if self.kind == "noisy":
            return [(x, y, 1, 0.45, 0, False), (*running_median(self.x, self.y)[:2], 2.6, 1, dash, False)]
        if self.kind == "dots":
            return [(x, y, 0, 1, None, True)]
        if self.kind == "thin":
            return [(x, y, 1, 0.75, dash, False)]
        return [] if self.kind == "bars" else [(x, y, 2.2, 1, dash, 1 < len(self.x) <= 40 and not self.dash)]

    def end(self, last: bool = True) -> float:
        """Return the last (or first) value; of a noisy line, the median of its last (or first) 2 %."""
        y = self.finite
        if self.kind != "noisy":
            return float(y[-1 if last else 0])
        few = max(1, len(y) // 50)
        return float(np.median(y[-few:] if last else y[:few]))

    def words(self, unit: str, ticks: list[str] | None, over: str = "steps") -> str:
        """'one-hot loss falls from 1.9 to 0.15 over steps 0 to 999 (between 0.1 and 2.3)'; of bars, the extremes."""
        x, y = self.x[np.isfinite(self.y)], self.finite
        a, b, low, high = self.end(False), self.end(), y.min(), y.max()
        if ticks:
            return (
                f"{self.label}: lowest {number(low)}{unit} for {_plain(ticks[int(x[y.argmin()])])}, "
                f"highest {number(high)}{unit} for {_plain(ticks[int(x[y.argmax()])])}"
            )
        way = f"{'falls' if b < a else 'rises'} from {number(a)} to {number(b)}"
        way = f"stays near {number(b)}" if abs(b - a) <= 0.05 * max(abs(a), abs(b)) else way
        return (
            f"{self.label} {way}{unit} over {over} {x[0]:,.0f} to {x[-1]:,.0f} "
            f"(between {number(low)} and {number(high)}{unit})"
        )


def _plain(name: str) -> str:
    return name.replace("\n", " ")


class Mark(NamedTuple):
    """Something that happened at x, such as a term switched off."""

    x: float
    label: str


@dataclass
class Curves(Drawn):
    """Lines over the same axes, each labelled at its end; or bars, or dots, over named classes."""

    title: str
    lines: list[Line]
    xlabel: str = "step"
    ylabel: str = ""
    level: tuple[float, str] | None = None  # value and meaning of a horizontal line
    log: bool = False  # logarithmic y
    unit: str = ""  # put after each number, as in " %"
    ticks: list[str] | None = None  # names of x = 0, 1, 2 and so on
    marks: list[Mark] = field(default_factory=list)
    until: float | None = None  # right end of the axis of x; None: the last point
    tall: int = 170  # height of the axes in pixels, more if the labels of the lines need it

    def __post_init__(self):
        self.lines = [line for line in self.lines if len(line.finite)]

    @property
    def named(self) -> list[Line]:
        """The lines that have a label."""
        return [line for line in self.lines if line.label]

    def place(self, y: float) -> float:
        """Return where the axis puts y: log10 y if it is logarithmic."""
        return float(np.log10(y)) if self.log else float(y)

    def span(self) -> tuple[float, float]:
        """Return the lowest and the highest place to show, with room around; bars stand on 0."""
        values = np.concatenate([line.finite for line in self.lines] + ([[self.level[0]]] if self.level else [[]]))
        if not len(values):
            return 0.0, 1.0
        low, high = self.place(values.min()), self.place(values.max())
        room = 0.08 * (high - low) or 0.1 * abs(high) or 1.0
        bars = self.lines and self.lines[0].kind == "bars"
        return (0.0, 1.15 * high or 1.0) if bars else (low - room, high + room)

    def width(self) -> tuple[float, float]:
        """Return the left and right end of the axis of x, with half a class of room beside named classes."""
        if self.ticks:
            return -0.5, len(self.ticks) - 0.5
        x = np.concatenate([line.x for line in self.lines]) if self.lines else np.zeros(1)
        low, high = float(x.min()), float(x.max()) if self.until is None else self.until
        return (0.0 if self.until is not None else low), high if high > low else low + 1

    @property
    def height(self) -> int:
        """Pixels of the axis: room for a label at the end of every line."""
        return max(self.tall, 17 * len(self.named) * (not self.ticks))

    def ends(self) -> list[tuple[Line, str, float, float]]:
        """List (line, label, y, shift upwards in pixels) for the line ends: none overlaps or lies above the axis."""
        low, high = self.span()
        lines = sorted(self.named if not self.ticks else [], key=Line.end)
        at = [np.clip((self.place(line.end()) - low) / (high - low), 0, 1) * self.height for line in lines]
        put = list(accumulate(at, lambda below, pixel: max(pixel, below + 17)))
        down = accumulate([min(p, self.height) for p in put[::-1]], lambda above, pixel: min(pixel, above - 17))
        put = list(down)[::-1]
        name = [f" {line.label}" * bool(len(self.named) > 1) for line in lines]
        return [
            (line, f"{number(line.end())}{self.unit}{n}", line.end(), float(p - a))
            for line, n, p, a in zip(lines, name, put, at, strict=True)
        ]

    def axes(self) -> tuple[str, str, list[float]]:
        """Return the x label, the y label and, on a logarithmic axis, the values to mark: 1, 2, 5, 10 and so on."""
        windows = {running_median(line.x, line.y)[2] for line in self.lines if line.kind == "noisy"}
        key = f" (thick line: median of {' or '.join(map(number, sorted(windows)))} steps)" if windows else ""
        low, high = self.span()
        heads = (1, 1.2, 1.5, 2, 3, 5, 7, 8.5) if high - low < 0.6 else (1, 2, 5) if high - low < 2 else (1,)
        marks = [m * 10.0**e for e in range(int(low) - 1, int(high) + 2) for m in heads] if self.log else []
        marks = [mark for mark in marks if low <= np.log10(mark) <= high]
        marks = marks[:: -(-len(marks) // 8) or 1]
        return self.xlabel + key, self.ylabel + ", log scale" * self.log, marks

    def alt_text(self) -> str:
        over = "seconds" if self.xlabel == "seconds" else "steps"
        said = [line.words(self.unit, self.ticks, over) for line in self.named]
        if self.ticks and [len(line.y) for line in self.named] == [len(self.ticks)] * 2:
            gap = np.abs(self.named[0].y - self.named[1].y)
            points = " points" if self.unit == " %" else self.unit
            said.append(f"the widest gap is {number(gap.max())}{points}, for {_plain(self.ticks[int(gap.argmax())])}")
        said += [f"a line marks {self.level[1]}"] if self.level and self.level[1] else []
        said += [f"{mark.label} at step {mark.x:,.0f}" for mark in self.marks]
        alone = len(self.named) == 1 and self.title.startswith(self.named[0].label)
        text = ("" if alone else f"{self.title}: ") + ("; ".join(said) if self.named else "nothing yet")
        return text[:1].upper() + text[1:] + "."


@dataclass
class Panels(Chart):
    """Several curves in one picture, side by side where there is room."""

    title: str
    charts: list[Curves]

    def pictures(self) -> list[tuple[str, str]]:
        return [picture for chart in self.charts for picture in chart.pictures()]

    def alt_text(self) -> str:
        return " ".join(chart.alt_text() for chart in self.charts)


# ---------------------------------------------------------------- rows


class Spot(NamedTuple):
    """A mark in a row at x, with the ends of its interval if it has one; `note` is what a reader who points at it
    sees, and stands beside it where `named`."""

    row: int
    x: float
    group: str
    note: str = ""
    low: float = float("nan")
    high: float = float("nan")
    named: bool = False


class Rows(Drawn):
    """A row for each name with marks along one axis.  `looks` gives (style, mark, filled) for each group of marks.

    `names()` lists the rows from top to bottom, `spots()` all marks.
    """

    xlabel: str = ""
    zero = False  # whether a line marks 0
    looks: dict[str, tuple[int, int, bool]]

    def look(self, group: str) -> tuple[int, int, bool]:
        """Return style, mark and whether it is filled."""
        return self.looks.get(group, self.looks[""])


# ---------------------------------------------------------------- pictures


@dataclass
class Heat(Chart):
    """Counts (K, K): row = teacher's answer, column = student's. Only disagreement is coloured, in % of its row."""

    title = "where student and teacher disagree"

    names: list[str]
    counts: np.ndarray

    def shares(self) -> np.ndarray:
        """Return (K, K) percent of the row off the diagonal; NaN on the diagonal."""
        share = 100 * self.counts / np.maximum(self.counts.sum(1, keepdims=True), 1)
        return np.where(np.eye(len(share), dtype=bool), np.nan, share)

    def worst(self, most: int = 5) -> list[tuple[str, str, int, float]]:
        """List (teacher's answer, student's answer, images, % of the row) of the most frequent disagreements."""
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
    """Images of the same n latents at M moments of the generator's training."""

    title = "what the generator makes"

    steps: np.ndarray  # int64 (M,)
    images: np.ndarray  # uint8 (M, n, C, H, W)
    labels: np.ndarray  # int64 (M, n): the teacher's argmax
    confidence: np.ndarray  # float32 (M, n): the teacher's probability of that class
    names: list[str]  # K class names

    def moments(self, most: int = 5) -> list[int]:
        """Return the indices of at most `most` moments, the first and the last among them."""
        return np.unique(np.linspace(0, len(self.steps) - 1, min(most, len(self.steps))).round().astype(int)).tolist()

    def mosaic(self, moment: int, columns: int = 6) -> np.ndarray:
        """Put the images side by side, uint8 (rows, width, 3). A row for each class of the teacher's *last* answer, the
        most certain first, so that a tile shows the same latent at every moment; a class that never occurs has an
        empty row. With over 20 classes, only the most certain images."""
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
        """Write 'step 480: 9 of 10 classes, mean confidence 87 %', over all n latents."""
        return (
            f"step {self.steps[moment]:,}: {len(np.unique(self.labels[moment]))} of {len(self.names)} classes, "
            f"mean confidence {100 * self.confidence[moment].mean():.0f} %"
        )

    def alt_text(self, moment: int | None = None) -> str:
        """Describe one moment, or all that `matplotlib()` shows."""
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
    """Plot the term `key` in `phase`: its raw value, or its `part` "_gain" or "_weight"; finite values only."""
    rows = (history["phase"] == phase) & np.isfinite(history[key + part])
    style = [name for name in history if f"{name}_gain" in history].index(key)
    label = f"{part[1:]} of {key}" if part else describe(key).name
    return Line(label, history["step"][rows], history[key + part][rows], style, "noisy")


def _ratio(y: np.ndarray) -> float:
    return float(y.max() / y.min()) if len(y) and y.min() > 0 else 1.0


def loss_terms(history: dict[str, np.ndarray], phase: str = "synthesise") -> list[Curves]:
    """Plot the raw value of each term that was measured in `phase`; logarithmic where it spans a lot."""
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
    """Plot the gain of each term whose gain changes in `phase`, with a line at gain 1."""
    lines = [curve(history, phase, key, "_gain") for key in terms(history, phase)]
    lines = [line for line in lines if len(line.y) and np.ptp(line.y) > 0]
    log = all(line.y.min() > 0 for line in lines) and any(_ratio(line.y) > 5 for line in lines)
    level = (1.0, "gain 1: the loss is at its anchor")
    return [Curves(line.label, [line], ylabel="gain", level=level, log=log) for line in lines]


def accuracy_curve(history: dict[str, np.ndarray], teacher_accuracy: float | None = None) -> list[Curves]:
    """Plot the student's accuracy in percent where it was measured, the teacher's as a level; [] if it never was."""
    level = teacher_accuracy and (100 * teacher_accuracy, f"teacher, test images: {100 * teacher_accuracy:.2f} %")
    return _measured(history, "accuracy", "student's accuracy", level or None)


def agreement_curve(history: dict[str, np.ndarray]) -> list[Curves]:
    """Plot how often a student without data gave the teacher's answer, in percent; [] if that was not measured."""
    return _measured(history, "agreement", "student gives the teacher's answer")


def _measured(history: dict[str, np.ndarray], column: str, label: str, level=None) -> list[Curves]:
    rows = np.isfinite(history.get(column, np.array([])))
    if not rows.any():
        return []
    return [Curves(label, [Line(label, history["step"][rows], 100 * history[column][rows])], level=level, unit=" %")]


def class_histogram(result: dict) -> Curves:
    """Plot the shares (K,) in percent of generated images that the teacher puts into each class (from result.json)."""
    counts = np.array(result["class_histogram"], dtype=float)
    names, total, even = [str(name) for name in result["classes"]], max(counts.sum(), 1), 100 / len(counts)
    line = Line(f"share of {total:,.0f} generated images", np.arange(len(counts)), 100 * counts / total, 0, "bars")
    level = (even, f"even share: {even:.3g} %")
    return Curves(line.label, [line], "the teacher's answer", level=level, unit=" %", ticks=names)


def recall(result: dict) -> Curves:
    """Plot teacher's and student's recall in percent for each class that has test images (from result.json)."""
    lines = []
    for style, (who, values) in enumerate(result["per_class_recall"].items()):
        share = 100 * np.array(values, dtype=float)  # None, for a class without test images, becomes NaN
        seen = np.isfinite(share)
        lines.append(Line(who, np.flatnonzero(seen), share[seen], style, "dots"))
    return Curves("recall", lines, "class", unit=" %", ticks=[str(name) for name in result["classes"]])


def confusion(result: dict) -> Heat:
    """Tabulate where student and teacher disagree on the test images (from result.json)."""
    return Heat([str(name) for name in result["classes"]], np.array(result["confusion"], dtype=np.int64))


def samples(pictures: list[dict], names: list[str] | None = None) -> Samples:
    """Chart the results of `Distillation.picture` at several moments."""
    arrays = {key: np.stack([np.asarray(picture[key]) for picture in pictures]) for key in pictures[0]}
    return _samples(arrays, names)


def read_samples(path: str | Path, names: list[str] | None = None) -> Samples:
    """Chart samples.npz. Without `names` the classes are called 0, 1, 2 and so on.  ValueError if it is damaged."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return _samples(dict(file), names)
    except Exception as error:  # a damaged archive can fail in any way
        raise ValueError(f"{path} is damaged: {error}") from error


def _samples(arrays: dict[str, np.ndarray], names: list[str] | None) -> Samples:
    return Samples(**arrays, names=[str(name) for name in names or range(int(arrays["labels"].max()) + 1)])
