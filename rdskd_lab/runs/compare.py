"""Methods side by side: methods x seeds -> ordinary runs in folders, one table, one CSV, one page.

    OUT/plan.json          the steps that a budget came to, per method; measured once, then kept
    OUT/METHOD-SEED/       a run as `execute` leaves it, in a process of its own so that its memory can be measured
    OUT/compare.csv        one row a run
    OUT/compare.html       the page
    OUT/compare.png        its first picture, to put into a document

What is finished is not repeated and what was cut is resumed, so the same command after a kill completes the rest.
"""

import csv
import io
import json
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from ..evaluation.image_quality import coverage, of_run
from ..methods.registry import METHODS, describe
from ..networks.weights import write_whole
from ..reporting import charts, run_report
from ..reporting.comparison_chart import Standing, Standings
from .config import Config, read_config, resolve
from .execute import execute, prepare
from .run_folder import RunError, read_json

COLUMNS = (
    "method seed preset budget data teacher student generator_steps student_steps student_accuracy teacher_accuracy "
    "agreement seconds peak_rss_mb classes entropy distance feature_distance teacher_fid real_images"
).split()


@dataclass(frozen=True)
class Plan:
    """What is compared, under what budget."""

    methods: tuple[str, ...] = tuple(METHODS)
    seeds: tuple[int, ...] = (0, 1, 2)
    budget: float = 0.0  # seconds a run; 0: the preset's own steps
    base: Config = Config()  # of every run: preset, data, teacher, device

    def config(self, method: str, seed: int) -> Config:
        """Return one run's configuration, but for the steps that the budget allows."""
        budget = f"{self.budget:g}s" if self.budget else ""
        return resolve(replace(self.base, method=method, seed=seed, budget=budget)).config


def seconds(text: str) -> float:
    """Read 60s, 2m or 1h as seconds; "" as 0, no budget."""
    units = {"s": 1, "m": 60, "h": 3600}
    try:
        value = float(text[:-1]) * units[text[-1:]] if text else 0.0
    except (ValueError, KeyError):
        raise RunError(f"a budget is a number with s, m or h, as 60s, not {text!r}") from None
    if text and not 0 < value < 1e9:
        raise RunError(f"a budget must be above 0, not {text!r}")
    return value


# ---- a budget in seconds becomes steps -------------------------------------------------------------------------------


def fitted(config: Config, budget: float) -> dict[str, int]:
    """Scale the preset's steps, both stages alike, so that a run takes about `budget` seconds by a short timing."""
    setup, cost = resolve(config), pace(config)
    s = setup.settings
    whole = s.generator_steps * cost["synthesise"] + s.student_steps * cost["distill"]
    scale = budget / whole
    rounds = max(1, round(s.generator_steps // s.sheet_steps * scale)) if s.generator_steps else 0
    order = list(islice(setup.method.turns(s), s.generator_steps + 1))  # live: the student's turn comes in between
    live = bool(s.generator_steps) and (order[0] == "distill" or "distill" in order[:-1])
    student = rounds * s.student_turn if live else max(1, round(s.student_steps * scale))
    return {"generator_steps": rounds * s.sheet_steps, "student_steps": student}


def pace(config: Config) -> dict[str, float]:
    """Measure seconds a step without the first: of the source over 30 steps, of the student over 200 (one round)."""
    run = prepare(config).run
    source = _timed(run.synthesise(), 30) if run.settings.generator_steps else 0.0
    for tensor in run.pool.images, run.pool.logits:
        tensor.zero_()  # what is in the pool costs no time
    run.pool.filled = len(run.pool.images)
    return {"synthesise": source, "distill": _timed(run.distill(), 200)}


def _timed(steps: Iterator, n: int) -> float:
    next(steps)
    start, done = time.perf_counter(), sum(1 for _ in islice(steps, n))
    return (time.perf_counter() - start) / max(done, 1)


# ---- the runs --------------------------------------------------------------------------------------------------------


def compare(plan: Plan, out: Path) -> Iterator[str]:
    """Execute the runs of `plan` that are not in `out` yet and yield a line for each; then write CSV and page."""
    out = Path(out)
    configs = {f"{m}-{s}": plan.config(m, s) for m in plan.methods for s in plan.seeds}
    budgets = _budgets(plan, out)
    for name, config in configs.items():
        place = out / name
        config = replace(config, change=config.change + tuple((k, str(v)) for k, v in budgets[config.method].items()))
        if (place / "config.json").exists() and read_config(place) != replace(config, device=read_config(place).device):
            raise RunError(f"{place} holds a run of another plan; give another --out, or move it away")
        if not (place / "result.json").exists():
            _in_its_own_process(config, place)
        found = read_json(place / "result.json")
        yield f"{name}: {found['student_accuracy']:.2%} after {found['seconds']['total']:,.0f} s"
    rows = [row(out / name) for name in configs]
    write_whole(out / "compare.csv", as_csv(rows, COLUMNS))
    yield f"table: {out / 'compare.csv'}"
    write_whole(out / "compare.png", standings(out, rows).png())
    yield f"chart: {out / 'compare.png'}"
    yield f"page:  {write_page(out, rows, plan)}"


def _budgets(plan: Plan, out: Path) -> dict[str, dict]:
    """Return the steps per method, from plan.json or, the first time, by timing."""
    path = out / "plan.json"
    known_steps = read_json(path) if path.exists() else {}
    for method in plan.methods:
        key = f"{method} {plan.budget:g}"
        if key not in known_steps:
            known_steps[key] = fitted(plan.config(method, plan.seeds[0]), plan.budget) if plan.budget else {}
            write_whole(path, (json.dumps(known_steps, indent=1) + "\n").encode())
    return {method: known_steps[f"{method} {plan.budget:g}"] for method in plan.methods}


def _in_its_own_process(config: Config, place: Path) -> None:
    with tempfile.NamedTemporaryFile() as said:
        process = multiprocessing.get_context("spawn").Process(target=_run, args=(config, place, said.name))
        process.start()
        process.join()
        if process.exitcode:
            reason = Path(said.name).read_text() or f"its process ended with status {process.exitcode}"
            raise RunError(f"{place}: {reason}")


def _run(config: Config, place: Path, said: str) -> None:
    try:
        execute(config, place, resume=(place / "config.json").exists(), also=look)
    except (ValueError, FloatingPointError) as error:
        Path(said).write_text(str(error))
        sys.exit(1)


def look(run, test) -> dict:
    """Measure a run's images beside up to 10,000 real ones; nothing is chosen by it."""
    return of_run(run, test.normalise(test.images[:10_000]))


def told_time(s: float) -> str:
    """Write seconds in words: '90 seconds', '48 minutes'."""
    return f"{s:g} seconds" if s < 120 or s % 60 else f"{s / 60:g} minutes"


# ---- what came of them -----------------------------------------------------------------------------------------------


def row(place: Path) -> dict:
    """Return one finished run as a row of the CSV."""
    config, found = read_json(place / "config.json"), read_json(place / "result.json")
    merged = dict.fromkeys(("distance", "feature_distance", "teacher_fid"))  # blank where nothing compared the images
    merged |= config["settings"] | config | found
    merged |= coverage(torch.tensor(found["class_histogram"])) | {"seconds": found["seconds"]["total"]}
    return {name: merged[name] for name in COLUMNS}


def summary(rows: Iterable[dict]) -> list[tuple]:
    """Return a line a method, best mean first: mean +- standard deviation over seeds, seconds, memory, coverage."""
    by: dict[str, list[dict]] = {}
    for r in rows:
        by.setdefault(r["method"], []).append(r)
    lines = []
    for method, found in sorted(by.items(), key=lambda kv: -statistics.mean(r["student_accuracy"] for r in kv[1])):
        right = [100 * r["student_accuracy"] for r in found]
        spread = f" ± {statistics.stdev(right):.2f}" if len(right) > 1 else ""
        memory = [r["peak_rss_mb"] for r in found if r["peak_rss_mb"]]
        lines.append(
            (
                method,
                f"{statistics.mean(right):.2f}{spread}",
                found[0]["teacher"],
                f"{statistics.mean(r['seconds'] for r in found):.0f}",
                f"{max(memory):.0f}" if memory else "unknown",
                f"{statistics.mean(r['classes'] for r in found):.1f}",
                f"{statistics.mean(r['entropy'] for r in found):.2f}",
                _mean("distance", found),
                _mean("teacher_fid", found),
                f"{found[0]['real_images']:,}",
            )
        )
    return lines


def _mean(name: str, rows: list[dict]) -> str:
    """Of a column that may be blank, to three digits."""
    values = [r[name] for r in rows if r[name] is not None]
    mean = statistics.mean(values) if values else None
    return "not measured" if mean is None else f"{mean:,.0f}" if mean >= 100 else f"{mean:.3g}"


HEAD = ["method", "accuracy, %", "teacher", "seconds", "memory, MB", "classes", "entropy", "distance", "teacher-FID",
        "real images"]  # fmt: skip


def as_csv(rows: Iterable[dict], names: Iterable[str]) -> bytes:
    """Write a table with a header; floats to 6 digits, what a row lacks blank."""
    text = io.StringIO()
    table = csv.DictWriter(text, names, lineterminator="\n")
    table.writeheader()
    for r in rows:
        table.writerow({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in r.items()})
    return text.getvalue().encode()


def read_table(path: Path | str) -> list[dict]:
    """Read what `as_csv` wrote: numbers as numbers, what is blank as None."""
    with open(path, newline="", encoding="utf-8") as file:
        return [{k: _value(v) for k, v in row.items()} for row in csv.DictReader(file)]


def _value(text: str):
    try:
        return float(text) if text else None
    except ValueError:
        return text


def curves(out: Path, rows: list[dict]) -> charts.Curves:
    """Wrong answers on the tuning images in % over wall-clock seconds, one line a method: its first seed.

    Without controls that learn from real images, which on `digits` are these very ones.
    """
    lines, seen = [], set()
    for r in rows:
        if r["method"] in seen or METHODS[r["method"]].real_images:
            continue
        seen.add(r["method"])
        history = charts.read_history(out / f"{r['method']}-{r['seed']}" / "history.csv")
        at = np.isfinite(history["accuracy"])
        wrong = np.maximum(100 - 100 * history["accuracy"][at], 0.05)
        lines.append(charts.Line(r["method"], history["seconds"][at], wrong, len(lines)))
    return charts.Curves("wrong answers over time", lines, xlabel="seconds", ylabel="wrong", unit=" %", log=True)


def standings(out: Path, rows: list[dict]) -> Standings:
    """Every method's accuracies, with the last picture of its first seed."""
    found = []
    for name in dict.fromkeys(r["method"] for r in rows):
        mine = [r for r in rows if r["method"] == name]
        place = out / f"{name}-{mine[0]['seed']}"
        shown = charts.read_samples(place / "samples.npz", read_json(place / "result.json")["classes"])
        accuracy = np.array([100 * r["student_accuracy"] for r in mine])
        found.append(Standing(name, accuracy, shown, control=not METHODS[name].terms()))
    budget = f", {told_time(seconds(mine[0]['budget']))} a run" if mine[0]["budget"] else ""
    return Standings(f"{rows[0]['data']}, preset {rows[0]['preset']}{budget}", found)


def asked(config: Config) -> str:
    """What a run asks its images for, in words: '1 x one-hot loss, damped + ...'."""
    terms = [(key, term) for key, term in resolve(config).objective.items() if term.on and term.weight]
    told = [f"{term.weight:.3g} × {describe(key).name}{', damped' * term.damped}" for key, term in terms]
    return " + ".join(told) or "nothing: a control"


WORDS = [
    ("teacher", "the trained network whose knowledge is wanted; its training data is gone"),
    ("student", "the smaller network that learns to answer as the teacher does"),
    ("accuracy", "share of real test images that the student names rightly; it was never shown one"),
    ("control", "no method: it tells how little noise gives, or how much real images would"),
    ("classes, entropy", "how many classes the teacher sees among the images, and how evenly; ln 10 = 2.30 "
     "nats is all ten alike"),
    ("distance", "how far two images lie apart on average, in normalised pixels: variety, which noise has too"),
    ("teacher-FID", "distance between painted and real images as the teacher's features see them, 0 if alike; it "
     "compares with no published FID, and only among rows of the same teacher"),
]  # fmt: skip


def write_page(out: Path, rows: list[dict], plan: Plan) -> Path:
    """The page: what was compared, who learned how much, how fast, from what, and what the words mean."""
    budget = f"{told_time(plan.budget)} a run" if plan.budget else "each preset's own number of steps"
    lead = (
        f"<p>A teacher knows something, and its training data is gone. Each method below makes images of its own, "
        f"and a small student learns from the teacher's answers to them. All students were then tested on the same "
        f"real images ({run_report.safe(rows[0]['data'])}), which no method has seen. Budget: "
        f"{run_report.safe(budget)}. Preset: {run_report.safe(rows[0]['preset'])}.</p>"
    )
    charts = standings(out, rows)
    grids = []
    for standing in charts.rows:
        last = standing.shown.moments()[-1]
        grids.append(run_report.picture(standing.name, standing.shown.mosaic(last), standing.shown.alt_text(last)))
    n = len(plan.seeds)
    over = f"Mean ± standard deviation over {n} seeds" if n > 1 else "One seed, so no spread"
    best = run_report.table(f"{over}; memory is the most that any took", HEAD, summary(rows))
    controls = (" Diamonds are controls, not methods: noise and untrained show how far images go that nobody "
                "optimised; real and labels had real training images, which no method has.")  # fmt: skip
    told = [
        (name, asked(read_config(out / f"{name}-{plan.seeds[0]}")), METHODS[name].seen)
        for name in dict.fromkeys(r["method"] for r in rows)
    ]
    sections = [
        ("Who learned how much", run_report.figure(
         "One mark a seed. The axis counts wrong answers: from 90 to 99 % they "
         "become ten times fewer, as from 0 to 90 %." + controls * any(r.control for r in charts.rows), charts) + best),
    ]  # fmt: skip
    if (how_fast := curves(out, rows)).lines:
        left_out = any(METHODS[r["method"]].real_images for r in rows)
        sections.append(("How fast", run_report.figure(
            "Lower is better. Measured now and then on images kept for tuning, first seed. Where a source learns "
            "first, its time lies before the first point." + left_out * (" Controls with real images are "
            "left out, since these may be the images that they learned from."), how_fast)))  # fmt: skip
    sections += [
        ("What each student saw", f'<div class="row">{"".join(grids)}</div>'
         + run_report.table("In words", ["method", "what it asks its images for", "what its student learned from"],
                            told)),
        ("What the words mean", run_report.table("In the order in which they occur", ["word", "meaning"], WORDS)),
    ]  # fmt: skip
    return run_report.write_page(
        out / "compare.html", run_report.page("Data-free distillation, side by side", lead, sections)
    )
