"""Gather the facts of this machine: `look()`, in a second or two.  `report` judges them."""

import platform
import shutil
import tempfile
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from itertools import islice
from pathlib import Path
from statistics import median
from time import perf_counter

import torch
from packaging.requirements import Requirement

from .. import __version__
from ..datasets import SETS
from ..distillation import Distillation, find_device
from ..methods.rdskd import PRESETS, rdskd
from ..networks.architectures import LeNet5, LeNet5Half
from ..networks.weights import SHIPPED, load_weights
from ..runs.machine import machine_memory, memory_limit, usable_cores
from ..torch_state import seeded
from .frontend import find_front_end, find_mode


def _requirements() -> list[Requirement]:
    try:
        return [Requirement(row) for row in requires("rdskd-lab") or []]
    except PackageNotFoundError:  # it runs from a folder: then nothing says which versions it needs
        return []


# Ranges of versions, as pyproject.toml has them and the installed package says.
RANGES = {
    row.name: row.specifier for row in _requirements() if row.marker is None or row.marker.evaluate({"extra": "lab"})
}
CORE = [row.name for row in _requirements() if row.marker is None]
DRAWING = ("plotly", "matplotlib", "ipywidgets", "anywidget")  # what a notebook needs besides
GENERATOR_STEPS = 5  # of which the median is reported
STUDENT_STEPS = 6  # a whole round: three batches, each learnt from twice
PATIENCE = 1.5  # s after which no further step is started


@dataclass(frozen=True)
class Facts:
    """What is known of one machine and one process, without names or paths of the user."""

    package: str  # version of rdskd-lab
    system: str  # "Linux x86_64"
    python: str
    front_end: str  # as `frontend.find_front_end` has it
    mode: str  # task, chunk or inline: how a lab would train if it is fast enough
    versions: dict[str, str]  # of RANGES and jupyterlab_widgets; those that are not installed are left out
    memory: int | None  # bytes this process may use, where there is a limit
    machine_memory: int | None  # bytes
    cores: float
    gpu: str  # "": none that torch can use
    gpu_memory: int | None  # bytes
    data: dict[str, bool]  # named set -> whether it can be read without a download
    disk: int | None  # bytes free in the working directory
    here_writable: bool  # the working directory
    home_writable: bool
    generator_step: float | None  # s, in preset classroom
    student_step: float | None  # s
    trouble: str = ""  # why no step was measured


def look() -> Facts:
    """Return the facts of here and now."""
    generator_step, student_step, trouble = None, None, ""
    try:
        generator_step, student_step = measure()
    except Exception as error:  # whatever it is, the rest of the page is worth having; its text may hold a path
        trouble = type(error).__name__
    gpu, gpu_memory = _find_gpu()
    return Facts(
        package=__version__,
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        front_end=find_front_end(),
        mode=find_mode(),
        versions=find_versions(),
        memory=memory_limit(),
        machine_memory=machine_memory(),
        cores=usable_cores(),
        gpu=gpu,
        gpu_memory=gpu_memory,
        data={name: record.is_here() for name, record in SETS.items()},
        disk=_free(Path()),
        here_writable=_can_write(Path()),
        home_writable=_can_write(Path("~")),
        generator_step=generator_step,
        student_step=student_step,
        trouble=trouble,
    )


def find_versions() -> dict[str, str]:
    """Return the versions of what is installed of RANGES, and of JupyterLab's half of ipywidgets."""
    found = {}
    for name in dict.fromkeys((*RANGES, "torch", *DRAWING, "ipykernel", "jupyterlab_widgets")):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            pass
    return found


def measure() -> tuple[float, float]:
    """Measure the seconds of a generator's step and of a student's step in preset classroom, on the device of a run.

    The first of each warms up and does not count.
    """
    teacher = load_weights(seeded(0, LeNet5), SHIPPED["lenet5"])
    run = Distillation(teacher, seeded(0, LeNet5Half), rdskd(), PRESETS["classroom"], device=find_device())
    generator = _times(run.synthesise(), 1 + GENERATOR_STEPS, run.device)
    student = _times(run.distill(), 2 * STUDENT_STEPS, run.device)
    first, *rest = student[STUDENT_STEPS:] or student  # a round's first warps its images and asks the teacher for all
    return median(generator[1:]), (first + (STUDENT_STEPS - 1) * median(rest or [first])) / STUDENT_STEPS


def _times(steps, count: int, device: torch.device) -> list[float]:
    """Return the seconds of each of the next `count` steps; of fewer, but at least two, when patience ends.

    Two of the generator's batches are the fewest from which a batch of the student can be drawn.
    """
    times, begun = [], perf_counter()
    start = begun
    for _ in islice(steps, count):
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        now = perf_counter()
        times.append(now - start)
        if len(times) > 1 and now - begun > PATIENCE / 2:
            break
        start = now
    return times


def _find_gpu() -> tuple[str, int | None]:
    if torch.cuda.is_available():
        facts = torch.cuda.get_device_properties(0)
        return facts.name, facts.total_memory
    return ("Apple GPU", None) if torch.backends.mps.is_available() else ("", None)


def _free(folder: Path) -> int | None:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def _can_write(folder: Path) -> bool:
    """Try, since permissions do not show a read-only disk; a full disk still takes an empty file."""
    try:
        with tempfile.TemporaryFile(dir=folder.expanduser()):
            return True
    except (OSError, RuntimeError):  # the latter: there is no home at all
        return False
