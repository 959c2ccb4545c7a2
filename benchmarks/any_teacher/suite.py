"""Distil every teacher of the suite: `python benchmarks/any_teacher/suite.py [WORKER/WORKERS] [LIST ...]`.

    results/any_teacher.csv           one row a run, written when it is finished; what has a row is not run again
    results/any_teacher_blended.csv   rows of the recipe as it was until it lost blends and contrast

Students are tested on official test images here, with seeds 0, 1 and 2; nothing is chosen by that.  Seed after seed,
the lists come in the order of their worth, so that whatever time there is gives whole columns first.  Two workers (1/2
and 2/2) share the work without speaking to each other.
"""

import csv
import hashlib
import sys
import time
from dataclasses import asdict
from pathlib import Path

import torch
from teachers import TEACHERS, TOP, file, trained

from rdskd_lab.distillation import Distillation
from rdskd_lab.evaluation.accuracy import accuracy, compare
from rdskd_lab.methods.procedural_images import scaled_leaves
from rdskd_lab.methods.registry import METHODS
from rdskd_lab.networks.registry import Shape, make_student
from rdskd_lab.networks.weights import fingerprint
from rdskd_lab.runs.compare import append_row
from rdskd_lab.runs.recover import recovering
from rdskd_lab.torch_state import frozen, seeded

TABLE, BLENDED = (TOP / "results" / f"any_teacher{part}.csv" for part in ("", "_blended"))
SEEDS = 0, 1, 2
# list -> preset, arms.  An arm is a method, or a method and what is left out of it.
LISTS = {
    "recipe": ("classroom", ("any-teacher",)),
    "pure": ("classroom", ("rdskd",)),
    "controls": ("classroom", ("real", "procedural", "untrained")),
    "long": ("long", ("any-teacher", "rdskd")),
    "rivals": ("classroom", ("dafl", "dfad")),
    "ablation": ("classroom", ("-procedural", "-strokes", "-balance", "-bn", "-warps", "-generator")),
}
HARD = "bn-warped", "fashion", "warped", "groupnorm", "fashion-bn", "28-pixels"  # of the ablation
LEFT_OUT = {
    "-procedural": {"procedural": 0.0},
    "-strokes": {"strokes": 0.0},
    "-balance": {"balance": 0.0},
    "-warps": {"augment": 0.0},
    "-generator": {"procedural": 1.0},
    "-bn": {},
}


def queue(lists) -> list[tuple[str, str, str, str, int]]:
    """Return the runs (list, preset, arm, teacher, seed) in the order of their worth: list after list, per seed."""
    return [
        (name, LISTS[name][0], arm, teacher, seed)
        for seed in SEEDS
        for name in lists
        for arm in LISTS[name][1]
        for teacher in (HARD if name == "ablation" else TEACHERS)
    ]


def start(arm: str, preset: str, name: str, seed: int, change: dict | None = None) -> Distillation:
    """Return a run of the suite before its first step."""
    teacher, method = TEACHERS[name], METHODS["any-teacher" if arm in LEFT_OUT else arm]
    settings = method.presets[preset]
    settings = type(settings)(**asdict(settings) | LEFT_OUT.get(arm, {}) | (change or {}))
    objective = method.objective(settings)
    if arm == "-bn":
        objective["bn"].on = False  # which a teacher without BatchNorm lacks anyway
    student = seeded(seed, make_student, teacher.student, Shape(1, teacher.size, 10))
    data = teacher.split("train") if method.real_images else None
    return Distillation(
        trained(name), student, objective, settings, method=method, seed=seed, size=teacher.size, data=data
    )


def finish(run: Distillation) -> dict[str, float]:
    """Train generator and student; return the seconds of each, of this process's computing."""
    seconds, before = {"synthesise": 0.0, "distill": 0.0}, time.process_time()
    for step in recovering(run) if run.method.recovers else run:
        now = time.process_time()
        seconds[step.phase] += now - before
        before = now
    return seconds


@torch.no_grad()
def agreement(run: Distillation) -> dict[str, float]:
    """Return how often student and teacher agree on images that need no data: fresh ones of three kinds."""
    rng = torch.Generator().manual_seed(run.seed + 7)
    kinds = {
        "generated": run.source.sample(1_000, rng).images,
        "procedural": scaled_leaves(1_000, 1, run.size, rng),
        "noise": torch.randn(1_000, 1, run.size, run.size, generator=rng),
    }
    with frozen(run.teacher), frozen(run.student):
        return {
            kind: (run.teacher(images).argmax(1) == run.student(images).argmax(1)).float().mean().item()
            for kind, images in kinds.items()
        }


def measure(name: str, preset: str, arm: str, teacher: str, seed: int) -> dict:
    """Run one and return its row."""
    run = start(arm, preset, teacher, seed)
    seconds = finish(run)
    found = compare(run.teacher, run.student, TEACHERS[teacher].split("test"))
    text = " ".join(f"{key}={value}" for key, value in asdict(run.settings).items())
    return {
        "list": name,
        "preset": preset,
        "arm": arm,
        "teacher": teacher,
        "half": TEACHERS[teacher].half,
        "seed": seed,
        "test_accuracy": f"{found['student_accuracy']:.4f}",
        "tuning_accuracy": f"{accuracy(run.student, TEACHERS[teacher].split('tune')):.4f}",
        "agreement": f"{found['agreement']:.4f}",
        **{f"agreement_{kind}": f"{share:.4f}" for kind, share in agreement(run).items()},
        "generator_cpu_s": f"{seconds['synthesise']:.0f}",
        "student_cpu_s": f"{seconds['distill']:.0f}",
        "threads": torch.get_num_threads(),
        "recovered": " | ".join(map(str, run.recovered)),
        "settings": hashlib.sha256(text.encode()).hexdigest()[:8],
        "weights": fingerprint(file(teacher))[:8],
    }


def rows(path: Path = TABLE) -> list[dict]:
    """Return the finished rows."""
    return list(csv.DictReader(path.open())) if path.exists() else []


def main(*given: str) -> None:
    """Do what is left of the lists."""
    part = given[0].split("/") if given and "/" in given[0] else ["1", "1"]
    lists = [word for word in given if "/" not in word] or list(LISTS)
    for k, what in enumerate(queue(lists)):
        key = tuple(map(str, what[1:]))
        if k % int(part[1]) != int(part[0]) - 1 or not made(what[3]):
            continue
        if key in {tuple(r[n] for n in ("preset", "arm", "teacher", "seed")) for r in rows()}:
            continue
        row = measure(*what)
        append_row(TABLE, row)
        print(*row.values(), flush=True)


def made(name: str) -> bool:
    """Say whether a teacher is there, and not still in training."""
    return bool(TEACHERS[name].shipped) or (Path(TOP) / "runs" / "teachers" / f"{name}.safetensors").exists()


if __name__ == "__main__":
    main(*sys.argv[1:])
