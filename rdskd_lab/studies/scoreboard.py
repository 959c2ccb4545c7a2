"""What the studies' tables say, told: SCOREBOARD.md, pictures, and each study's page.  The verdicts are of `claims`."""

import math
from collections import defaultdict
from pathlib import Path

import numpy as np

from ..methods.rdskd import PRESETS
from ..reporting.charts import Curves, Line
from ..reporting.html_page import figure, paragraph, table, write_page
from ..reporting.html_page import page as whole_page
from ..reporting.study_charts import Interval, Intervals, Setting, Spreads
from ..runs.compare import read_table
from .claims import KINDS, STUDIES, VERDICTS, Verdict, of_the_grid, right, robustness_table, unluckiest
from .engine import Study

# ---- SCOREBOARD.md ---------------------------------------------------------------------------------------------------

APART = {  # what may set our figure apart from the paper's, besides the scale that the table itself tells
    "fluctuation": "Fluctuation is measured on a fixed probe batch.",
    "diversity": "Samples are those of the last generator (columns `final_`); the other columns say what the student "
                 "learned from, which all generators on the way have painted. The measures are ours, and teacher-FID "
                 "compares with no published FID.",
    "accuracy": "Budgets are equal in what the student sees; what a source costs on its way differs. Each method's "
                "settings are its own `classroom` preset, and the search for RDSKD's was longer (`search.csv`). "
                "DeepInversion needs BatchNorm, so it is compared with an RDSKD by that teacher.",
    "robustness": "Only one setting is changed at a time, from defaults that are ours, by factors that are ours, with "
                  "a short budget in which some defaults are not good yet. The spread over settings holds the luck of "
                  "each run too: `luck` in the table is how large that is with no setting changed. What a method has "
                  "by default counts as that value among shared settings. Batches: of ZSKD and DeepInversion the "
                  "sheets change and the number of images does not; of generators a larger batch is more images. ZSKD "
                  "and DeepInversion have no latent and no width, ZSKD and DFAD no second weight to weigh against, "
                  "DFAD no temperature; ZSKD's T is the student's alone; DeepInversion has one teacher, another than "
                  "the rest. The comparison without other teachers was asked after the table had been seen.",
}  # fmt: skip


def apart(name: str, rows: list[dict]) -> str:
    """Why a study's figures may differ from the paper's: scale, teacher, budget, in sentences, from its table."""
    published, mine = PRESETS["paper-mnist"], [r for r in rows if r["method"] == "rdskd"]
    usual = [r for r in mine if r["setting"].endswith("default")]
    steps, theirs = f"{span(mine, 'generator_steps')} generator", f"{published.generator_steps:,}"
    if name != "fluctuation":  # which trains no student
        steps += f" and {span(mine, 'student_steps')} student"
        theirs += f" and {published.student_steps:,}"
    grid = of_the_grid(rows) or rows
    teachers, data, seeds = (sorted({r[column] for r in grid}) for column in ("teacher", "data", "seed"))
    return (
        f"Why it may differ from the paper. Budget: {steps} steps a run of RDSKD; its published MNIST schedule has "
        f"{theirs}. Scale: {len(seeds)} seeds, {' and '.join(data)} only; RDSKD by default with batches of "
        f"{span(usual, 'batch_size')} and a generator of {span(usual, 'width')} channels (published: "
        f"{published.batch_size} and {published.width}). Teacher: {', '.join(teachers)}, trained by us. {APART[name]} "
        "We have not read the body of the paper, so how it measured is not known here."
    )


def noise(rows: list[dict]) -> str:
    """How much of the fluctuation on training batches a frozen generator shows too, in a sentence, from the table."""
    told = []
    for term in "oh", "ie":
        mine = [r for r in rows if r["setting"] == "none, default" and r[f"{term}_batches"]]
        shares = [100 * r[f"{term}_batch_floor"] / r[f"{term}_batches"] for r in mine]
        told += [f"{np.mean(shares):.0f} % of that of {term}"] if shares else []
    return (
        ""
        if not told
        else (
            "On the batches of training, undamped and by default, a frozen generator already shows "
            f"{' and '.join(told)}: "
            "that part is sampling noise, and no damping can take it away."
        )
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
        "*does not hold*: the whole interval speaks against it. *not at this scale*: it includes 0, so we do not know.",
        "The first table of each study was named before any of its trials was done. Of twenty such intervals one",
        "misses its value by luck, and nothing here makes up for that: read the second tables as hints.",
    ]
    for name, rows in tables.items():
        study = STUDIES[name]
        stopped = sum(r["outcome"] != "finished" for r in rows)
        text += ["", f"## {study.question}", "",
                 f"`rdskd-lab study run {name}` -> [{name}.csv]({name}.csv), {len(rows)} of {len(study.trials())} "
                 f"trials; the guard stopped {stopped}."]  # fmt: skip
        for main, words in (True, []), (False, ["", "Asked too:"]):
            found = [v for v in VERDICTS[name](rows) if v.main == main]
            text += [*words, "", "| claim | compared | ours | verdict |", "|---|---|---|---|"] if found else []
            text += [f"| {v.claim} | {v.value} | {v.interval} | **{v.verdict}** |" for v in found]
        if name == "fluctuation":
            text += ["", noise(rows)]
        if name == "robustness":
            text += ["", "Over all settings of each method, and of its default alone. Collapsed: fewer than 8 classes",
                     "among the images (one counts from a tenth of its share), a student below 80 %, or stopped.", "",
                     "| method | trials | mean, % | worst, % | sd | collapsed, % | default, % | luck | collapsed, % |",
                     "|---" * 9 + "|"]  # fmt: skip
            text += [f"| {r.method} | {r.trials} | {r.mean:.1f} | {r.worst:.1f} | {r.sd:.1f} | {r.collapsed:.0f} | "
                     f"{r.default:.1f} | {r.luck:.1f} | {r.fallen:.0f} |" for r in robustness_table(rows)]  # fmt: skip
            worst = unluckiest(rows)
            text += ["", "The worst setting of each kind, its mean over seeds in %; blank: it has no such setting.",
                     "", f"| method | {' | '.join(KINDS)} |", "|---" * (1 + len(KINDS)) + "|"]  # fmt: skip
            for r in robustness_table(rows):
                cells = ("{1:.1f} ({0})".format(*worst[r.method, k]) if (r.method, k) in worst else "" for k in KINDS)
                text.append(f"| {r.method} | {' | '.join(cells)} |")
        text += ["", apart(name, rows)]
    return "\n".join(text) + "\n"


# ---- pictures ------------------------------------------------------------------------------------------------------


def intervals(title: str, verdicts: list[Verdict]) -> Intervals:
    """The verdicts that have an interval, as a chart."""
    told = [v for v in verdicts if v.n > 1]
    rows = [Interval(v.label, v.estimate, v.low, v.high, v.verdict) for v in told]
    units = dict.fromkeys(filter(None, map(axis, told)))
    return Intervals(title, rows, "; ".join([*units, "right of 0: for the claim"]))


def axis(verdict: Verdict) -> str:
    """What a verdict's interval is measured in; "" if in units of its own, which share no axis with others."""
    return verdict.unit.strip() or ("ln of a ratio" if "ln (" in verdict.value else "")


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


def groups(rows: list[dict], column: str, factor: float = 1.0) -> dict[tuple[str, str], np.ndarray]:
    """`factor` times a column over seeds, by (method, setting), in the order of the plan; blanks are left out."""
    by = defaultdict(list)
    for r in rows:
        if r.get(column) is not None:
            by[r["method"], r["setting"]].append(factor * r[column])
    return {key: np.array(values) for key, values in by.items()}


FLUCTUATING = {  # columns that a study's page tells of every setting, their headings and factors
    f"{term}_{column}": (f"{term}, {words}", 1000.0)
    for term in ("oh", "ie")
    for column, words in (("probe", "probe"), ("batches", "batches"), ("batch_floor", "frozen"))
}  # fmt: skip
TAUGHT = {
    "student_accuracy": ("student right, %", 100.0), "final_classes": ("classes", 1.0),
    "final_entropy": ("entropy", 1.0), "final_distance": ("distance", 1.0),
    "final_feature_distance": ("in features", 1.0), "final_teacher_fid": ("teacher-FID", 1.0),
}  # fmt: skip


READ = {  # how a study's page is read, by who has not read the code
    "fluctuation": "A loss fluctuates by how much it rises from step to step, on average. oh is the one-hot loss and "
                   "ie the information entropy loss. epoch is the published damping; none is without it; constant has, "
                   "as a constant weight, the gain that damping gave on average; previous and average are other "
                   "anchors. probe: on one batch of latents that never changes; batches: on those of training; frozen: "
                   "on fresh ones of that size, of a generator that no longer learns, so by sampling alone.",
    "diversity": "RDSKD whole, without its damping, and without each term in turn: oh authenticity, ie class "
                 "diversity, ds inter-sample diversity. Images are those of the last generator. classes, of ten, "
                 "count from a tenth of an even share; entropy is in nats, 2.30 if all are alike; distance is "
                 "between two images, in normalised pixels and in the teacher's features; teacher-FID is 0 if images "
                 "are like real ones to the teacher.",
    "accuracy": "Every student sees as many images. Methods without terms are controls: noise and untrained have "
                "images that nobody optimised, real and labels have real ones.",
    "robustness": "One setting at a time is changed from each method's default; the default alone has more seeds. lr "
                  "is the generator's learning rate, T the temperature; a term's short name with / 4 or x 4 is its "
                  "weight.",
}  # fmt: skip


def page(study: Study, out: Path) -> Path:
    """NAME.html in `out`, from NAME.csv: the verdicts, then every setting's mean and spread."""
    name = study.name
    rows = read_table(out / f"{name}.csv")
    sections = []
    for main, title in (True, "What it says"), (False, "What was asked too"):
        judged = [v for v in VERDICTS[name](rows) if v.main == main]
        told = [(v.claim, v.value, v.interval, v.verdict) for v in judged]
        of = defaultdict(list)
        for v in judged:
            of[axis(v) or v.value].append(v)
        charts = [intervals(title, told) for told in of.values()]
        charts = [chart for chart in charts if chart.rows]
        words = "Named before any trial was done. " if main else "Of twenty such intervals one misses by luck: hints. "
        said = table(words + "Intervals of 95 %; paired by seed", ["claim", "compared", "ours", "verdict"], told)
        if charts:
            said += figure("What lies whole on one side of the line is decided.", *charts)
        sections += [(title, said)] if judged else []
    if name == "robustness" and rows:
        every = figure("The settings of each method; point at a mark to see which.", settings_chart(rows))
        sections.append(("Every setting", every))
    if (out / f"{name}_curves.csv").exists():
        curves = read_table(out / f"{name}_curves.csv")
        sections.append(("One seed, step by step", figure(
            "Default settings. On batches of training a loss also rises and falls by who is in the batch; on a fixed "
            "probe only learning moves it.", *curve_charts(curves, "batches"), *curve_charts(curves, "probe"),
        )))  # fmt: skip
    wanted, words = (FLUCTUATING, "Mean rise in 0.001 nats a step") if name == "fluctuation" else (
        TAUGHT, "Students, and the last generator's images")  # fmt: skip
    found = {column: groups(rows, column, factor) for column, (_, factor) in wanted.items()}
    several = len({r["method"] for r in rows}) > 1
    lines = [(" ".join(key) if several else key[1], *(_spread(found[column].get(key)) for column in wanted))
             for key in dict.fromkeys(key for of in found.values() for key in of)]  # fmt: skip
    head = ["method and setting" if several else "setting", *(heading for heading, _ in wanted.values())]
    settings = table(f"{words}: mean ± standard deviation over seeds", head, lines)
    sections.append(("In figures", settings))
    stopped = sum(r["outcome"] != "finished" for r in rows)
    lead = paragraph("{} of {} trials are done; the guard stopped {} of them.", len(rows), len(study.trials()), stopped)
    lead += paragraph("{}", READ[name])
    return write_page(out / f"{name}.html", whole_page(study.question, lead, sections))


def _spread(values: np.ndarray | None) -> str:
    if values is None:
        return "blank"
    if len(values) < 2:
        return f"{values[0]:.3g}"
    sd = values.std(ddof=1)  # tells how many digits of the mean mean anything; more than three help nobody
    digits = min(3, max(0, 1 - math.floor(math.log10(sd)))) if sd else 0
    return f"{values.mean():,.{digits}f} ±\u00a0{sd:,.{digits}f}"
