"""Search settings of the two-core presets, openly: `python benchmarks/search.py METHOD LIST [SEEDS]` runs one list.

A line is a set of changes to the method's preset `classroom` as it was that day (all settings stand in the log's last
column): settings, or weights of terms by their keys.  It is scored on the 4,000 tuning digits only; no test image is
looked at.  Rows are written to search.csv as they are finished and are never computed again.
"""

import csv
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import torch

from rdskd_lab.evaluation.accuracy import accuracy
from rdskd_lab.methods.registry import METHODS
from rdskd_lab.runs.compare import append_row
from rdskd_lab.runs.config import Config, resolve
from rdskd_lab.runs.execute import prepare

LISTS = {
    # How long, how wide and in what batches should the generator learn?  Student as in the preset.
    "generator": [
        {},
        {"batch_size": 64},
        {"batch_size": 64, "lr": 2e-3},
        {"batch_size": 64, "lr": 4e-3},
    ],
    # The same from the best of these on: 64 images, lr 4e-3.
    "generator-2": [
        {"batch_size": 64, "lr": 4e-3, **change}
        for change in (
            {"lr": 8e-3},
            {"lr": 16e-3},
            {"generator_steps": 400},
            {"generator_steps": 1600},
            {"width": 8},
            {"width": 32},
            {"latent": 32},
            {"batch_size": 32, "generator_steps": 1600},
        )
    ],
    # Seeds, since one seed moves the result by as much as most changes do.
    "seeds": [{"batch_size": 64, "lr": lr} for lr in (4e-3, 8e-3, 16e-3)],
    # Ten minutes and more.
    "long": [
        {"generator_steps": 2400, "student_steps": 40_000, "reuse": 4},
        {"generator_steps": 2400, "student_steps": 40_000, "reuse": 4, "augment": 1.5},
        {"generator_steps": 2400, "student_steps": 40_000, "reuse": 4, "width": 32},
    ],
    # What to do with more student steps, all on the pool of one generator.
    "long-2": [
        {"generator_steps": 2400, "student_steps": 100_000, "reuse": 4, **change}
        for change in (
            {},
            {"student_lr": 2e-3},
            {"augment": 0.7},
            {"student_batch_size": 64, "student_steps": 160_000},
            {"temperature": 4.0},
        )
    ],
    # One effort for every method but RDSKD, whose lists are above: six lines, one seed.
    "dafl": [{}, *({"lr": lr} for lr in (4e-3, 16e-3)), {"temperature": 10.0}, {"ie": 5.0}, {"act": 0.01}],
    "mskd": [{}, *({"lr": lr} for lr in (4e-3, 16e-3)), {"temperature": 10.0}, {"ie": 5.0}, {"ms": 0.1}],
    "zskd": [
        {},
        *({"lr": lr} for lr in (0.02, 0.1)),
        {"sheet_steps": 100},
        {"sheet_steps": 400},
        {"temperature": 10.0},
    ],
    "deepinversion": [{}, *({"lr": lr} for lr in (0.05, 0.2)), {"bn": 1.0}, {"tv": 1e-3}, {"sheet_steps": 75}],
    "adaptive": [{}, *({"lr": lr} for lr in (0.05, 0.2)), {"bn": 1.0}, {"tv": 1e-3}, {"comp": 10.0}],
    "dfad": [{}, *({"lr": lr} for lr in (1e-3, 16e-3)), {"student_lr": 4e-3}, {"batch_size": 64}, {"batch_size": 256}],
}

TABLE = Path(__file__).resolve().parents[1] / "results" / "search.csv"


def score(config):
    """(tuning accuracy, seconds of the source, seconds of the student)."""
    run, tune, *_ = prepare(config)
    seconds, before = {"synthesise": 0.0, "distill": 0.0}, time.perf_counter()
    for step in run:
        now = time.perf_counter()
        seconds[step.phase] += now - before
        before = now
    return accuracy(run.student, tune), *seconds.values()


def main(method, name, seeds="0"):
    rows = list(csv.DictReader(TABLE.open())) if TABLE.exists() else []
    done = {(row["method"], row["change"], row["settings"], row["seed"]) for row in rows}
    for seed in map(int, seeds.split(",")):
        for change in LISTS[name]:
            terms = METHODS[method].terms()
            config = Config(method=method, seed=seed, device="cpu")
            parts = [{k: v for k, v in change.items() if (k in terms) == weight} for weight in (False, True)]
            config = replace(
                config, change=tuple((k, str(v)) for k, v in parts[0].items()), weight=tuple(parts[1].items())
            )
            text = " ".join(f"{key}={value}" for key, value in asdict(resolve(config).settings).items())
            said = " ".join(f"{k}={v}" for k, v in change.items()) or "-"
            if (method, said, text, str(seed)) in done:
                continue
            found, source, student = score(config)
            row = dict(method=method, list=name, preset=config.preset, seed=seed, change=said)
            row |= dict(tuning_accuracy=f"{found:.4f}", generator_s=f"{source:.1f}", student_s=f"{student:.1f}")
            row |= dict(threads=torch.get_num_threads(), settings=text)
            append_row(TABLE, row)
            print(*list(row.values())[:-1], flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
