"""One run from its configuration to its result: `execute(Config(preset="classroom", seed=1), "runs/one")`.

`run_folder` says what lies in the folder meanwhile, and how a killed run is resumed.  A run that is cut anywhere and
resumed ends with the same weights, bit for bit on one machine.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from ..datasets import Split
from ..distillation import Distillation, find_device
from ..evaluation.accuracy import accuracy
from ..networks.foreign import NetworkNote, describe_error, line_of, warn
from ..networks.registry import is_foreign
from ..networks.weights import fingerprint_in_memory, why
from .config import Config, Setup, describe, resolve
from .memory import check_generator, check_memory
from .recover import Watch, recovering
from .result import class_histogram, conclude, read_result, warn_of_collapse
from .reuse import refuse_misfit, take_generator
from .run_folder import NO_DATA, POOL, Folder, RunError, held, sweep

STAGES = {"synthesise": "generator", "distill": "student", "together": "generator and student"}  # in words
PICTURES, MEASURES = 8, 12  # moments at which the generator is pictured and the student measured
TUNED = 4_000  # images, at most, that the student is measured on meanwhile
TOLD = 1_000  # images, at most, on which the teacher is tested before anything is trained
RESUME = ", or free some memory and run again with --resume"


class Prepared(NamedTuple):
    """A run in memory before its first step."""

    run: Distillation
    tune: Split  # on which its curve is measured
    test: Split  # on which its result is
    setup: Setup
    teacher: str  # its fingerprint, before it was shown an image


def execute(
    config: Config,
    out: Path | str,
    *,
    resume: bool = False,
    progress=lambda steps, phase, first, total: steps,
    stop=lambda: False,
    also=lambda run, test: {},
) -> dict:
    """Execute the run in folder `out`, or resume it where it was cut; return its result.

    `progress(steps, phase, first, total)` is an adapter that every step passes through.  `stop()` is asked between
    two steps; when it says yes, the state is saved and KeyboardInterrupt raised.  What `also(run, test)` finds in the
    finished run is put into its result.
    """
    out = Path(out)
    with held(out), torch.random.fork_rng(devices=[]):
        if resume and (out / "result.json").exists():
            result = read_result(out)
            sweep(out, "checkpoint.pt", *POOL)  # should it have been killed while it tidied up
            return result
        run, tune, test, setup, fingerprint = prepare(config)
        folder, source = Folder(out, run, describe(setup, run, fingerprint)), Path(config.from_run)
        if config.from_run and not resume:
            refuse_misfit(run, folder.facts, source)
        if setup.config.data != NO_DATA and not resume:
            tell_accuracy(run.teacher, tune, is_foreign(setup.config.teacher))
        with _disk_errors(out), _enough_memory("what comes after a stage", "student_batch_size", RESUME):
            torch.manual_seed(config.seed)  # decides what is random in a student itself: Dropout
            folder.restore() if resume else folder.start()
            if config.from_run and not any(run.done.values()):
                take_generator(run, folder, source)
                folder.save()
            for phase, total in run.stages.items():
                _train(run, folder, tune, phase, total, progress, stop)
                folder.save()
                if phase == "synthesise":
                    warn_of_collapse(class_histogram(run), test.classes)
            result = conclude(setup, run, test, folder.seconds) | folder.reused | also(run, test)
            result |= {"recovered": [str(recovery) for recovery in run.recovered]} if run.recovered else {}
            folder.finish(result)
        return result


def prepare(config: Config) -> Prepared:
    """Read the data and make the networks of a run."""
    setup = resolve(config)
    device, test, tune = find_device(config.device), setup.load("test"), setup.load("tune")
    tune = tune[torch.randperm(len(tune), generator=torch.Generator().manual_seed(0))[:TUNED]]
    teacher, student = setup.networks(test)
    fingerprint = fingerprint_in_memory(teacher)
    channels, size = test.images.shape[1:3]
    how = dict(method=setup.method, seed=config.seed, channels=channels, size=size, device=device, head=config.head)
    how["data"] = setup.load("train") if setup.method.real_images else None
    check_generator(setup.method, setup.settings, channels, size, device)
    with _enough_memory("the images that the student will learn from", "generator_steps or batch_size"):
        run = Distillation(teacher, student, setup.objective, setup.settings, **how)
    if run.classes != len(test.classes):
        said = "--classes says" if setup.config.data == NO_DATA else f"{config.data} has"
        raise RunError(f"the teacher answers with {run.classes} classes, and {said} {len(test.classes)}")
    with _enough_memory("a step, tried before the first", "batch_size or width"):
        check_memory(run)
    test, tune = (setup.labelled(run.teacher, split) for split in (test, tune))
    return Prepared(run, tune, test, setup, fingerprint)


def tell_accuracy(teacher: nn.Module, split: Split, always: bool) -> None:
    """Say, before anything is trained, how much of a split the teacher reads rightly: `always`, or if near chance."""
    split, classes = split[:TOLD], len(split.classes)
    with _foreign_errors("first test"):
        found = accuracy(teacher, split)
    order = ", ".join(split.classes[:5]) + (", ..." if classes > 5 else "")
    said = f"the teacher is right on {found:.1%} of {len(split):,} real images"
    chance = 1 / classes
    if found < min(3 * chance, chance + 0.25 * (1 - chance)):
        warn(
            f"{said}, and chance is {chance:.1%}: has it its weights, and are --data, --mean and --std, and the "
            f"order of the classes ({order}), those of its training?"
        )
    elif always:
        warn(f"{said}; the classes are, in order: {order}", NetworkNote)


def _train(run, folder, tune, phase, total, progress, stop) -> None:
    """Do the remaining steps of a stage and keep the record; leave both on disk whatever ends this."""
    pictured, steps = _moments(run.settings.generator_steps), run.settings.student_steps
    measured = {-(-steps * k // MEASURES) for k in range(1, MEASURES + 1)}
    if not folder.pictures:
        folder.pictures.append(run.picture())
    lower = {"synthesise": "batch_size or width", "distill": "student_batch_size"}.get(phase, "batch_size")
    first = run.done.get(phase, sum(run.done.values()))
    steps = (lambda: iter(run)) if phase == "together" else getattr(run, phase)
    folder.watch = folder.watch if first else Watch()  # it looks at one stage
    remaining = recovering(run, steps, folder.undo, folder.watch) if run.method.recovers else steps()
    with _enough_memory(f"the {STAGES[phase]} stage", lower, RESUME), _foreign_errors(f"{STAGES[phase]} stage"):
        try:
            for step in progress(remaining, phase, first, total):
                student_now = step.phase == "distill" and step.i + 1 in measured
                folder.note(step, accuracy(run.student, tune) if student_now else None)
                if step.phase == "synthesise" and step.i + 1 in pictured:
                    folder.pictures.append(run.picture())
                if stop():
                    folder.save()
                    raise KeyboardInterrupt
                folder.save_if_due()
        except FloatingPointError:
            folder.save_history()  # the rows that led there are worth a look: rdskd-lab report
            raise


@contextmanager
def _foreign_errors(where: str) -> Iterator[None]:
    try:
        yield
    except (ArithmeticError, AssertionError, LookupError, NotImplementedError, TypeError, AttributeError) as error:
        if isinstance(error, FloatingPointError) or not line_of(error, packages=False):
            raise
        raise RunError(f"a network failed in the {where}: {describe_error(error)}") from error


def _moments(total: int) -> set[int]:
    """Return about `PICTURES` numbers of steps up to `total`, closer together where the generator changes faster."""
    if not total:
        return set()
    return {*(round(total ** (k / (PICTURES - 2))) for k in range(1, PICTURES - 1)), max(1, total // 2), total}


@contextmanager
def _disk_errors(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        saved = "the last checkpoint is intact: " if (out / "checkpoint.pt").exists() else ""
        then = f"{saved}fix this and run again with --resume" if (out / "config.json").exists() else "nothing was begun"
        raise RunError(f"cannot read or write {error.filename or out} ({why(error)}); {then}") from error


@contextmanager
def _enough_memory(what: str, lower: str, instead: str = "") -> Iterator[None]:
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error):
            text = f"out of memory for {what}: start again with a lower {lower} (--set NAME=VALUE){instead}"
            raise RunError(text) from error
        raise
