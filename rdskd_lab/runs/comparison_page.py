"""The page of a comparison: which method's student is right most often, how fast, and what it learned from."""

import statistics
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ..methods.registry import METHODS, describe
from ..reporting import charts
from ..reporting.comparison_chart import Standing, Standings
from ..reporting.history import read_history
from ..reporting.html_page import Html, figure, page, paragraph, picture, table
from ..reporting.html_page import write_page as write
from .config import Config, read_config, resolve
from .run_folder import read_json

HEAD = "method;accuracy, %;teacher;seconds;memory, MB;classes;entropy;distance;teacher-FID;real images".split(";")
WORDS = [
    ("teacher", "the trained network whose knowledge is to be passed on; its training data is no longer available"),
    ("student", "the smaller network that learns to give the teacher's answers"),
    ("accuracy", "share of real test images that the student classifies correctly; it was trained on none of them"),
    ("control", "not a method: it shows how far noise gets, or how far real images would"),
    (
        "classes, entropy",
        "how many classes the teacher sees among the images, and how evenly; ten equal shares have ln 10 = 2.30 nats",
    ),
    ("distance", "mean distance between two images, in normalised pixels: variety, but noise has it too"),
    (
        "teacher-FID",
        "distance between generated and real images in the teacher's features, 0 if they are alike; it cannot be "
        "compared with a published FID, only with rows of the same teacher",
    ),
]


def write_page(out: Path, rows: list[dict], budget: float) -> Path:
    """Write compare.html into `out`: what was compared, the results, the speed, the images, and what the words mean."""
    controls = any(METHODS[r["method"]].real_images for r in rows)
    sections = [("Which student is right most often", _results(out, rows, budget))]
    if (speed := curves(out, rows)).lines:
        caption = (
            "Lower is better. Measured now and then on images kept for tuning, first seed. If a source is trained "
            "before the student, that time lies before the first point."
        )
        if controls:
            caption += (
                " Controls with real images are left out, because they may have been trained on these very images."
            )
        sections.append(("How fast", figure(caption, speed)))
    sections += [
        ("What each student saw", _images(out, rows, budget)),
        ("What the words mean", table("In the order in which they occur", ["word", "meaning"], WORDS)),
    ]
    lead = paragraph(
        "The teacher is a trained network whose training data is no longer available. Each method below generates "
        "images, and a small student learns from the teacher's answers to them. All students were tested on the same "
        "real images ({}), which no method has seen. Budget: {}. Preset: {}.",
        rows[0]["data"],
        f"{in_words(budget)} a run" if budget else "each preset's own number of steps",
        rows[0]["preset"],
    )
    return write(out / "compare.html", page("Data-free distillation, side by side", lead, sections))


def _results(out: Path, rows: list[dict], budget: float) -> Html:
    chart, seeds = standings(out, rows, budget), len({r["seed"] for r in rows})
    caption = (
        "One mark for each seed. The axis counts wrong answers: from 90 to 99 % they become ten times fewer, as from 0 "
        "to 90 %."
    )
    if any(row.control for row in chart.rows):
        caption += (
            " Diamonds are controls, not methods: noise and untrained show how far images get that nobody optimised; "
            "real and labels had real training images, which no method has."
        )
    over = f"Mean ± standard deviation over {seeds} seeds" if seeds > 1 else "One seed, so no spread"
    return figure(caption, chart) + table(f"{over}; memory is the largest of the runs", HEAD, summary(rows))


def _images(out: Path, rows: list[dict], budget: float) -> Html:
    grids = []
    for standing in standings(out, rows, budget).rows:
        last = standing.shown.moments()[-1]
        grids.append(picture(standing.name, standing.shown.mosaic(last), standing.shown.alt_text(last)))
    first = {r["method"]: r["seed"] for r in reversed(rows)}
    words = [
        (name, losses_in_words(read_config(out / f"{name}-{first[name]}")), METHODS[name].seen)
        for name in dict.fromkeys(r["method"] for r in rows)
    ]
    head = ["method", "losses of its images", "what its student learned from"]
    return Html('<div class="row">{}</div>').format(Html().join(grids)) + table("In words", head, words)


def standings(out: Path, rows: list[dict], budget: float) -> Standings:
    """Collect every method's accuracies, with the last picture of its first seed."""
    found = []
    for name in dict.fromkeys(r["method"] for r in rows):
        mine = [r for r in rows if r["method"] == name]
        place = out / f"{name}-{mine[0]['seed']}"
        shown = charts.read_samples(place / "samples.npz", read_json(place / "result.json")["classes"])
        accuracy = np.array([100 * r["student_accuracy"] for r in mine])
        found.append(Standing(name, accuracy, shown, control=not METHODS[name].terms()))
    limit = f", {in_words(budget)} a run" if budget else ""
    return Standings(f"{rows[0]['data']}, preset {rows[0]['preset']}{limit}", found)


def curves(out: Path, rows: list[dict]) -> charts.Curves:
    """Plot wrong answers on the tuning images in % over wall-clock seconds, for each method's first seed.

    Controls that learn from real images are left out: on `digits` those are the tuning images themselves.
    """
    lines, seen = [], set()
    for r in rows:
        if r["method"] in seen or METHODS[r["method"]].real_images:
            continue
        seen.add(r["method"])
        history = read_history(out / f"{r['method']}-{r['seed']}" / "history.csv")
        at = np.isfinite(history["accuracy"])
        wrong = np.maximum(100 - 100 * history["accuracy"][at], 0.05)
        lines.append(charts.Line(r["method"], history["seconds"][at], wrong, len(lines)))
    return charts.Curves("wrong answers over time", lines, xlabel="seconds", ylabel="wrong", unit=" %", log=True)


def losses_in_words(config: Config) -> str:
    """'1 × one-hot loss, damped + ...': the losses that a run's images minimise."""
    terms = [(key, term) for key, term in resolve(config).objective.items() if term.on and term.weight]
    words = [f"{term.weight:.3g} × {describe(key).name}{', damped' * term.damped}" for key, term in terms]
    return " + ".join(words) or "none: a control"


def in_words(s: float) -> str:
    """So many seconds in words: '90 seconds', '48 minutes'."""
    return f"{s:g} seconds" if s < 120 or s % 60 else f"{s / 60:g} minutes"


def summary(rows: Iterable[dict]) -> list[tuple]:
    """Summarise each method in a row of HEAD, best mean first: mean ± standard deviation over seeds, and the costs."""
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
    """The mean of a column that may be blank, to three digits."""
    values = [r[name] for r in rows if r[name] is not None]
    mean = statistics.mean(values) if values else None
    return "not measured" if mean is None else f"{mean:,.0f}" if mean >= 100 else f"{mean:.3g}"
