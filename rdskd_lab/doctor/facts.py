"""What the doctor looks at: `look()` gathers the facts of this machine in a second or two, and judges nothing."""

import platform
import shutil
import tempfile
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from pathlib import Path
from statistics import median
from time import perf_counter

import torch

from .. import __version__
from ..datasets.named import MNIST_MD5, places
from ..distillation import Distillation, find_device
from ..methods.rdskd import PRESETS, rdskd
from ..networks.architectures import LeNet5, LeNet5Half
from ..networks.weights import ASSETS, SHIPPED, load_weights
from ..torch_state import seeded
from .frontend import find_front_end, find_mode
from .resource_limits import machine_memory, memory_limit, usable_cores

# What a notebook is made of, and the ranges that pyproject.toml asks for; a test compares the two.
RANGES = {
    "torch": ">=2.6", "torchvision": ">=0.21", "numpy": ">=1.26", "safetensors": ">=0.4", "tqdm": ">=4.66",
    "typer": ">=0.12", "plotly": ">=5.24", "matplotlib": ">=3.8", "ipywidgets": ">=7.7.1,<9", "anywidget": ">=0.9.21",
    "jupyterlab": ">=4.2", "ipykernel": ">=6.17,!=7.0.*", "jupytext": ">=1.16",
}  # fmt: skip
STEPS = 5  # of the generator, of which the median is told
LESSONS = 6  # of the student, a whole round: three batches, each learnt from twice
PATIENCE = 1.5  # s after which no further step is begun


@dataclass(frozen=True)
class Facts:
    """Of one machine and one process; no name and no path of whoever sits there."""

    package: str  # version of rdskd-lab
    system: str  # "Linux x86_64"
    python: str
    front_end: str  # as `frontend.find_front_end` has it
    mode: str  # task, chunk or inline: how a lab would train if it is fast enough
    versions: dict[str, str]  # of RANGES and jupyterlab_widgets; those that are not installed are left out
    memory: int | None  # bytes this process may use, where somebody has set a limit
    machine_memory: int | None  # bytes
    cores: float
    gpu: str  # "": none that torch can use
    gpu_memory: int | None  # bytes
    digits: bool  # are the shipped digits there?
    mnist: bool
    disk: int | None  # bytes free in the working directory
    here_writable: bool  # the working directory
    home_writable: bool
    step: float | None  # s, one of the generator's steps in preset classroom
    lesson: float | None  # s, one of the student's
    trouble: str = ""  # why no step was measured


def look() -> Facts:
    """The facts of here and now."""
    step, lesson, trouble = _measure_or_tell()
    gpu, gpu_memory = _find_gpu()
    return Facts(
        __version__, f"{platform.system()} {platform.machine()}", platform.python_version(),
        find_front_end(), find_mode(), find_versions(),
        memory_limit(), machine_memory(), usable_cores(), gpu, gpu_memory,
        (ASSETS / "digits.npz").is_file(), _has_mnist(),
        _free(Path()), _can_write(Path()), _can_write(Path("~")),
        step, lesson, trouble,
    )  # fmt: skip


def find_versions() -> dict[str, str]:
    """Versions of what is installed of RANGES, and of JupyterLab's half of ipywidgets."""
    found = {}
    for name in (*RANGES, "jupyterlab_widgets"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            pass
    return found


def measure() -> tuple[float, float]:
    """Seconds of one of the generator's and of one of the student's steps in preset classroom, on the device of a run.

    The first of each warms up and does not count.
    """
    teacher = load_weights(seeded(0, LeNet5), SHIPPED["lenet5"])
    run = Distillation(teacher, seeded(0, LeNet5Half), rdskd(), PRESETS["classroom"], device=find_device())
    painted = _times(run.synthesise(), 1 + STEPS, run.device)
    learnt = _times(run.distill(), 2 * LESSONS, run.device)
    step = median(painted[1:])
    first, *rest = learnt[LESSONS:] or learnt  # the first of a round warps and asks the teacher for all of them
    return step, (first + (LESSONS - 1) * median(rest or [first])) / LESSONS


def _times(steps, count: int, device: torch.device) -> list[float]:
    """Seconds that each of the next `count` steps takes; fewer, but at least two, when patience ends.

    Two of the generator's batches are the fewest from which a lesson of the student can be drawn.
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


def _measure_or_tell() -> tuple[float | None, float | None, str]:
    try:
        return *measure(), ""
    except Exception as error:  # whatever it is, the rest of the page is worth having; its text may hold a path
        return None, None, type(error).__name__


def _find_gpu() -> tuple[str, int | None]:
    if torch.cuda.is_available():
        facts = torch.cuda.get_device_properties(0)
        return facts.name, facts.total_memory
    return ("Apple GPU", None) if torch.backends.mps.is_available() else ("", None)


def _has_mnist() -> bool:
    raw = [place / "MNIST" / "raw" for place in places()]
    return any(all((folder / name).is_file() for name in MNIST_MD5) for folder in raw)


def _free(folder: Path) -> int | None:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def _can_write(folder: Path) -> bool:
    """By trying, since permissions do not tell of read-only disks; a full disk still takes an empty file."""
    try:
        with tempfile.TemporaryFile(dir=folder.expanduser()):
            return True
    except (OSError, RuntimeError):  # the latter: there is no home at all
        return False
