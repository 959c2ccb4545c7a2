"""The study `strength` on CIFAR-10: `python benchmarks/colour/damping_cell.py`.  Five seeds; b = 1, b = 20, no damping.

    results/strength_cifar10.csv    one row a run, written when it is finished; what has a row is not run again

Everything is the study's own (steps, probe, arms, what is measured, how it is judged) but for data, size and teacher:
WRN-16-2, as for the other rows here.  The generator has 32 channels, and no student is trained.
"""

import math
from dataclasses import replace
from tempfile import TemporaryDirectory

from colour_runs import configure, prepare
from colour_sets import TOP

from rdskd_lab.runs.compare import append_row, read_table
from rdskd_lab.studies.strength import DAMPED, SMALL, STEPS, Measure
from rdskd_lab.studies.verdict import holm, judge, paired

TABLE = TOP / "results" / "strength_cifar10.csv"
SEEDS = range(100, 105)
COLUMNS = [
    *("arm", "seed", "outcome", "seconds", "classes"),
    *(f"{name}_{what}" for name in DAMPED for what in ("probe", "spread", "end", "reached", "equal", "clamped")),
]
ARMS = {"none": ("none", 1.0), "b = 1": ("damped", 1.0), "b = 20": ("damped", 20.0)}


def rows() -> list[dict]:
    """Return the runs that have a row, numbers as numbers."""
    return read_table(TABLE) if TABLE.exists() else []


def measure(arm: str, seed: int) -> dict:
    """Run one and return its row."""
    name, strength = ARMS[arm]
    config = configure("cifar10", "rdskd", seed, f"width=32,generator_steps={STEPS},pooled=False")
    with TemporaryDirectory() as place:
        found = Measure(name)(replace(config, anchor="previous", strength=strength), place)
    found.pop("curves", None)
    row = {k: f"{v:.5g}" if isinstance(v, float) else v for k, v in found.items()}
    return dict.fromkeys(COLUMNS) | dict(arm=arm, seed=seed) | row  # blank where it did not come to its end


def verdicts(found: list[dict]) -> list:
    """Judge F of oh and ie under either strength against no damping, corrected together by Holm."""
    made = []
    for arm in "b = 1", "b = 20":
        for term in "oh", "ie":
            pairs = paired(found, {"arm": "none"}, {"arm": arm}, f"{term}_probe", lambda v: math.log(max(v, 1e-9)))
            claim = f"CIFAR-10: F of {term} is smaller with {arm} than without damping"
            made.append(judge(claim, "strength", "ln (F none / damped)", pairs, small=SMALL))
    return holm(made)


def main() -> None:
    """Do what is left, and say what it shows."""
    prepare()
    done = {(row["arm"], int(row["seed"])) for row in rows()}
    for seed in SEEDS:
        for arm in ARMS:
            if (arm, seed) not in done:
                append_row(TABLE, row := measure(arm, seed))
                print(*row.values(), flush=True)
    for verdict in verdicts(rows()):
        print(f"{verdict.claim}: {verdict.interval}, {verdict.verdict}")


if __name__ == "__main__":
    main()
