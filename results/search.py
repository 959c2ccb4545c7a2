"""Search settings of the two-core presets, in the open: `python results/search.py NAME [SEEDS]` runs one list below.

Every line is a set of changes to a preset, scored on the 4,000 tuning digits only; no test image is read.  Rows go to
search.csv as they are done and are never computed again.  Lines that share the generator's settings share its
training, so the seconds of the two stages stand apart.
"""

import csv
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import torch

from rdskd_lab.data import load
from rdskd_lab.methods import PRESETS, rdskd
from rdskd_lab.metrics import accuracy
from rdskd_lab.models import LeNet5, LeNet5Half
from rdskd_lab.modes import seeded
from rdskd_lab.stages import Distillation
from rdskd_lab.weights import SHIPPED, load_weights

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
    # The student stage, all on the pool of one generator.
    "student": [
        {"batch_size": 64, "lr": 4e-3, **change}
        for change in (
            {"reuse": 1},
            {"reuse": 4},
            {"student_lr": 8e-3},
            {"student_lr": 2e-3},
            {"augment": 0.0},
            {"augment": 0.6},
            {"augment": 1.5},
            {"temperature": 4.0},
            {"temperature": 20.0},
            {"student_batch_size": 64},
            {"student_batch_size": 256, "student_steps": 2000},
            {"student_steps": 8000},
        )
    ],
}
GENERATOR = ("generator_steps", "batch_size", "latent", "width", "lr", "pooled")
TABLE = Path(__file__).with_name("search.csv")


def score(settings, seed, trained):
    """(tuning accuracy, generator seconds, student seconds); `trained` caches the last generator stage."""
    key = (seed, *(getattr(settings, name) for name in GENERATOR))
    teacher = load_weights(LeNet5(), SHIPPED["lenet5"])
    run = Distillation(teacher, seeded(seed, LeNet5Half), rdskd(), settings, seed=seed)
    start = time.perf_counter()
    if trained.get("key") == key:
        run.pool = trained["pool"]
    else:
        for _ in run.synthesise():
            pass
        trained.update(key=key, pool=run.pool, seconds=time.perf_counter() - start)
    start = time.perf_counter()
    for _ in run.distill():
        pass
    return accuracy(run.student, load("digits", "tune")), trained["seconds"], time.perf_counter() - start


def main(name, seeds="0", preset="classroom"):
    rows = list(csv.DictReader(TABLE.open())) if TABLE.exists() else []
    done = {(row["preset"], row["settings"], row["seed"]) for row in rows}
    trained = {}
    for seed in map(int, seeds.split(",")):
        for change in LISTS[name]:
            settings = replace(PRESETS[preset], **change)
            text = " ".join(f"{key}={value}" for key, value in asdict(settings).items())
            if (preset, text, str(seed)) in done:
                continue
            found, generator, student = score(settings, seed, trained)
            row = dict(
                list=name, preset=preset, seed=seed, change=" ".join(f"{k}={v}" for k, v in change.items()) or "-",
                tuning_accuracy=f"{found:.4f}", generator_s=f"{generator:.1f}", student_s=f"{student:.1f}",
                threads=torch.get_num_threads(), settings=text,
            )  # fmt: skip
            with TABLE.open("a", newline="") as file:
                writer = csv.DictWriter(file, row, lineterminator="\n")
                if not file.tell():
                    writer.writeheader()
                writer.writerow(row)
            print(*list(row.values())[:-1], flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
