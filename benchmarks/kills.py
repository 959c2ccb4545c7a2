"""Kill runs at random moments, go on, and compare: `python benchmarks/kills.py [SEED]` writes kills.md into results/.

Runs of every preset, shortened, are killed by SIGKILL at steps drawn from a seeded random generator, over both
stages, most of them several times, and each is taken up again until it ends.  Then one whole `classroom` run is timed
to see what its saving costs.  A few minutes on two cores; exit status 1 if a single byte differs.
"""

import math
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from contextlib import redirect_stderr
from pathlib import Path

import torch

from rdskd_lab.methods.rdskd import PRESETS
from rdskd_lab.runs import run_folder
from rdskd_lab.runs.config import Config, read_config
from rdskd_lab.runs.execute import execute
from rdskd_lab.runs.machine import machine

RESULTS = Path(__file__).resolve().parents[1] / "results"
KILLS = 32  # at least so many in all, the same number for each preset
MOST = 5  # kills of one run
STAGES = {"generator": 200, "student": 400}  # steps
SHORT = {"batch_size": 16, "width": 4, "student_batch_size": 16}
SHORT |= {"generator_steps": STAGES["generator"], "student_steps": STAGES["student"]}
SAVE_EVERY = 0.3  # seconds; ten times as often as in earnest, since the runs are so much shorter
NETS = "generator.safetensors", "student.safetensors"


def config(preset: str) -> Config:
    return Config(preset=preset, device="cpu", change=tuple((name, str(value)) for name, value in SHORT.items()))


def child(preset: str, out: Path, resume: bool, moment) -> None:
    """A run in a process of its own; `moment` is the number of steps that it has done, over both stages."""

    def told(steps, phase, first, total):
        before = 0 if phase == "synthesise" else STAGES["generator"]
        for step in steps:
            yield step
            moment.value = before + step.i + 1

    run_folder.SAVE_EVERY = SAVE_EVERY
    with open(os.devnull, "w") as quiet, redirect_stderr(quiet):  # so short a generator has collapsed, as a rule
        execute(read_config(out) if resume else config(preset), out, resume=resume, progress=told)


def run(preset: str, out: Path, kill_at: int | None = None, delay: float = 0.0) -> str:
    """Begin or go on; kill so many seconds after a step.  The stage in which it died, or "" if it came to its end."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["rdskd_lab.runs.execute", "torch._dynamo"])
    moment = context.Value("q", 0, lock=False)
    process = context.Process(target=child, args=(preset, out, (out / "config.json").exists(), moment))
    process.start()
    while kill_at is not None and moment.value < kill_at and process.is_alive():
        time.sleep(0.001)
    if kill_at is not None:
        time.sleep(delay)
        process.kill()
    process.join()
    if process.exitcode == -signal.SIGKILL:
        return "generator" if moment.value < STAGES["generator"] else "student"
    assert process.exitcode == 0, f"the run in {out} ended with status {process.exitcode}"
    return ""


def killed(preset: str, out: Path, rng: random.Random, most: int) -> list[str]:
    """One run, killed at up to `most` moments drawn at random, each later than the last, then let to its end."""
    kills, total = rng.randint(1, most), sum(STAGES.values())
    moments = sorted(rng.randrange(total) for _ in range(kills))
    died = []
    for step in moments:
        stage = run(preset, out, step, rng.uniform(0, 0.05))
        died += [stage] if stage else []
    run(preset, out)
    print(f"{preset}: killed at steps {', '.join(map(str, moments))} of {total}", flush=True)
    return died


def nets(out: Path) -> list[bytes]:
    return [(out / name).read_bytes() for name in NETS]


def trial(preset: str, base: Path, rng: random.Random) -> tuple[Counter, int, int]:
    """Kills by stage, the number of killed runs, and how many of these ended with the undisturbed run's weights."""
    straight = base / preset
    run(preset, straight)
    died, runs, same = Counter(), 0, 0
    while died.total() < math.ceil(KILLS / len(PRESETS)):
        out = base / f"{preset}-{runs}"
        died.update(killed(preset, out, rng, MOST))
        runs, same = runs + 1, same + (nets(out) == nets(straight))
    return died, runs, same


def cost_of_saving(out: Path) -> dict[str, float]:
    """Seconds of one whole `classroom` run, and those of them spent in saving."""
    spent, saves, save = 0.0, 0, run_folder.Folder.save

    def timed(self):
        nonlocal spent, saves
        start = time.perf_counter()
        save(self)
        spent, saves = spent + time.perf_counter() - start, saves + 1

    run_folder.Folder.save = timed
    try:
        total = execute(Config(device="cpu"), out)["seconds"]["total"]
    finally:
        run_folder.Folder.save = save
    return {"total": total, "spent": spent, "saves": saves, "share": spent / total}


def table(found: dict[str, tuple[Counter, int, int]]) -> list[str]:
    lines = ["| preset | runs | killed in the generator stage | in the student stage | ended with the same bytes |"]
    lines += ["|---|--:|--:|--:|--:|"]
    for preset, (died, runs, same) in found.items():
        lines += [f"| {preset} | {runs} | {died['generator']} | {died['student']} | {same} of {runs} |"]
    return lines


def main(seed: int = 0) -> None:
    rng, found = random.Random(seed), {}
    with tempfile.TemporaryDirectory() as base:
        for preset in PRESETS:
            found[preset] = trial(preset, Path(base), rng)
        cost = cost_of_saving(Path(base) / "whole")
    kills, every = sum(f[0].total() for f in found.values()), all(runs == same for _, runs, same in found.values())
    text = [
        "# Killed at random moments",
        "",
        f"`python benchmarks/kills.py {seed}`: {kills} times SIGKILL, each preset shortened to {STAGES['generator']} "
        f"generator and {STAGES['student']} student steps (`--set` {', '.join(f'{k}={v}' for k, v in SHORT.items())}), "
        f"saved every {SAVE_EVERY} s. {machine(torch.device('cpu'))}.",
        "",
        *table(found),
        "",
        f"`generator.safetensors` and `student.safetensors` {'are' if every else 'ARE NOT'} byte for byte those of the "
        "runs that nothing disturbed.",
        "",
        f"Cost of saving, over one whole `classroom` run of {cost['total']:.0f} s on the same machine: "
        f"{cost['saves']} saves, {cost['spent']:.2f} s together, {cost['share']:.2%} of the run.",
    ]
    (RESULTS / "kills.md").write_text("\n".join(text) + "\n")
    print("\n".join(text))
    sys.exit(not every)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
