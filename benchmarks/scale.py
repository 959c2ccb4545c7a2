"""Estimate what a larger study would cost: `python benchmarks/scale.py` writes results/SCALE.md from stored tables.

Costs per run come from robustness.csv and accuracy.csv (`rdskd-lab study run`), an iteration of the published MNIST
schedule from bench.csv (`make bench`) and, on a GPU, from gpu.csv (`python benchmarks/gpu_steps.py`), the engine's own
cost from overhead.csv (`python benchmarks/overhead.py`).  What many GPUs would need is a formula, and the page says so.
"""

import csv
import math
import statistics
from pathlib import Path

import overhead

from rdskd_lab.methods.rdskd import PRESETS
from rdskd_lab.runs.compare import read_table
from rdskd_lab.studies.registry import STUDIES
from rdskd_lab.studies.scoreboard import span

RESULTS = Path(__file__).resolve().parents[1] / "results"


def cost_per_run(rows: list[dict]) -> list[tuple]:
    """(method, runs, mean, standard deviation, longest) in seconds of training, of runs that came to their end."""
    by: dict[str, list[float]] = {}
    for row in rows:
        if row["outcome"] == "finished":
            by.setdefault(row["method"], []).append(row["seconds"])
    spread = {method: statistics.stdev(s) if len(s) > 1 else 0.0 for method, s in by.items()}
    return [(method, len(s), statistics.mean(s), spread[method], max(s)) for method, s in by.items()]


def published_run(bench: list[dict]) -> float:
    """Seconds of one RDSKD run by its published MNIST schedule, from an iteration's measured time in ms."""
    ms = {(row["group"], row["what"]): float(row["value"]) for row in bench if row["unit"] == "ms"}
    steps = PRESETS["paper-mnist"]
    generator = ms["generator iteration, paper-mnist", "ours"]
    student = ms["student iteration, paper-mnist", "ours, fresh"]
    return (steps.generator_steps * generator + steps.student_steps * student) / 1000


def rates(gpu: list[dict]) -> dict[tuple[str, int], float]:
    """(kind of step, processes that share the GPU) -> steps a second of all of them together."""
    return {(row["what"], int(row["processes"])): float(row["value"]) for row in gpu if "second" in row["unit"]}


def on_gpu(gpu: list[dict]) -> dict[int, float]:
    """Seconds of that run on a GPU which so many processes share, one run each, by each stage's measured rate."""
    rate, steps = rates(gpu), PRESETS["paper-mnist"]
    stages = {"paper-mnist generator": steps.generator_steps, "paper-mnist student": steps.student_steps}
    shared = sorted({n for _, n in rate})
    return {n: n * sum(many / rate[stage, n] for stage, many in stages.items()) for n in shared}


def hours(runs: int, seconds: float, at_once: int = 1) -> float:
    """Hours for equal runs of so many seconds each, some of them at once: whole rounds."""
    return math.ceil(runs / at_once) * seconds / 3600


def duration(h: float) -> str:
    """A time of so many hours in words, two digits."""
    for unit, size in (("min", 1 / 60), ("h", 1), ("days", 24), ("years", 24 * 365)):
        value = float(f"{h / size:.2g}")
        if unit == "years" or value < {"min": 100, "h": 72, "days": 730}[unit]:
            return f"{value:g} {unit}"
    raise AssertionError


def costs(tables: dict[str, list[dict]]) -> list[str]:
    """The measured part, as Markdown."""
    lines = []
    for name, rows in tables.items():
        total, machines = sum(row["seconds"] for row in rows), sorted({row["machine"] for row in rows})
        steps = f"{span(rows, 'generator_steps')} generator and {span(rows, 'student_steps')} student steps"
        took = f"{duration(total / 3600)} of training in all; each worker: {', '.join(machines)}."
        lines += ["", f"**{name}**: {len(rows)} runs of {steps}, {took}", ""]
        lines += ["| method | runs | mean, s | sd, s | longest, s |", "|---|--:|--:|--:|--:|"]
        lines += [f"| {m} | {n} | {mean:.1f} | {sd:.1f} | {most:.1f} |" for m, n, mean, sd, most in cost_per_run(rows)]
    return lines


def grid(runs: int, seconds: float, gpu: dict[int, float]) -> list[str]:
    """The table of what `runs` runs take: on two cores, and on GPUs that one or more processes share."""
    lines = ["| | one run | all runs | |", "|---|--:|--:|---|"]
    lines.append(f"| two cores | {duration(seconds / 3600)} | {duration(hours(runs, seconds))} | pace measured |")
    for gpus, told in (1, "pace measured"), (64, "64 times that pace, assumed"):
        for n, took in gpu.items():
            what = f"{gpus} GPU{'s' * (gpus > 1)}, {n} run{'s' * (n > 1)} at once on each"
            lines.append(f"| {what} | {duration(took / 3600)} | {duration(hours(runs, took, gpus * n))} | {told} |")
    return lines


def engine() -> str:
    """What overhead.csv says."""
    said = "; ".join(overhead.sentences(list(csv.DictReader((RESULTS / "overhead.csv").open(newline="")))))
    return f"The engine's own cost (`overhead.csv`, medians, least to most): {said}."


def page(tables: dict[str, list[dict]], bench: list[dict], gpu: list[dict]) -> str:
    """SCALE.md."""
    steps, one, shared = PRESETS["paper-mnist"], published_run(bench), on_gpu(gpu)
    rate = rates(gpu)
    gain = {what: max(v for (w, _), v in rate.items() if w == what) / rate[what, 1] for what, _ in rate}
    runs = sum(len(STUDIES[name].trials()) for name in ("robustness", "accuracy"))
    return WORDS.format(
        costs="\n".join(costs(tables)),
        engine=engine(),
        runs=runs,
        one=duration(one / 3600),
        steps=steps,
        grid="\n".join(grid(runs, one, shared)),
        rounds=math.ceil(runs / 64),
        most=max(shared),
        gpu=next(row["machine"] for row in gpu if "second" in row["unit"]),
        gain=gain,
        faster=one / shared[1],
    )


WORDS = """# Plan for scale

Generated by `python benchmarks/scale.py`; do not edit. Measured: seconds on CPU cores, and steps a second on one GPU
(`gpu.csv`). **We had no cluster and no second GPU: what is said about them is a formula or a plan, not run.**

## What a run costs here
{costs}

Seconds are those of training; each run also loads its data and measures its images. {engine} Planning 10,000 runs
takes under 2 s of CPU time and little memory (`tests/studies/test_engine.py`).

## The full grid at the published schedule

We have not read the body of the paper, so we do not know its grid. Assumed: our robustness and accuracy studies,
{runs} runs, each as expensive as RDSKD's published MNIST schedule ({steps.generator_steps:,} generator and {steps.student_steps:,} student
steps of {steps.batch_size} images), which takes {one} on two cores, computed from the time of an iteration in `bench.csv`. It was
not run. Other methods have other schedules, and colour images cost several times as much: a lower bound.

    hours = ceil(runs / runs at once) x seconds of a run / 3600

{grid}

The GPU is an {gpu}, {faster:.0f} times as fast as two cores at this schedule with one run on it. None of these grids was
run; what was (`gpu_runs.csv`) is the schedule's generator stage with 10,000 of its student steps, three seeds.

## What limits what

* **Two cores**: arithmetic. A run needs about 1 GB and shares nothing with others, so each core gets a worker.
* **One GPU**: at the published width arithmetic too: {most} processes together do {gain[paper-mnist student]:.1f} times as many student
  steps as one. At `classroom`'s width a step consists of many short kernels that Python starts one by one, so a GPU is
  only a few times as fast as one core, but {most} workers on it do {gain[classroom generator]:.1f} times as many steps as one.
* **64 GPUs**: the number of runs, and the longest of them. {runs} runs are {rounds} rounds of 64, and the last round
  waits for the slowest. The scheduler handles a few messages per run. `--out` must be on a disk that all workers share.
* **Everywhere**: preset and device decide the results of a study, so give each its own `--out`.

## How it starts on a cluster

Use Dask's own deployments; a study only needs the scheduler's address. Give each worker one thread, so that it does
one run at a time, and set `DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES=20` where the scheduler starts, so that it
tolerates lost workers as the local one does. Workers that join later get runs too.

Slurm, with [dask-jobqueue](https://jobqueue.dask.org); for GPUs also `job_extra_directives=["--gres=gpu:1"]`:

    from dask_jobqueue import SLURMCluster
    cluster = SLURMCluster(cores=1, processes=1, memory="4GB", walltime="08:00:00", queue="QUEUE", account="ACCOUNT",
                           job_script_prologue=["export OMP_NUM_THREADS=1"])
    cluster.scale(jobs=64)
    print(cluster.scheduler_address)

Kubernetes, with [Dask's operator](https://kubernetes.dask.org), an image that holds this package in the same version,
and a shared volume for `--out` in the workers' pods (through `make_cluster_spec`):

    helm install --repo https://helm.dask.org --create-namespace -n dask-operator --generate-name \\
        dask-kubernetes-operator

    from dask_kubernetes.operator import KubeCluster
    cluster = KubeCluster(name="rdskd", image="IMAGE", n_workers=64, env={{"OMP_NUM_THREADS": "1"}},
                          worker_command=["dask-worker", "--nthreads", "1"])
    print(cluster.scheduler_address)

Then, anywhere, the study as it was run here, and below it at the published schedule on GPUs (a test plans it; not run):

    rdskd-lab study run robustness --out /shared/studies --scheduler tcp://HOST:PORT
    rdskd-lab study run robustness --out /shared/paper --scheduler tcp://HOST:PORT --preset paper-mnist --device cuda

A job that ends at its wall time is a lost worker: another worker resumes its run from the last save.

## What one run over several GPUs would need

Each rank generates its share of the batch. The mean of the ranks' gradients is right only for a loss that is a mean over
images. So these quantities must be reduced over all ranks first, by a reduction through which gradients flow:

| what | reduced | why |
|---|---|---|
| one-hot loss | its mean, **before the exponential** | the exp of a mean is not the mean of exps: each rank would have its own gain |
| class diversity | the K mean probabilities, before m ln m | else each rank alone has to show all classes |
| inter-sample diversity | both sums of squares, before root and quotient | its norms run over half a batch |
| BatchNorm of generator and student | each channel's sum, squares, count | `torch.nn.SyncBatchNorm`; the last sets the images' scale |
| the teacher's BatchNorm statistics (DeepInversion) | the same, before its norms | they are compared with those of the data |
| total variation, norm of images (DeepInversion) | sums of squares, before the root | norms over the whole batch |
| mode seeking (MSKD) | both means, before the quotient | a quotient of means |

Anchors then agree on all ranks, since they are reduced values. `tests/benchmarks/test_scale.py` shows the first two in
numbers.
"""  # noqa: E501 (rows of a table cannot be wrapped)


def main() -> None:
    """Write the page from what is stored."""
    stored = [RESULTS / f"{name}.csv" for name in ("robustness", "accuracy")]
    tables = {path.stem: read_table(path) for path in stored if path.exists()}
    if not tables:
        raise SystemExit("there is no robustness.csv or accuracy.csv here; make one: rdskd-lab study run robustness")
    bench, gpu = (list(csv.DictReader((RESULTS / name).open(newline=""))) for name in ("bench.csv", "gpu.csv"))
    (RESULTS / "SCALE.md").write_text(page(tables, bench, gpu))
    print(RESULTS / "SCALE.md")


if __name__ == "__main__":
    main()
