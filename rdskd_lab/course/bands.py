"""Expected bands: what ten seeds of the same experiment gave, beside the number that you got.

`assets/bands.json` holds them, written by `tools/store_bands.py`: {notebook: {name: [value of seed 0, 1, ... 9]}}.
"""

import json

from ..networks.weights import ASSETS

FILE = ASSETS / "bands.json"


def read_bands(notebook: str) -> dict[str, list[float]]:
    """The stored values of each result of a notebook; empty while none were stored."""
    return json.loads(FILE.read_text()).get(notebook, {}) if FILE.is_file() else {}


def tell(name: str, value: float, values: list[float], unit: str = "", digits: int = 3, look_at: str = "") -> str:
    """ "student's accuracy: yours 96.9 %, typical 96.4 to 97.4 % (10 seeds)"; outside, what to look at as well.

    A value in "%" is a fraction.  What differs between machines stands before the comma, where nbval does not look.
    """
    yours = _number(value, unit, digits)
    after = f" {unit}" if unit else ""
    if not values:
        return f"{name}: yours {yours}{after}, typical values have not been stored yet"
    low, high = (_number(edge, unit, digits) for edge in (min(values), max(values)))
    inside = float(low) <= float(yours) <= float(high)
    outside = "" if inside else _outside(float(yours) < float(low), look_at, len(values))
    typical = f"{low} to {high}" if low != high else low
    return f"{name}: yours {yours}{after}{outside}, typical {typical}{after} ({len(values)} seeds)"


def _outside(below: bool, look_at: str, seeds: int) -> str:
    # A value drawn like the n stored ones is the lowest or the highest of all n + 1 with a chance of 2 / (n + 1).
    luck = f"by luck 2 runs of {seeds + 1} lie outside"
    advice = look_at.rstrip(".").replace(",", ";") or luck
    return f" ({'below' if below else 'above'} what is typical; {advice})"


def _number(value: float, unit: str, digits: int) -> str:
    return f"{100 * value:.1f}" if unit == "%" else f"{value:.{digits}f}"
