"""Look at a change of a colour recipe, openly: `python benchmarks/colour/search.py DATA METHOD SEED CHANGE ...`.

A change is NAME=VALUE,... beside the method's `classroom` (`w:bn=0.3` is a term's weight), "-" for none.  Students are
scored on the tuning images only, whose labels choose: `-look` sets have no other, and no reported image is read.  Each
look is a row of results/colour_log.csv, and is never computed again; seeds of looks are 10 and more.  A generator is
trained once and kept in runs/colour/pools with its pool, since most changes are the student's.  A killed look goes on.
"""

import csv
import hashlib
import sys
import time

from colour_runs import Clock, append, configure, curve, prepare, run
from colour_sets import KEPT, TOP

from rdskd_lab.runs.config import resolve
from rdskd_lab.runs.reuse import SETTINGS

LOG = TOP / "results" / "colour_log.csv"


def name(*words) -> str:
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
        run(config, pool, stop_at_student=True)
        config = configure(f"{data}-look", method, seed, change, pool)
    out = KEPT / "looks" / f"{method}-{seed}-{name(data, said)}"
    result = run(config, out)
    generator = read_seconds(pool) if pool else result["cpu"]["synthesise"]
    row = dict(when=time.strftime("%m-%d %H:%M"), data=data, method=method, seed=seed, change=change)
    row |= dict(tuning_accuracy=f"{result['student_accuracy']:.4f}", agreement=f"{result['agreement']:.4f}")
    row |= dict(generator_cpu_s=f"{generator:.0f}", student_cpu_s=f"{result['cpu']['distill']:.0f}")
    row |= dict(curve=" ".join(f"{step}:{right:.3f}" for step, right in curve(out)), settings=said)
    append(LOG, row)


def read_seconds(pool) -> float:
    """Return the CPU seconds of a kept generator."""
    return Clock(pool.with_suffix(".cpu.json")).seconds["synthesise"]


def main(data: str, method: str, seed: str, *changes: str) -> None:
    """Look at each change."""
    assert int(seed) >= 10, "seeds 0 to 2 are those of the report"
    prepare()
    for change in changes:
        look(data, method, int(seed), change)


if __name__ == "__main__":
    main(*sys.argv[1:])
