"""The folder of one run, written so that a kill at any moment costs seconds of work and never the run.

    config.json                what was asked for; written first, never changed
    history.csv                one row a step; only grows
    pool.images, pool.logits   what the student will learn from; only grow; gone when the run is finished
    checkpoint.pt              everything else, and how much of the growing files belongs to it; replaced as a whole
    .lock, .holder             held while a process works here, and which one; released however that process ends
    generator.safetensors, student.safetensors, samples.npz, result.json    written at the end, result.json last

A save lets the files grow first and replaces the checkpoint last; a resumed run cuts what has grown since.  So a kill
is covered wherever it falls.  A power cut is covered too, but for pool rows of the last half minute, which the system
may not have written to the disk yet: a checksum finds that out, and the run has to start again.
"""

import csv
import io
import json
import os
import shlex
import sys
import time
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock, Timeout

from .. import __version__
from ..distillation import Distillation
from ..generator import Generator
from ..networks.weights import save_weights, write_whole
from ..reporting.history import flat
from ..training import Step
from .recover import Recovery, Watch, apply

NO_DATA = "none"  # the name of no data: procedural images and the teacher's answers take the place of a test set
FORMAT = 2  # of the folder; another one is refused
SAVE_EVERY = 5.0  # seconds
LOCK, HOLDER = ".lock", ".holder"
POOL = ("pool.images", "pool.logits")
RANDOM = torch, torch.cuda  # whose random numbers a student's Dropout takes
AGAIN = "put it back as it was, or start again in a new folder"


class RunError(ValueError):
    """A run that cannot start or go on; the message says why and what to do."""


def command(*words: object) -> str:
    """Write a command line that can be pasted into a shell."""
    return shlex.join(["rdskd-lab", *map(str, words)])


# ---- one process at a time -------------------------------------------------------------------------------------------


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Keep the folder for this process alone, made if need be and removed again if nothing was put into it."""
    made, holder, lock = [], path / HOLDER, FileLock(path / LOCK, blocking=False)
    try:
        try:
            made += [place for place in (path, *path.parents) if not place.exists()]
            path.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except Timeout as error:
            who = "another process"
            with suppress(OSError):  # it may have ended in between
                who = holder.read_text() or who
            raise RunError(f"{path} is in use by {who}; wait for it, stop it, or give another --out") from error
        except OSError as error:
            reason = "it is a file" if path.is_file() else error.strerror
            raise RunError(f"cannot write in {path} ({reason}); give another --out") from error
        try:
            with suppress(OSError):  # a full disk stops the run later, in a sentence of its own
                holder.write_text(f"process {os.getpid()} since {time.strftime('%Y-%m-%d %H:%M:%S')}")
            yield
        finally:
            with suppress(OSError):  # Windows keeps an open file; it does no harm
                holder.unlink(missing_ok=True)
                (path / LOCK).unlink()  # before it is released, so that nobody takes it in between
            lock.release()
    finally:
        for place in made:
            with suppress(OSError):  # not empty
                place.rmdir()


# ---- files -----------------------------------------------------------------------------------------------------------


class Growing:
    """A file to which rows are added.  Its first `size` bytes, with checksum `crc`, count; the rest is written over."""

    def __init__(self, path: Path):
        self.path, self.size, self.crc = path, 0, 0

    def add(self, rows: bytes | np.ndarray, sync: bool = False) -> None:
        """Write after what counts.  From then on the system has it, whatever happens to this process."""
        with open(self.path, "r+b" if self.path.exists() else "wb") as file:
            file.truncate(self.size)
            file.seek(self.size)
            file.write(rows)
            if sync:  # from then on the disk has it
                file.flush()
                os.fsync(file.fileno())
        self.size, self.crc = self.size + memoryview(rows).nbytes, zlib.crc32(rows, self.crc)

    def count(self, size: int) -> None:
        """Let the first `size` bytes count, and no others."""
        self.size, self.crc = size, 0
        if not size:
            return
        if not self.path.is_file():
            raise RunError(f"{self.path} is missing; {AGAIN}")
        with open(self.path, "rb") as file:
            while left := size - file.tell():
                if not (part := file.read(min(left, 1 << 20))):
                    found = f"{file.tell():,} bytes where the checkpoint counts {size:,}"
                    raise RunError(f"{self.path} has {found}; {AGAIN}")
                self.crc = zlib.crc32(part, self.crc)


def read_json(path: Path) -> dict:
    """Read an object from a JSON file of a run."""
    try:
        facts = json.loads(path.read_bytes())
        if not isinstance(facts, dict):
            raise ValueError("no object")
        return facts
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path} is damaged ({error})") from error


def write_json(path: Path, facts: dict) -> None:
    """Put an object into a JSON file, all of it or nothing."""
    write_whole(path, (json.dumps(facts, indent=1) + "\n").encode())


def read_checkpoint(path: Path) -> dict:
    """Read a checkpoint as plain data, onto the CPU wherever it was saved; nothing in it is executed."""
    try:
        with warnings.catch_warnings(action="ignore"):  # torch has opinions on foreign pickles
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        form, version = checkpoint["format"], checkpoint["version"]
    except Exception as error:  # a foreign file can fail in any way
        raise RunError(
            f"{path} is not a whole checkpoint of rdskd-lab ({type(error).__name__}); start again in a new folder"
        ) from error
    check_format(path, form, version)
    return checkpoint


def check_format(path: Path, form: int, version: str) -> None:
    """Refuse a file that another version of the package wrote in another format."""
    if form != FORMAT:
        raise RunError(
            f"{path} was written by rdskd-lab {version} in format {form}, and this is {__version__} with format "
            f"{FORMAT}; resume it with that version, or start again in a new folder"
        )


# ---- the folder ------------------------------------------------------------------------------------------------------


class Folder:
    """The files of one run, and its clock, which a change of the time of day does not touch."""

    def __init__(self, path: Path, run: Distillation, facts: dict):
        """`facts` is what config.json says of the run; a checkpoint with other facts belongs to another run."""
        self.path, self.run, self.facts = path, run, json.loads(json.dumps(facts))
        self.history, self.images, self.logits = (Growing(path / name) for name in ("history.csv", *POOL))
        self.pooled = 0  # images of the pool that are on disk
        self.seconds = {"synthesise": 0.0, "distill": 0.0}
        self.pictures: list[dict] = []
        self.reused: dict = {}  # what result.json says of another run's generator
        self.columns = ["phase", "step", "seconds"]
        for name in [*run.objective, *(name for name in run.student_objective if name not in run.objective)]:
            self.columns += [name, f"{name}_gain", f"{name}_weight"]
        # Without data the student is measured against the teacher's answers.
        self.measured = "agreement" if self.facts["data"] == NO_DATA else "accuracy"
        self.columns.append(self.measured)
        self.rows = io.StringIO()  # of the history, not on disk yet
        self.table = csv.writer(self.rows, lineterminator="\n")
        self.watch = Watch()
        self.tick = self.saved = time.monotonic()

    def start(self) -> None:
        """Write config.json, which is all of the run until the first save."""
        if any(path.name not in (LOCK, HOLDER) and not _is_part(path) for path in self.path.iterdir()):
            raise RunError(f"{self.path} is not empty; give another --out, or --resume to resume the run in it")
        write_json(self.path / "config.json", self.facts)
        self.table.writerow(self.columns)

    def note(self, step: Step, right: float | None) -> None:
        """Add a step to the history, and its time to the clock; `right`: the share that the student gets right."""
        now = time.monotonic()
        self.seconds[step.phase] += now - self.tick
        self.tick = now
        row = {key: value if key in ("phase", "step") else f"{value:.7g}" for key, value in step.row().items()}
        row["seconds"] = f"{sum(self.seconds.values()):.3f}"
        row[self.measured] = "" if right is None else f"{right:.6f}"
        self.table.writerow([row.get(column, "") for column in self.columns])

    def save_if_due(self) -> None:
        """Save if the last save is some seconds ago."""
        if time.monotonic() - self.saved >= SAVE_EVERY:
            self.save()

    def save(self) -> None:
        """Write all that resuming needs, in an order that may be cut anywhere."""
        self.save_history()
        pool = self.run.pool
        if pool.filled > self.pooled:
            for file, rows in (self.images, pool.images), (self.logits, pool.logits):
                file.add(rows[self.pooled : pool.filled].cpu().numpy())
            self.pooled = pool.filled
        checkpoint = {
            "format": FORMAT,
            "version": __version__,
            "facts": self.facts,
            "state": self.run.state(),
            "random": [kind.get_rng_state() for kind in RANDOM[: 1 + (self.run.device.type == "cuda")]],
            "seconds": self.seconds,
            "pictures": self.pictures,
            "recovered": [asdict(recovery) for recovery in self.run.recovered],
            "watch": vars(self.watch),
            "reused": self.reused,
            "sizes": {file.path.name: (file.size, file.crc) for file in (self.history, self.images, self.logits)},
        }
        content = io.BytesIO()
        torch.save(checkpoint, content)
        write_whole(self.path / "checkpoint.pt", content.getbuffer())
        self.saved = time.monotonic()

    def save_history(self) -> None:
        """Write the newest rows of the history; they can be read at once, but count only after the next checkpoint."""
        if rows := self.rows.getvalue().encode():  # else there may be some to cut, which the last checkpoint counts
            self.history.add(rows, sync=True)
            self.rows.seek(0)
            self.rows.truncate()

    def undo(self, recovery: Recovery) -> None:
        """Forget what was noted of steps that the run has undone, say so, and save.

        What is kept is the beginning of each file, so until the new checkpoint is there the old one counts on the rest.
        """
        print(f"rdskd-lab: note: {recovery}", file=sys.stderr)
        self.save_history()
        head, *rows = self.history.path.read_bytes().decode().splitlines(keepends=True)
        done, pooled = self.run.done, min(self.pooled, self.run.pool.filled)
        rows = [row for row in rows if int(row.split(",")[1]) < done[row.split(",")[0]]]
        self.history.count(len("".join([head, *rows]).encode()))
        self.pictures = [picture for picture in self.pictures if picture["steps"] <= done["synthesise"]]
        for file in self.images, self.logits:
            file.count(file.size // max(self.pooled, 1) * pooled)
        self.pooled = pooled
        self.save()

    def restore(self) -> None:
        """Put the run back to its last checkpoint, or to its start if it was killed before there was one."""
        sweep(self.path)
        _agree(self.facts, read_json(self.path / "config.json"), self.path / "config.json")
        path = self.path / "checkpoint.pt"
        if not path.exists():
            self.table.writerow(self.columns)
            return
        checkpoint = read_checkpoint(path)
        try:
            _agree(self.facts, checkpoint["facts"], path)
            for file in self.history, self.images, self.logits:
                size, crc = checkpoint["sizes"][file.path.name]
                file.count(size)
                if file.crc != crc:
                    raise RunError(f"{file.path} has changed since it was written; {AGAIN}")
                if size:
                    os.truncate(file.path, size)
            self.run.pool.filled = checkpoint["state"]["filled"]  # which a remedy goes by
            for facts in checkpoint.get("recovered", ()):  # what a remedy sets beside the state
                apply(self.run, Recovery(**facts))
            self.run.restore(checkpoint["state"])
            self.seconds, self.pictures = checkpoint["seconds"], checkpoint["pictures"]
            self.reused, self.watch = checkpoint.get("reused", {}), Watch(**checkpoint.get("watch", {}))  # if not older
            if self.run.pool.filled:
                read_pool(self.run, self.path, checkpoint, AGAIN)
            self.pooled = self.run.pool.filled
            for kind, random in zip(RANDOM, checkpoint.get("random", ()), strict=False):
                kind.set_rng_state(random)
        except (KeyError, TypeError, AttributeError, IndexError, RuntimeError) as error:
            raise RunError(f"{path} is damaged ({error!r}); start again in a new folder") from error
        self.tick = self.saved = time.monotonic()

    def finish(self, result: dict) -> None:
        """Write the networks, the samples and last the result; delete what only resuming needs."""
        run, samples = self.run, io.BytesIO()
        if isinstance(run.source, Generator):
            shape = {name: str(getattr(run.settings, name)) for name in ("latent", "width")}
            save_weights(run.source, self.path / "generator.safetensors", **shape)
        save_weights(run.student, self.path / "student.safetensors")
        arrays = {key: np.stack([np.asarray(picture[key]) for picture in self.pictures]) for key in self.pictures[0]}
        np.savez_compressed(samples, **arrays)
        write_whole(self.path / "samples.npz", samples.getbuffer())
        write_json(self.path / "result.json", result)
        sweep(self.path, "checkpoint.pt", *POOL)


def read_pool(run: Distillation, path: Path, checkpoint: dict, instead: str) -> None:
    """Fill a run's pool with the rows in the folder `path` that its `checkpoint` counts."""
    filled = checkpoint["state"]["filled"]
    for name, kept in zip(POOL, (run.pool.images, run.pool.logits), strict=True):
        rows, (size, crc) = kept[:filled].cpu(), checkpoint["sizes"][name]  # on the CPU the pool's own memory
        into = memoryview(rows.numpy()).cast("B")
        with open(path / name, "rb") as file:
            read = file.readinto(into)
        if (read, into.nbytes) != (size, size) or zlib.crc32(into) != crc:
            raise RunError(f"{path / name} has changed since it was written; {instead}")
        kept[:filled] = rows
    run.pool.filled = filled


def sweep(path: Path, *names: str) -> None:
    """Delete the files called `names` from a folder, and unfinished files whose writing was cut."""
    for found in list(path.iterdir()):
        if found.name in names or _is_part(found):
            found.unlink(missing_ok=True)


def _agree(facts: dict, found: dict, path: Path) -> None:
    """Refuse a file that describes another run than `facts` does."""
    asked, other = dict(flat(facts)), dict(flat(found))
    for key in [*asked, *other]:
        if key not in ("version", "device") and asked.get(key) != other.get(key):
            raise RunError(
                f"{path} belongs to another run: {key} is {other.get(key)!r} there and {asked.get(key)!r} in the run "
                "that was asked for; put back what was changed (config.json, the teacher's file, or the version of "
                "rdskd-lab), or start again in a new folder"
            )


def _is_part(path: Path) -> bool:
    return path.name.startswith(".") and path.name.endswith(".part")
