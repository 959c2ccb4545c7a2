"""Run the colour benchmarks' rows: `python benchmarks/colour/suite.py [--list] [--seeds 0,1,2] [DATA/RECIPE ...]`.

One row of results/colour.csv a run, written when it is finished; what has a row is not run again, and a run that was
killed goes on where it was (runs/colour/suite).  Students are tested here on the images that are reported, with seeds 0
to 2; nothing is chosen by that.  The rows come seed after seed, in the order of their worth.
"""

import argparse
import csv
import sys

from colour_networks import QUICK
from colour_runs import configure, curve, prepare, run
from colour_sets import KEPT, TOP

from rdskd_lab.runs.compare import append_row

TABLE = TOP / "results" / "colour.csv"
SEEDS = 0, 1, 2
# Where the budget goes: at a quarter of it, 1,600 generator steps gave SVHN's student 90.0 % instead of 86.8 with 400,
# with 1,500 student steps both times (search.py).  21 minutes of one core for SVHN's RDSKD, 38 for CIFAR-10's best.
LONG = "generator_steps=4000,width=32,student_steps=6000"
ADDED = ",things=0,temperature=10,blend=0.5"
STUDENT = "generator_steps=0,width=32,student_steps=6000"
# data -> recipe -> method, and changes to its `classroom`, as chosen by search.py on tuning images: with SVHN nothing
# that was added to RDSKD helped, so the best is RDSKD with twice the steps; with CIFAR-10 it helped as a whole.
RECIPES = {
    "svhn-8000": {
        "rdskd": ("rdskd", LONG),
        "best": ("rdskd", "generator_steps=8000,width=32,student_steps=12000"),
        "any-teacher": ("any-teacher", LONG + ADDED),
        "rdskd+bn": ("rdskd+bn", LONG),
        "procedural": ("procedural", STUDENT),
        "untrained": ("untrained", STUDENT),
        "noise": ("noise", STUDENT),
        "foreign": ("real", STUDENT),
    },
    "cifar10": {
        "rdskd": ("rdskd", LONG + ",lr=0.004"),
        "best": ("any-teacher", LONG + ",lr=0.004" + ADDED),
        "real": ("real", STUDENT),
        "labels": ("labels", STUDENT),
        "rdskd+bn": ("rdskd+bn", LONG + ",lr=0.004"),
        "procedural": ("procedural", STUDENT),
        "untrained": ("untrained", STUDENT),
        "noise": ("noise", STUDENT),
    },
}


def queue() -> list[tuple[str, str, int]]:
    """List all rows, seed after seed."""
    return [(data, recipe, seed) for seed in SEEDS for data, recipes in RECIPES.items() for recipe in recipes]


def finished() -> set[tuple[str, str, int]]:
    """Return what has a row."""
    return {(r["data"], r["recipe"], int(r["seed"])) for r in csv.DictReader(TABLE.open())} if TABLE.exists() else set()


def measure(data: str, recipe: str, seed: int) -> dict:
    """Run one and return its row."""
    method, change = RECIPES[data][recipe]
    out = KEPT / "suite" / f"{data}-{recipe}-{seed}"
    source = "svhn-foreign" if recipe == "foreign" else data
    result = run(configure(source, method, seed, change), out)
    row = dict(data=data, recipe=recipe, seed=seed, accuracy=f"{result['student_accuracy']:.4f}")
    row |= dict(teacher=f"{result['teacher_accuracy']:.4f}", agreement=f"{result['agreement']:.4f}")
    row |= dict(images=result["test_images"], **{f"{k}_cpu_s": f"{v:.0f}" for k, v in result["cpu"].items()})
    row |= dict(curve=" ".join(f"{step}:{right:.4f}" for step, right in curve(out)))
    machine = result["machine"] + ("" if QUICK else ", float32")
    return row | dict(method=method, change=change, machine=machine, torch=result["versions"]["torch"])


def main(words: list[str]) -> None:
    """Do what is left of what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", help="DATA/RECIPE; all by default")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--list", action="store_true", help="say what is finished and what is not")
    asked = parser.parse_args(words)
    seeds, done = [int(seed) for seed in asked.seeds.split(",")], finished()
    todo = [row for row in queue() if row[2] in seeds and (not asked.rows or f"{row[0]}/{row[1]}" in asked.rows)]
    prepare()
    for row in todo:
        if asked.list:
            print(*row, "done" if row in done else "to do")
        elif row not in done:
            found = measure(*row)
            append_row(TABLE, found)
            print(*found.values(), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
