"""Forecast pure RDSKD's student by the check-up; then the truth: `python benchmarks/any_teacher/forecast.py`.

    results/any_teacher_forecast.csv      one row a teacher: its check-up, forecast, and the truth where it was measured

Without teachers' names the check-ups that are missing are made; the truth comes from any_teacher.csv (arm rdskd,
classroom, median of its seeds).  Other forecasts stand beside ours: the teacher's own accuracy, and the agreement
of the short run's student on generated images.  `fit` says where the constants of the forecast come from.
"""

import csv
import sys
import time
from statistics import median

import numpy as np
from suite import made
from suite import rows as truths
from teachers import TABLE as SUITE
from teachers import TEACHERS, TOP, trained

from rdskd_lab.runs.check_teacher import check_teacher, forecast_of
from rdskd_lab.runs.compare import as_csv, read_table

TABLE, FRESH = TOP / "results" / "any_teacher_forecast.csv", TOP / "results" / "any_teacher_fresh.csv"
COLUMNS = {
    "check-up: forecast": "forecast",
    "check-up: agreement on procedural images": "agreement procedural",
    "the teacher's accuracy": "teacher_accuracy",
    "agreement on generated images": "agreement generated",
}


def rank_correlation(a: list[float], b: list[float]) -> float:
    """Return Spearman's rank correlation, ties sharing their rank."""

    def ranks(values):
        return [sum(w < v for w in values) + (values.count(v) - 1) / 2 for v in values]

    ra, rb = ranks(a), ranks(b)
    ma, mb = sum(ra) / len(ra), sum(rb) / len(rb)
    over = sum((x - ma) * (y - mb) for x, y in zip(ra, rb, strict=True))
    under = (sum((x - ma) ** 2 for x in ra) * sum((y - mb) ** 2 for y in rb)) ** 0.5
    return over / under if under else 0.0


def check_up(name: str) -> dict:
    """Check one teacher of the suite and return its row."""
    begun = time.process_time()
    found = check_teacher(trained(name), channels=1, size=TEACHERS[name].size, seconds=1e9)
    notes = found.row()
    return {"teacher": name, "half": TEACHERS[name].half, "cpu_s": time.process_time() - begun} | notes


def with_truth(row: dict) -> dict:
    """Add what is known of the teacher and of its students."""
    suite = {r["name"]: r for r in csv.DictReader(SUITE.open())}
    found = [
        float(r["test_accuracy"])
        for r in truths()
        if (r["teacher"], r["arm"], r["preset"]) == (row["teacher"], "rdskd", "classroom")
    ]
    truth = {"truth": median(found) if found else None, "seeds": len(found)}
    agreed = {"procedural": float(row["agreement procedural"])}
    truth["forecast"] = forecast_of(agreed, int(row["batchnorm"]))
    return row | {"teacher_accuracy": float(suite[row["teacher"]]["test_accuracy"])} | truth


def fit(kept: dict[str, dict]) -> None:
    """Print the least-squares line through the MNIST teachers of the tuning half, whose constants check_teacher has."""
    some = [row for row in kept.values() if row["half"] == "tuning" and TEACHERS[row["teacher"]].data == "mnist"]
    if all(row["truth"] is not None for row in some):
        facts = [[1.0, float(row["agreement procedural"]), float(int(row["batchnorm"]) > 0)] for row in some]
        ratios = [float(row["truth"]) / float(row["teacher_accuracy"]) for row in some]
        found, *_ = np.linalg.lstsq(np.array(facts), np.array(ratios), rcond=None)
        print("origin, slope, BatchNorm:", *(f"{value:.3f}" for value in found))


def write(kept: dict[str, dict]) -> None:
    """Write the table as it is so far."""
    columns = list(dict.fromkeys(key for row in kept.values() for key in row))
    TABLE.write_bytes(as_csv(kept.values(), columns))


def main(*names: str) -> None:
    """Check the teachers that have no row, add the truth, say how well each forecast ranks."""
    kept = {r["teacher"]: r for r in read_table(TABLE)} if TABLE.exists() else {}
    for name in names or TEACHERS:
        if made(name) and name not in kept:
            kept[name] = check_up(name)
            write(kept)
            print(
                name, *(f"{kept[name][key]:.3f}" for key in ("forecast", "agreement procedural", "cpu_s")), flush=True
            )
    kept = {name: with_truth(row) for name, row in kept.items()}
    write(kept)
    fit(kept)
    digits = [r for r in kept.values() if r["truth"] is not None and TEACHERS[r["teacher"]].data == "mnist"]
    for half in "tuning", "reported":
        some = [r for r in digits if r["half"] == half]
        for words, column in COLUMNS.items():
            if len(some) > 2:
                rho = rank_correlation([float(r[column]) for r in some], [float(r["truth"]) for r in some])
                print(f"{half} half, {len(some)} MNIST teachers, {words}: rank correlation {rho:.2f}")
    fresh = read_fresh()
    for words, column in COLUMNS.items() if fresh else ():
        if all(column in row for row in fresh):
            rho = rank_correlation([float(r[column]) for r in some + fresh], [float(r["truth"]) for r in some + fresh])
            print(f"reported half and {len(fresh)} fresh teachers, {words}: rank correlation {rho:.2f}")


def read_fresh() -> list[dict]:
    """Return a row of each fresh teacher: its check-up, and as `truth` RDSKD's student, median of its seeds."""
    rows = list(csv.DictReader(FRESH.open())) if FRESH.exists() else []
    found: dict[str, dict] = {}
    for name in dict.fromkeys(r["teacher"] for r in rows):
        own = [r for r in rows if r["teacher"] == name]
        if truth := [float(r["value"]) for r in own if r["what"] == "rdskd"]:
            told = {r["what"]: r["value"] for r in own if not r["seed"]}
            found[name] = told | {"teacher_accuracy": own[0]["teacher_accuracy"], "truth": median(truth)}
    return list(found.values())


if __name__ == "__main__":
    main(*sys.argv[1:])
