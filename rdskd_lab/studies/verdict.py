"""From rows to verdicts: paired differences, their 95 % interval, and the word that it allows."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Verdict:
    """A claim, what our table says about it, and whether the table supports it."""

    claim: str
    study: str
    value: str  # what was compared, and how
    estimate: float
    low: float  # of the 95 % interval
    high: float
    n: int  # pairs
    unit: str = ""
    main: bool = False  # named before any trial was run; of the many others, one misses by luck
    label: str = ""  # what tells it from its neighbours in a picture, in a few words

    @property
    def verdict(self) -> str:
        """`holds` if the whole interval speaks for the claim, `does not hold` if it speaks against it."""
        if self.n < 2:
            return "too few pairs"
        return "holds" if self.low > 0 else "does not hold" if self.high < 0 else "undecided"

    @property
    def interval(self) -> str:
        """'+1.2 points (+0.4 to +2, n = 5)'."""
        if self.n < 2:
            return f"no interval (n = {self.n})"
        values = self.estimate, self.low, self.high
        mean, low, high = (f"{x:+,.0f}" if abs(x) >= 1000 else f"{x:+.3g}" for x in values)
        return f"{mean}{self.unit} ({low} to {high}, n = {self.n})"

    @property
    def words(self) -> str:
        """'rdskd against dafl: +2 (+1 to +3), holds', as pictures have it."""
        return f"{self.label}: {self.estimate:+.3g} ({self.low:+.3g} to {self.high:+.3g}), {self.verdict}"


def interval(differences: Iterable[float]) -> tuple[float, float, float, int]:
    """Compute mean, 95 % interval by Student's t, and number of paired differences."""
    from scipy.stats import t

    d = np.array(list(differences), float)
    if len(d) < 2:
        raise ValueError(f"an interval needs at least two pairs; there are {len(d)}")
    half = t.ppf(0.975, len(d) - 1) * d.std(ddof=1) / math.sqrt(len(d))
    return d.mean(), d.mean() - half, d.mean() + half, len(d)


def judge(claim: str, study: str, value: str, differences: Iterable[float], **more) -> Verdict:
    """Judge a claim by paired differences, each of which speaks for it if it is above 0."""
    d = list(differences)
    found = interval(d) if len(d) > 1 else (math.nan, math.nan, math.nan, len(d))
    return Verdict(claim, study, value, *found, **more)


def paired(rows: list[dict], a: dict, b: dict, column: str, change: Callable = float) -> list[float]:
    """Subtract `column` of the rows that match `b` from that of those that match `a`, seed by seed."""

    def of(wanted: dict) -> dict:
        found = {r["seed"]: r[column] for r in rows if all(r[k] == v for k, v in wanted.items())}
        return {seed: change(v) for seed, v in found.items() if v is not None}

    one, other = of(a), of(b)
    return [one[seed] - other[seed] for seed in one if seed in other]


def of_the_grid(rows: list[dict]) -> list[dict]:
    """Leave out the seeds with which only the default was run."""
    seeds = {r["seed"] for r in rows if r["kind"]}
    return [r for r in rows if r["seed"] in seeds]
