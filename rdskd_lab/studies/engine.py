"""Studies: grids of trials that answer a question.  Planned at once, run in any order by any number of workers, kept.

    OUT/done/KEY.json      one finished trial; KEY is a hash of what decides its result, so it is never run twice
    OUT/doing/KEY/         a trial in progress, an ordinary run's folder; deleted when it is finished
    OUT/NAME.csv           the study's finished trials in the order of its plan
    OUT/NAME_curves.csv    what was measured at each step, of the default setting and the first seed, if that was kept

Dask distributes the trials over processes of this machine, or over the workers of any scheduler, by its address.  A
worker that is lost costs the work since its last save: another one resumes in the same folder.
"""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path

import torch

from .. import __version__
from ..methods.checks import known
from ..methods.registry import METHODS
from ..networks.weights import write_whole
from ..runs.compare import as_csv
from ..runs.config import Config, Setup, resolve
from ..runs.machine import machine, usable_cores
from ..runs.run_folder import NO_DATA, RunError, read_json
from .trial_key import key_of
from .verdict import Verdict

LOST = 20  # workers that may be lost during one trial before the study stops

# ---- one trial -------------------------------------------------------------------------------------------------------

DEFAULT = "default"


@dataclass(frozen=True)
class Trial:
    """One point of a grid: a run, what is measured in it, and how it differs from the default."""

    config: Config
    measure: Callable[[Config, Path], dict]
    point: str = DEFAULT  # what differs, in words: "lr x 4"
    kind: str = ""  # what sort of difference that is: "lr"; "" at the default
    arm: str = ""  # in a study that compares several at every point: "epoch"

    @property
    def setting(self) -> str:
        """Arm and point in words, as tables show them."""
        return label(self.arm, self.point)

    @property
    def setup(self) -> Setup:
        """What its run is made of."""
        return resolve(self.config)

    @cached_property
    def key(self) -> str:
        return key_of(self.config, self.measure)


def label(arm: str, point: str = DEFAULT) -> str:
    """Name an arm at a point: 'epoch, lr x 4', or 'lr x 4' in a study without arms."""
    return f"{arm}, {point}" if arm else point


def plan_trial(method: str, seed: int, measure: Callable, *difference: str, change: dict | None = None, **config):
    """Make a trial with the settings in `change`; `difference` is its point, kind and arm."""
    pairs = tuple((name, str(value)) for name, value in (change or {}).items())
    return Trial(Config(method=method, seed=seed, change=pairs, **config), measure, *difference)


def do(trial: Trial, out: str) -> str:
    """Run a trial unless it is finished already, and return its key.  This is what a worker is sent."""
    out, key = Path(out), trial.key
    target, place = out / "done" / f"{key}.json", out / "doing" / key
    if not target.exists():
        begun = time.perf_counter()
        place.mkdir(parents=True, exist_ok=True)
        found = trial.measure(trial.config, place)
        found = {"seconds": time.perf_counter() - begun} | found
        found |= {"version": __version__, "machine": machine(torch.device("cpu"))}
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(target, (json.dumps(found) + "\n").encode())
    shutil.rmtree(place, ignore_errors=True)
    return key


# ---- a study ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Study:
    """A question, the grid of trials that answers it, the verdicts that follow, and the words for all of it."""

    name: str
    question: str
    trials: Callable[..., list[Trial]]  # of a preset and a device
    verdicts: Callable[[list[dict]], list[Verdict]] = lambda rows: []
    rank: int = 99  # its place on the scoreboard
    how_to_read: str = ""  # its page, by somebody who has not read the code
    apart: str = ""  # what sets its results apart from the paper's, besides what its table says
    columns: dict[str, tuple[str, float]] = field(default_factory=dict)  # on its page: column -> heading and factor
    unit: str = ""  # what these columns are
    notes: Callable[[list[dict]], list[str]] = lambda rows: []  # Markdown below its verdicts
    figures: Callable[[list[dict], list[dict]], list[tuple]] = lambda rows, curves: []  # (title, caption, charts)

    def at(self, preset: str, device: str, own: dict | None = None) -> "Study":
        """The same study at another scale: `paper-mnist` has the published schedule.  Both decide the results.

        `own` are fields of every run's configuration: a teacher of one's own, and the data to test its students on.
        """
        for method in {trial.config.method: 0 for trial in self.trials()}:
            known(f"preset of {method}", preset, METHODS[method].presets)
        plan = partial(self.trials, preset=preset, device=device)
        return replace(self, trials=partial(_with, plan, own) if own else plan)


def _with(plan: Callable[..., list[Trial]], own: dict, **how) -> list[Trial]:
    """Plan the trials of a study with `own` fields in each configuration; of those that become the same, the first."""
    trials = [replace(trial, config=replace(trial.config, **own)) for trial in plan(**how)]
    if any(resolve(trial.config).config.data == NO_DATA for trial in trials[:1]):
        raise RunError("a study tests its students on real images; give --data, a folder or a named set")
    first = {}
    for trial in trials:
        first.setdefault(trial.key, trial)
    return list(first.values())


def left(trials: list[Trial], out: Path) -> list[Trial]:
    """List the trials that are not finished, each once."""
    done = {path.stem for path in (out / "done").glob("*.json")} if (out / "done").is_dir() else set()
    return list({t.key: t for t in trials if t.key not in done}.values())


def run(study: Study, out: Path, *, scheduler: str = "", workers: int = 0, minutes: float = 0.0) -> Iterator[str]:
    """Run the trials of a study that are not finished, yielding status lines; then write its table.

    `scheduler` is a Dask scheduler's address, as tcp://HOST:PORT; "" starts `workers` processes here (0: one a core).
    After `minutes` (0: never) no further trial is started; the same call later does the rest.
    """
    _dask()  # or say how to install it, before there is a folder
    out, begun, trials = Path(out).absolute(), time.perf_counter(), study.trials()
    out.mkdir(parents=True, exist_ok=True)
    todo, failed = left(trials, out), []
    yield f"{study.name}: {len(trials)} trials, {len(trials) - len(todo)} of them finished before"
    if todo:
        with _client(scheduler, workers) as client:
            yield f"dashboard: {client.dashboard_link}"
            late = (lambda: time.perf_counter() - begun > 60 * minutes) if minutes else (lambda: False)
            for n, (trial, error) in enumerate(_done(client, todo, str(out), late), 1):
                rate = n / (time.perf_counter() - begun)
                rest = (len(todo) - n) / rate / 60
                name = f"{trial.config.method} {trial.setting} seed {trial.config.seed}"
                failed += [f"{name}: {error}"] if error else []
                name += f"  failed: {error}" if error else ""
                yield f"{n} of {len(todo)}  {name}  {60 * rate:.1f} a minute, about {rest:.0f} min left"
    yield f"table: {write_table(study, out)}"
    if path := write_curves(study, out):
        yield f"curves: {path}"
    if failed:
        raise RunError(
            f"{len(failed)} trials failed and have no row; run the same command to try them again. The first: "
            f"{failed[0]}"
        )


def _done(client, todo: list[Trial], out: str, late: Callable[[], bool]) -> Iterator[tuple[Trial, Exception | None]]:
    """Yield the trials as they end, with the error of each that failed; a few more than there are workers are out."""
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
            raise RunError(
                f"{LOST} workers were lost during one trial ({error}); check their memory, then run the same command "
                "again to continue"
            ) from error
        yield trials[future.key.removeprefix("trial-")], error
        while pending.count() < room() and not late() and (trial := next(queue, None)):
            pending.add(submit(trial))


def _dask():
    """Import Dask, or say how to install it."""
    try:
        import dask
        from distributed import Client
    except ImportError as error:
        raise ImportError("studies need Dask: pip install distributed scipy") from error
    return dask, Client


def _client(scheduler: str, workers: int):
    """Connect to a scheduler by its address, or start processes that share this machine's cores evenly."""
    dask, Client = _dask()
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

FIRST = "study method setting arm point kind seed outcome".split()  # columns; then what was measured, then:
SHOWN_SETTINGS = "generator_steps student_steps batch_size latent width temperature".split()
LAST = ["seconds", *SHOWN_SETTINGS, "data", "teacher", "anchor", "measure", "version", "machine", "key"]


def rows(study: Study, out: Path) -> list[dict]:
    """List the finished trials of a study as rows, in the order of its plan and without their curves."""
    found = []
    for trial in study.trials():
        if measured := _finished(trial, out):
            measured.pop("curves", None)
            found.append({"study": study.name} | planned(trial) | measured)
    return found


def planned(trial: Trial) -> dict:
    """Return what a row says of its trial before it is measured."""
    setup = trial.setup
    return (
        {name: getattr(trial, name) for name in ("setting", "arm", "point", "kind", "key")}
        | {name: getattr(setup.config, name) for name in ("method", "seed", "data", "teacher", "anchor")}
        | {name: getattr(setup.settings, name) for name in SHOWN_SETTINGS}
        | {"measure": trial.measure.__name__}
    )


def _finished(trial: Trial, out: Path) -> dict:
    path = Path(out) / "done" / f"{trial.key}.json"
    return read_json(path) if path.exists() else {}


def write_table(study: Study, out: Path) -> Path:
    """Write NAME.csv with the finished trials; a measure that no trial has is no column."""
    found = [{name: value for name, value in r.items() if value is not None} for r in rows(study, out)]
    names = dict.fromkeys([*FIRST, *(n for r in found for n in r if n not in FIRST + LAST), *LAST])
    path = Path(out) / f"{study.name}.csv"
    write_whole(path, as_csv(found, names))
    return path


def write_curves(study: Study, out: Path) -> Path | None:
    """Write NAME_curves.csv, a row a step: of those at the default with the first seed that kept curves."""
    found, trials = [], study.trials()
    for trial in trials:
        if trial.config.seed == trials[0].config.seed and not trial.kind:
            curves = _finished(trial, out).get("curves", {})
            for i, values in enumerate(zip(*curves.values(), strict=True)):
                found.append({"setting": trial.setting, "step": i, **dict(zip(curves, values, strict=True))})
    if not found:
        return None
    path = Path(out) / f"{study.name}_curves.csv"
    write_whole(path, as_csv(found, dict.fromkeys(n for r in found for n in r)))
    return path
