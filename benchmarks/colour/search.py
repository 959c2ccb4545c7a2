"""Look at a change of a colour recipe, openly: `python benchmarks/colour/search.py DATA METHOD SEED CHANGE ...`.

    python benchmarks/colour/search.py plan [DATA]    all looks of PLAN below that were not made yet, in their order

A change is NAME=VALUE,... beside the method's `classroom` (`w:bn=0.3` is a term's weight), "-" for none.  Students are
scored on the tuning images only, whose labels choose: `-look` sets have no other, and no reported image is read.  Each
look is a row of results/colour_log.csv, and is never computed again; seeds of looks are 10 and more.  A generator is
trained once and kept in runs/colour/pools with its pool, since most changes are the student's.  A killed look goes on.
"""

import csv
import hashlib
import sys
import time

from colour_runs import Clock, configure, curve, prepare, run
from colour_sets import KEPT, TOP

from rdskd_lab.runs.compare import append_row
from rdskd_lab.runs.config import resolve
from rdskd_lab.runs.reuse import SETTINGS

# A quarter of a run's budget each, as many tries for either method; where the budget goes comes first.
QUARTER = "width=32,student_steps=3000"
MIXED = "width=32,student_steps=3000,things=0"  # dead leaves: a thing on a plain ground is a guess about digits
PLAN = [
    (method, ",".join([base, *change]))
    for pair in (
        (("rdskd", QUARTER), ("any-teacher", MIXED)),
        (("rdskd", QUARTER, "generator_steps=400,student_steps=3400"), ("any-teacher", MIXED, "temperature=10")),
        (("rdskd", QUARTER, "generator_steps=1600,student_steps=2500"), ("any-teacher", MIXED, "w:bn=0.01")),
        (("rdskd", QUARTER, "temperature=4"), ("any-teacher", MIXED, "procedural=0.25")),
        (("rdskd", QUARTER, "augment=0.5"), ("any-teacher", MIXED, "blend=0.5")),
        (
            ("rdskd", QUARTER, "reuse=1,student_steps=2500"),
            ("any-teacher", MIXED, "generator_steps=1600,student_steps=2500"),
        ),
    )
    for method, base, *change in pair
]
REAL = "width=32,student_steps=3000"  # what real images give under the same budget, where there are some
LOG = TOP / "results" / "colour_log.csv"


def name(*words) -> str:
    """Return a short name of what decides a run."""
    return hashlib.sha256(repr(words).encode()).hexdigest()[:10]


def look(data: str, method: str, seed: int, change: str) -> None:
    """Score one, unless that was done."""
    config = configure(f"{data}-look", method, seed, change)
    setup = resolve(config)
    said = " ".join(f"{field}={value}" for field, value in vars(setup.settings).items() if field != "weights")
    said += "".join(f" {n}:{term.weight:g}" for n, term in setup.objective.items())
    rows = list(csv.DictReader(LOG.open())) if LOG.exists() else []
    if any((r["data"], r["method"], r["seed"], r["settings"]) == (data, method, str(seed), said) for r in rows):
        return
    decisive = [(field, getattr(setup.settings, field)) for field in SETTINGS]
    decisive += [(n, term.weight) for n, term in setup.objective.items()]
    pool = None
    if setup.settings.generator_steps and setup.settings.pooled:
        pool = KEPT / "pools" / f"{method}-{seed}-{name(data, decisive)}"
        made = [pair for pair in change.split(",") if pair.split("=")[0] in SETTINGS or pair.startswith("w:")]
        run(configure(f"{data}-look", method, seed, ",".join(made) or "-"), pool, stop_at_student=True)
        config = configure(f"{data}-look", method, seed, change, pool)
    out = KEPT / "looks" / f"{method}-{seed}-{name(data, said)}"
    result = run(config, out)
    generator = read_seconds(pool) if pool else result["cpu"]["synthesise"]
    row = dict(when=time.strftime("%m-%d %H:%M"), data=data, method=method, seed=seed, change=change)
    row |= dict(tuning_accuracy=f"{result['student_accuracy']:.4f}", agreement=f"{result['agreement']:.4f}")
    row |= dict(generator_cpu_s=f"{generator:.0f}", student_cpu_s=f"{result['cpu']['distill']:.0f}")
    row |= dict(curve=" ".join(f"{step}:{right:.3f}" for step, right in curve(out)), settings=said)
    append_row(LOG, row)
    print(*row.values(), flush=True)


def read_seconds(pool) -> float:
    """Return the CPU seconds of a kept generator."""
    return Clock(pool.with_suffix(".cpu.json")).seconds["synthesise"]


def plan(*data: str) -> None:
    """Make the looks of the plan that were not made yet."""
    for name in data or ("svhn", "cifar10"):
        for method, change in [("real", REAL)] * (name == "cifar10") + PLAN:
            look(name, method, 10, change)


def main(data: str, method: str = "", seed: str = "10", *changes: str) -> None:
    """Look at each change, or at what is left of the plan."""
    assert int(seed) >= 10, "seeds 0 to 2 are those of the report"
    prepare()
    if data == "plan":
        return plan(*filter(None, [method]))
    for change in changes:
        look(data, method, int(seed), change)


if __name__ == "__main__":
    main(*sys.argv[1:])
