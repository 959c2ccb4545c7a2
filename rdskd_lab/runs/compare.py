"""Methods side by side: methods x seeds -> ordinary runs in folders, one table, one CSV, one page.

    OUT/plan.json          the steps that a budget came to, per method and all else that was asked; measured once
    OUT/METHOD-SEED/       a run as `execute` leaves it, in a process of its own so that its memory can be measured
    OUT/compare.csv        one row a run
    OUT/compare.html       the page
    OUT/compare.png        its first picture, to put into a document

What is finished is not repeated and what was cut is resumed, so the same command after a kill completes the rest.
"""

import csv
import io
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import torch

from ..distillation import find_device
from ..evaluation.image_quality import coverage, of_run
from ..methods.registry import METHODS
from ..networks.registry import is_foreign
from ..networks.weights import write_whole
from .comparison_page import standings, write_page
from .config import Config, read_config, resolve
from .execute import execute, prepare
from .run_folder import NO_DATA, RunError, read_json, write_json

COLUMNS = (
    "method seed preset budget data teacher student generator_steps student_steps student_accuracy teacher_accuracy "
    "agreement seconds peak_rss_mb classes entropy distance feature_distance teacher_fid real_images"
).split()
# Columns of these tables and of studies' whose words may look like numbers: a key 1234e56, a folder called 2024.
TEXTS = (
    "study method setting arm point kind outcome preset budget data teacher student anchor measure version machine key"
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
    if plan.base.data == NO_DATA or not plan.base.data and is_foreign(plan.base.teacher):
        raise RunError("a comparison tests its students on real images; give --data, a folder or a named set")
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
    chart = standings(out, rows, plan.budget)
    write_whole(out / "compare.png", chart.png())
    yield f"chart: {out / 'compare.png'}"
    yield f"page:  {write_page(out, rows, plan.budget, chart)}"


def _budgets(plan: Plan, out: Path) -> dict[str, dict]:
    """Return the steps per method, from plan.json or, the first time with all that decides the time, by timing."""
    path, budgets = out / "plan.json", {}
    known_steps = read_json(path) if path.exists() else {}
    for method in plan.methods:
        config = plan.config(method, plan.seeds[0])
        key = repr(replace(config, seed=0, device=str(find_device(config.device))))
        if key not in known_steps:
            known_steps[key] = fitted(config, plan.budget) if plan.budget else {}
            write_json(path, known_steps)
        budgets[method] = known_steps[key]
    return budgets


def _in_its_own_process(config: Config, place: Path) -> None:
    with tempfile.NamedTemporaryFile() as said:
        process = multiprocessing.get_context("spawn").Process(target=_run, args=(config, place, said.name))
        process.start()
        process.join()
        if process.exitcode:
            reason = Path(said.name).read_text(encoding="utf-8", errors="backslashreplace")
            raise RunError(f"{place}: {reason or f'its process ended with status {process.exitcode}'}")


def _run(config: Config, place: Path, said: str) -> None:
    try:
        execute(config, place, resume=(place / "config.json").exists(), also=look)
    except (ValueError, FloatingPointError) as error:
        Path(said).write_text(str(error), encoding="utf-8", errors="backslashreplace")
        sys.exit(1)


def look(run, test) -> dict:
    """Measure a run's images beside up to 10,000 real ones; nothing is chosen by it."""
    return of_run(run, test.normalise(test.images[:10_000]))


# ---- what came of them -----------------------------------------------------------------------------------------------


def row(place: Path) -> dict:
    """Return one finished run as a row of the CSV."""
    config, found = read_json(place / "config.json"), read_json(place / "result.json")
    merged = dict.fromkeys(("distance", "feature_distance", "teacher_fid"))  # blank where nothing compared the images
    merged |= config["settings"] | config | found
    merged |= coverage(torch.tensor(found["class_histogram"])) | {"seconds": found["seconds"]["total"]}
    return {name: merged[name] for name in COLUMNS}


def as_csv(rows: Iterable[dict], names: Iterable[str]) -> bytes:
    """Write a table with a header; floats to 6 digits, what a row lacks blank."""
    text = io.StringIO()
    table = csv.DictWriter(text, names, lineterminator="\n")
    table.writeheader()
    for r in rows:
        table.writerow({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in r.items()})
    return text.getvalue().encode()


def append_row(path: Path, row: dict) -> None:
    """Add a row to a table on disk, which gets its header with the first; so who is stopped keeps what was measured.

    What the row lacks is blank; `RunError` if the table has no column for something in it.
    """
    with path.open("a+", newline="", encoding="utf-8") as file:
        file.seek(0)
        names = next(csv.reader(file), None)
        if unknown := row.keys() - (names or row):
            raise RunError(f"{path} has no column {', '.join(sorted(unknown))}; move it away to begin a new table")
        table = csv.DictWriter(file, names or row, lineterminator="\n")
        if not names:
            table.writeheader()
        table.writerow(row)


def read_table(path: Path | str) -> list[dict]:
    """Read what `as_csv` wrote: what is blank as None, the columns TEXTS as text, numbers as numbers."""
    with open(path, newline="", encoding="utf-8-sig") as file:  # Excel may have saved it anew
        return [{k: _value(v, k in TEXTS) for k, v in row.items()} for row in csv.DictReader(file)]


def _value(text: str, is_text: bool):
    try:
        return (text if is_text else float(text)) if text else None
    except ValueError:
        return text
