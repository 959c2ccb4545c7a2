"""One run of the colour benchmarks, resumable, and the row that it leaves: used by search.py and suite.py here."""

import csv
import time
from pathlib import Path

import colour_sets
import torch

from rdskd_lab.runs.config import Config
from rdskd_lab.runs.execute import execute
from rdskd_lab.runs.run_folder import read_json, write_json

STUDENT = "colour_networks:student"
SHAPE = dict(channels=3, size=32, classes=10)


def configure(data: str, method: str, seed: int, change: str, pool: Path | None = None) -> Config:
    """Return a run's configuration; `change` is NAME=VALUE,..., where a term's name has `w:` before it, or "-"."""
    record = colour_sets.SETS[data]
    pairs = dict(pair.split("=") for pair in change.split(",")).items() if change != "-" else []  # the last one counts
    own = data.startswith("cifar10")
    return Config(
        method=method,
        preset="classroom",
        data=data,
        seed=seed,
        teacher="wrn-16-2" if own else "colour_networks:svhn_teacher",
        weights=str(colour_sets.cifar10_teacher()) if own else "",
        student=STUDENT,
        mean=record.mean,
        std=record.std,
        change=tuple((name, value) for name, value in pairs if not name.startswith("w:")),
        weight=tuple((name[2:], float(value)) for name, value in pairs if name.startswith("w:")),
        folder=str(Path(__file__).parent),
        from_run=str(pool or ""),
        **SHAPE,
    )


def run(config: Config, out: Path, stop_at_student: bool = False) -> dict | None:
    """Execute a run or go on with it; return its result with its CPU seconds, or None if it was stopped on purpose."""
    clock = Clock(out.with_suffix(".cpu.json"))
    reached = {"phase": ""}

    def progress(steps, phase, first, total):
        reached["phase"] = phase
        for step in steps:
            clock.count(phase)
            yield step

    def stop() -> bool:
        return stop_at_student and reached["phase"] == "distill"

    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        result = execute(config, out, resume=(out / "config.json").exists(), progress=progress, stop=stop)
    except KeyboardInterrupt:
        if stop():
            return None
        raise
    finally:
        clock.write()
    return result | {"cpu": clock.seconds}


class Clock:
    """CPU seconds of each stage, of all sessions of a run together."""

    def __init__(self, path: Path):
        self.path, self.before, self.written = path, time.process_time(), 0.0
        self.seconds = read_json(path) if path.exists() else {"synthesise": 0.0, "distill": 0.0}

    def count(self, phase: str) -> None:
        """Add what was computed since the last call, and keep it on disk every few seconds."""
        now = time.process_time()
        self.seconds[phase] += now - self.before
        self.before = now
        if now - self.written > 5:
            self.write()

    def write(self) -> None:
        """Keep the seconds on disk."""
        write_json(self.path, self.seconds)
        self.written = self.before


def curve(out: Path) -> list[tuple[int, float]]:
    """Return (student steps, share of tuning images right) of a run's moments."""
    with open(out / "history.csv") as file:
        found = [(int(r["step"]) + 1, r.get("accuracy") or r.get("right")) for r in csv.DictReader(file)]
    return [(step, float(right)) for step, right in found if right]


def prepare() -> None:
    """Make the benchmark's sets known, and take one thread."""
    colour_sets.register()
    torch.set_num_threads(1)
