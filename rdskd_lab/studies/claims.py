"""What the paper says, as studies that can contradict it: their grids, and the verdicts that follow from their tables.

The paper's claims are those of its abstract: the penalty on increments damps fluctuations; samples are authentic,
class-diverse and unlike each other; students are better than those of DAFL, MSKD, ZSKD and DeepInversion; and the
method is more robust over settings.  A verdict follows from a 95 % interval alone (`verdict`), never from a wish.
`scoreboard` tells them.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np

from ..methods import building_blocks
from ..methods.rdskd import PRESETS
from ..methods.registry import METHODS
from ..networks.weights import SHIPPED
from ..runs.config import Config, known
from .engine import Study, Trial, fluctuating, fluctuating_undamped

RIVALS = ("dafl", "mskd", "zskd", "deepinversion")  # of the paper
FIELD = ("rdskd", *RIVALS, "dfad")
TEACHERS = tuple(name for name in SHIPPED if name.startswith("lenet5"))

# ---- the grids -------------------------------------------------------------------------------------------------------


def _trial(method: str, seed: int, setting: str = "default", *, change=None, measure=None, **more) -> Trial:
    """A run with some settings changed and, where a term asks for it, the teacher with BatchNorm."""
    needs_bn = any("bn" in term.needs for term in METHODS[method].terms().values())
    more.setdefault("teacher", "lenet5-bn" if needs_bn else "lenet5")
    config = Config(method=method, seed=seed, change=_pairs(change or {}), **more)
    return Trial(config, setting, measure) if measure else Trial(config, setting)


def _pairs(change: dict) -> tuple[tuple[str, str], ...]:
    return tuple((name, str(value)) for name, value in change.items())


def fluctuation_trials(seeds: Iterable[int] = range(10), steps: int = 360, preset: str = "classroom",
                       device: str = "cpu") -> list[Trial]:  # fmt: skip
    """Each anchor rule, none, and a constant weight of the published rule's mean gain; five points of lr and batch.

    Then two harsher points, asked of the published rule alone: a high rate with small batches, and another teacher.
    The published anchors are taken at the steps 1, 121 and 241.
    """
    base, lr = {"generator_steps": steps, "pooled": False}, PRESETS[preset].lr
    points = {"default": {}, "lr / 4": {"lr": lr / 4}, "lr x 4": {"lr": lr * 4}, "batch 16": {"batch_size": 16},
              "batch 256": {"batch_size": 256}, "lr x 4 and batch 16": {"lr": lr * 4, "batch_size": 16},
              "teacher lenet5-bn": {}}  # fmt: skip
    main = [("none", fluctuating), ("epoch", fluctuating), ("epoch", fluctuating_undamped)]
    rules = [*main, ("previous", fluctuating), ("average", fluctuating)]
    return [
        _trial("rdskd", seed, f"{'constant' if measure is fluctuating_undamped else rule}, {name}",
               change=base | point, anchor=rule, measure=measure, preset=preset, device=device,
               teacher="lenet5-bn" if name.startswith("teacher") else "lenet5")
        for n, (name, point) in enumerate(points.items()) for rule, measure in (rules if n < 5 else main)
        for seed in seeds
    ]  # fmt: skip


def diversity_trials(seeds: Iterable[int] = range(5), preset: str = "classroom", device: str = "cpu") -> list[Trial]:
    """RDSKD whole, without each of its terms in turn, and without its damping."""
    kinds = {"default": {}, "no damping": {"anchor": "none"}} | {
        f"without {t}": {"off": (t,)} for t in ("oh", "ie", "ds")
    }
    return [_trial("rdskd", seed, name, preset=preset, device=device, **more)
            for name, more in kinds.items() for seed in seeds]  # fmt: skip


def accuracy_trials(seeds: Iterable[int] = range(5), preset: str = "classroom", device: str = "cpu") -> list[Trial]:
    """Every method and control with its settings of a preset and one budget, tested on MNIST's official images.

    The budget is what the student sees: as many batches as RDSKD's does there (in `classroom` 4,000 of 128).  A source
    goes on for as long as it then has to.
    """
    trials, steps = [], PRESETS[preset].student_steps
    for method in METHODS:
        s = METHODS[method].presets[preset]
        sheets = s.generator_steps * steps // s.student_steps // s.sheet_steps  # whole ones; else a sheet is a step
        change = {"student_steps": steps, "generator_steps": sheets * s.sheet_steps}
        common = dict(data="mnist", change=change, preset=preset, device=device)
        trials += [_trial(method, seed, **common) for seed in seeds]
        if method == "rdskd":  # once more with the teacher that DeepInversion needs, or the teachers would be compared
            trials += [_trial(method, seed, "teacher lenet5-bn", teacher="lenet5-bn", **common) for seed in seeds]
    return trials


def robustness_trials(seeds: Iterable[int] = range(3), part: int = 4, repeats: int = 10, preset: str = "classroom",
                      device: str = "cpu") -> list[Trial]:  # fmt: skip
    """Each method from its own default, one setting changed at a time; 1 / `part` of the preset's steps.

    The default alone is done with `repeats` seeds: how far luck moves a method with no setting changed.
    """
    trials, seeds = [], list(seeds)
    for method in FIELD:
        s, terms = METHODS[method].presets[preset], METHODS[method].terms()
        short = {"generator_steps": s.generator_steps // part, "student_steps": s.student_steps // part}
        weights = {name: term.weight for name, term in terms.items()} | dict(s.weights)
        weights = {name: weight for name, weight in weights.items() if weight}
        points = [("default", {})]
        points += [(f"lr {word}", {"change": {"lr": s.lr * by}}) for word, by in (("/ 4", 0.25), ("x 4", 4))]
        for n in (n for n in (64, 128, 512) if n != s.batch_size):
            change, sheets_now = {"batch_size": n}, short["generator_steps"] // s.sheet_steps
            if s.sheet_steps > 1:  # a batch there is a sheet: as many images in all, in smaller or larger sheets
                change["generator_steps"] = s.sheet_steps * round(sheets_now * s.batch_size / n)
            points.append((f"batch {n}", {"change": change}))
        if METHODS[method].source is building_blocks.generator:  # sheets of pixels have no latent and no width
            points += [(f"latent {n}", {"change": {"latent": n}}) for n in (16, 100, 400) if n != s.latent]
            points += [(f"width {n}", {"change": {"width": n}}) for n in (s.width // 2, 2 * s.width)]
        if len(weights) > 1:  # Adam does not see the weight of an only term
            points += [(f"{name} {word}", {"weight": ((name, weight * by),)})
                       for name, weight in weights.items() for word, by in (("/ 4", 0.25), ("x 4", 4))]  # fmt: skip
        if method != "dfad":  # whose student knows no temperature
            points += [(f"T {t}", {"change": {"temperature": t}}) for t in (1.0, 4.0, 10.0, 20.0) if t != s.temperature]
        given = _trial(method, 0).config.teacher
        bn = given == "lenet5-bn"
        points += [(f"teacher {t}", {"teacher": t}) for t in TEACHERS if t != given and not (bn and "bn" not in t)]
        trials += [
            _trial(method, seed, name, preset=preset, device=device,
                   **{**more, "change": short | more.get("change", {})})
            for name, more in points
            for seed in (*seeds, *(range(max(seeds) + 1, repeats) if name == "default" else ()))
        ]  # fmt: skip
    return trials


STUDIES = {
    study.name: study
    for study in (
        Study("fluctuation", "Does the penalty on increments damp fluctuations?", fluctuation_trials),
        Study("diversity", "What does each of RDSKD's terms do for its samples?", diversity_trials),
        Study("accuracy", "Whose student is best under equal budgets?", accuracy_trials),
        Study("robustness", "Whose student suffers least from unlucky settings?", robustness_trials),
    )
}


def planned(name: str, preset: str = "classroom", device: str = "cpu") -> Study:
    """A study by its name, at another scale: `paper-mnist` has the published schedule.  Both decide the figures."""
    study = STUDIES[known("study", name, STUDIES)]
    for method in {trial.config.method: 0 for trial in study.trials()}:
        known(f"preset of {method}", preset, METHODS[method].presets)
    return replace(study, trials=partial(study.trials, preset=preset, device=device))


# ---- from tables to verdicts -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Verdict:
    """A claim, what our table says of it, and whether that bears it out."""

    claim: str
    study: str
    value: str  # what was compared, and how
    estimate: float
    low: float  # of the 95 % interval
    high: float
    n: int  # pairs
    unit: str = ""
    main: bool = False  # named before any trial was done; the others are asked too, and of many one misses by luck
    label: str = ""  # what tells it from its neighbours in a picture, in a few words

    @property
    def verdict(self) -> str:
        """`holds` if the whole interval speaks for the claim, `does not hold` if it speaks against it."""
        if self.n < 2:
            return "too few pairs"
        return "holds" if self.low > 0 else "does not hold" if self.high < 0 else "not at this scale"

    @property
    def interval(self) -> str:
        """'+1.2 points (+0.4 to +2, n = 5)'."""
        if self.n < 2:
            return f"no interval (n = {self.n})"
        values = self.estimate, self.low, self.high
        mean, low, high = (f"{x:+,.0f}" if abs(x) >= 1000 else f"{x:+.3g}" for x in values)
        return f"{mean}{self.unit} ({low} to {high}, n = {self.n})"


def interval(differences: Iterable[float]) -> tuple[float, float, float, int]:
    """Mean of paired differences and its 95 % interval by Student's t; without spread the interval is the mean."""
    from scipy.stats import t

    d = np.array(list(differences), float)
    if len(d) < 2:
        raise ValueError(f"an interval needs at least two pairs; there are {len(d)}")
    half = t.ppf(0.975, len(d) - 1) * d.std(ddof=1) / math.sqrt(len(d))
    return d.mean(), d.mean() - half, d.mean() + half, len(d)


def judge(claim: str, study: str, value: str, differences: Iterable[float], unit: str = "", main: bool = False,
          label: str = "") -> Verdict:  # fmt: skip
    """The verdict on a claim for which each of the paired differences speaks if it is above 0."""
    d = list(differences)
    found = interval(d) if len(d) > 1 else (math.nan, math.nan, math.nan, len(d))
    return Verdict(claim, study, value, *found, unit, main, label or claim)


def paired(rows: list[dict], a: dict, b: dict, column: str, change: Callable = float) -> list[float]:
    """`column` of the rows that match `a`, less that of those that match `b`, seed by seed, where both have one."""

    def of(wanted: dict) -> dict:
        found = {r["seed"]: r[column] for r in rows if all(r[k] == v for k, v in wanted.items())}
        return {seed: change(v) for seed, v in found.items() if v is not None}

    one, other = of(a), of(b)
    return [one[seed] - other[seed] for seed in one if seed in other]


GUESS = 0.1  # a run that the guard stopped counts as what guessing gives


def right(row: dict) -> float:
    """A row's accuracy in %."""
    return 100 * (GUESS if row["student_accuracy"] is None else row["student_accuracy"])


SILENT = 1e-9  # nats a step: below any fluctuation that float32 can show; a loss that never rose counts as this quiet


def fluctuation_verdicts(rows: list[dict]) -> list[Verdict]:
    """Published damping against none, and against a constant weight of its mean gain; both terms, every setting.

    Main are those of the default setting.  Then the other anchor rules against none.
    """

    def less(term: str, rule: str, rival: str, point: str, words: str, main: bool) -> Verdict:
        pairs = paired(rows, {"setting": f"{rival}, {point}"}, {"setting": f"{rule}, {point}"}, f"{term}_probe",
                       lambda v: math.log(max(v, SILENT)))  # fmt: skip
        return judge(f"Damping makes {term} fluctuate less {words}", "fluctuation",
                     f"{point}: ln (fluctuation {rival} / {rule}), on the probe", pairs, main=main,
                     label=f"{term}: {rule} against {rival}, {point}")  # fmt: skip

    settings = [r["setting"].split(", ") for r in rows]
    found = []
    for point in dict.fromkeys(point for _, point in settings):
        for term in "oh", "ie":
            for rival, words in ("none", "than without"), ("constant", "than a constant weight of the same mean gain"):
                found.append(less(term, "epoch", rival, point, words, point == "default"))
    for rule in [rule for rule in dict.fromkeys(rule for rule, _ in settings) if rule in ("previous", "average")]:
        for point in dict.fromkeys(point for other, point in settings if other == rule):
            found += [less(term, rule, "none", point, f"than without, anchor {rule}", False) for term in ("oh", "ie")]
    return found


def diversity_verdicts(rows: list[dict]) -> list[Verdict]:
    """What is lost without each term, in what that term is for, of the last generator's images, and in accuracy."""
    asks = (
        ("oh", "Authenticity keeps samples near real ones", "final_teacher_fid", -1, ""),
        ("ie", "Class diversity makes samples cover the classes evenly", "final_entropy", 1, " nats"),
        ("ds", "Inter-sample diversity makes samples differ", "final_distance", 1, ""),
        ("oh", "Authenticity makes the student better", "accuracy", 1, " points"),
        ("ie", "Class diversity makes the student better", "accuracy", 1, " points"),
        ("ds", "Inter-sample diversity makes the student better", "accuracy", 1, " points"),
        ("ds", "Inter-sample diversity makes samples differ to the teacher", "final_feature_distance", 1, ""),
        ("damping", "Damping makes the student better", "accuracy", 1, " points"),
    )
    rows = [r | {"accuracy": right(r)} for r in rows]
    said = {of: of.removeprefix("final_").replace("_", " ").replace("fid", "FID") for _, _, of, _, _ in asks}
    return [
        judge(claim, "diversity", f"{said[column]}, whole less without {term}"
              + ", negated" * (sign < 0),
              paired(rows, {"setting": "default"},
                     {"setting": "no damping" if term == "damping" else f"without {term}"}, column,
                     lambda v, sign=sign: sign * v), unit, main=n < 3,
              label=f"{said[column]}: whole against without {term}")
        for n, (term, claim, column, sign, unit) in enumerate(asks)
    ]  # fmt: skip


def accuracy_verdicts(rows: list[dict]) -> list[Verdict]:
    """RDSKD's student against each rival's, seed by seed; both by the same teacher."""
    rows, found = [r | {"accuracy": right(r)} for r in rows], []
    for rival in RIVALS:
        other = next((r["teacher"] for r in rows if r["method"] == rival), None)
        ours = {"method": "rdskd", "teacher": other}
        found.append(judge(f"RDSKD's student is better than that of {rival}", "accuracy",
                           f"student's accuracy, rdskd less rival, teacher {other}",
                           paired(rows, ours, {"method": rival}, "accuracy"), " points", main=True,
                           label=f"rdskd against {rival}"))  # fmt: skip
    return found


def by_value(rows: list[dict]) -> list[dict]:
    """Robustness rows, and those of a default once more under the name of each value that it has: "batch 64", "T 10.0".

    So that what is one method's default and another's change is compared as the same setting.
    """
    columns = {"batch": "batch_size", "latent": "latent", "width": "width", "T": "temperature", "teacher": "teacher"}
    has, more = {(r["method"], kind(r["setting"])) for r in rows}, []
    for r in (r for r in rows if r["setting"] == "default"):
        for name, column in columns.items():
            if (r["method"], name) in has:
                value = f"{r[column]:g}" if name in ("batch", "latent", "width") else r[column]
                more.append(r | {"setting": f"{name} {value}"})
    return [*rows, *more]


def spread(rows: list[dict], method: str, seed: float) -> float:
    """How much a method's accuracy varies over its settings with one seed: the standard deviation, in points."""
    return float(np.std([right(r) for r in rows if (r["method"], r["seed"]) == (method, seed)], ddof=1))


def of_the_grid(rows: list[dict]) -> list[dict]:
    """Without those seeds with which only defaults were done."""
    seeds = {r["seed"] for r in rows if r["setting"] != "default"}
    return [r for r in rows if r["seed"] in seeds]


def robustness_verdicts(rows: list[dict]) -> list[Verdict]:
    """How much less RDSKD's accuracy varies over its settings than a rival's: over shared ones (main), and over all.

    What a method does not have, a latent or a term's weight, can spoil nothing for it; hence the first comparison.
    The last, without other teachers, was added when the table was there: one teacher made most of every spread.
    """
    rows, found = of_the_grid(rows), []
    valued = by_value(rows)
    for rival in RIVALS:
        ours, theirs = ({r["setting"] for r in valued if r["method"] == m} for m in ("rdskd", rival))
        shared = [r for r in valued if r["setting"] in ours & theirs]
        same = [r for r in rows if kind(r["setting"]) != "teacher"]
        for what, table in (("the settings that both have", shared), ("all of each", rows),
                            ("all of each but other teachers", same)):  # fmt: skip
            many = Counter((r["method"], r["seed"]) for r in table)
            seeds = [s for s in sorted({r["seed"] for r in table}) if min(many["rdskd", s], many[rival, s]) > 1]
            found.append(
                judge(f"RDSKD is more robust than {rival} over {what}", "robustness",
                      "standard deviation of accuracy over settings, rival less rdskd",
                      [spread(table, rival, seed) - spread(table, "rdskd", seed) for seed in seeds], " points",
                      main=table is shared, label=f"rdskd against {rival}, {what}")
            )  # fmt: skip
    return found


VERDICTS = {"fluctuation": fluctuation_verdicts, "diversity": diversity_verdicts, "accuracy": accuracy_verdicts,
            "robustness": robustness_verdicts}  # fmt: skip


class Robust(NamedTuple):
    """A method over its settings, in % and points; what `robustness_table` tells."""

    method: str
    trials: int
    mean: float
    worst: float
    sd: float  # over settings and seeds
    collapsed: float  # share of the trials
    default: float  # mean of the default over all its seeds
    luck: float  # its standard deviation over them: what moves a method with no setting changed
    fallen: float  # share of these that collapsed


def collapsed(row: dict) -> bool:
    """Fewer than 8 classes among its images (see `images.of_last`), a student below 80 %, or stopped by the guard."""
    return right(row) < 80 or (row["final_classes"] or 0) < 8


def robustness_table(rows: list[dict]) -> list[Robust]:
    """A line a method, best mean first."""
    lines = []
    for method in dict.fromkeys(r["method"] for r in rows):
        mine = [r for r in rows if r["method"] == method]
        grid, default = of_the_grid(mine), [r for r in mine if r["setting"] == "default"]
        shares, usual = [right(r) for r in grid], [right(r) for r in default]
        sd, luck = (np.std(x, ddof=1) if len(x) > 1 else math.nan for x in (shares, usual))
        fallen = (100 * np.mean([collapsed(r) for r in found]) for found in (grid, default))
        many, few = fallen
        lines.append(Robust(method, len(grid), np.mean(shares), min(shares), sd, many, np.mean(usual), luck, few))
    return sorted(lines, key=lambda line: -line.mean)


KINDS = ("lr", "batch", "latent", "width", "T", "teacher", "weights")


def kind(setting: str) -> str:
    """What a setting of the robustness study changes: "lr x 4" -> "lr", "ie / 4" -> "weights"."""
    first = setting.split()[0]
    return first if first in (*KINDS, "default") else "weights"


def unluckiest(rows: list[dict]) -> dict[tuple[str, str], tuple[str, float]]:
    """(method, kind) -> its worst setting of that kind and its mean accuracy over seeds in %; no key: it has none."""
    by, worst = defaultdict(list), {}
    for r in rows:
        by[r["method"], r["setting"]].append(right(r))
    for (method, setting), shares in by.items():
        key, mean = (method, kind(setting)), float(np.mean(shares))
        if key not in worst or mean < worst[key][1]:
            worst[key] = setting, mean
    return worst
