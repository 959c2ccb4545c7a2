"""What the paper says, as studies that can contradict it, and the scoreboard that is written from their tables.

The paper's claims are those of its abstract: the penalty on increments damps fluctuations; samples are authentic,
class-diverse and unlike each other; students are better than those of DAFL, MSKD, ZSKD and DeepInversion; and the
method is more robust over settings.  A verdict follows from a 95 % interval alone (`verdict`), never from a wish.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import parts, report
from .compare import read_table
from .evidence import Interval, Intervals, Setting, Spreads
from .field import METHODS
from .methods import PRESETS
from .plots import Curves, Line
from .runs import Config
from .studies import Study, Trial, fluctuating, fluctuating_undamped
from .weights import SHIPPED

RIVALS = ("dafl", "mskd", "zskd", "deepinversion")  # of the paper
FIELD = ("rdskd", *RIVALS, "dfad")
TEACHERS = tuple(name for name in SHIPPED if name.startswith("lenet5"))

# ---- the grids -------------------------------------------------------------------------------------------------------


def _trial(method: str, seed: int, setting: str = "default", *, change=None, measure=None, **more) -> Trial:
    """A run of `classroom` with some settings changed and, where a term asks for it, the teacher with BatchNorm."""
    needs_bn = any("bn" in term.needs for term in METHODS[method].terms().values())
    more.setdefault("teacher", "lenet5-bn" if needs_bn else "lenet5")
    config = Config(method=method, seed=seed, device="cpu", change=_pairs(change or {}), **more)
    return Trial(config, setting, measure) if measure else Trial(config, setting)


def _pairs(change: dict) -> tuple[tuple[str, str], ...]:
    return tuple((name, str(value)) for name, value in change.items())


def fluctuation_trials(seeds: Iterable[int] = range(10), steps: int = 240) -> list[Trial]:
    """Each anchor rule, none, and a constant weight of the published rule's mean gain; five points of lr and batch."""
    base = {"generator_steps": steps, "pooled": False}
    points = {"default": {}, "lr / 4": {"lr": 4e-3}, "lr x 4": {"lr": 6.4e-2}, "batch 16": {"batch_size": 16},
              "batch 256": {"batch_size": 256}}  # fmt: skip
    rules = [("none", fluctuating), ("epoch", fluctuating), ("previous", fluctuating), ("average", fluctuating),
             ("epoch", fluctuating_undamped)]  # fmt: skip
    return [
        _trial("rdskd", seed, f"{'constant' if measure is fluctuating_undamped else rule}, {name}",
               change=base | point, anchor=rule, measure=measure)
        for name, point in points.items() for rule, measure in rules for seed in seeds
    ]  # fmt: skip


def diversity_trials(seeds: Iterable[int] = range(5)) -> list[Trial]:
    """RDSKD whole, without each of its terms in turn, and without its damping."""
    kinds = {"default": {}, "no damping": {"anchor": "none"}} | {
        f"without {t}": {"off": (t,)} for t in ("oh", "ie", "ds")
    }
    return [_trial("rdskd", seed, name, **more) for name, more in kinds.items() for seed in seeds]


def accuracy_trials(seeds: Iterable[int] = range(5), steps: int = 4_000) -> list[Trial]:
    """Every method and control with its `classroom` settings and one budget, tested on MNIST's official images.

    The budget is what the student sees: `steps` batches of 128.  A source goes on for as long as it then has to.
    """
    trials = []
    for method in METHODS:
        s = METHODS[method].presets["classroom"]
        change = {"student_steps": steps, "generator_steps": s.generator_steps * steps // s.student_steps}
        trials += [_trial(method, seed, data="mnist", change=change) for seed in seeds]
    return trials


def robustness_trials(seeds: Iterable[int] = range(3), part: int = 4) -> list[Trial]:
    """Each method from its own default, one setting changed at a time; 1 / `part` of `classroom`'s steps."""
    trials = []
    for method in FIELD:
        s, terms = METHODS[method].presets["classroom"], METHODS[method].terms()
        short = {"generator_steps": s.generator_steps // part, "student_steps": s.student_steps // part}
        weights = {name: term.weight for name, term in terms.items()} | dict(s.weights)
        points = [("default", {})]
        points += [(f"lr {word}", {"change": {"lr": s.lr * by}}) for word, by in (("/ 4", 0.25), ("x 4", 4))]
        points += [(f"batch {n}", {"change": {"batch_size": n}}) for n in (64, 128, 512) if n != s.batch_size]
        if METHODS[method].source is parts.generator:  # sheets of pixels have no latent and no width
            points += [(f"latent {n}", {"change": {"latent": n}}) for n in (16, 100, 400) if n != s.latent]
            points += [(f"width {n}", {"change": {"width": n}}) for n in (s.width // 2, 2 * s.width)]
        points += [(f"{name} {word}", {"weight": ((name, weights[name] * by),)})
                   for name in terms if weights[name] for word, by in (("/ 4", 0.25), ("x 4", 4))]  # fmt: skip
        if method != "dfad":  # whose student knows no temperature
            points += [(f"T {t}", {"change": {"temperature": t}}) for t in (1.0, 4.0, 10.0, 20.0) if t != s.temperature]
        given = _trial(method, 0).config.teacher
        bn = given == "lenet5-bn"
        points += [(f"teacher {t}", {"teacher": t}) for t in TEACHERS if t != given and not (bn and "bn" not in t)]
        trials += [
            _trial(method, seed, name, **{**more, "change": short | more.get("change", {})})
            for name, more in points for seed in seeds
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
        return f"{self.estimate:+.3g}{self.unit} ({self.low:+.3g} to {self.high:+.3g}, n = {self.n})"


def interval(differences: Iterable[float]) -> tuple[float, float, float, int]:
    """Mean of paired differences and its 95 % interval by Student's t; without spread the interval is the mean."""
    from scipy.stats import t

    d = np.array(list(differences), float)
    if len(d) < 2:
        raise ValueError(f"an interval needs at least two pairs; there are {len(d)}")
    half = t.ppf(0.975, len(d) - 1) * d.std(ddof=1) / math.sqrt(len(d))
    return d.mean(), d.mean() - half, d.mean() + half, len(d)


def judge(claim: str, study: str, value: str, differences: Iterable[float], unit: str = "") -> Verdict:
    """The verdict on a claim for which each of the paired differences speaks if it is above 0."""
    d = list(differences)
    found = interval(d) if len(d) > 1 else (math.nan, math.nan, math.nan, len(d))
    return Verdict(claim, study, value, *found, unit)


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
    """Published damping against none, and against a constant weight of its mean gain; both terms, every setting."""
    found = []
    for point in dict.fromkeys(r["setting"].split(", ")[1] for r in rows):
        for term in "oh", "ie":
            for rival, words in ("none", "than without"), ("constant", "than a constant weight of the same mean gain"):
                pairs = paired(rows, {"setting": f"{rival}, {point}"}, {"setting": f"epoch, {point}"}, f"{term}_probe",
                               lambda v: math.log(max(v, SILENT)))  # fmt: skip
                found.append(judge(f"Damping makes {term} fluctuate less {words}", "fluctuation",
                                   f"{point}: ln of the ratio of fluctuations on the probe", pairs))  # fmt: skip
    return found


def diversity_verdicts(rows: list[dict]) -> list[Verdict]:
    """What is lost without each term, in what that term is for, and in accuracy."""
    asks = (
        ("oh", "Authenticity keeps samples near real ones", "teacher_fid", -1, ""),
        ("ie", "Class diversity makes samples cover the classes evenly", "entropy", 1, " nats"),
        ("ds", "Inter-sample diversity makes samples differ", "distance", 1, ""),
        ("oh", "Authenticity makes the student better", "accuracy", 1, " points"),
        ("ie", "Class diversity makes the student better", "accuracy", 1, " points"),
        ("ds", "Inter-sample diversity makes the student better", "accuracy", 1, " points"),
    )
    rows = [r | {"accuracy": right(r)} for r in rows]
    return [
        judge(claim, "diversity", f"{column.replace('_', ' ')}, whole less without {term}" + ", negated" * (sign < 0),
              paired(rows, {"setting": "default"}, {"setting": f"without {term}"}, column,
                     lambda v, sign=sign: sign * v), unit)
        for term, claim, column, sign, unit in asks
    ]  # fmt: skip


def accuracy_verdicts(rows: list[dict]) -> list[Verdict]:
    """RDSKD's student against each rival's, seed by seed."""
    rows = [r | {"accuracy": right(r)} for r in rows]
    return [
        judge(f"RDSKD's student is better than that of {rival}", "accuracy", "student's accuracy, rdskd less rival",
              paired(rows, {"method": "rdskd"}, {"method": rival}, "accuracy"), " points")
        for rival in RIVALS
    ]  # fmt: skip


def spread(rows: list[dict], method: str, seed: float) -> float:
    """How much a method's accuracy varies over its settings with one seed: the standard deviation, in points."""
    return float(np.std([right(r) for r in rows if (r["method"], r["seed"]) == (method, seed)], ddof=1))


def robustness_verdicts(rows: list[dict]) -> list[Verdict]:
    """How much less RDSKD's accuracy varies over its settings than a rival's: over all of each, and over shared ones.

    What a method does not have, a latent or a term's weight, can spoil nothing for it; hence the second comparison.
    """
    found = []
    for rival in RIVALS:
        ours, theirs = ({r["setting"] for r in rows if r["method"] == m} for m in ("rdskd", rival))
        for what, kept in ("every one", ours | theirs), ("shared ones", ours & theirs):
            table = [r for r in rows if r["setting"] in kept]
            many = Counter((r["method"], r["seed"]) for r in table)
            seeds = [s for s in sorted({r["seed"] for r in table}) if min(many["rdskd", s], many[rival, s]) > 1]
            found.append(
                judge(f"RDSKD is more robust over settings than {rival}", "robustness",
                      f"standard deviation of accuracy over settings ({what}), rival less rdskd",
                      [spread(table, rival, seed) - spread(table, "rdskd", seed) for seed in seeds], " points")
            )  # fmt: skip
    return found


VERDICTS = {"fluctuation": fluctuation_verdicts, "diversity": diversity_verdicts, "accuracy": accuracy_verdicts,
            "robustness": robustness_verdicts}  # fmt: skip


def robustness_table(rows: list[dict]) -> list[tuple]:
    """(method, trials, mean, worst, standard deviation over all, share that collapsed) in %, best mean first.

    Collapsed: fewer than 8 classes among the samples, or a student below 80 %, or stopped by the guard.
    """
    by = defaultdict(list)
    for r in rows:
        by[r["method"]].append(r)
    lines = []
    for method, found in by.items():
        shares = [right(r) for r in found]
        fallen = [a < 80 or (r["classes"] or 0) < 8 for a, r in zip(shares, found, strict=True)]
        sd = np.std(shares, ddof=1) if len(shares) > 1 else math.nan
        lines.append((method, len(found), np.mean(shares), min(shares), sd, 100 * np.mean(fallen)))
    return sorted(lines, key=lambda line: -line[2])


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


# ---- the scoreboard --------------------------------------------------------------------------------------------------

APART = {  # what may set our figure apart from the paper's, besides the scale that the table itself tells
    "fluctuation": "Fluctuation is measured on a fixed probe batch; on the batches of training it is mostly sampling "
                   "noise (columns `_batches` and `_floor`).",
    "diversity": "The measures are ours, and teacher-FID compares with no published FID.",
    "accuracy": "Each method's settings are its own `classroom` preset, sought as `search.csv` says. DeepInversion "
                "needs BatchNorm, so its teacher is another.",
    "robustness": "Only one setting is changed at a time, from defaults that are ours, by factors that are ours; "
                  "ZSKD and DeepInversion have no latent and no width, and DeepInversion's teacher is another.",
}  # fmt: skip


def apart(name: str, rows: list[dict]) -> str:
    """Why a study's figures may differ from the paper's: scale, teacher, budget, in sentences, from its table."""
    published, ours = PRESETS["paper-mnist"], PRESETS["classroom"]
    steps, theirs = f"{span(rows, 'generator_steps')} generator", f"{published.generator_steps:,}"
    if name != "fluctuation":  # which trains no student
        steps += f" and {span(rows, 'student_steps')} student"
        theirs += f" and {published.student_steps:,}"
    teachers, data, seeds = (sorted({r[column] for r in rows}) for column in ("teacher", "data", "seed"))
    return (
        f"Why it may differ from the paper. Budget: {steps} steps a run; RDSKD's published MNIST schedule has "
        f"{theirs}. Scale: {len(seeds)} seeds, {' and '.join(data)} only; RDSKD by default with batches of "
        f"{ours.batch_size} and a generator of {ours.width} channels (published: {published.batch_size} and "
        f"{published.width}). Teacher: {', '.join(teachers)}, trained by us. {APART[name]} We have not read the body "
        "of the paper, so how it measured is not known here."
    )


def span(rows: list[dict], column: str) -> str:
    """'800' or '600 to 4,000': the least and the most of a column, controls without such steps left out."""
    values = [r[column] for r in rows if r[column]] or [0]
    low, high = min(values), max(values)
    return f"{low:,.0f}" if low == high else f"{low:,.0f} to {high:,.0f}"


def scoreboard(tables: dict[str, list[dict]]) -> str:
    """SCOREBOARD.md from the studies' tables, by their names."""
    text = [
        "# Scoreboard: the paper's claims, tested",
        "",
        "Written by `rdskd-lab study scoreboard results`; edit nothing here. Differences, or logarithms of ratios,",
        "paired by seed, with their 95 % interval by Student's t. *holds*: the whole interval speaks for the claim.",
        "*does not hold*: the whole interval speaks against it. *not at this scale*: it includes 0. Of twenty such",
        "intervals one misses its value by luck, and nothing here makes up for that.",
    ]
    for name, rows in tables.items():
        study = STUDIES[name]
        stopped = sum(r["outcome"] != "finished" for r in rows)
        text += ["", f"## {study.question}", "",
                 f"`rdskd-lab study run {name}` -> [{name}.csv]({name}.csv), {len(rows)} of {len(study.trials())} "
                 f"trials; the guard stopped {stopped}.", "",
                 "| claim | compared | ours | verdict |", "|---|---|---|---|"]  # fmt: skip
        text += [f"| {v.claim} | {v.value} | {v.interval} | **{v.verdict}** |" for v in VERDICTS[name](rows)]
        if name == "robustness":
            text += ["", "| method | trials | mean, % | worst, % | sd | collapsed, % |", "|---|---|---|---|---|---|"]
            text += [f"| {m} | {n} | {mean:.1f} | {worst:.1f} | {sd:.1f} | {fallen:.0f} |"
                     for m, n, mean, worst, sd, fallen in robustness_table(rows)]  # fmt: skip
            worst = unluckiest(rows)
            text += ["", "The worst setting of each kind, its mean over seeds in %; blank: it has no such setting.",
                     "", f"| method | {' | '.join(KINDS)} |", "|---" * (1 + len(KINDS)) + "|"]  # fmt: skip
            for m, *_ in robustness_table(rows):
                cells = ("{1:.1f} ({0})".format(*worst[m, k]) if (m, k) in worst else "" for k in KINDS)
                text.append(f"| {m} | {' | '.join(cells)} |")
        text += ["", apart(name, rows)]
    return "\n".join(text) + "\n"


# ---- pictures ------------------------------------------------------------------------------------------------------


def intervals(title: str, verdicts: list[Verdict]) -> Intervals:
    """The verdicts that have an interval, as a chart; its labels leave out the words that all of them share."""
    told = [v for v in verdicts if v.n > 1]
    words = [f"{v.claim} ({v.value})".split() for v in told]
    shared = set.intersection(*map(set, words)) if len(words) > 1 else set()
    labels = [" ".join(word.strip("(:,)") for word in line if word not in shared) if shared else " ".join(line)
              for line in words]  # fmt: skip
    units = " or ".join(dict.fromkeys(v.unit.strip() or ("ln of a ratio" if "ln of" in v.value else "1") for v in told))
    rows = [Interval(label, v.estimate, v.low, v.high, v.verdict) for label, v in zip(labels, told, strict=True)]
    return Intervals(title, rows, f"{units}; right of 0: for the claim")


def settings_chart(rows: list[dict]) -> Spreads:
    """The robustness study's table as a chart: every method's settings, stopped runs as guesses."""
    by = defaultdict(list)
    for r in rows:
        by[r["method"], r["setting"]].append(right(r))
    return Spreads("Accuracy by setting", [Setting(*key, np.array(found)) for key, found in by.items()])


SHOWN = {"none": "no damping", "epoch": "damped, as published", "constant": "constant weight"}


def curve_charts(rows: list[dict], where: str) -> list[Curves]:
    """One run's oh and ie, step by step, from fluctuation_curves.csv: `where` is "batches" (of training) or "probe"."""
    words = {"batches": "on the batches of training", "probe": "on one fixed probe batch"}[where]
    charts = []
    for term in "oh", "ie":
        lines = []
        for style, (rule, label) in enumerate(SHOWN.items()):
            mine = [r for r in rows if r["setting"] == f"{rule}, default"]
            if mine:
                xy = (np.array([r[name] for r in mine]) for name in ("step", f"{term}_{where}"))
                lines.append(Line(label, *xy, style, "noisy" if where == "batches" else "line"))
        charts += [Curves(f"{term} {words}", lines, ylabel="nats")] if lines else []
    return charts


# ---- a study's page --------------------------------------------------------------------------------------------------


def groups(rows: list[dict], column: str) -> dict[tuple[str, str], np.ndarray]:
    """The values of a column over seeds, by (method, setting), in the order of the plan; blanks are left out."""
    by = defaultdict(list)
    for r in rows:
        if r.get(column) is not None:
            by[r["method"], r["setting"]].append(r[column])
    return {key: np.array(values) for key, values in by.items()}


def page(name: str, out: Path) -> Path:
    """NAME.html in `out`, from NAME.csv: the verdicts, then every setting's mean and spread."""
    rows, study = read_table(out / f"{name}.csv"), STUDIES[name]
    wanted = ("oh_probe", "oh_floor", "ie_probe", "ie_floor", "oh_last", "ie_last") if name == "fluctuation" else (
        "student_accuracy", "classes", "entropy", "distance", "teacher_fid")  # fmt: skip
    found = {column: groups(rows, column) for column in wanted}
    lines = [(" ".join(key), *(_spread(found[column].get(key)) for column in wanted)) for key in found[wanted[0]]]
    judged = VERDICTS[name](rows)
    charts = [intervals(study.question, [v for v in judged if v.unit == unit]) for unit in {v.unit: 0 for v in judged}]
    charts = [chart for chart in charts if chart.rows]
    charts += [settings_chart(rows)] if name == "robustness" and rows else []
    told = [(v.claim, v.value, v.interval, v.verdict) for v in judged]
    head = ["claim", "compared", "ours", "verdict"]
    verdicts = report.table("Intervals of 95 %; paired by seed", head, told)
    if charts:
        verdicts += report.figure("What lies whole on one side of the line is decided.", *charts)
    if (out / f"{name}_curves.csv").exists():
        curves = read_table(out / f"{name}_curves.csv")
        verdicts += report.figure(
            "The courses themselves, of one seed and default settings. On batches of training a loss also rises and "
            "falls by who is in the batch; on a fixed probe only learning moves it.",
            *curve_charts(curves, "batches"), *curve_charts(curves, "probe"),
        )  # fmt: skip
    settings = report.table("Mean ± standard deviation over seeds", ["method and setting", *wanted], lines)
    sections = [("What it says", verdicts), ("Every setting", settings)]
    stopped = sum(r["outcome"] != "finished" for r in rows)
    lead = f"<p>{len(rows)} of {len(study.trials())} trials are done; the guard stopped {stopped} of them.</p>"
    return report.write_page(out / f"{name}.html", report.page(study.question, lead, sections))


def _spread(values: np.ndarray | None) -> str:
    if values is None:
        return "blank"
    return f"{values.mean():.4g}" + (f" ± {values.std(ddof=1):.2g}" if len(values) > 1 else "")
