"""Whose student suffers least from unlucky settings?  One setting at a time is changed from each method's default."""

import math
from collections import Counter, defaultdict
from itertools import product
from typing import NamedTuple

import numpy as np

from ..methods import building_blocks
from ..methods.registry import METHODS
from ..networks.registry import shipped_teacher
from ..networks.weights import SHIPPED
from ..reporting.study_charts import Spreads
from .engine import DEFAULT, Study, Trial, plan_trial
from .students import RIVALS, TEN, WORDS, right, train_student
from .verdict import Verdict, judge, of_the_grid

FIELD = ("rdskd", *RIVALS, "dfad")
TEACHERS = tuple(name for name in SHIPPED if name.startswith("lenet5"))
KINDS = ("lr", "batch", "latent", "width", "T", "teacher", "weights")
COLUMNS = {"batch": "batch_size", "latent": "latent", "width": "width", "T": "temperature", "teacher": "teacher"}
FACTORS = {"/ 4": 0.25, "x 4": 4}

# ---- the plan --------------------------------------------------------------------------------------------------------


def plan(seeds=range(3), repeats: int = 10, preset: str = "classroom", device: str = "cpu") -> list[Trial]:
    """Plan each method from its own default, one setting changed at a time; a quarter of the preset's steps.

    The default alone is run with `repeats` seeds: how far luck moves a method with no setting changed.
    """
    trials, seeds = [], list(seeds)
    more = range(max(seeds) + 1, repeats)
    for method in FIELD:
        s = METHODS[method].presets[preset]
        short = {"generator_steps": s.generator_steps // 4, "student_steps": s.student_steps // 4}
        for point, kind, config in points_of(method, preset, short):
            config = config | {"change": short | config.get("change", {}), "preset": preset, "device": device}
            used = seeds if kind else [*seeds, *more]
            trials += [plan_trial(method, seed, train_student, point, kind, **config) for seed in used]
    return trials


def points_of(method: str, preset: str, short: dict) -> list[tuple[str, str, dict]]:
    """List the default and what is changed from it: (point, kind, what differs in the configuration)."""
    how, s = METHODS[method], METHODS[method].presets[preset]
    found = [(DEFAULT, "", {})]
    found += [(f"lr {word}", "lr", {"change": {"lr": s.lr * by}}) for word, by in FACTORS.items()]
    changes = {"batch": (64, 128, 512)}
    if how.source is building_blocks.generator:  # sheets of pixels have no latent and no width
        changes |= {"latent": (16, 100, 400), "width": (s.width // 2, 2 * s.width)}
    for kind, values in changes.items():
        for n in values:
            change = {COLUMNS[kind]: n}
            if kind == "batch" and s.sheet_steps > 1:  # a batch is a sheet: as many images in all, in other sheets
                sheets = short["generator_steps"] // s.sheet_steps
                change["generator_steps"] = s.sheet_steps * round(sheets * s.batch_size / n)
            if n != getattr(s, COLUMNS[kind]):
                found.append((named(kind, n), kind, {"change": change}))
    weights = {name: term.weight for name, term in how.terms().items()} | dict(s.weights)
    weights = {name: weight for name, weight in weights.items() if weight}
    if len(weights) > 1:  # Adam does not see the weight of an only term
        found += [
            (f"{name} {word}", "weights", {"weight": ((name, weights[name] * by),)})
            for name, (word, by) in product(weights, FACTORS.items())
        ]
    if method != "dfad":  # whose student knows no temperature
        changed = (t for t in (1.0, 4.0, 10.0, 20.0) if t != s.temperature)
        found += [(named("T", t), "T", {"change": {"temperature": t}}) for t in changed]
    given = shipped_teacher(how.terms().needs)
    usable = [name for name in TEACHERS if name != given and not (given == "lenet5-bn" and "bn" not in name)]
    return found + [(named("teacher", name), "teacher", {"teacher": name}) for name in usable]


def named(kind: str, value: float | str) -> str:
    """The point at which a setting has this value: 'batch 64', 'T 10.0'."""
    return f"{kind} {value}" if kind in ("T", "teacher") else f"{kind} {value:g}"


# ---- the verdicts ----------------------------------------------------------------------------------------------------


def verdicts(rows: list[dict]) -> list[Verdict]:
    """Judge how much less RDSKD's accuracy varies over settings than a rival's: over shared ones (main), and over all.

    What a method does not have, a latent or a term's weight, can spoil nothing for it; hence the first comparison.
    The last, without other teachers, was added when the table was there: one teacher made most of every spread.
    """
    rows, found = of_the_grid(rows), []
    valued = by_value(rows)
    for rival in RIVALS:
        ours, theirs = ({r["setting"] for r in valued if r["method"] == m} for m in ("rdskd", rival))
        tables = {
            "the settings that both have": [r for r in valued if r["setting"] in ours & theirs],
            "all of each": rows,
            "all of each but other teachers": [r for r in rows if r["kind"] != "teacher"],
        }
        for n, (what, table) in enumerate(tables.items()):
            many = Counter((r["method"], r["seed"]) for r in table)
            seeds = [s for s in sorted({r["seed"] for r in table}) if min(many["rdskd", s], many[rival, s]) > 1]
            found.append(
                judge(
                    f"RDSKD is more robust than {rival} over {what}",
                    "robustness",
                    "standard deviation of accuracy over settings, rival less rdskd",
                    [spread(table, rival, seed) - spread(table, "rdskd", seed) for seed in seeds],
                    unit=" points",
                    main=n == 0,
                    label=f"rdskd against {rival}, {what}",
                )
            )
    return found


def by_value(rows: list[dict]) -> list[dict]:
    """Add the rows of a default once more under the name of each value that it has: "batch 64", "T 10.0".

    So that what is one method's default and another's change is compared as the same setting.
    """
    has = {(r["method"], r["kind"]) for r in rows}
    return rows + [
        r | {"setting": named(kind, r[column])}
        for r in rows
        if not r["kind"]
        for kind, column in COLUMNS.items()
        if (r["method"], kind) in has
    ]


def spread(rows: list[dict], method: str, seed: float) -> float:
    """How much a method's accuracy varies over its settings with one seed: the standard deviation, in points."""
    return float(np.std([right(r) for r in rows if (r["method"], r["seed"]) == (method, seed)], ddof=1))


# ---- its tables ------------------------------------------------------------------------------------------------------


class Robust(NamedTuple):
    """A method over its settings, in % and points."""

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
    """Fewer than 8 in 10 classes among its images (`image_quality.of_last`), a student below 80 %, or a stopped run."""
    return right(row) < 80 or (row["final_classes"] or 0) < 0.8 * (row.get("of_classes") or TEN)


def summary(rows: list[dict]) -> list[Robust]:
    """Summarise each method in a line, best mean first."""
    lines = []
    for method in dict.fromkeys(r["method"] for r in rows):
        mine = [r for r in rows if r["method"] == method]
        grid, default = of_the_grid(mine) or mine, [r for r in mine if not r["kind"]]
        shares, usual = [right(r) for r in grid], [right(r) for r in default]
        sd, luck = (np.std(x, ddof=1) if len(x) > 1 else math.nan for x in (shares, usual))
        many, few = (100 * np.mean([collapsed(r) for r in found]) for found in (grid, default))
        lines.append(Robust(method, len(grid), np.mean(shares), min(shares), sd, many, np.mean(usual), luck, few))
    return sorted(lines, key=lambda line: -line.mean)


def unluckiest(rows: list[dict]) -> dict[tuple[str, str], tuple[str, float]]:
    """(method, kind) -> its worst setting of that kind and its mean accuracy over seeds in %; no key: it has none."""
    by, worst = defaultdict(list), {}
    for r in rows:
        by[r["method"], r["kind"] or DEFAULT, r["setting"]].append(right(r))
    for (method, kind, setting), shares in by.items():
        mean = float(np.mean(shares))
        if (method, kind) not in worst or mean < worst[method, kind][1]:
            worst[method, kind] = setting, mean
    return worst


def notes(rows: list[dict]) -> list[str]:
    """Both tables in Markdown, for the scoreboard."""
    text = [
        "",
        "All settings of each method, then its default alone. Collapsed: fewer than 8 in 10 classes among the images",
        "(a class counts if it has a tenth of an even share), a student below 80 %, or a run that stopped.",
        "",
        "| method | trials | mean, % | worst, % | sd | collapsed, % | default, % | luck | collapsed, % |",
        "|---" * 9 + "|",
    ]
    for r in (lines := summary(rows)):
        figures = [f"{x:.1f}" for x in (r.mean, r.worst, r.sd)], f"{r.collapsed:.0f}", f"{r.default:.1f}"
        cells = [r.method, f"{r.trials}", *figures[0], *figures[1:], f"{r.luck:.1f}", f"{r.fallen:.0f}"]
        text.append(f"| {' | '.join(cells)} |")
    worst = unluckiest(rows)
    text += [
        "",
        "The worst setting of each kind, with its mean over seeds in %; blank: the method has no such setting.",
        "",
        f"| method | {' | '.join(KINDS)} |",
        "|---" * (1 + len(KINDS)) + "|",
    ]
    for r in lines:
        cells = ("{1:.1f} ({0})".format(*worst[r.method, k]) if (r.method, k) in worst else "" for k in KINDS)
        text.append(f"| {r.method} | {' | '.join(cells)} |")
    return text


def settings_chart(rows: list[dict]) -> Spreads:
    """Draw every method's settings; stopped runs count as guesses."""
    by = defaultdict(list)
    for r in rows:
        by[r["method"], r["setting"]].append(right(r))
    return Spreads("Accuracy by setting", {key: np.array(found) for key, found in by.items()})


def figures(rows: list[dict], curves: list[dict]) -> list[tuple]:
    """Every setting in a chart, for the page."""
    caption = "The settings of each method; point at a mark to see which."
    return [("Every setting", caption, [settings_chart(rows)])] if rows else []


STUDY = Study(
    name="robustness",
    question="Whose student suffers least from unlucky settings?",
    rank=4,
    trials=plan,
    verdicts=verdicts,
    how_to_read="One setting at a time is changed from each method's default; only the default has more seeds. lr is "
    "the generator's learning rate, T the temperature; a term's short name with / 4 or x 4 is its weight.",
    apart="Only one setting is changed at a time, from defaults that are ours, by factors that are ours, with a short "
    "budget in which some defaults are not good yet. The spread over settings also contains the luck of each run: "
    "`luck` in the table is its size with no setting changed. A method's default value counts as a shared setting if "
    "the other method was run with it. Batches: for ZSKD and DeepInversion the size of a sheet changes and the number "
    "of images does not; for generators a larger batch means more images. ZSKD and DeepInversion have no latent and no "
    "width, ZSKD and DFAD no second weight, DFAD no temperature; ZSKD's T is the student's alone; DeepInversion has "
    "one teacher, not the one of the others. The comparison without other teachers was added after we had seen the "
    "table.",
    notes=notes,
    figures=figures,
    **WORDS,
)
