"""How much of a machine this process may use: limits of containers, and the memory it has held."""

import subprocess
import sys

import pytest
import torch

from rdskd_lab.lab.session import cores
from rdskd_lab.runs import machine

VERSION_2 = """
proc/self/cgroup = 0::/class/ada
sys/fs/cgroup/class/ada/memory.max = max
sys/fs/cgroup/class/memory.max = 2147483648
sys/fs/cgroup/class/ada/cpu.max = 50000 100000"""
VERSION_1_INSIDE_A_CONTAINER = """
proc/self/cgroup = 4:memory:/docker/0123|2:cpu,cpuacct:/docker/0123
sys/fs/cgroup/memory/memory.limit_in_bytes = 1000000000
sys/fs/cgroup/cpu/cpu.cfs_quota_us = 25000
sys/fs/cgroup/cpu/cpu.cfs_period_us = 100000"""
NO_LIMIT = """
proc/self/cgroup = 4:memory:/|1:cpu:/|0::/
sys/fs/cgroup/memory/memory.limit_in_bytes = 9223372036854771712
sys/fs/cgroup/cpu/cpu.cfs_quota_us = -1
sys/fs/cgroup/cpu/cpu.cfs_period_us = 100000
sys/fs/cgroup/memory.max = max
sys/fs/cgroup/cpu.max = max 100000"""


@pytest.mark.parametrize(
    ("system", "memory", "cores"),
    [(VERSION_2, 2**31, 0.5), (VERSION_1_INSIDE_A_CONTAINER, 10**9, 0.25), (NO_LIMIT, None, None), ("", None, None)],
)
def test_limits_of_control_groups(system, memory, cores, monkeypatch, tmp_path):
    """The lowest of all groups that a process is in; `system` is a list of files."""
    monkeypatch.setattr(machine, "_ulimit", lambda: None)
    for line in system.split("\n")[1:]:
        path, content = line.split(" = ")
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(content.replace("|", "\n") + "\n")
    assert machine.memory_limit(tmp_path) == memory
    assert machine.usable_cores(tmp_path) == (cores or machine.usable_cores(tmp_path / "nothing here"))


def test_a_ulimit_is_a_limit_too(monkeypatch, tmp_path):
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(resource, "getrlimit", lambda which: (3 * 10**9, resource.RLIM_INFINITY))
    assert machine.memory_limit(tmp_path) == 3 * 10**9


@pytest.mark.parametrize(("usable", "threads"), [(0.5, 1), (1.5, 1), (3.0, 2)])
def test_a_lab_leaves_a_core_to_the_page_of_those_that_a_container_has(usable, threads, monkeypatch):
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    monkeypatch.setattr(cores, "usable_cores", lambda: usable)
    try:
        with cores.leave_a_core():
            assert torch.get_num_threads() == threads
        assert torch.get_num_threads() == 4
    finally:
        torch.set_num_threads(before)


def test_peak_memory_is_this_process_own_and_not_that_of_the_one_which_started_it():
    big = torch.ones(int(2e9 // 4))  # 2 GB, held while the other process starts
    code = "import torch; from rdskd_lab.runs.machine import peak_rss_mb; print(peak_rss_mb())"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert 50 < float(found) < 1500 < machine.peak_rss_mb() and big[-1] == 1


def test_what_is_left_is_the_limit_less_what_this_process_holds(monkeypatch, tmp_path):
    for path, content in (
        ("proc/self/cgroup", "0::/class"),
        ("sys/fs/cgroup/class/memory.max", "1000000000"),
        ("proc/self/status", "VmSize:\t 500000 kB\nVmRSS:\t 100000 kB"),
        ("proc/meminfo", "MemTotal: 9 kB\nMemAvailable: 300 kB"),
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(content)
    monkeypatch.setattr(machine, "machine_memory", lambda: 8 * 10**9)
    monkeypatch.setattr(machine, "_ulimit", lambda: None)
    assert machine.free_memory(root=tmp_path) == 10**9 - 100_000 * 1024
    monkeypatch.setattr(machine, "_ulimit", lambda: 600_000 * 1024)  # of addresses, also of what is not used yet
    assert machine.free_memory(root=tmp_path) == 100_000 * 1024
    assert machine.free_memory(2_000, root=tmp_path) == 100_000 * 1024 + 2_000
    assert machine.available_memory(tmp_path) == 300 * 1024
    assert machine.available_memory(tmp_path / "none") is None
