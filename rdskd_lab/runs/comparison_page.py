"""The page of a comparison: which method's student is right most often, how fast, and what it learned from."""

import statistics
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ..methods.registry import METHODS, describe
from ..reporting import charts
from ..reporting.comparison_chart import Standing, Standings
from ..reporting.history import number, read_history
from ..reporting.html_page import Html, figure, page, paragraph, picture, table
from ..reporting.html_page import write_page as write
from .config import Config, read_config, resolve
from .run_folder import read_json

HEAD = "method;accuracy, %;teacher;seconds;memory, MB;classes;entropy;distance;teacher-FID;real images".split(";")
MEANS = "student_accuracy seconds classes entropy distance teacher_fid".split()
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


def by_method(rows: Iterable[dict]) -> dict[str, list[dict]]:
    """Group rows by their method, in the order in which methods first occur."""
    found = defaultdict(list)
    for r in rows:
        found[r["method"]].append(r)
    return found


def write_page(out: Path, rows: list[dict], budget: float, chart: Standings) -> Path:
    """Write compare.html into `out`: what was compared, the results, the speed, the images, and what the words mean."""
    sections = [("Which student is right most often", _results(rows, chart))]
    if (speed := curves(out, rows)).lines:
        caption = (
            "Lower is better. Measured now and then on images kept for tuning, first seed. If a source is trained "
            "before the student, that time lies before the first point."
        )
        if any(METHODS[r["method"]].real_images for r in rows):
            caption += (
                " Controls with real images are left out, because they may have been trained on these very images."
            )
        sections.append(("How fast", figure(caption, speed)))
    sections += [
        ("What each student saw", _images(out, rows, chart)),
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


def _results(rows: list[dict], chart: Standings) -> Html:
    seeds = len({r["seed"] for r in rows})
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


def _images(out: Path, rows: list[dict], chart: Standings) -> Html:
    grids = [picture(s.name, s.shown.mosaic(-1), s.shown.alt_text(-1)) for s in chart.rows]
    words = [
        (name, losses_in_words(read_config(out / f"{name}-{mine[0]['seed']}")), METHODS[name].seen)
        for name, mine in by_method(rows).items()
    ]
    head = ["method", "losses of its images", "what its student learned from"]
    return Html('<div class="row">{}</div>').format(Html().join(grids)) + table("In words", head, words)


def standings(out: Path, rows: list[dict], budget: float) -> Standings:
    """Collect every method's accuracies, with the last picture of its first seed."""
    found = []
    for name, mine in by_method(rows).items():
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
    lines = []
    for name, mine in by_method(rows).items():
        if not METHODS[name].real_images:
            history = read_history(out / f"{name}-{mine[0]['seed']}" / "history.csv")
            at = np.isfinite(history["accuracy"])
            wrong = np.maximum(100 - 100 * history["accuracy"][at], 0.05)
            lines.append(charts.Line(name, history["seconds"][at], wrong, len(lines)))
    return charts.Curves("wrong answers over time", lines, xlabel="seconds", ylabel="wrong", unit=" %", log=True)


def losses_in_words(config: Config) -> str:
    """'1 × one-hot loss, damped + ...': the losses that a run's images minimise."""
    terms = [(key, term) for key, term in resolve(config).objective.items() if term.on and term.weight]
    words = [f"{term.weight:.3g} × {describe(key).name}{', damped' * term.damped}" for key, term in terms]
    return " + ".join(words) or "none: a control"


def in_words(s: float) -> str:
    """So many seconds in words: '90 seconds', '48 minutes'."""
    return f"{s:g} seconds" if s < 120 or s % 60 else f"{s / 60:g} minutes"


def summary(rows: Iterable[dict]) -> list[list[str]]:
    """Summarise each method in a row of HEAD, best mean first: mean ± standard deviation over seeds, and the costs."""
    lines = []
    for method, found in by_method(rows).items():
        of = {name: [r[name] for r in found if r[name] is not None] for name in found[0]}
        mean = {name: statistics.mean(of[name]) for name in MEANS if of[name]}
        spread = f" ± {100 * statistics.stdev(of['student_accuracy']):.2f}" if len(found) > 1 else ""
        cells = (
            f"{100 * mean['student_accuracy']:.2f}{spread}",
            found[0]["teacher"],
            f"{mean['seconds']:.0f}",
            f"{max(of['peak_rss_mb']):.0f}" if of["peak_rss_mb"] else "unknown",
            f"{mean['classes']:.1f}",
            f"{mean['entropy']:.2f}",
            *(number(mean[name]) if name in mean else "not measured" for name in ("distance", "teacher_fid")),
            f"{found[0]['real_images']:,}",
        )
        lines.append((mean["student_accuracy"], method, *cells))
    return [line for _, *line in sorted(lines, key=lambda line: -line[0])]
