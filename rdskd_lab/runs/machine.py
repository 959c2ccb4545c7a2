"""What this machine is, and how much of it this process may use: a container, a class server or `ulimit` may allow less
than the machine has, and a process that takes more memory than it may is killed without a message.
"""

import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path

import torch

UNLIMITED = 2**60  # cgroup v1 writes a number about as large where there is no limit


def memory_limit(root: Path = Path("/")) -> int | None:
    """Return the bytes that this process may use, where there is a limit: the lowest of control groups and `ulimit`."""
    files = (folder / name for folder in _groups(root, "memory") for name in ("memory.max", "memory.limit_in_bytes"))
    return min((n for n in [*map(_number, files), _ulimit()] if n and n < UNLIMITED), default=None)


def machine_memory() -> int | None:
    """Return the bytes that the whole machine has; None where it does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return _windows_memory() if os.name == "nt" else None


def free_memory(reserved: int = 0, root: Path = Path("/")) -> int | None:
    """Return the bytes that this process may still take before it is stopped; None where nobody says.

    `reserved` bytes are asked for already and not used yet, and only `ulimit` counts such.
    """
    resident, promised = (_bytes(root / "proc/self/status", name) or 0 for name in ("VmRSS", "VmSize"))
    files = (folder / name for folder in _groups(root, "memory") for name in ("memory.max", "memory.limit_in_bytes"))
    most = [n for n in [*map(_number, files), machine_memory()] if n and n < UNLIMITED]
    left = [min(most) - resident] if most else []
    if limit := _ulimit():
        left.append(limit - promised + reserved)
    return max(0, min(left)) if left else None


def available_memory(root: Path = Path("/")) -> int | None:
    """Return the bytes that the system could give at once without swapping; None where it does not say."""
    return _bytes(root / "proc/meminfo", "MemAvailable")


def usable_cores(root: Path = Path("/")) -> float:
    """Return how many cores this process may use: those it may run on, or the share of time its control groups give."""
    cores = float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    for folder in _groups(root, "cpu"):
        quota, _, period = _text(folder / "cpu.max").partition(" ")  # v2: "max 100000" or "50000 100000"
        quota, period = quota or _text(folder / "cpu.cfs_quota_us"), period or _text(folder / "cpu.cfs_period_us")
        if quota.isdigit() and period.isdigit() and int(quota) and int(period):
            cores = min(cores, int(quota) / int(period))
    return cores


def peak_rss_mb() -> float | None:
    """Return the most memory this process has held, in MB; None on Windows, which does not say."""
    if most := _bytes(Path("/proc/self/status"), "VmHWM"):  # `ru_maxrss` begins with that of who started this process
        return most / 1e6
    try:
        import resource
    except ImportError:
        return None
    unit = 1 if sys.platform == "darwin" else 1024  # bytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def machine(device: torch.device) -> str:
    """Name what a run is computed on, a GPU or a CPU and its instructions, without names of persons or hosts."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    named = [line for line in _text(Path("/proc/cpuinfo")).splitlines() if line.startswith("model name")]
    model = named[0].split(":")[1].strip() if named else platform.processor() or platform.machine()
    return f"{model} ({torch.backends.cpu.get_cpu_capability()}), {torch.get_num_threads()} threads"


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """Yield the folders of this process's control groups and of all that they lie in, version 1 and 2."""
    bases = {"": root / "sys/fs/cgroup"} | {controller: root / "sys/fs/cgroup" / controller}
    for line in _text(root / "proc/self/cgroup").splitlines() or ["0::/", f"1:{controller}:/"]:
        _, controllers, path = line.split(":", 2)
        for name, base in bases.items():
            if name in controllers.split(","):
                inner = base / path.strip("/")
                yield from (inner, *(folder for folder in inner.parents if folder.is_relative_to(base)))


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _bytes(path: Path, name: str) -> int | None:
    """Return what a file of /proc says of `name`, which it counts in kB; None if it does not."""
    lines = (line.split() for line in _text(path).splitlines())
    return next((int(words[1]) * 1024 for words in lines if words[:1] == [f"{name}:"]), None)


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text.isdigit() else None


def _ulimit() -> int | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    soft = resource.getrlimit(resource.RLIMIT_AS)[0]
    return None if soft == resource.RLIM_INFINITY else soft


def _windows_memory() -> int | None:
    import ctypes

    class Status(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ulong), ("load", ctypes.c_ulong)] + [
            (name, ctypes.c_ulonglong)
            for name in ("total", "free", "page", "pagefree", "virtual", "virtualfree", "more")
        ]

    status = Status(length=ctypes.sizeof(Status))
    return status.total if ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)) else None
