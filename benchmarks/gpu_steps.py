"""Measure steps on a GPU: `python benchmarks/gpu_steps.py` writes gpu.csv into results/, in a minute or two.

How long one step takes with the GPU to itself and, in the same run, on this machine's CPU with one thread; then how
many steps several equal processes that share the GPU do together.  Every step ends by reading its record, so the time
of a step is that of the GPU and of Python together.
"""

import argparse
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path

import torch

from rdskd_lab.distillation import Distillation
from rdskd_lab.methods.rdskd import PRESETS, rdskd
from rdskd_lab.networks.architectures import LeNet5, LeNet5Half
from rdskd_lab.networks.weights import SHIPPED, load_weights
from rdskd_lab.runs.compare import as_csv
from rdskd_lab.runs.machine import machine
from rdskd_lab.torch_state import seeded

TABLE = Path(__file__).resolve().parents[1] / "results" / "gpu.csv"
LEVERS = "none", "tf32", "cudnn search", "bfloat16", "compile"
STEPS = "paper-mnist generator", "paper-mnist student", "classroom generator"  # a preset and whose step
SHARED = (1, 4, 8)  # processes at once
START, WINDOW = 20.0, 3.0  # seconds until all processes have to be ready, and that they are counted for


def steps(what: str, device: str, lever: str = "none"):
    """An endless run's steps of one kind; endless, so it cannot keep a pool of its images."""
    preset, whose = what.split()
    stage = {"generator": "synthesise", "student": "distill"}[whose]
    settings = replace(PRESETS[preset], generator_steps=10**6, student_steps=10**6, pooled=False)
    teacher, student = load_weights(LeNet5(), SHIPPED["lenet5"]), seeded(0, LeNet5Half)
    run = Distillation(teacher, student, rdskd(), settings, device=device)
    for net in (run.teacher, run.student, run.source):
        if lever == "compile":
            net.compile()
        if lever == "bfloat16":
            net.forward = torch.autocast(run.device.type, torch.bfloat16)(net.forward)
    return getattr(run, stage)()


@contextmanager
def pulled(lever: str):
    """Inside: what a lever sets for the whole process."""
    matmul, search = torch.get_float32_matmul_precision(), torch.backends.cudnn.benchmark
    allowed = torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("high" if lever == "tf32" else matmul)
    torch.backends.cudnn.allow_tf32 = lever == "tf32"  # torch allows it in convolutions unless told otherwise
    torch.backends.cudnn.benchmark = lever == "cudnn search"
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(matmul)
        torch.backends.cudnn.benchmark, torch.backends.cudnn.allow_tf32 = search, allowed


def pace(what: str, device: str, n: int, lever: str = "none") -> list[float]:
    """Seconds of each of `n` steps, after a few that warm up."""
    run, seconds = steps(what, device, lever), []
    for _ in islice(run, max(2, n // 10)):
        pass
    for _ in range(n):
        begun = time.perf_counter()
        next(run)
        seconds.append(time.perf_counter() - begun)
    return seconds


def alone() -> list[dict]:
    """A step on the GPU and on the CPU."""
    rows = []
    for what in STEPS:
        for device, n in ("cuda", 300), ("cpu", 4 if what.startswith("paper") else 40):
            took = [1e3 * s for s in pace(what, device, n)]
            note = f"{min(took):.3g} to {max(took):.3g}, n = {n}"
            rows.append(row(what, 1, statistics.median(took), "ms a step", note, device))
    return rows


def levers(device: str, n: int) -> list[dict]:
    """A step with each lever, and the loss that it ends at: faster must not mean wrong."""
    rows = []
    for what in STEPS if device != "cpu" else STEPS[-1:]:  # the others take a CPU long
        for lever in LEVERS if device != "cpu" else LEVERS[:-1]:
            with pulled(lever):
                try:
                    took = [1e3 * s for s in pace(what, device, n, lever)]
                    note = f"{min(took):.3g} to {max(took):.3g}, n = {n}"
                    rows.append(row(f"{what}, {lever}", 1, statistics.median(took), "ms a step", note, device))
                except Exception as error:  # of the libraries: the other levers are still worth measuring
                    rows.append(row(f"{what}, {lever}", 1, float("nan"), "ms a step", type(error).__name__, device))
            print(*rows[-1].values(), sep=" | ", flush=True)
    return rows


def row(what: str, processes: int, value: float, unit: str, note: str, device: str) -> dict:
    """A row of the table."""
    said = dict(what=what, processes=processes, value=f"{value:.4g}", unit=unit, note=note)
    return said | {"machine": machine(torch.device(device)), "torch": torch.__version__}


def work(rank: int, begin: float) -> None:
    """One of the processes that share the GPU: count steps in the windows that it takes part in, and print them."""
    windows = [(what, n) for what in STEPS for n in SHARED]
    runs = {what: steps(what, "cuda") for what in STEPS}
    for run in runs.values():
        next(run), next(run)
    late = time.time() - begin
    if late > 0:
        raise SystemExit(f"process {rank} was ready {late:.0f} s late; raise START")
    for i, (what, n) in enumerate(windows):
        opens = begin + i * (WINDOW + 1)
        if rank < n:
            time.sleep(max(0.0, opens - time.time()))
            done = 0
            while time.time() < opens + WINDOW:
                next(runs[what])
                done += 1
            print(what, n, done, sep=",", flush=True)


def shared() -> list[dict]:
    """Steps a second of several processes together."""
    begin = time.time() + START
    command = [sys.executable, __file__, "--begin", str(begin), "--rank"]
    commands = ([*command, str(rank)] for rank in range(max(SHARED)))
    processes = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for words in commands]
    lines = [line for process in processes for line in process.communicate()[0].split("\n") if line]
    if any(process.returncode for process in processes):
        raise SystemExit("a process that shares the GPU failed; what it said stands above")
    total: dict[tuple[str, int], int] = {}
    for what, n, done in (line.split(",") for line in lines):
        total[what, int(n)] = total.get((what, int(n)), 0) + int(done)
    unit = "steps a second, all together"
    return [row(what, n, done / WINDOW, unit, "", "cuda") for (what, n), done in sorted(total.items())]


def main(words: list[str]) -> None:
    """Measure all and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rank", type=int, help="count steps beside others and exit: for the script itself")
    parser.add_argument("--begin", type=float, help="with --rank: when, in seconds since the epoch")
    parser.add_argument("--levers", action="store_true", help="measure the ways to be faster")
    parser.add_argument("--device", default="cuda", help="with --levers: where")
    parser.add_argument("--steps", type=int, default=300, help="with --levers: of how many the median is taken")
    asked = parser.parse_args(words)
    if asked.levers and asked.device == "cpu":
        torch.set_num_threads(1)
        levers("cpu", asked.steps)
        return
    if not torch.cuda.is_available():
        raise SystemExit("this machine has no CUDA GPU: there is nothing to measure")
    torch.set_num_threads(1)
    if asked.rank is not None:
        return work(asked.rank, asked.begin)
    if asked.levers:
        rows = levers(asked.device, asked.steps)
        TABLE.with_name("gpu_levers.csv").write_bytes(as_csv(rows, rows[0]))
        return
    rows = [*alone(), *shared()]
    TABLE.write_bytes(as_csv(rows, rows[0]))
    for one in rows:
        print(*one.values(), sep=" | ")


if __name__ == "__main__":
    main(sys.argv[1:])
