"""Search the recipe on the tuning half, openly: `python benchmarks/any_teacher/search.py TEACHERS SEEDS CHANGE ...`.

A change is NAME=VALUE,NAME=VALUE beside any-teacher's `classroom`, "-" for none: `bn,fashion 10 - balance=0`.
Students are scored on tuning images only; no test image is looked at.  Each look is a row of any_teacher_log.csv.
The generator's pool is kept in runs/pools, since most changes leave the generator as it is.
"""

import csv
import sys
import time
from dataclasses import asdict

import torch
from suite import start
from teachers import TEACHERS, TOP

from rdskd_lab.batch import Batch
from rdskd_lab.evaluation.accuracy import accuracy
from rdskd_lab.runs.compare import append_row

LOG, POOLS = TOP / "results" / "any_teacher_log.csv", TOP / "runs" / "pools"
OF_GENERATOR = "generator_steps", "batch_size", "latent", "width", "lr", "sheet_steps", "pooled"


def generate(run, name: str, bn: bool) -> None:
    """Fill the run's pool, from a file if the same generator was trained before."""
    words = "-".join(str(getattr(run.settings, field)) for field in OF_GENERATOR)
    path = POOLS / f"{name}-{run.seed}-{bn}-{words}.pt"
    if not path.exists():
        for _ in run.synthesise():
            pass
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save({"images": run.pool.images, "logits": run.pool.logits}, path)
    else:
        run.pool.add(Batch(**torch.load(path, weights_only=True)))
        run.done["synthesise"] = run.settings.generator_steps


def value(text: str):
    """Read a setting's value."""
    return text if text.isalpha() else float(text) if "." in text or "e" in text else int(text)


def main(teachers: str, seeds: str, *changes: str) -> None:
    """Score each change with each teacher and seed."""
    for text in changes:
        pairs = [pair.split("=") for pair in text.split(",")] if text != "-" else []
        change = {name: value(number) for name, number in pairs if name != "bn"}
        arm = "-bn" if ["bn", "0"] in pairs else "any-teacher"
        for seed in map(int, seeds.split(",")):
            for name in teachers.split(","):
                assert TEACHERS[name].half == "tuning" and seed >= 10
                score(name, seed, text, arm, change)


def score(name: str, seed: int, text: str, arm: str, change: dict) -> None:
    """Score one, unless that was done."""
    run = start(arm, "classroom", name, seed, change)
    settings = " ".join(f"{key}={value}" for key, value in asdict(run.settings).items() if key != "weights")
    rows = list(csv.DictReader(LOG.open())) if LOG.exists() else []
    if any((r["teacher"], r["seed"], r["arm"], r["settings"]) == (name, str(seed), arm, settings) for r in rows):
        return
    begun = time.process_time()
    generate(run, name, "bn" in run.objective and run.objective["bn"].on)
    between = time.process_time()
    for _ in run.distill():
        pass
    found = accuracy(run.student, TEACHERS[name].split("tune"))
    row = dict(when=time.strftime("%m-%d %H:%M"), teacher=name, seed=seed, arm=arm, change=text)
    row |= dict(tuning_accuracy=f"{found:.4f}", generator_cpu_s=f"{between - begun:.0f}")
    row |= dict(student_cpu_s=f"{time.process_time() - between:.0f}", settings=settings)
    append_row(LOG, row)
    print(*list(row.values())[:-1], flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
