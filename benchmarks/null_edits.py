"""What may the lab say of an edit?  Runs that differ by nothing that matters, and how far they come to differ.

Two runs from one state drift apart whatever the edit, since training with Adam amplifies the last bit.  So a difference
says something only beyond what a null edit (one weight x 1.0001) comes to at the same lag.

    python benchmarks/null_edits.py train OUT [PART ...]    PART: band, check, off, strong; one file a seed, resumable
    python benchmarks/null_edits.py band OUT                writes rdskd_lab/assets/null_edits.json
    python benchmarks/null_edits.py report OUT              results/null_edits.csv, and what the lab's rule says

band    seeds 0 to 19: a run, and its copy with a null edit before step 150 (terms in turn), 300 steps on
check   seeds 100 to 119: the same with edits before step 60, 150 or 240 in turn; these set nothing
off     seeds 100 to 109: class diversity off in the place of the null edit
strong  seeds 10 to 14: from step 0, anchor `previous`, damping of strength 20 and none, 300 steps
"""

import sys
from copy import copy
from pathlib import Path

import numpy as np
import torch

from rdskd_lab.lab.session.experiment import Experiment
from rdskd_lab.objective import previous

WATCHED, EVERY, NULL = 300, 2, 1.0001
PARTS = {"band": range(20), "check": range(100, 120), "off": range(100, 110), "strong": range(10, 15)}
AT = (60, 150, 240)


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


def copied(experiment: Experiment) -> Experiment:
    """A run in the same state, without a student that learns."""
    other = copy(experiment)
    other.run = experiment.run.copy()
    other.objective = other.run.objective
    other.answers, other.recent = copy(experiment.answers), copy(experiment.recent)
    return other


def train(part: str, seed: int) -> dict[str, np.ndarray]:
    experiment = Experiment("rdskd", seed)
    if part == "strong":
        plain = copied(experiment)
        for name in "oh", "ie":
            experiment.objective[name].rule, experiment.objective[name].strength = previous, 20.0
            plain.objective[name].damped = False
        return {"edited": followed(experiment, WATCHED), "as it was": followed(plain, WATCHED)}
    at = 150 if part == "band" else AT[seed % 3]
    before = followed(experiment, at)
    edited = copied(experiment)
    term = edited.objective[list(edited.objective)[seed % 3]]
    if part == "off":
        edited.objective["ie"].on = False
    else:
        term.weight *= NULL
    runs = {"before": before, "edited": followed(edited, WATCHED)}
    return runs | ({} if part == "off" else {"as it was": followed(experiment, WATCHED)})  # that of `check`


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


if __name__ == "__main__":
    what, out, *parts = sys.argv[1:]
    if what == "train":
        main(Path(out), parts)
