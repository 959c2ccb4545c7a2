"""Measure what the studies' engine costs: `python benchmarks/overhead.py` writes results/overhead.csv.

On an idle machine: half an hour or so on two cores.
`--trials 2 --generator-steps 20 --student-steps 40 --repeats 1` only tries it.
A grid of equal trials is run in several ways, each in a fresh process, taking turns, since a machine's pace drifts:

    bare        a plain loop in one process, without Dask
    one         `engine.run` with one worker
    two         `engine.run` with two workers
    one-wide    `engine.run` with one worker that computes with two threads, as `--workers 1` does on two cores

All but the last compute with one thread a process.  Every process has to start and import torch before its first
trial: that is `startup_s`.  `trial_s` is the steady state: seconds a trial by the clock, each process's first trial
left out, for it also loads the data and what else is needed once.  `whole_s` is what a person waits for, start and end
included.  `cpu_s` is the CPU time of the whole tree of processes, which other work on the machine disturbs least.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from rdskd_lab.runs.compare import as_csv
from rdskd_lab.runs.config import Config
from rdskd_lab.runs.machine import machine
from rdskd_lab.studies import engine
from rdskd_lab.studies.students import train_student

TABLE = Path(__file__).resolve().parents[1] / "results" / "overhead.csv"
WORKERS = {"bare": 0, "one": 1, "two": 2, "one-wide": 1}
COLUMNS = "repeat way trials startup_s trial_s whole_s cpu_s generator_steps student_steps machine".split()


def stamped(config: Config, place: Path) -> dict:
    """Do a whole run with one thread, and note when it began and ended, in seconds since the epoch."""
    return _stamped(config, place, 1)


def stamped_wide(config: Config, place: Path) -> dict:
    """The same with two threads."""
    return _stamped(config, place, 2)


def _stamped(config: Config, place: Path, threads: int) -> dict:
    torch.set_num_threads(threads)
    begun = time.time()
    found = train_student(config, place)
    return {"outcome": found["outcome"], "begun": begun, "ended": time.time()}


def grid(way: str, trials: int, steps: tuple[int, int]) -> list[engine.Trial]:
    """Equal trials, but for their seeds."""
    change = (("generator_steps", str(steps[0])), ("student_steps", str(steps[1])))
    measure = stamped_wide if way == "one-wide" else stamped
    return [engine.Trial(Config(seed=seed, device="cpu", change=change), measure=measure) for seed in range(trials)]


def work(way: str, out: Path, trials: list[engine.Trial]) -> None:
    """Run the grid in this process, or in workers of it; leave a row a trial in `out`/done."""
    if way != "bare":
        for _ in engine.run(engine.Study("overhead", "?", lambda: trials), out, workers=WORKERS[way]):
            pass
        return
    (out / "done").mkdir(parents=True)
    for trial in trials:
        found = trial.measure(trial.config, out / f"run-{trial.config.seed}")
        found["machine"] = machine(torch.device("cpu"))
        (out / "done" / f"{trial.config.seed}.json").write_text(json.dumps(found))


def figures(stamps: list[tuple[float, float]], begun: float, ended: float, workers: int) -> dict[str, float]:
    """startup_s, trial_s and whole_s from each trial's (begun, ended) and those of the whole, in seconds."""
    ends = sorted(end for _, end in stamps)
    first = max(1, workers)  # trials that a process does first
    steady = (ends[-1] - ends[first - 1]) / (len(ends) - first) if len(ends) > first else float("nan")
    return {"startup_s": min(start for start, _ in stamps) - begun, "trial_s": steady, "whole_s": ended - begun}


def measure(way: str, asked: argparse.Namespace) -> dict:
    """One way's row, from a fresh process."""
    words = ["--trials", asked.trials, "--generator-steps", asked.generator_steps, "--student-steps"]
    command = [sys.executable, __file__, *map(str, words), str(asked.student_steps), "--way", way, "--out"]
    with tempfile.TemporaryDirectory() as folder:
        begun = time.time()
        process = subprocess.Popen([*command, folder], env=os.environ | {"OMP_NUM_THREADS": "1"})
        _, status, used = os.wait4(process.pid, 0)
        ended, process.returncode = time.time(), os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{way}: its process ended with status {process.returncode}")
        rows = [json.loads(path.read_text()) for path in (Path(folder) / "done").glob("*.json")]
    if len(rows) != asked.trials or any(row["outcome"] != "finished" for row in rows):
        raise SystemExit(f"{way}: {len(rows)} rows of {asked.trials} trials, or one that stopped: {rows}")
    found = figures([(row["begun"], row["ended"]) for row in rows], begun, ended, WORKERS[way])
    found["cpu_s"] = used.ru_utime + used.ru_stime
    found = {name: round(seconds, 2) for name, seconds in found.items()}
    given = {name: getattr(asked, name) for name in ("trials", "generator_steps", "student_steps")}
    return {"way": way, **given, **found, "machine": rows[0]["machine"]}


def ratios(rows: list[dict], a: str, b: str, column: str) -> list[float]:
    """`column` of way `a` over that of way `b`, repeat by repeat."""
    of = {(row["repeat"], row["way"]): float(row[column]) for row in rows}
    return [of[n, a] / of[n, b] for n in sorted({n for n, _ in of}) if (n, a) in of and (n, b) in of]


def sentences(rows: list[dict]) -> list[str]:
    """Say what the table says, a sentence a ratio: medians over the repeats, with their least and most."""
    asked = (
        ("one", "bare", "trial_s", "one worker takes {} times the bare loop's time for a trial"),
        ("one", "bare", "whole_s", "one worker takes {} times the bare loop's time from start to end"),
        ("one", "bare", "cpu_s", "one worker takes {} times the bare loop's CPU time, scheduler and all"),
        ("one", "two", "trial_s", "two workers finish {} times as many trials in the same time as one"),
        ("one", "two", "whole_s", "two workers are done {} times as soon as one, from start to end"),
        ("one-wide", "two", "whole_s", "two workers are done {} times as soon as one that uses both cores"),
    )
    lines = []
    for a, b, column, sentence in asked:
        if found := ratios(rows, a, b, column):
            spread = f"{statistics.median(found):.3f} ({min(found):.3f} to {max(found):.3f}, n = {len(found)})"
            lines.append(sentence.format(spread))
    return lines


def main(words: list[str]) -> None:
    """Measure all ways in turn, a few times; write the table and print what it says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=6, help="in the grid; even, for two workers")
    parser.add_argument("--generator-steps", type=int, default=400)
    parser.add_argument("--student-steps", type=int, default=2_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--table", type=Path, default=TABLE)
    parser.add_argument("--way", choices=WORKERS, help="run the grid in one way and exit: for the script itself")
    parser.add_argument("--out", type=Path, help="with --way: where")
    asked = parser.parse_args(words)
    if asked.way:
        return work(asked.way, asked.out, grid(asked.way, asked.trials, (asked.generator_steps, asked.student_steps)))
    rows = []
    for repeat in range(1, asked.repeats + 1):
        for way in WORKERS:
            rows.append({"repeat": repeat, **measure(way, asked)})
            print(rows[-1], flush=True)
            asked.table.write_bytes(as_csv(rows, COLUMNS))
    print(*sentences(rows), sep="\n")


if __name__ == "__main__":
    main(sys.argv[1:])
