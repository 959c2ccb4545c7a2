"""How much memory and how many cores this process may use: a container, a class server or `ulimit` may give it less
than the machine has, and what it takes beyond that kills it without a word.
"""

import os
from collections.abc import Iterator
from pathlib import Path

UNLIMITED = 2**60  # cgroup v1 writes a number about as large where there is no limit


def memory_limit(root: Path = Path("/")) -> int | None:
    """Bytes that this process may use, if somebody has set a limit: the lowest of its control groups' and `ulimit`."""
    found = [_number(folder / name) for folder in _groups(root, "memory")
             for name in ("memory.max", "memory.limit_in_bytes")]  # v2, v1  # fmt: skip
    return min((n for n in [*found, _ulimit()] if n and n < UNLIMITED), default=None)


def machine_memory() -> int | None:
    """Bytes that the whole machine has; None where it does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return _windows_memory() if os.name == "nt" else None


def usable_cores(root: Path = Path("/")) -> float:
    """Cores that this process may use: those it may run on, or the share of time that its control groups give it."""
    cores = float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    for folder in _groups(root, "cpu"):
        quota, _, period = _text(folder / "cpu.max").partition(" ")  # v2: "max 100000" or "50000 100000"
        quota, period = quota or _text(folder / "cpu.cfs_quota_us"), period or _text(folder / "cpu.cfs_period_us")
        if quota.isdigit() and period.isdigit() and int(quota) and int(period):
            cores = min(cores, int(quota) / int(period))
    return cores


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """The folders of this process's control groups and of all that they lie in, version 1 and 2."""
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
