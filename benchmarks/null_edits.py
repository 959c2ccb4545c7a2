"""What may the lab say of an edit?  Runs that differ by nothing that matters, and how far they come to differ.

Two runs from one state drift apart whatever the edit, since training with Adam amplifies the last bit.  So a difference
says something only beyond what a null edit (one weight x 1.0001) comes to at the same lag.

    python benchmarks/null_edits.py train OUT [PART ...]    PART: band, check, off, strong; one file a seed, resumable
    python benchmarks/null_edits.py band OUT                writes rdskd_lab/assets/null_edits.json
    python benchmarks/null_edits.py report OUT              results/null_edits.csv, and what the lab's rule says

band    seeds 0 to 19: a run, and its copy with a null edit before step 150 (terms in turn), 300 steps on
more    seeds 100 to 109 and 113 to 119: the same with edits before step 60, 150 or 240 in turn.  They were the check of
        a band made of the first 20 alone, which called 6 of the first 16 of them different, 5 of them before step 60,
        where luck is larger.  So they went into the band
check   seeds 200 to 219: the same again; these set nothing
off     seeds 100 to 109: class diversity off in the place of the null edit
strong  seeds 10 to 14: from step 0, anchor `previous`, damping of strength 20 and none, 300 steps
"""

import csv
import json
import platform
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

from rdskd_lab.lab.session.experiment import Experiment
from rdskd_lab.lab.session.record import WINDOW
from rdskd_lab.lab.session.trace import PROBE_EVERY
from rdskd_lab.lab.session.twin import LAST, SMOOTH, SOONEST, Band
from rdskd_lab.objective import previous

TOP = Path(__file__).parents[1]

WATCHED, EVERY, NULL = LAST, PROBE_EVERY, 1.0001
QUANTITIES = "classes", "certainty", "oh", "ie", "ds"
PARTS = {
    "band": range(20),
    "more": [*range(100, 110), *range(113, 120)],
    "check": range(200, 220),
    "off": range(100, 110),
    "strong": range(10, 15),
}
AT = (60, 150, 240)
BESIDE = {"check": "check", "off": "more"}  # where the run without the edit is


def measured(experiment: Experiment) -> list[float]:
    found = experiment.measure()
    return [experiment.done, found.classes, found.certainty, *found.raw.values()]


def followed(experiment: Experiment, steps: int) -> np.ndarray:
    """Train on and measure as the lab does: (steps / 2 + 1, 3 + terms)."""
    rows, run = [measured(experiment)], experiment.steps()
    for _ in range(steps):
        next(run)
        if experiment.done % EVERY == 0:
            rows.append(measured(experiment))
    return np.array(rows)


def train(part: str, seed: int) -> dict[str, np.ndarray]:
    experiment = Experiment("rdskd", seed)
    if part == "strong":
        plain = experiment.copy()
        for name in "oh", "ie":
            experiment.objective[name].rule, experiment.objective[name].strength = previous, 20.0
            plain.objective[name].damped = False
        return {"edited": followed(experiment, WATCHED), "as it was": followed(plain, WATCHED)}
    at = 150 if part == "band" else AT[seed % 3]
    before = followed(experiment, at)
    edited = experiment.copy()
    term = edited.objective[list(edited.objective)[seed % 3]]
    if part == "off":
        edited.objective["ie"].on = False
    else:
        term.weight *= NULL
    runs = {"before": before, "edited": followed(edited, WATCHED)}
    return runs | ({} if part == "off" else {"as it was": followed(experiment, WATCHED)})  # that of `more`


def main(out: Path, parts: list[str]) -> None:
    torch.set_num_threads(1)
    out.mkdir(exist_ok=True, parents=True)
    for part in parts or PARTS:
        for seed in PARTS[part]:
            path = out / f"{part}_{seed}.npz"
            if not path.exists():
                np.savez(path.with_suffix(".part.npz"), **train(part, seed))
                path.with_suffix(".part.npz").rename(path)
                print(path.name, flush=True)


# ---- the band, from `band` and `more` --------------------------------------------------------------------------------


def smoothed(rows: np.ndarray) -> np.ndarray:
    """Means of the latest SMOOTH measurements since the edit, as the lab compares them: (150, quantities)."""
    since = rows[1:, 1:]  # the first is of the edit's own step
    sums = np.concatenate([np.zeros((1, since.shape[1])), np.cumsum(since, 0)])
    k = np.arange(1, len(sums))
    first = np.maximum(k - SMOOTH, 0)
    return (sums[k] - sums[first]) / (k - first)[:, None]


def fluctuations(rows: np.ndarray) -> np.ndarray:
    """F of each term over the last WINDOW steps, from that many steps after the edit on."""
    rises, n = np.maximum(np.diff(rows[:, 3:], axis=0), 0) / EVERY, WINDOW // EVERY
    return np.array([rises[k - n : k].mean(0) for k in range(n, len(rises) + 1)])


def spread_of(differences: np.ndarray) -> np.ndarray:
    """How far runs differ at each lag: root mean square over seeds, then a mean of 21 lags, but never below what luck
    comes to at last (lags from SOONEST on).  Early, a null edit of 0.01 % has done little yet, and an edit of 1 % a
    hundred times as much; that such a difference is real would be true of every edit, and tell nobody anything.
    """
    at = np.sqrt((differences**2).mean(0))
    last = np.sqrt((differences[:, SOONEST // EVERY - 1 :] ** 2).mean((0, 1)))
    wide = np.array([at[max(0, k - 10) : k + 11].mean(0) for k in range(len(at))])
    return np.maximum(wide, last)


def largest(differences: np.ndarray, spread) -> np.ndarray:
    """For each seed the largest difference at any lag, in units of the other seeds' spread: (seeds, quantities)."""
    others = [np.delete(differences, k, 0) for k in range(len(differences))]
    pairs = zip(differences, others, strict=True)
    return np.array([np.abs(d / spread(rest)).reshape(-1, d.shape[-1]).max(0) for d, rest in pairs])


def band(out: Path) -> dict:
    runs = [np.load(out / f"{part}_{seed}.npz") for part in ("band", "more") for seed in PARTS[part]]
    differences = np.array([smoothed(run["edited"]) - smoothed(run["as it was"]) for run in runs])
    ratios = np.log([fluctuations(run["edited"]) / fluctuations(run["as it was"]) for run in runs])

    def level(d):
        return np.sqrt((d**2).mean((0, 1)))

    spread, jumps = spread_of(differences), level(ratios)
    critical = largest(ratios, level).max()
    return {
        "method": "rdskd",
        "lags": [*range(EVERY, WATCHED + 1, EVERY)],
        "spread": {name: [float(f"{x:.4g}") for x in spread[:, k]] for k, name in enumerate(QUANTITIES)},
        "critical": {
            name: round(float(x), 3) for name, x in zip(QUANTITIES, largest(differences, spread_of).max(0), strict=True)
        },
        "fluctuation": {
            name: {"spread": round(float(x), 4), "critical": round(float(critical), 3)}
            for name, x in zip(QUANTITIES[2:], jumps, strict=True)
        },
        "made by": "benchmarks/null_edits.py",
        "seeds": [*PARTS["band"], *PARTS["more"]],
        "edit": f"weight x {NULL}, the terms in turn, before step 150; from seed 100 on before 60, 150 or 240",
        "versions": {name: version(name) for name in ("rdskd-lab", "torch")} | {"python": platform.python_version()},
    }


# ---- what the lab would have said ------------------------------------------------------------------------------------


def first_flag(found: Band, edited: np.ndarray, as_it_was: np.ndarray) -> tuple[int | str, str]:
    """The lag at which the lab says "different", and by which quantity; "" if it never does."""
    for k, row in enumerate(smoothed(edited) - smoothed(as_it_was)):
        for name, difference in zip(QUANTITIES, row, strict=True):
            if found.beyond(name, EVERY * (k + 1), difference):
                return EVERY * (k + 1), name
    return "", ""


def report(out: Path) -> list[dict]:
    found, rows = Band(band(out)), []
    for part in "check", "off":
        for seed in PARTS[part]:
            if (out / f"{part}_{seed}.npz").exists():
                run, beside = np.load(out / f"{part}_{seed}.npz"), np.load(out / f"{BESIDE[part]}_{seed}.npz")
                lag, by = first_flag(found, run["edited"], beside["as it was"])
                ratio = np.log(fluctuations(run["edited"]) / fluctuations(beside["as it was"]))
                beyond = [
                    n
                    for k, n in enumerate(QUANTITIES[2:])
                    if (abs(ratio[:, k]) > found.fluctuation[n]["critical"] * found.fluctuation[n]["spread"]).any()
                ]
                rows.append(
                    dict(part=part, seed=seed, at=AT[seed % 3], different_after=lag, by=by, jumps=" ".join(beyond))
                )
    for seed in PARTS["strong"]:
        run = np.load(out / f"strong_{seed}.npz")
        f = {arm: (np.maximum(np.diff(run[arm][:, 3:], axis=0), 0) / EVERY).mean(0) for arm in run.files}
        ends = {arm: run[arm][-SMOOTH:, 3:].mean(0) for arm in run.files}
        for k, name in enumerate(("oh", "ie")):
            row = dict(part="strong", seed=seed, by=name, with_damping=f["edited"][k], without=f["as it was"][k])
            row |= dict(
                ratio=f["edited"][k] / f["as it was"][k], end_with=ends["edited"][k], end_without=ends["as it was"][k]
            )
            rows.append({key: f"{value:.4g}" if isinstance(value, float) else value for key, value in row.items()})
    return rows


if __name__ == "__main__":
    what, out, *parts = sys.argv[1:]
    if what == "train":
        main(Path(out), parts)
    elif what == "band":
        path = TOP / "rdskd_lab" / "assets" / "null_edits.json"
        path.write_text(json.dumps(band(Path(out))) + "\n", encoding="utf-8")
    else:
        table = report(Path(out))
        names = list(dict.fromkeys(name for row in table for name in row))
        with open(TOP / "results" / "null_edits.csv", "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, names, lineterminator="\n")
            writer.writeheader()
            writer.writerows(table)
