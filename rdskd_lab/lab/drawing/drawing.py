"""Numbers in, HTML out: charts, sample sheets and bars, drawn by the browser and described in words.

Shapes are SVG that stretches with the page, words are HTML beside them, so that text keeps its size at 200 % zoom;
colours are classes of style.css, so that a dark page gets lighter lines.  Each drawing is one picture to a screen
reader, with an alternative text made from the same numbers.
"""

import base64
import struct
import zlib
from collections.abc import Callable
from html import escape
from typing import NamedTuple

import numpy as np

from ...reporting.charts import number

POINTS = 150  # a line at most; it is as many pixels wide as it has room, and each costs 5 bytes a snapshot
WIDE, HIGH = 1000, 300  # of the SVG's own coordinates


class Stroke(NamedTuple):
    """A line of a chart.  x, y (N,); NaN in y leaves a gap.  One without a label is drawn and not told."""

    label: str
    x: np.ndarray
    y: np.ndarray
    style: str  # classes of style.css: "c0" to "c6" for the colour, "dash", "dot", "thin", "grey", "dots"


class Mark(NamedTuple):
    """Something that happened, on the axis of x."""

    x: float
    label: str


def chart(
    title: str,
    strokes: list[Stroke],
    *,
    until: float,  # steps: the right end of the axis of x
    note: str = "",  # beside the title
    level: float | None = None,  # a dotted line at this y
    marks: list[Mark] = (),
    ticks: list[float] | None = None,  # y that may be named; None: round numbers
    scale: Callable[[float], str] = number,  # how they are named
    tall: bool = False,
) -> str:
    """Lines over steps, each labelled at its end, with what happened on the axis."""
    drawn = [s._replace(x=x, y=y) for s in strokes for x, y in [thin(s.x, s.y)] if np.isfinite(y).any()]
    low, high = _span([_finite(s.y) for s in drawn], level)
    until = max(until, 1)
    top = {s.label: (high - _finite(s.y)[-1]) / (high - low) for s in drawn if s.label}
    lines = [
        f'<path class="{s.style}" d="{_path(s.x / until * WIDE, (high - s.y) / (high - low) * HIGH)}"/>' for s in drawn
    ]
    if level is not None:
        at = (high - level) / (high - low) * HIGH
        lines.insert(0, f'<path class="level" d="M0 {at:.0f}H{WIDE}"/>')
    lines += [f'<path class="mark" d="M{mark.x / until * WIDE:.0f} 0V{HIGH}"/>' for mark in marks]
    scales = "".join(
        f'<i class="y" style="top:{(high - y) / (high - low):.1%}">{escape(scale(y))}</i>'
        for y in (_ticks(low, high) if ticks is None else [y for y in ticks if low <= y <= high])
    )
    styles = {s.label: s.style for s in drawn}
    ends = "".join(
        f'<b class="{styles[label]}" style="top:{at:.1%}">{escape(label)}</b>' for label, at in _apart(top).items()
    )
    notes = "".join(
        f'<i class="{"m late" if place > 0.9 else "m"}" style="left:{place:.1%}">{escape(mark.label)}</i>'
        for mark in _spaced(marks, until)
        for place in [mark.x / until]
    )
    said = escape(words(title, drawn, until, scale))
    return (
        f'<div class="chart{" tall" if tall else ""}" role="img" aria-label="{said}">'
        f"<h4>{escape(title)}<small>{escape(note)}</small></h4>"
        f'<div class="plot"><svg viewBox="0 0 {WIDE} {HIGH}" preserveAspectRatio="none">{"".join(lines)}</svg>'
        f'{scales}{ends}{notes}<i class="x">{until:,.0f}</i></div></div>'
    )


def strip(title: str, strokes: list[Stroke], until: float) -> str:
    """A low chart about 0, labelled with its first stroke's name.

    It reaches to about twice what 95 % of the points stay within; the line runs along the edge where there is more.
    """
    drawn = [s._replace(x=x, y=y) for s in strokes for x, y in [thin(s.x, s.y)] if np.isfinite(y).any()]
    sizes = np.concatenate([np.abs(_finite(s.y)) for s in drawn] or [np.zeros(0)])
    reach = float(f"{(2 * np.quantile(sizes, 0.95) if len(sizes) else 0) or 1:.0e}")  # one digit
    lines = [f'<path class="level" d="M0 {HIGH // 2}H{WIDE}"/>']
    for s in drawn:
        y = (1 - np.clip(s.y / reach, -1, 1)) / 2 * HIGH
        lines.append(f'<path class="{s.style}" d="{_path(s.x / max(until, 1) * WIDE, y)}"/>')
    return (
        f'<div class="chart strip" role="img" aria-label="{escape(words(title, drawn, until))}">'
        f'<div class="plot"><svg viewBox="0 0 {WIDE} {HIGH}" preserveAspectRatio="none">{"".join(lines)}</svg>'
        f'<i class="y" style="top:18%">+{number(reach)}</i><i class="y" style="top:82%">-{number(reach)}</i>'
        f'<b class="{strokes[0].style}" style="top:50%">{escape(strokes[0].label)}</b></div></div>'
    )


def words(title: str, strokes: list[Stroke], until: float, scale: Callable[[float], str] = number) -> str:
    """'one-hot loss. training: from 2.1 to 0.12, lowest 0.1, highest 2.3. 300 steps.'"""
    said = [
        f"{s.label}: from {scale(y[0])} to {scale(y[-1])}, lowest {scale(y.min())}, highest {scale(y.max())}"
        for s in strokes
        if s.label
        for y in [_finite(s.y)]
    ]
    return f"{title}. {'. '.join(said) or 'Nothing yet'}. {until:,.0f} steps."


def sheet(images: np.ndarray, labels: np.ndarray, confidence: np.ndarray, classes: list[str], step: int) -> str:
    """Images (N, C, S, S) uint8, eight in a row, each framed by the teacher's class and how sure it is.

    The frame's colour and the number are the class; its line is solid from 90 %, dashed from 50 %, dotted below.
    """
    frames = "".join(
        f'<p class="c{label % 7} {"sure" if sure >= 0.9 else "half" if sure >= 0.5 else "low"}">'
        f"<b>{escape(classes[label])}</b> {sure:.0%}</p>"
        for label, sure in zip(labels.tolist(), confidence.tolist(), strict=True)
    )
    rows = -(-len(images) // 8)
    source = base64.b64encode(png(mosaic(images, 8))).decode()
    return (
        f'<div class="sheet"><img decoding="sync" src="data:image/png;base64,{source}" '
        f'alt="{escape(sheet_words(labels, confidence, classes, step))}">'
        f'<div class="frames" aria-hidden="true" style="--rows:{rows}">{frames}</div></div>'
    )


def sheet_words(labels: np.ndarray, confidence: np.ndarray, classes: list[str], step: int) -> str:
    """'40 generated images after 300 steps; the teacher sees 4 of class 0, ... and is 87 % sure on average.'"""
    found = np.bincount(labels, minlength=len(classes))
    tally = ", ".join(f"{n} of class {name}" for name, n in zip(classes, found, strict=True) if n)
    return (
        f"{len(labels)} generated images after {step:,} steps; the teacher sees {tally} "
        f"and is {confidence.mean():.0%} sure on average."
    )


def bars(title: str, shares: np.ndarray, classes: list[str], note: str = "") -> str:
    """A bar per class, (K,) in [0, 1], with a dotted line where all are equal."""
    top = max(2 / len(shares), float(shares.max()))
    columns = "".join(
        f'<p><s style="height:{share / top:.1%}"></s><b>{escape(name)}</b></p>'
        for share, name in zip(shares.tolist(), classes, strict=True)
    )
    said = ", ".join(f"{name}: {share:.0%}" for name, share in zip(classes, shares, strict=True))
    return (
        f'<div class="bars" role="img" aria-label="{escape(f"{title}. {said}.")}">'
        f"<h4>{escape(title)}<small>{escape(note)}</small></h4>"
        f'<div class="columns"><hr style="bottom:{1 / len(shares) / top:.1%}">{columns}</div></div>'
    )


# ---- pictures ----------------------------------------------------------------------------------------------------


def mosaic(images: np.ndarray, columns: int) -> np.ndarray:
    """Images (N, C, S, S) side by side, `columns` in a row: uint8 (rows * S, columns * S, C)."""
    n, c, high, wide = images.shape
    rows = -(-n // columns)
    out = np.zeros((rows * columns, c, high, wide), np.uint8)
    out[:n] = images
    return out.reshape(rows, columns, c, high, wide).transpose(0, 3, 1, 4, 2).reshape(rows * high, columns * wide, c)


def png(pixels: np.ndarray, greys: int = 16) -> bytes:
    """uint8 (H, W, 1 or 3) as a PNG of `greys` levels a channel: a third of the bytes of 256, and no eye can tell."""
    high, wide, channels = pixels.shape
    coarse = (np.rint(pixels / 255 * (greys - 1)) * (255 / (greys - 1))).astype(np.uint8)
    rows = np.zeros((high, wide * channels + 1), np.uint8)  # each row begins with its filter: 0, none
    rows[:, 1:] = coarse.reshape(high, -1)
    head = struct.pack(">IIBBBBB", wide, high, 8, {1: 0, 3: 2}[channels], 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", zlib.compress(rows, 6)) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


# ---- lines -------------------------------------------------------------------------------------------------------


def thin(x: np.ndarray, y: np.ndarray, points: int = POINTS) -> tuple[np.ndarray, np.ndarray]:
    """At most about `points`: the lowest and highest of each of points/2 pieces, and the last; NaN where all are."""
    x, y = (np.asarray(v, dtype=float) for v in (x, y))
    if len(x) <= points:
        return x, y
    edges = np.linspace(0, len(x), points // 2 + 1).astype(int)[:-1]
    last = np.append(edges[1:], len(x)) - 1
    low, high = np.fmin.reduceat(y, edges), np.fmax.reduceat(y, edges)
    up = y[last] >= y[edges]  # a piece that rises has its low point first
    pairs = np.stack([np.where(up, low, high), np.where(up, high, low)], 1).reshape(-1)
    places = np.stack([x[edges], (x[edges] + x[last]) / 2], 1).reshape(-1)
    return np.append(places, x[-1]), np.append(pairs, y[-1])


def _finite(y: np.ndarray) -> np.ndarray:
    return y[np.isfinite(y)]


def _path(x: np.ndarray, y: np.ndarray) -> str:
    """An SVG path in whole units and relative moves, begun anew after each gap."""
    finite = np.isfinite(y)
    runs = np.flatnonzero(np.diff(np.concatenate([[False], finite, [False]])))
    path = []
    for start, stop in zip(runs[::2], runs[1::2], strict=True):
        xs, ys = (np.rint(v[start:stop]).astype(int) for v in (x, y))
        moves = " ".join(f"{a} {b}" for a, b in zip(np.diff(xs).tolist(), np.diff(ys).tolist(), strict=True))
        path.append(f"M{xs[0]} {ys[0]}l{moves or '0 0'}")
    return "".join(path)


def _span(values: list[np.ndarray], level: float | None) -> tuple[float, float]:
    """Lowest and highest y to show, with some room; from 0 to 1 when there is nothing."""
    every = np.concatenate([*values, [] if level is None else [level]]) if values or level is not None else np.zeros(0)
    if not len(every):
        return 0.0, 1.0
    low, high = float(every.min()), float(every.max())
    room = 0.08 * (high - low) or 0.1 * abs(high) or 0.1
    return low - room, high + room


def _ticks(low: float, high: float) -> list[float]:
    """Two to five round numbers between low and high."""
    rough = (high - low) / 3
    size = 10.0 ** np.floor(np.log10(rough))
    step = size * min((1, 2, 5, 10), key=lambda f: abs(f * size - rough))
    return [float(k * step) for k in range(int(np.ceil(low / step)), int(np.floor(high / step)) + 1)]


def _apart(at: dict[str, float], room: float = 0.2) -> dict[str, float]:
    """The same places, in [0, 1], moved as little as keeps labels off each other and off the end of the axis."""
    placed, last = {}, -room
    for label in sorted(at, key=at.get):
        last = placed[label] = max(at[label], last + room)
    over = max(0.0, last - 0.85)
    return {label: place - over for label, place in placed.items()}


def _spaced(marks: list[Mark], until: float, room: float = 0.09) -> list[Mark]:
    """The marks whose words have room; later ones win, since they are what just happened."""
    kept: list[Mark] = []
    for mark in reversed(marks):
        if not kept or (kept[-1].x - mark.x) / until > room:
            kept.append(mark)
    return kept
