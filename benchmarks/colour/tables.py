"""Write results/colour.md, and its figure, of what was measured so far: `python benchmarks/colour/tables.py`.

results/colour_budget_DATA.svg    accuracy on tuning images over CPU minutes, a line a recipe: what the budget buys
results/colour_images_DATA.png    the last images of each recipe's generator, seed 0, as far as its run is kept
"""

import csv
from pathlib import Path
from statistics import median

import numpy as np
from colour_sets import KEPT, TOP
from search import LOG
from suite import RECIPES, SEEDS, TABLE

from rdskd_lab.methods.registry import METHODS
from rdskd_lab.reporting.charts import Curves, Line

TARGET = TOP / "results" / "colour.md"
SHOWN = "rdskd", "best", "any-teacher", "real", "procedural"  # in the figure, as far as they were run
REACH = {("svhn-8000", "rdskd"): 90.0, ("svhn-8000", "best"): 92.5, ("cifar10", "rdskd"): 55.0}
NAMES = {"svhn-8000": "SVHN", "cifar10": "CIFAR-10"}
WORDS = {
    "rdskd": "RDSKD's three terms, its own images, warped",
    "best": "as chosen on tuning images; SVHN: RDSKD with twice the steps, CIFAR-10: `any-teacher`",
    "any-teacher": "RDSKD, dead leaves, blends, BatchNorm statistics",
    "rdskd+bn": "RDSKD and BatchNorm statistics",
    "procedural": "control: procedural images",
    "untrained": "control: an untrained generator",
    "noise": "control: Gaussian noise",
    "foreign": "control: CIFAR-10's images, since SVHN's training images are not available",
    "real": "control: real training images, the teacher's answers",
    "labels": "control: real training images, their labels, no teacher",
}


def read(path: Path) -> list[dict]:
    """Return a table's rows; none, if there is no table."""
    return list(csv.DictReader(path.open())) if path.exists() else []


def points(row: dict) -> tuple[np.ndarray, np.ndarray]:
    """Return (CPU minutes, tuning images right in %) of a run's moments; the generator's minutes come first."""
    found = np.array([list(map(float, pair.split(":"))) for pair in row["curve"].split()])
    spent = float(row["synthesise_cpu_s"]) + float(row["distill_cpu_s"]) * found[:, 0] / found[-1, 0]
    return spent / 60, 100 * found[:, 1]


def line(data: str, recipe: str, found: list[dict]) -> str:
    """Return a recipe's line of the table."""
    values = sorted(100 * float(r["accuracy"]) for r in found)
    minutes = [(float(r["synthesise_cpu_s"]) + float(r["distill_cpu_s"])) / 60 for r in found]
    cells = [WORDS[recipe], "not run yet", "", "", ""]
    if values:
        span = f"{values[0]:.1f} to {values[-1]:.1f}" if len(values) > 1 else ""
        seeds = ", ".join(sorted(r["seed"] for r in found))
        cells[1:] = f"**{median(values):.1f}**", span, seeds, f"{max(minutes):.0f}"
    goal = REACH.get((data, recipe))
    return f"| {' | '.join([f'`{recipe}`', *cells, f'{goal:g}' if goal else ''])} |"


def table(data: str, rows: list[dict]) -> list[str]:
    """Return the section of a data set."""
    own = [r for r in rows if r["data"] == data]
    said = [
        f"{int(r['images']):,} images, of which the teacher reads {100 * float(r['teacher']):.2f} %" for r in own[:1]
    ]
    head = ["", f"## {NAMES[data]}", "", *said, *[""] * bool(said)]
    head += ["| recipe | what it is | test images right, % (median) | range | seeds | CPU minutes at most | to reach |"]
    head += ["|---|---|--:|---|---|--:|--:|"]
    return head + [line(data, name, [r for r in own if r["recipe"] == name]) for name in RECIPES[data]]


def figure(data: str, rows: list[dict]) -> str:
    """Draw what the budget buys; return its line of Markdown, or nothing where nothing was run."""
    lines = []
    for k, recipe in enumerate(SHOWN):
        lines += [
            Line(recipe, *points(r), style=k)
            for r in rows
            if (r["data"], r["recipe"], r["seed"]) == (data, recipe, "0")
        ]
    if not lines:
        return ""
    chart = Curves(f"{NAMES[data]}: what the budget buys", lines, "CPU minutes", "tuning images right, %")
    path = TARGET.with_name(f"colour_budget_{data}.svg")
    path.write_text(chart.svg(own_style=True), encoding="utf-8")
    return f"\n![{NAMES[data]}: tuning images right over CPU minutes, a line a recipe.]({path.name})"


def images(data: str) -> str:
    """Draw the last images of each generator that is kept; return its line of Markdown, or nothing."""
    from PIL import Image

    from rdskd_lab.lab.drawing.sheet import mosaic

    names, strips = [], []
    for recipe in RECIPES[data]:
        kept = KEPT / "suite" / f"{data}-{recipe}-0" / "samples.npz"
        if kept.exists() and not METHODS[RECIPES[data][recipe][0]].real_images:  # nobody's photos are committed
            with np.load(kept, allow_pickle=False) as file:
                strips.append(mosaic(file["images"][-1][:24], 12))
            names.append(recipe)
    if not strips:
        return ""
    path, gap = TARGET.with_name(f"colour_images_{data}.png"), np.full((6, strips[0].shape[1], 3), 255, np.uint8)
    picture = Image.fromarray(np.concatenate([part for strip in strips for part in (strip, gap)][:-1]))
    picture.resize((2 * picture.width, 2 * picture.height), Image.Resampling.NEAREST).save(path)
    return f"\n![Two rows of images of each source, from top to bottom: {', '.join(names)}.]({path.name})"


def looks(rows: list[dict]) -> list[str]:
    """Return the log of what was tried on tuning images."""
    if not rows:
        return []
    said = (
        "Seeds 10 and more; [all settings](colour_log.csv). Where a look of 27 November does not say otherwise, "
        "`any-teacher` blended half of the images and changed the contrast of half."
    )
    head = ["", "## Looks at tuning images", "", said, ""]
    head += ["| data | method | change | seed | tuning images right, % | CPU minutes |", "|---|---|---|---|--:|--:|"]
    return head + [
        f"| {r['data']} | `{r['method']}` | `{r['change']}` | {r['seed']} | {100 * float(r['tuning_accuracy']):.1f} | "
        f"{(float(r['generator_cpu_s']) + float(r['student_cpu_s'])) / 60:.0f} |"
        for r in rows
    ]


def page() -> str:
    """Return the whole page."""
    rows, tried = read(TABLE), read(LOG)
    todo = sum(map(len, RECIPES.values())) * len(SEEDS) - sum(r["recipe"] in RECIPES[r["data"]] for r in rows)
    lines = ["# Colour", "", "Generated by `python benchmarks/colour/tables.py`; do not edit.", ""]
    lines += [f"**Not finished: {todo} runs are to do** (`python benchmarks/colour/suite.py --list`)."] if todo else []
    for data in RECIPES:
        lines += table(data, rows)
        lines += [text for text in (figure(data, rows), images(data)) if text]
    return "\n".join([*lines, *looks(tried), ""])


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
    print(TARGET)
