"""Measure speed: `make bench` writes bench.csv and bench.md beside this file.  About a quarter of an hour on two cores.

Times of a shared machine drift, so whatever is compared is interleaved in one run, A B A B, and medians are quoted.
"The published way" is a flat loop of ours with the habits of the published code: two teacher calls a generator step,
teacher gradients computed and kept, default memory layout, plain upsampling, four reads of the record a step, and, in
the student stage, a graph through generator and teacher that nobody uses.
"""

import csv
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from itertools import count
from pathlib import Path

import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from rdskd_lab.batch import Batch, read
from rdskd_lab.distillation import Distillation
from rdskd_lab.generator import Generator
from rdskd_lab.methods.rdskd import PRESETS, rdskd
from rdskd_lab.networks.architectures import LeNet5, LeNet5Half
from rdskd_lab.networks.weights import SHIPPED, load_weights
from rdskd_lab.objective import Objective, Term
from rdskd_lab.runs.machine import machine
from rdskd_lab.torch_state import seeded
from rdskd_lab.training import descend

RESULTS = Path(__file__).resolve().parents[1] / "results"
PAPER = PRESETS["paper-mnist"]
ROWS: list[dict] = []


def note(group, what, value, unit, **more):
    """Keep one measured figure, and show it."""
    ROWS.append({"group": group, "what": what, "value": f"{value:.4g}", "unit": unit, "note": more.get("note", "")})
    print(*ROWS[-1].values(), sep=" | ", flush=True)


def teacher():
    return load_weights(LeNet5(), SHIPPED["lenet5"])


def distillation(settings, seed=0):
    return Distillation(teacher(), seeded(seed, LeNet5Half), rdskd(), settings, seed=seed)


def interleaved(ways: dict, rounds: int) -> dict[str, list[float]]:
    """Seconds of each call, the ways taking turns; the first round warms up and is not counted."""
    seconds = {name: [] for name in ways}
    for i in range(rounds + 1):
        for name, call in ways.items():
            start = time.perf_counter()
            call()
            if i:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def flops(call) -> float:
    with FlopCounterMode(display=False) as counter:
        call()
    return counter.get_total_flops()


# ---- the published way ----------------------------------------------------------------------------------------------


def published_generator(batch_size, width):
    net, source = teacher().eval(), seeded(0, Generator, width=width)
    optimizer, anchors = torch.optim.Adam(source.parameters(), PAPER.lr), (0.0, 0.0)

    def step():
        x = source(torch.randn(batch_size, PAPER.latent))
        x1, x2 = x.chunk(2)
        t1, t2 = net(x1), net(x2)
        logits = torch.cat([t1, t2])
        oh = F.cross_entropy(logits, logits.argmax(1))
        mean = logits.softmax(1).mean(0)
        ie = (mean * mean.log()).sum()
        ds = 1 / ((x2 - x1).norm() / (t2.softmax(1) - t1.softmax(1)).norm() + 1e-20)
        loss = (oh - anchors[0]).exp() + (ie - anchors[1]).exp() + ds
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return [value.item() for value in (oh, ie, ds, loss)]

    return step


def published_student(batch_size, width):
    net, source, student = teacher().eval(), seeded(0, Generator, width=width).eval(), seeded(0, LeNet5Half)
    optimizer = torch.optim.Adam(student.parameters(), PAPER.student_lr)

    def step():
        x = source(torch.randn(batch_size, PAPER.latent))
        t, s = net(x), student(x.detach())
        loss = F.kl_div((s / 10).log_softmax(1), (t.detach() / 10).softmax(1), reduction="batchmean") * 100
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


# ---- what is measured -----------------------------------------------------------------------------------------------


def matmul(n=2048):
    a = torch.randn(n, n)
    return lambda: a @ a


def iterations(rounds=9):
    """Generator and student iterations at paper-mnist, published and ours, beside a matrix product."""
    ours = distillation(replace(PAPER, generator_steps=10**6, student_steps=10**6)).synthesise()
    ways = {"published": published_generator(512, 128), "ours": lambda: next(ours), "matmul": matmul()}
    _table("generator iteration, paper-mnist", ways, rounds, published_flops=flops(ways["published"]))

    fresh = distillation(replace(PAPER, generator_steps=10**6, student_steps=10**6)).distill()
    pooled = distillation(replace(PAPER, generator_steps=20, pooled=True, student_steps=10**6))
    for _ in range(20):
        images, z = torch.randn(512, 1, 32, 32), None
        with torch.no_grad():
            pooled.pool.add(read(pooled.teacher, Batch(images, z=z)))
    pooled_steps = pooled.distill()
    ways = {
        "published": published_student(512, 128),
        "ours, fresh": lambda: next(fresh),
        "ours, pooled": lambda: next(pooled_steps),
        "matmul": matmul(),
    }
    _table("student iteration, paper-mnist", ways, rounds, published_flops=flops(ways["published"]))


def _table(group, ways, rounds, published_flops):
    seconds = interleaved(ways, rounds)
    product = 2 * 2048**3 / statistics.median(seconds.pop("matmul")) / 1e9
    note(group, "2048-cube matmul in the same run", product, "GFLOP/s")
    note(group, "operations of the published way", published_flops / 1e9, "GFLOP")
    for name, values in seconds.items():
        middle = statistics.median(values)
        note(group, name, 1e3 * middle, "ms", note=f"{1e3 * min(values):.0f} to {1e3 * max(values):.0f}")
        work = flops(ways[name]) / 1e9
        note(group, f"{name}: operations", work, "GFLOP")
        note(group, f"{name}: rate", work / middle, "GFLOP/s", note=f"{work / middle / product:.0%} of the matmul")
        if name != "published":
            ratios = [a / b for a, b in zip(seconds["published"], values, strict=True)]
            note(group, f"published / {name}", statistics.median(ratios), "x", note="median of pairs")


def growth(rounds=5):
    """How a generator iteration of ours grows with batch and width (classroom's other settings)."""
    base = replace(PRESETS["classroom"], generator_steps=200)
    for key, values in ("batch_size", (64, 128, 256, 512, 1024)), ("width", (8, 16, 32, 64, 128)):
        runs = {v: distillation(replace(base, **{key: v})).synthesise() for v in values}
        seconds = interleaved({v: (lambda s=s: next(s)) for v, s in runs.items()}, rounds)
        for value in values:
            note(f"generator iteration, {key}", f"{key} {value}", 1e3 * statistics.median(seconds[value]), "ms")


def record(rounds=200):
    """What the record of a step costs: a step of nothing but the record, and a row of the history."""
    weight = torch.nn.Parameter(torch.zeros(1))
    objective = Objective(**{name: Term(lambda b: weight.sum()) for name in ("oh", "ie", "ds")})
    batch = Batch(torch.zeros(2, 1, 1, 1))
    steps = descend((batch for _ in count()), objective, torch.optim.SGD([weight], 0.0))
    step = next(steps)
    seconds = interleaved({"empty step": lambda: next(steps), "row": step.row}, rounds)
    for name, values in seconds.items():
        note("record", name, 1e6 * statistics.median(values), "us")


def presets(names, seeds=(0, 1, 2)):
    """Whole runs through the command line: seconds, memory, accuracy on MNIST's official test set."""
    for name in names:
        found = []
        for seed in seeds:
            with tempfile.TemporaryDirectory() as folder:
                out = Path(folder) / "run"
                command = [
                    "distill",
                    "--preset",
                    name,
                    "--data",
                    "mnist",
                    "--seed",
                    str(seed),
                    "--out",
                    str(out),
                    "--device",
                    "cpu",
                ]
                subprocess.run([sys.executable, "-m", "rdskd_lab", *command], check=True, capture_output=True)
                found.append(json.loads((out / "result.json").read_text()))
            result, seconds = found[-1], found[-1]["seconds"]
            note(
                name,
                f"seed {seed}: accuracy",
                100 * result["student_accuracy"],
                "%",
                note=f"teacher {result['teacher_accuracy']:.2%}",
            )
            note(
                name,
                f"seed {seed}: time",
                seconds["total"],
                "s",
                note=f"generator {seconds['generator']:.0f}, student {seconds['student']:.0f}",
            )
            note(name, f"seed {seed}: peak memory", result["peak_rss_mb"], "MB")
        note(name, "median accuracy", 100 * statistics.median(r["student_accuracy"] for r in found), "%")
        note(name, "median time", statistics.median(r["seconds"]["total"] for r in found), "s")


def write():
    """bench.csv as measured, bench.md to read."""
    with open(RESULTS / "bench.csv", "w", newline="") as file:
        table = csv.DictWriter(file, ROWS[0], lineterminator="\n")
        table.writeheader()
        table.writerows(ROWS)
    lines = ["# Speed", "", "Written by `make bench` (benchmarks/bench.py); do not edit.", ""]
    lines += [
        f"Machine: {machine(torch.device('cpu'))}; torch {torch.__version__}, Python {platform.python_version()}.",
        "",
    ]
    for group in dict.fromkeys(row["group"] for row in ROWS):
        lines += [f"## {group}", "", "| what | value | unit | |", "|---|---:|---|---|"]
        lines += ["| {what} | {value} | {unit} | {note} |".format(**row) for row in ROWS if row["group"] == group] + [
            ""
        ]
    (RESULTS / "bench.md").write_text("\n".join(lines))


if __name__ == "__main__":
    parts = {
        "iterations": iterations,
        "growth": growth,
        "record": record,
        "presets": lambda: presets([name for name in PRESETS if not name.startswith("paper")]),
    }
    for part in sys.argv[1:] or parts:
        parts[part]()
    write()
