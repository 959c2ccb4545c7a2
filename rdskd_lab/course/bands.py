"""Typical ranges: what ten seeds of the same experiment give, shown beside the number that you got.

`tools/store_bands.py` writes the ten values to `assets/bands.json`: {notebook: {name: [value of seed 0, ... 9]}}.
"""

import json
import math
from statistics import fmean, stdev

from ..networks.weights import ASSETS

FILE = ASSETS / "bands.json"
# A 95 % prediction interval for one more run: Student's t with 9 degrees of freedom, 2.262, times sqrt(1 + 1/10).
SPREADS = 2.37
LUCK = "luck alone causes this in 1 run in 20"


def read_bands(notebook: str) -> dict[str, list[float]]:
    """Return the stored values of each result of a notebook; an empty dict if none are stored."""
    return json.loads(FILE.read_text("utf-8")).get(notebook, {}) if FILE.is_file() else {}


def typical(values: list[float]) -> tuple[float, float]:
    """Return the range, computed from ten stored values, that should contain about 19 of 20 further runs.

    It is the mean ± 2.37 standard deviations; if the values are positive and the range would reach below 0, it is
    computed on their logarithms.
    """
    low, high = _range(values)
    if low < 0 < min(values):
        low, high = map(math.exp, _range([math.log(value) for value in values]))
    return low, high


def tell(name: str, value: float, values: list[float], unit: str = "", digits: int = 3, look_at: str = "") -> str:
    """Write "student's accuracy: yours 96.9 %, typical 95.9 to 97.6 % (10 seeds)"; if outside, also how often luck is
    the cause.

    A value in "%" is a fraction. What differs between machines stands before the comma, where nbval does not compare.
    """
    yours = _number(value, unit, digits)
    after = f" {unit}" if unit else ""
    if not values:
        return f"{name}: yours {yours}{after}, typical values have not been stored yet"
    low, high = typical(values)
    if unit == "%":
        low, high = max(low, 0.0), min(high, 1.0)
    low, high = (_number(edge, unit, digits) for edge in (low, high))
    inside = float(low) <= float(yours) <= float(high)
    outside = "" if inside else _outside(look_at)
    typically = f"{low} to {high}" if low != high else low
    return f"{name}: yours {yours}{after}{outside}, typical {typically}{after} ({len(values)} seeds)"


def _range(values: list[float]) -> tuple[float, float]:
    half = SPREADS * stdev(values)
    return fmean(values) - half, fmean(values) + half


def _outside(look_at: str) -> str:
    advice = f"; if you changed something: {look_at.rstrip('.').replace(',', ';')}" if look_at else ""
    return f" (outside the typical range; {LUCK}{advice})"


def _number(value: float, unit: str, digits: int) -> str:
    return f"{100 * value:.1f}" if unit == "%" else f"{value:.{digits}f}"
