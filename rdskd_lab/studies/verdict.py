"""From rows to verdicts: paired differences, their 95 % interval, and the word that it allows."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

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
    small: float = 0.0  # an interval within plus and minus this is narrow enough to call the difference small
    p: float = math.nan  # two-sided, of no difference; multiplied by Holm's factor if it was corrected

    @property
    def verdict(self) -> str:
        """`holds` if the whole interval speaks for the claim, `does not hold` if it speaks against it.

        If it was corrected for many comparisons, its p value has to be below 0.05 as well.
        """
        if self.n < 2:
            return "too few pairs"
        if (self.low > 0 or self.high < 0) and not self.p > 0.05:
            return "holds" if self.low > 0 else "does not hold"
        size = max(-self.low, self.high)
        return f"smaller than {self.small:.2g}{self.unit}" if size < self.small else "undecided"

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


def holm(verdicts: list[Verdict]) -> list[Verdict]:
    """Correct the p values of verdicts that were explored together: the smallest times n, the next times n - 1, ..."""
    found, largest = list(verdicts), 0.0
    order = sorted((k for k, v in enumerate(found) if v.n > 1), key=lambda k: found[k].p)
    for n, k in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - n) * found[k].p))
        found[k] = replace(found[k], p=largest)
    return found


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
    return Verdict(claim, study, value, *found, p=p_value(d), **more)


def p_value(differences: list[float]) -> float:
    """Compute the two-sided p value of no difference, by Student's t; NaN of fewer than two pairs, 1 if none differ."""
    from scipy.stats import ttest_1samp

    if len(differences) > 1 and not any(differences):
        return 1.0  # where scipy divides 0 by 0
    return float(ttest_1samp(differences, 0.0).pvalue) if len(differences) > 1 else math.nan


def paired(rows: list[dict], a: dict, b: dict, column: str, change: Callable = float) -> list[float]:
    """Subtract `column` of the rows that match `b` from that of those that match `a`, seed by seed."""

    def of(wanted: dict) -> dict:
        found = {r["seed"]: r.get(column) for r in rows if all(r[k] == v for k, v in wanted.items())}
        return {seed: change(v) for seed, v in found.items() if v is not None}

    one, other = of(a), of(b)
    return [one[seed] - other[seed] for seed in one if seed in other]


def of_the_grid(rows: list[dict]) -> list[dict]:
    """Leave out the seeds with which only the default was run."""
    seeds = {r["seed"] for r in rows if r["kind"]}
    return [r for r in rows if r["seed"] in seeds]
