"""Read what a run wrote down, and prepare numbers for charts: history.csv, thinned curves, medians, short numbers."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np


def read_history(path: str | Path) -> dict[str, np.ndarray]:
    """Read history.csv with N rows: `phase` str (N,), all other columns float64 (N,), NaN where nothing was measured.
    Rows that a crash cut short are dropped."""
    with open(path, newline="", encoding="utf-8") as file:
        head, *rows = list(csv.reader(file)) or [[]]
    columns = list(zip(*(row for row in rows if len(row) == len(head)), strict=True)) or [()] * len(head)
    return {name: _column(name, values) for name, values in zip(head, columns, strict=True)}


def history_of(rows: list[dict]) -> dict[str, np.ndarray]:
    """Make the same columns from `Step.row()` of each step, for a run that was never written to disk."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: _column(name, [row.get(name, "") for row in rows]) for name in names}


def _column(name: str, values) -> np.ndarray:
    if name == "phase":
        return np.array(values, dtype=str)
    return np.array([float("nan") if value == "" else float(value) for value in values])


def flat(facts: dict, before: str = "") -> Iterator[tuple[str, object]]:
    """Yield the values of nested tables, each with its keys in one: "settings width", 16."""
    for key, value in facts.items():
        yield from flat(value, f"{before}{key} ") if isinstance(value, dict) else [(f"{before}{key}", value)]


def phases(history: dict[str, np.ndarray]) -> list[str]:
    """List the phases in the order in which they were run."""
    return list(dict.fromkeys(history["phase"].tolist())) if "phase" in history else []


def terms(history: dict[str, np.ndarray], phase: str) -> list[str]:
    """List the keys of the terms that have at least one finite value in `phase`."""
    rows = history.get("phase") == phase
    return [key for key in history if f"{key}_gain" in history and np.isfinite(history[key][rows]).any()]


def thin(x: np.ndarray, y: np.ndarray, points: int = 1200) -> tuple[np.ndarray, np.ndarray]:
    """Keep about `points` of N points: the first, the last, and the lowest and highest of points/2 equal pieces.
    NaN leaves a gap: a piece without any number stays NaN."""
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if len(y) <= points:
        return x, y
    wide = -(-len(y) // (points // 2))
    index = np.arange(-(-len(y) // wide) * wide).clip(max=len(y) - 1).reshape(-1, wide)
    piece, empty = y[index], np.isnan(y[index])
    low, high = np.where(empty, np.inf, piece).argmin(1), np.where(empty, -np.inf, piece).argmax(1)
    each = np.arange(len(index))
    keep = np.unique(np.concatenate([[0, len(y) - 1], index[each, low], index[each, high]]))
    return x[keep], y[keep]


def running_median(x: np.ndarray, y: np.ndarray, centres: int = 400) -> tuple[np.ndarray, np.ndarray, int]:
    """Return the median of y over 2 % of its N points around at most `centres` points, and that window in points."""
    half = max(2, len(y) // 100)
    at = np.unique(np.linspace(0, len(y) - 1, min(centres, len(y))).astype(int))
    return x[at], np.array([np.median(y[max(0, i - half) : i + half + 1]) for i in at]), 2 * half + 1


def number(value: float) -> str:
    """Write three significant digits, with thousands separated: 0.153, -2.3, 12,800."""
    return f"{value:,.0f}" if 100 <= abs(value) < 1e9 else f"{value:.3g}"
