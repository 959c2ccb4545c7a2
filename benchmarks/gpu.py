"""All that is worth doing on a GPU that is there for ten minutes: `python benchmarks/gpu.py`.  Not run on one so far.

    python benchmarks/gpu.py --minutes 10          the jobs below, the most valuable first, as many as fit
    python benchmarks/gpu.py --list                which there are, how long each should take, and how far each is
    python benchmarks/gpu.py --tiny --out FOLDER   a rehearsal on the CPU: every job, with sizes of a few steps

Each finished job is a row of results/gpu_log.csv and is not done again; one that was cut or failed is, and a run among
them goes on where it was.  What a job printed is in runs/gpu/JOB.log.  `paper-mnist` is the published MNIST schedule.
CIFAR-10's teacher is trained first, by a job of its own; CIFAR-10 and MNIST lie where RDSKD_DATA says.
"""

import argparse
import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch

from rdskd_lab.runs.compare import append_row
from rdskd_lab.runs.machine import machine

TOP = Path(__file__).resolve().parents[1]
PYTHON = sys.executable
NOTEBOOK = """
import sys, nbformat
from nbclient import NotebookClient
book = nbformat.read(sys.argv[1], 4)
NotebookClient(book, timeout=600, resources={"metadata": {"path": sys.argv[2]}}).execute()
print(*(o.text for c in book.cells for o in c.get("outputs", []) if o.get("name") == "stdout"), sep="")
"""


class Job(NamedTuple):
    """One thing to do: a command, and how to say in a few words what it found."""

    name: str
    seconds: int  # a guess for an H100 or H200; a job that would not end in time is not begun
    command: list[str]
    found: Callable[[str, Path], str]  # of what it printed, and of its folder
    after: str = ""  # the job that must be done before


def tests(printed: str, out: Path) -> str:
    """Name what failed, and count the rest."""
    failed = re.findall(r"^(?:FAILED|ERROR) (\S+)", printed, re.M)
    last = next(
        (line for line in reversed(printed.splitlines()) if re.search(r"\d+ (passed|failed|skipped)", line)), ""
    )
    return " ".join([last.strip("= "), *failed])


def last_lines(printed: str, out: Path) -> str:
    """Quote what was printed last."""
    return " | ".join(printed.strip().splitlines()[-3:])


def accuracy(printed: str, out: Path) -> str:
    """Say what a run's student and teacher read rightly, and how long it took."""
    found = json.loads((out / "result.json").read_text())
    return (
        f"student {found['student_accuracy']:.4f}, teacher {found['teacher_accuracy']:.4f} of {found['test_images']:,} "
        f"images, {found['seconds']['total']:.0f} s of training on {found['machine']}"
    )


def jobs(out: Path, tiny: bool) -> list[Job]:
    """List all jobs, the most valuable first."""
    device = "cpu" if tiny else "cuda"

    def run(name: str, seconds: int, *words: str, steps: tuple[int, int] | None = None, after: str = "") -> Job:
        given = ["--device", device, "--out", str(out / name)]
        if tiny:
            steps = (2, 2)
            given += ["--set", "batch_size=8", "--set", "student_batch_size=8", "--set", "width=4"]
        if steps:
            given += ["--set", f"generator_steps={steps[0]}", "--set", f"student_steps={steps[1]}"]
        return Job(name, seconds, [PYTHON, "-m", "rdskd_lab", "distill", *words, *given], accuracy, after)

    def pytest(name: str, seconds: int, marks: str, few: str) -> Job:
        where = [few] if tiny else []
        more = ["--deselect", "tests/browser"] if not tiny else []
        command = [PYTHON, "-m", "pytest", "-q", "-rfE", "-p", "no:cacheprovider", "-m", marks, *where, *more]
        return Job(name, seconds, command, tests)

    def script(name: str, seconds: int, *words: str) -> Job:
        return Job(name, seconds, [PYTHON, *words], last_lines)

    def notebook(name: str, seconds: int) -> Job:
        (path,) = (TOP / "notebooks").glob(f"{name}_*.ipynb")
        return script(f"notebook-{name}", seconds, "-c", NOTEBOOK, str(path), str(out))

    def mnist(seed: int) -> Job:
        data = ("digits", "lenet5") if tiny else ("mnist", "lenet5")
        words = ("--preset", "paper-mnist", "--data", data[0], "--teacher", data[1], "--seed", str(seed))
        return run(f"paper-mnist-{seed}", 300, *words)

    weights = out / "wrn-16-2.safetensors"

    def cifar(method: str) -> Job:
        words = ["--data", "cifar10", "--teacher", "wrn-16-2", "--weights", str(weights), "--preset", "small-cifar10"]
        return run(
            f"cifar10-{method}", 420, "--method", method, "--seed", "0", *words, steps=(20_000, 40_000), after="teacher"
        )

    network, epochs = ("lenet5", "1") if tiny else ("wrn-16-2", "24")
    train = ["-m", "rdskd_lab", "train-teacher", "--network", network, "--data", "digits" if tiny else "cifar10"]
    quick = ["--steps", "2"] if tiny else []
    book = notebook("00", 60), notebook("09", 60)
    listed = [
        pytest("tests-gpu", 60, "gpu", "tests/networks/test_registry.py"),
        script("levers", 60, "benchmarks/gpu_steps.py", "--levers", "--device", device, *quick),
        mnist(0),
        pytest("tests-fast", 240, "not slow and not measure and not browser", "tests/test_generator.py"),
        script("lab", 30, "benchmarks/lab_speed.py", *(["1", "2"] if tiny else [])),
        *([] if tiny else book),
        script("teacher", 120, *train, "--epochs", epochs, "--seed", "0", "--device", device, "--out", str(weights)),
        *([] if tiny else [cifar("rdskd+bn"), cifar("rdskd")]),
        mnist(1),
        mnist(2),
        script("steps", 90, "benchmarks/gpu_steps.py", *(["--help"] if tiny else [])),
        script("svhn", 600, "benchmarks/colour/suite.py", *(["--list"] if tiny else [])),
    ]
    return listed


def rows(log: Path) -> list[dict]:
    """Return what the log has."""
    return list(csv.DictReader(log.open())) if log.exists() else []


def do(job: Job, out: Path, log: Path, most: float) -> bool:
    """Do a job, for at most so many seconds, and log what came of it; return whether it was done."""
    command, printed = list(job.command), out / f"{job.name}.log"
    if "distill" in command and (out / job.name / "checkpoint.pt").exists():
        command = [PYTHON, "-m", "rdskd_lab", "distill", "--out", str(out / job.name), "--resume"]
    seen = os.environ | {"PYTHONPATH": str(TOP), "RDSKD_GPU_IN_SIGHT": "1", "PYTHONUNBUFFERED": "1"}
    begun = time.monotonic()
    with printed.open("w") as file:
        process = subprocess.Popen(command, cwd=TOP, stdout=file, stderr=subprocess.STDOUT, env=seen)
        try:
            code = process.wait(most)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)  # a run saves its state
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            code = None
    text = printed.read_text(errors="replace")
    ended = {None: "cut", 0: "done"}.get(code, "failed")
    if ended == "failed" and job.found is tests and re.search(r"\d+ passed", text):
        ended = "done"  # tests that failed are what was to be found out
    said = job.found(text, out / job.name) if ended == "done" else last_lines(text, out)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    row = dict(
        job=job.name, ended=ended, seconds=f"{time.monotonic() - begun:.1f}", found=" ".join(said.split())[:2000]
    )
    row |= dict(machine=machine(device), torch=torch.__version__, when=time.strftime("%Y-%m-%d %H:%M"))
    append_row(log, row)
    print(*row.values(), sep=" | ", flush=True)
    return ended == "done"


def main(words: list[str]) -> None:
    """Do what is left and fits."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long the machine is there")
    parser.add_argument("--list", action="store_true", help="list the jobs")
    parser.add_argument("--tiny", action="store_true", help="rehearse on the CPU")
    parser.add_argument("--out", type=Path, default=TOP / "runs" / "gpu", help="where runs and what is printed go")
    asked = parser.parse_args(words)
    log = asked.out / "gpu_log.csv" if asked.tiny else TOP / "results" / "gpu_log.csv"
    asked.out = asked.out.absolute()
    end, done = time.monotonic() + 60 * asked.minutes, {r["job"] for r in rows(log) if r["ended"] == "done"}
    listed = jobs(asked.out, asked.tiny)
    if asked.list:
        for job in listed:
            print(f"{job.name:18} about {job.seconds:4} s   {'done' if job.name in done else 'to do'}")
        return
    if not (asked.tiny or torch.cuda.is_available()):
        raise SystemExit("this machine has no CUDA GPU; rehearse with --tiny --out FOLDER")
    asked.out.mkdir(parents=True, exist_ok=True)
    for job in listed:
        left = end - time.monotonic()
        if job.name in done or (job.after and job.after not in done):
            continue
        if left < (10 if asked.tiny else max(20, job.seconds / 2)):
            print(f"{job.name}: not begun, {left:.0f} s are left")
        elif do(job, asked.out, log, left):
            done.add(job.name)


if __name__ == "__main__":
    main(sys.argv[1:])
