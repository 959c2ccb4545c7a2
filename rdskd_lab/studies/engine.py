"""Grids of runs that answer a question: planned at once, done in any order by any number of workers, kept for good.

    OUT/done/KEY.json      one finished trial as a row; KEY is a hash of all that decides it, so it is never done twice
    OUT/doing/KEY/         a trial that is being done, an ordinary run's folder; gone when the row is there
    OUT/NAME.csv           the study's rows in the order of its plan
    OUT/NAME_curves.csv    what was measured at each step, of the default setting and the first seed, if that was kept

Dask distributes the trials: over processes of this machine, or over the workers of any scheduler, by its address.  A
worker that is lost costs the work since its last save: another one goes on in the same folder.  What is asked, and
what the rows say, stands in `claims`.
"""

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from pathlib import Path

from .. import __version__
from ..evaluation.image_quality import Probe, fluctuation, of_last
from ..networks.registry import weights_of
from ..networks.weights import fingerprint, write_whole
from ..runs.compare import as_csv, look, row
from ..runs.config import Config, resolve
from ..runs.execute import execute, prepare
from ..runs.machine import machine, usable_cores
from ..runs.run_folder import RunError, read_json

FORMAT = 1  # of a row; part of its key
LOST = 20  # workers that may be lost under one trial before it is given up

# ---- one trial -------------------------------------------------------------------------------------------------------


def taught(config: Config, place: Path) -> dict:
    """A whole run: how good its student is, what it learned from, and what its last generator paints (`final_`)."""
    try:
        found = execute(config, place, resume=(place / "config.json").exists(), also=_looked_at)
    except FloatingPointError as error:  # the guard stopped it: an outcome like others
        return {"outcome": str(error)}
    wanted = "student_accuracy agreement classes entropy distance feature_distance teacher_fid seconds"
    seen, final = row(place), {name: value for name, value in found.items() if name.startswith("final_")}
    return {"outcome": "finished", **{name: seen[name] for name in wanted.split()}, **final}


def _looked_at(run, test) -> dict:
    return look(run, test) | of_last(run, test.normalise(test.images[:10_000]))


def fluctuating(config: Config, place: Path) -> dict:
    """The generator's stage alone: how its terms rise from step to step, on a fixed probe and on training batches."""
    return _watched(prepare(config)[0])


def fluctuating_undamped(config: Config, place: Path) -> dict:
    """The same without damping, each damped term weighed by the mean gain that damping gave it with this seed."""
    damped, run = prepare(config)[0], prepare(config)[0]
    names = [name for name, term in damped.objective.items() if term.damped]
    total = dict.fromkeys(names, 0.0)
    try:
        for step in damped.synthesise():
            for name in names:
                total[name] += step.gain[name] / resolve(config).settings.generator_steps
    except FloatingPointError as error:
        return {"outcome": f"its damped run: {error}"}
    for name in names:
        run.objective[name].damped = False
        run.objective[name].weight *= total[name]
    return _watched(run) | {f"{name}_weight": run.objective[name].weight for name in names}


def _watched(run, n: int = 128) -> dict:
    """Mean positive increment of every term per step: on `n` fixed latents (_probe), on the batches of training
    (_batches), and, the noise floors, on fresh latents with the generator frozen at its end: `n` of them (_floor), and
    as many as a batch of training has (_batch_floor).

    "curves" are the terms themselves, step by step, as (term)_batches and (term)_probe.
    """
    probe, begun = Probe(run.teacher, run.generator, run.objective, n, seed=10_000 + run.seed), time.perf_counter()
    seen, batches, gains = [probe.measure()], [], []
    try:
        for step in run.synthesise():
            seen.append(probe.measure()), batches.append(step.raw), gains.append(step.gain)
    except FloatingPointError as error:
        return {"outcome": str(error)}
    seconds, found, curves = time.perf_counter() - begun, {"outcome": "finished"}, {}
    floor = probe.floor()
    batch = Probe(run.teacher, run.generator, run.objective, run.settings.batch_size, seed=20_000 + run.seed).floor()
    for name in run.objective:
        values = [s[name] for s in seen]
        curves |= {f"{name}_batches": [b[name] for b in batches], f"{name}_probe": values[1:]}  # after each step
        found |= {
            f"{name}_probe": fluctuation(values), f"{name}_early": fluctuation(values[: max(2, len(values) // 4)]),
            f"{name}_batches": fluctuation([b[name] for b in batches]), f"{name}_floor": floor[name],
            f"{name}_batch_floor": batch[name], f"{name}_last": values[-1],
            f"{name}_gain": sum(g[name] for g in gains) / len(gains),
        }  # fmt: skip
    curves = {name: [float(f"{value:.5g}") for value in values] for name, values in curves.items()}
    return found | {"seconds": seconds, "curves": curves}


@dataclass(frozen=True)
class Trial:
    """One point of a grid: a run, what differs in it, and what is measured."""

    config: Config
    setting: str = "default"  # what differs, in words that the table shows: "lr x 4"
    measure: Callable[[Config, Path], dict] = taught

    @cached_property
    def key(self) -> str:
        """A hash of all that decides the outcome: 16 hexadecimal digits."""
        facts = asdict(self.config) | {"settings": asdict(resolve(self.config).settings)}
        facts["measure"] = self.measure.__name__
        facts |= {"format": FORMAT, "version": __version__}
        facts["weights"] = _bytes_of(weights_of(self.config.teacher, self.config.weights))
        for name in "device", "budget", "preset", "change":  # they decide nothing that the settings do not say
            del facts[name]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


@cache  # a plan asks for the same few files again and again
def _bytes_of(weights: str | None) -> str:
    return fingerprint(weights) if weights else ""


def do(trial: Trial, out: str) -> str:
    """Do a trial unless its row is there; what a worker is sent.  Returns its key."""
    out, key = Path(out), trial.key
    target, place = out / "done" / f"{key}.json", out / "doing" / key
    if not target.exists():
        begun = time.perf_counter()
        place.mkdir(parents=True, exist_ok=True)
        found = trial.measure(trial.config, place)
        found = {"seconds": time.perf_counter() - begun} | found | {"machine": machine_here()}
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(target, (json.dumps(found) + "\n").encode())
    shutil.rmtree(place, ignore_errors=True)
    return key


def machine_here() -> str:
    """This machine's kind and threads, as a row tells it."""
    import torch

    return machine(torch.device("cpu"))


# ---- a study ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Study:
    """A question and the grid of trials that answers it."""

    name: str
    question: str
    trials: Callable[[], list[Trial]]


def left(trials: list[Trial], out: Path) -> list[Trial]:
    """Those without a row, each once."""
    done = {path.stem for path in (out / "done").glob("*.json")} if (out / "done").is_dir() else set()
    return list({t.key: t for t in trials if t.key not in done}.values())


def run(study: Study, out: Path, *, scheduler: str = "", workers: int = 0, minutes: float = 0.0) -> Iterator[str]:
    """Do what is left of a study, telling how it goes; then write its table.

    `scheduler` is a Dask scheduler's address, as tcp://HOST:PORT; "" starts `workers` processes here (0: one a core).
    After `minutes` (0: never) no further trial is begun; the same call later does the rest.
    """
    out, begun = Path(out).absolute(), time.perf_counter()
    out.mkdir(parents=True, exist_ok=True)
    trials = study.trials()
    todo, failed = left(trials, out), []
    yield f"{study.name}: {len(trials)} trials, {len(trials) - len(todo)} of them done before"
    if todo:
        with _client(scheduler, workers) as client:
            yield f"dashboard: {client.dashboard_link}"
            late = (lambda: time.perf_counter() - begun > 60 * minutes) if minutes else (lambda: False)
            for n, (trial, error) in enumerate(_done(client, todo, str(out), late), 1):
                rate = n / (time.perf_counter() - begun)
                rest = (len(todo) - n) / rate / 60
                name = f"{trial.config.method} {trial.setting} seed {trial.config.seed}"
                failed += [f"{name}: {error}"] if error else []
                yield (f"{n} of {len(todo)}  {name}  " + f"failed: {error}  " * bool(error)
                       + f"{60 * rate:.1f} a minute, about {rest:.0f} min left")  # fmt: skip
    yield f"table: {write_table(study, out)}"
    if path := write_curves(study, out):
        yield f"curves: {path}"
    if failed:
        raise RunError(f"{len(failed)} trials failed and have no row; the same command tries them again. The first: "
                       f"{failed[0]}")  # fmt: skip


def _done(client, todo: list[Trial], out: str, late: Callable[[], bool]) -> Iterator[tuple[Trial, Exception | None]]:
    """The trials as they end, and what went wrong; a few more than there are workers are out at any time."""
    from distributed import as_completed
    from distributed.scheduler import KilledWorker

    trials = {trial.key: trial for trial in todo}
    queue = iter(todo)

    def submit(trial: Trial):
        return client.submit(do, trial, out, key=f"trial-{trial.key}", pure=False)

    def room() -> int:  # asked every time, since a cluster's workers come and go
        return max(2, 2 * len(client.scheduler_info(n_workers=-1)["workers"]))

    pending = as_completed([submit(trial) for _, trial in zip(range(room()), queue, strict=False)])
    for future in pending:
        error = future.exception()
        if isinstance(error, KilledWorker):
            raise RunError(f"{LOST} workers were lost under one trial ({error}); look at their memory, then go on with "
                           "the same command") from error  # fmt: skip
        yield trials[future.key.removeprefix("trial-")], error
        while pending.count() < room() and not late() and (trial := next(queue, None)):
            pending.add(submit(trial))


def _client(scheduler: str, workers: int):
    """A Dask client: of a scheduler by its address, or of processes of this machine that share its cores evenly."""
    try:
        import dask
        from distributed import Client
    except ImportError as error:
        raise ImportError("studies need Dask: pip install 'rdskd-lab[studies]'") from error
    if scheduler:
        try:
            return Client(scheduler, timeout=10)
        except (OSError, ValueError, TimeoutError) as error:
            raise RunError(
                f"no Dask scheduler answers at {scheduler!r} ({error}); start one: dask scheduler"
            ) from error
    cores = max(1, int(usable_cores()))
    workers = workers or cores
    threads = str(max(1, cores // workers))
    pinned = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), threads)
    dask.config.set({"distributed.nanny.pre-spawn-environ": pinned, "distributed.scheduler.allowed-failures": LOST})
    return Client(n_workers=workers, threads_per_worker=1, dashboard_address="127.0.0.1:0")  # its cluster ends with it


# ---- its table -------------------------------------------------------------------------------------------------------

FIRST = ("study", "method", "setting", "seed", "outcome")  # columns; then what was measured, then where it comes from
LAST = (
    "seconds",
    "generator_steps",
    "student_steps",
    "batch_size",
    "latent",
    "width",
    "temperature",
    "data",
    "teacher",
    "anchor",
    "measure",
    "version",
    "machine",
    "key",
)


def rows(study: Study, out: Path) -> list[dict]:
    """The finished trials of a study, in the order of its plan; without their curves."""
    found = []
    for trial in study.trials():
        if measured := _finished(trial, out):
            measured.pop("curves", None)
            c, s = trial.config, resolve(trial.config).settings
            found.append({
                "study": study.name, "method": c.method, "setting": trial.setting, "seed": c.seed, "data": c.data,
                "teacher": c.teacher, "anchor": c.anchor, "measure": trial.measure.__name__, "key": trial.key,
                "version": __version__, "generator_steps": s.generator_steps, "student_steps": s.student_steps,
                "batch_size": s.batch_size, "latent": s.latent, "width": s.width, "temperature": s.temperature,
                **measured,
            })  # fmt: skip
    return found


def _finished(trial: Trial, out: Path) -> dict:
    path = Path(out) / "done" / f"{trial.key}.json"
    return read_json(path) if path.exists() else {}


def write_table(study: Study, out: Path) -> Path:
    """NAME.csv of what is finished."""
    found = rows(study, out)
    names = dict.fromkeys([*FIRST, *(n for r in found for n in r if n not in FIRST + LAST), *LAST])
    path = Path(out) / f"{study.name}.csv"
    write_whole(path, as_csv(found, names))
    return path


def write_curves(study: Study, out: Path) -> Path | None:
    """NAME_curves.csv: a row a step, of the finished trials of the default setting and the first seed that kept any."""
    found, trials = [], study.trials()
    for trial in trials:
        if trial.config.seed == trials[0].config.seed and trial.setting.endswith("default"):
            curves = _finished(trial, out).get("curves", {})
            steps = zip(*curves.values(), strict=True)
            found += [{"setting": trial.setting, "step": i, **dict(zip(curves, values, strict=True))}
                      for i, values in enumerate(steps)]  # fmt: skip
    if not found:
        return None
    path = Path(out) / f"{study.name}_curves.csv"
    write_whole(path, as_csv(found, dict.fromkeys(n for r in found for n in r)))
    return path
