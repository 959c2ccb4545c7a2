"""One run in a folder: configuration, history, checkpoints, weights, result, report.

    config.json             what was asked for; written first
    history.csv             one row a step
    samples.npz             the same 40 latents painted at several moments
    checkpoint.pt, pool.bin the state to go on from; gone when the run is finished
    generator.safetensors, student.safetensors, result.json, report.html

A run cut anywhere goes on from its last checkpoint to the same weights, bit for bit on one machine.
"""

import csv
import io
import json
import math
import os
import platform
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import filelock
import numpy as np
import torch
from torch import nn

from . import __version__
from .data import Split, load
from .loops import Step
from .methods import METHODS, PRESETS, Settings
from .metrics import accuracy, compare
from .models import LeNet5, LeNet5Half
from .objective import Objective
from .stages import Distillation, find_device, seeded, use_anchor
from .weights import SHIPPED, fingerprint, load_weights, save_weights, write_whole

FORMAT = 1
SAVE_EVERY = 5.0  # seconds between checkpoints
PICTURES, MEASURES = 8, 12  # moments at which the generator is pictured and the student measured


class RunError(ValueError):
    """A run that cannot start or go on; the message says why and what to do."""


@dataclass(frozen=True)
class Config:
    """Everything that decides a run's result, and its device."""

    method: str = "rdskd"
    preset: str = "classroom"
    data: str = "digits"
    seed: int = 0
    teacher: str = "lenet5"  # a shipped teacher, or a safetensors file for the same network
    off: tuple[str, ...] = ()
    weight: tuple[tuple[str, float], ...] = ()
    anchor: str = "epoch"
    change: tuple[tuple[str, str], ...] = ()  # settings that differ from the preset's
    device: str = "auto"

    def settings(self) -> Settings:
        settings = PRESETS[known("preset", self.preset, PRESETS)]
        for name, value in self.change:
            kind = type(getattr(settings, known("setting", name, asdict(settings))))
            try:
                value = {"true": True, "false": False}[str(value).lower()] if kind is bool else kind(value)
            except (ValueError, KeyError):
                raise RunError(f"setting {name} takes a {kind.__name__}, not {value!r}") from None
            settings = replace(settings, **{name: value})
        return settings

    def objective(self) -> Objective:
        objective = METHODS[known("method", self.method, METHODS)]()
        use_anchor(objective, self.anchor)
        for name in self.off:
            objective[known("term", name, objective)].on = False
        for name, value in self.weight:
            objective[known("term", name, objective)].weight = value
        return objective


def known(what: str, name: str, table) -> str:
    """`name`, if `table` has it; else an error that lists what there is."""
    if name not in table:
        raise RunError(f"no {what} {name!r}; there are {', '.join(table)}")
    return name


# ---- doing it -------------------------------------------------------------------------------------------------------


def plain(steps: Iterator[Step], phase: str, first: int, total: int) -> Iterator[Step]:
    """The progress adapter that shows nothing; the command line has one with a bar."""
    return steps


def execute(config: Config, out: Path | str, *, resume: bool = False, progress=plain, stop=lambda: False) -> dict:
    """Do the run that `config` describes in folder `out`, or go on with the one that is there; return its result.

    `progress(steps, phase, first, total)` is an adapter that every step passes through.  `stop()` is asked between
    two steps; when it says yes, the state is saved and KeyboardInterrupt raised.
    """
    out = Path(out)
    config = _read_config(out) if resume else config
    with _held(out):
        if (out / "result.json").exists() and resume:
            return json.loads((out / "result.json").read_text())
        run, tune, test = prepare(config)
        folder = Folder(out, run)
        if resume:
            folder.restore()
        else:
            folder.start(config)
        for phase, total in ("synthesise", run.settings.generator_steps), ("distill", run.settings.student_steps):
            pictured = _moments(total, PICTURES) if phase == "synthesise" else ()
            measured = {-(-total * k // MEASURES) for k in range(1, MEASURES + 1)} if phase == "distill" else ()
            if 0 in pictured and run.done[phase] == 0:
                folder.pictures.append(run.picture())
            for step in progress(getattr(run, phase)(), phase, run.done[phase], total):
                folder.note(step, accuracy(run.student, tune) if step.i + 1 in measured else None)
                if step.i + 1 in pictured:
                    folder.pictures.append(run.picture())
                if stop():
                    folder.save()
                    raise KeyboardInterrupt
                folder.save_if_due()
            folder.save()
        return folder.finish(config, test)


def prepare(config: Config) -> tuple[Distillation, Split, Split]:
    """The run in memory, the split that its curve is measured on, and the one for its result."""
    settings, objective, device = config.settings(), config.objective(), find_device(config.device)
    test, tune = load(config.data, "test"), load(config.data, "tune")
    tune = tune[torch.randperm(len(tune), generator=torch.Generator().manual_seed(0))[:4000]]
    channels, size, classes = *test.images.shape[1:3], len(test.classes)
    teacher = load_weights(LeNet5(channels, classes), SHIPPED.get(config.teacher, config.teacher))
    student = seeded(config.seed, LeNet5Half, channels, classes)
    return (
        Distillation(
            teacher, student, objective, settings, seed=config.seed, channels=channels, size=size, device=device
        ),
        tune,
        test,
    )


class Folder:
    """The files of one run, and the clock."""

    def __init__(self, path: Path, run: Distillation):
        self.path, self.run = path, run
        self.columns = ["phase", "step", "seconds"]
        for name in [*run.objective, "kd"]:
            self.columns += [name, f"{name}_gain", f"{name}_weight"]
        self.columns.append("accuracy")
        self.seconds = {"synthesise": 0.0, "distill": 0.0}
        self.pictures: list[dict] = []
        self.pooled = 0  # rows of the pool that are on disk
        self.record = np.dtype(
            [("image", np.float16, tuple(run.pool.images.shape[1:])), ("logits", np.float32, run.classes)]
        )
        self.tick = self.saved = time.monotonic()
        self.rows = io.StringIO()
        self.table = csv.writer(self.rows, lineterminator="\n")

    def start(self, config: Config) -> None:
        if any(self.path.iterdir()):
            raise RunError(f"{self.path} is not empty; give another --out, or --resume to go on with the run in it")
        table = {
            name: {"weight": t.weight, "on": t.on, "damped": t.damped, "rule": config.anchor if t.damped else "none"}
            for name, t in self.run.objective.items()
        }
        teacher = {"name": config.teacher, "sha256": fingerprint(SHIPPED.get(config.teacher, config.teacher))}
        facts = {
            "format": FORMAT,
            "version": __version__,
            **asdict(config),
            "teacher": teacher,
            "student": "lenet5_half",
        }
        _write_json(self.path / "config.json", {**facts, "settings": asdict(self.run.settings), "terms": table})
        self.table.writerow(self.columns)
        self.save()

    def note(self, step: Step, measured: float | None) -> None:
        """Put a step in the history, and its time on the clock."""
        now = time.monotonic()
        self.seconds[step.phase] += now - self.tick
        self.tick = now
        row = {key: value if key in ("phase", "step") else f"{value:.7g}" for key, value in step.row().items()}
        row["seconds"] = f"{sum(self.seconds.values()):.3f}"
        row["accuracy"] = "" if measured is None else f"{measured:.6f}"
        self.table.writerow([row.get(column, "") for column in self.columns])

    def save_if_due(self) -> None:
        if time.monotonic() - self.saved >= SAVE_EVERY:
            self.save()

    def save(self) -> None:
        """Write everything that resuming needs: history and pool by appending, then the checkpoint as a whole."""
        history, pool = self.path / "history.csv", self.run.pool
        with open(history, "a", newline="") as file:
            file.write(self.rows.getvalue())
        self.rows.seek(0)
        self.rows.truncate()
        if pool.filled > self.pooled:
            rows = np.empty(pool.filled - self.pooled, self.record)
            rows["image"], rows["logits"] = (
                t[self.pooled : pool.filled].cpu().numpy() for t in (pool.images, pool.logits)
            )
            with open(self.path / "pool.bin", "ab") as file:
                rows.tofile(file)
            self.pooled = pool.filled
        checkpoint = {
            "format": FORMAT, "version": __version__, "state": self.run.state(), "seconds": self.seconds,
            "pictures": self.pictures, "history_bytes": history.stat().st_size,
        }  # fmt: skip
        write_whole(self.path / "checkpoint.pt", lambda part: torch.save(checkpoint, part))
        self.saved = time.monotonic()

    def restore(self) -> None:
        """Put the run back to its last checkpoint, and cut what was written after it."""
        checkpoint = read_checkpoint(self.path / "checkpoint.pt", self.run.teacher)
        try:
            self.run.restore(checkpoint["state"])
            self.seconds, self.pictures = checkpoint["seconds"], checkpoint["pictures"]
            size = checkpoint["history_bytes"]
        except (KeyError, ValueError, RuntimeError, TypeError) as error:
            raise RunError(
                f"{self.path / 'checkpoint.pt'} does not belong to the run in config.json ({error})"
            ) from error
        self._cut("history.csv", size)
        pool = self.run.pool
        if pool.filled:
            self._cut("pool.bin", pool.filled * self.record.itemsize)
            rows = np.fromfile(self.path / "pool.bin", self.record)
            pool.images[: len(rows)] = torch.from_numpy(rows["image"].copy()).to(pool.images.device)
            pool.logits[: len(rows)] = torch.from_numpy(rows["logits"].copy()).to(pool.logits.device)
            self.pooled = pool.filled
        self.tick = self.saved = time.monotonic()

    def _cut(self, name: str, size: int) -> None:
        path = self.path / name
        found = path.stat().st_size if path.exists() else 0
        if found < size:
            raise RunError(f"{path} has {found} bytes and the checkpoint needs {size}: it was cut; start anew")
        os.truncate(path, size)

    def finish(self, config: Config, test: Split) -> dict:
        """Write the networks, ask the last student once on the test set, write the result, drop the checkpoint."""
        run = self.run
        save_weights(
            run.generator,
            self.path / "generator.safetensors",
            latent=str(run.settings.latent),
            width=str(run.settings.width),
        )
        save_weights(run.student, self.path / "student.safetensors")
        arrays = {key: np.stack([np.asarray(picture[key]) for picture in self.pictures]) for key in self.pictures[0]}
        write_whole(self.path / "samples.npz", lambda part: _save_npz(part, **arrays))
        generator, student = self.seconds.values()
        result = {
            "method": config.method, "preset": config.preset, "seed": config.seed, "data": config.data,
            **compare(run.teacher, run.student, test),
            "class_histogram": self._histogram(),
            "seconds": {"generator": generator, "student": student, "total": generator + student},
            "peak_rss_mb": peak_rss_mb(),
            "versions": {"rdskd_lab": __version__, "torch": torch.__version__, "python": platform.python_version()},
            "machine": machine(run.probe.device),
        }  # fmt: skip
        _write_json(self.path / "result.json", result)
        for name in "checkpoint.pt", "pool.bin":
            (self.path / name).unlink(missing_ok=True)
        return result

    def _histogram(self) -> list[int]:
        """Classes of what the generator painted: of the pool, or of 5,000 fresh images where nothing was pooled."""
        if self.run.pool.filled:
            return self.run.pool.histogram().tolist()
        lessons = self.run.lessons()
        answers = torch.cat(
            [next(lessons).logits.argmax(1) for _ in range(math.ceil(5000 / self.run.settings.student_batch_size))]
        )
        return torch.bincount(answers, minlength=self.run.classes).tolist()


# ---- reading and writing --------------------------------------------------------------------------------------------


def read_checkpoint(path: Path, net: nn.Module) -> dict:
    """A checkpoint of this version of the package, as plain data, on the device of `net`."""
    if not path.is_file():
        raise RunError(f"there is no {path}: nothing to resume; start without --resume")
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        version, form = checkpoint["version"], checkpoint["format"]
    except Exception as error:  # a foreign file can fail in any way; nothing in it is executed
        raise RunError(
            f"{path} is not a whole checkpoint of rdskd-lab ({type(error).__name__}); start again in a new folder"
        ) from error
    if form != FORMAT:
        raise RunError(
            f"{path} was written by rdskd-lab {version} (format {form}); this is {__version__} (format {FORMAT})"
        )
    return checkpoint


def _read_config(out: Path) -> Config:
    path = out / "config.json"
    if not path.is_file():
        raise RunError(f"there is no run in {out} to resume (no config.json); start without --resume")
    try:
        facts = json.loads(path.read_text())
        kept = {key: facts[key] for key in ("method", "preset", "data", "seed", "anchor", "device")}
        pairs = {key: tuple(tuple(pair) for pair in facts[key]) for key in ("weight", "change")}
        return Config(**kept, **pairs, teacher=facts["teacher"]["name"], off=tuple(facts["off"]))
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path} is not a configuration of this version ({type(error).__name__}: {error})") from error


def _held(out: Path) -> filelock.FileLock:
    """The folder for this process alone; a second process is told so."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(out.parent / f".{out.name}.lock", timeout=0)
        lock.acquire()
        return lock
    except filelock.Timeout:
        raise RunError(f"another process is working in {out}; wait for it, or stop it") from None


def _moments(total: int, n: int) -> list[int]:
    """About `n` numbers of steps done, from 0 to `total`, closer together where the generator changes faster."""
    return sorted({0, *(round(total ** (k / (n - 2))) for k in range(1, n - 1)), max(1, total // 2), total})


def _write_json(path: Path, facts: dict) -> None:
    write_whole(path, lambda part: part.write_text(json.dumps(facts, indent=1) + "\n"))


def _save_npz(path: Path, **arrays) -> None:
    with open(path, "wb") as file:
        np.savez_compressed(file, **arrays)


def peak_rss_mb() -> float | None:
    """The most memory this process has held, in MB; None on Windows, which does not tell in this way."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3) * (1 if sys.platform == "darwin" else 1.024)


def machine(device: torch.device) -> str:
    """What the run was computed on, without names of persons or hosts."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    model = platform.processor() or platform.machine()
    try:
        model = next(line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return f"{model}, {torch.get_num_threads()} threads"
