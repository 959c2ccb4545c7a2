"""Draw lines and rows as SVG: for notebooks, where it is a picture, and for the live lab, where it is part of the page.

The drawing is WIDE units wide and scales with its place, its text with it, so that a phone shows readable letters.
Colours are classes of chart.css, whose values change in dark pages; each drawing carries its words as `aria-label`.
"""

from __future__ import annotations

import textwrap
from functools import cache
from html import escape
from importlib.resources import files

import numpy as np

from .history import number
from .style import COLOURS, DASHES, GREY, MARKS

WIDE = 500
LETTER, BOLD, TITLE = 6.8, 7.5, 9.0  # mean width of a letter: of 13 px, of 13 px bold, of a title
LOW = 120  # pixels: lower axes have their x label beside them instead of below
MANY = 14  # bars: more have no room for their values
LONG = 20  # letters: a line with a longer label has its name above the axes
POINTS = 300  # of a line at most; half as many in the live lab, which sends several charts a second
LIGHT = (
    "--ink:#1a1a1a;--quiet:#595959;--faint:#d9d9d9;--page:#fff;--c0:#0072b2;--c1:#d55e00;--c2:#00805d;--c3:#b8568c;"
    "--c4:#a06c00;--c5:#2a7fb5;--c6:#1a1a1a"
)
DARK = (
    "--ink:#ececec;--quiet:#b4b4b4;--faint:#4a4e54;--page:#16181b;--c0:#56b4e9;--c1:#ff8c42;--c2:#2dc89a;--c3:#e59bc4;"
    "--c4:#e69f00;--c5:#9ad2f2;--c6:#f0f0f0"
)
SHAPES = {  # each mark as a path around its middle
    "circle": "m-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0",
    "diamond": "m0-6l6 6-6 6-6-6z",
    "square": "m-5-5h10v10h-10z",
    "triangle-up": "m0-6l6 10h-12z",
}


@cache
def style_sheet() -> str:
    """Read chart.css."""
    return (files(__package__) / "chart.css").read_text("utf-8")


def draw(chart, own_style: bool = False) -> str:
    """Draw a chart of lines or of rows as one SVG element; with `own_style` it is a file that needs no page."""
    height, parts = _curves(chart, own_style) if hasattr(chart, "lines") else _rows(chart)
    inside = "".join(parts)
    if own_style:
        look = f":root{{{LIGHT}}}@media(prefers-color-scheme:dark){{:root{{{DARK}}}}}{style_sheet()}"
        ground = f'<rect x="-8" y="-4" width="{WIDE + 16}" height="{height + 8}" rx="4" style="fill:var(--page)"/>'
        inside = f"<style>{look.replace('&', '&amp;')}</style>{ground}{inside}"
    box = f"-8 -4 {WIDE + 16} {height + 8}" if own_style else f"0 0 {WIDE} {height}"
    size = f' width="{WIDE + 16}" height="{height + 8}"' if own_style else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="rdskd-chart" viewBox="{box}"{size} role="img" '
        f'aria-label="{escape(chart.alt_text())}">{inside}</svg>'
    )


# ---------------------------------------------------------------- lines


def _curves(chart, alone: bool) -> tuple[int, list[str]]:
    xlabel, _, log_marks = chart.axes()
    (low, high), (first, last) = chart.span(), chart.width()
    ends = chart.ends()
    named_above = max((len(label) for _, label, *_ in ends), default=0) > LONG
    if named_above:
        ends = [(line, label.split(f" {line.label}")[0], y, shift) for line, label, y, shift in ends]
    left, right = 56, max([14, *(12 + BOLD * len(label) for _, label, *_ in ends)])
    above, keys = _heading(chart, named_above)
    top, wide, tall = above + 10, WIDE - left - right, chart.height

    def across(x):
        return left + (np.asarray(x, float) - first) / (last - first) * wide

    def down(y):
        y = np.log10(y) if chart.log else np.asarray(y, float)
        return top + tall - (np.clip(y, low, high) - low) / (high - low) * tall

    out = keys
    marked = [(float(y), down(y)) for y in (log_marks or ticks(low, high, 3))]
    out.append(f'<path class="grid" d="{"".join(f"M{left} {at:.1f}h{wide:.0f}" for _, at in marked)}"/>')
    out += [_text(left - 6, at + 4.5, f"{number(y)}{chart.unit}", "q", "end") for y, at in marked]
    below, names = _x_axis(chart, across, first, last, top + tall, wide)
    out += names
    for line in chart.lines:
        out += _line(line, POINTS if alone else POINTS // 2, across, down, top + tall)
    if chart.level:
        out.append(f'<path class="level" d="M{left} {down(chart.level[0]):.1f}h{wide:.0f}"/>')
    for line in chart.lines if chart.ticks else []:
        out += _values(line, across, down) if line.kind == "bars" and len(line.x) <= MANY else []
    for mark in chart.marks:
        out.append(f'<path class="mark" d="M{across(mark.x):.1f} {top}v{tall}"/>')
    for mark in spaced(chart.marks, first, last):
        at, late = across(mark.x), across(mark.x) > left + 0.7 * wide
        out.append(_text(at - 3 if late else at + 3, top + 11, mark.label, "", "end" if late else "start"))
    for line, label, y, shift in ends:
        out.append(_text(left + wide + 10, down(y) - shift + 4.5, label, f"e {_colour(line.style)}"))
    if chart.tall < LOW and LETTER * len(xlabel) < right - 20:
        out.append(_text(WIDE, below - 1, xlabel, "q", "end"))
        return below + 4, out
    out.append(_text(left + wide / 2, below + 18, xlabel, "q", "middle"))
    return below + (24 if xlabel else 6), out


def _heading(chart, named_above: bool) -> tuple[int, list[str]]:
    """Draw what stands above the axes: title, what the y axis counts, the level's meaning, the names of lines.
    Return where that ends, and the drawing."""
    pieces = [("", 0, chart.axes()[1], "q")]
    pieces += [('<path class="level" d="M{x} {y}h26"/>', 32, chart.level[1], "")] if chart.level else []
    dots = [line for line in chart.named if line.kind == "dots"]
    for line in dots if len(dots) > 1 else []:
        sample = f'<path class="{_colour(line.style)}" stroke-width="2" d="M{{x}} {{y}}m6 0{_shape(line.style)}"/>'
        pieces.append((sample, 18, line.label, ""))
    for line in chart.named if named_above else []:
        look = f"{_colour(line.style)}{_dash(line.strokes(2)[-1][4])}"
        pieces.append((f'<path class="{look}" stroke-width="2.2" d="M{{x}} {{y}}h26"/>', 32, line.label, ""))
    at, y, out = TITLE * len(chart.title) + 14, 15, [_text(0, 15, chart.title, "t")]
    for sample, room, text, kind in pieces:
        wide = room + LETTER * len(text)
        if at and at + wide > WIDE:
            at, y = 0.0, y + 19
        if text:
            out += [sample.format(x=round(at), y=y - 4), _text(at + room, y, text, kind)]
            at += wide + 18
    return y, out


def _x_axis(chart, across, first, last, floor, wide) -> tuple[float, list[str]]:
    """The lower end of the axis' labels, and the labels."""
    if not chart.ticks:
        shown = [x for x in ticks(first, last, 4) if first <= x <= last]
        return floor + 18, [_text(across(x), floor + 17, _step(x), "q", "middle") for x in shown]
    every = max(1, round(18 * len(chart.ticks) / wide))  # of hundred classes not every name has room
    room = max(3, int(wide / len(chart.ticks) * every / LETTER))
    lines = [[row for part in name.split("\n") for row in textwrap.wrap(part, room) or [""]] for name in chart.ticks]
    names = [
        _text(across(i), floor + 17 + 15 * k, row, "q", "middle")
        for i, rows in enumerate(lines)
        for k, row in enumerate(rows)
        if i % every == 0
    ]
    return floor + 3 + 15 * max(map(len, lines[::every])), names


def _line(line, points, across, down, floor) -> list[str]:
    look = _colour(line.style)
    if line.kind == "bars":
        half = 0.4 * (across(1) - across(0))
        bars = "".join(
            f"M{across(x) - half:.1f} {floor:.1f}V{down(y):.1f}h{2 * half:.1f}V{floor:.1f}z"
            for x, y in zip(line.x, line.y, strict=True)
        )
        return [f'<path class="{look} full" d="{bars}"/>']
    out = []
    for x, y, width, opacity, dash, marked in line.strokes(points):
        x, y = across(x), np.where(np.isfinite(y), down(np.where(np.isfinite(y), y, 1)), np.nan)
        if width:
            faint = f' opacity="{opacity}"' if opacity < 1 else ""
            out.append(f'<path class="{look}{_dash(dash)}" stroke-width="{width}"{faint} d="{path(x, y)}"/>')
        if marked:
            spots = "".join(f"M{a:.1f} {b:.1f}{_shape(line.style)}" for a, b in zip(x, y, strict=True) if b == b)
            out.append(f'<path class="{look}" stroke-width="2" d="{spots}"/>')
    return out


def _values(line, across, down) -> list[str]:
    at = zip(line.x, line.y, strict=True)
    return [_text(across(x), down(y) - 4, f"{y:.1f}", "v", "middle") for x, y in at]


# ---------------------------------------------------------------- rows


def _rows(chart) -> tuple[int, list[str]]:
    """A row is its name and, below it, its marks; so a long name costs no width."""
    names, spots = chart.names(), chart.spots()
    ends = np.array([v for s in spots for v in (s.x, s.low, s.high) if np.isfinite(v)] + [0.0] * chart.zero)
    low, high = (float(ends.min()), float(ends.max())) if len(ends) else (0.0, 1.0)
    room = 0.06 * (high - low) or 0.1 * abs(high) or 1.0
    low, high = low - room, high + room
    each, top = 44 if any(s.named for s in spots) else 38, 46
    floor = top + each * len(names)

    def across(x):
        return (x - low) / (high - low) * WIDE

    out, at = [_text(0, 15, chart.title, "t")], 8.0
    for group in dict.fromkeys(s.group for s in spots):
        out += [_spot(chart, group, at, 32), _text(at + 11, 36, group)]
        at += 30 + LETTER * len(group)
    marked = ticks(low, high, 4)
    out.append(f'<path class="grid" d="{"".join(f"M{across(x):.1f} {top}V{floor}" for x in marked)}"/>')
    out += [_text(np.clip(across(x), 14, WIDE - 14), floor + 17, number(x), "q", "middle") for x in marked]
    if chart.zero:
        out.append(f'<path class="level" d="M{across(0.0):.1f} {top}V{floor}"/>')
    for i, name in enumerate(names):
        out.append(_text(2, top + each * i + 16, name, "v"))
    for s in spots:
        y = top + each * s.row + 27
        if np.isfinite(s.low) and np.isfinite(s.high):
            colour = _colour(chart.look(s.group)[0])
            out.append(f'<path class="{colour}" stroke-width="2.2" d="M{across(s.low):.1f} {y}H{across(s.high):.1f}"/>')
        out.append(_spot(chart, s.group, across(s.x), y))
        if s.named:
            side = "end" if across(s.x) > WIDE / 2 else "start"
            out.append(_text(across(s.x), y + 15, s.note, "q", side))
    out.append(_text(WIDE / 2, floor + 36, chart.xlabel, "q", "middle"))
    return floor + 42, out


def _spot(chart, group: str, x: float, y: float) -> str:
    style, mark, filled = chart.look(group)
    shape = SHAPES[MARKS[mark]]
    return f'<path class="{_colour(style)}{" full" * filled}" stroke-width="2" d="M{x:.1f} {y:.1f}{shape}"/>'


# ---------------------------------------------------------------- pieces


def _text(x, y, text: str, kind: str = "", anchor: str = "start") -> str:
    y = y if isinstance(y, str) else f"{y:.1f}"
    look = (f' class="{kind}"' if kind else "") + (f' text-anchor="{anchor}"' if anchor != "start" else "")
    return f'<text x="{float(x):.1f}" y="{y}"{look}>{escape(text, quote=False)}</text>' if text else ""


def _colour(style: int) -> str:
    return f"c{style if style == GREY else style % len(COLOURS)}"


def _dash(dash: int | None) -> str:
    return f" {DASHES[dash % len(DASHES)]}" if dash and dash % len(DASHES) else ""


def _shape(style: int) -> str:
    return SHAPES[MARKS[style % len(MARKS)]]


def _step(x: float) -> str:
    return f"{x:,.0f}" if float(x).is_integer() else number(x)


def path(x: np.ndarray, y: np.ndarray) -> str:
    """Write the path of a line in half units and relative moves; it begins anew after each gap."""
    finite = np.isfinite(y)
    runs = np.flatnonzero(np.diff(np.concatenate([[False], finite, [False]])))
    pieces = []
    for start, stop in zip(runs[::2], runs[1::2], strict=True):
        xs, ys = (np.rint(2 * v[start:stop]).astype(int) for v in (x, y))
        moves = " ".join(f"{a / 2:g} {b / 2:g}" for a, b in zip(np.diff(xs), np.diff(ys), strict=True))
        pieces.append(f"M{xs[0] / 2:g} {ys[0] / 2:g}l{moves or '0 0'}")
    return "".join(pieces)


def ticks(low: float, high: float, about: int = 3) -> list[float]:
    """List two to six round numbers between low and high."""
    rough = (high - low) / about
    size = 10.0 ** np.floor(np.log10(rough))
    step = size * min((1, 2, 5, 10), key=lambda f: abs(f * size - rough))
    return [float(k * step) for k in range(int(np.ceil(low / step)), int(np.floor(high / step)) + 1)]


def spaced(marks: list, first: float, last: float, room: float = 0.12) -> list:
    """Keep the marks whose words have room; later ones win, since they are what just happened."""
    kept: list = []
    for mark in reversed(marks):
        if not kept or (kept[-1].x - mark.x) / (last - first) > room:
            kept.append(mark)
    return kept
