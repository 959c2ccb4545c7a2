"""How much of a machine this process may use: limits of containers, and the memory it has held."""

import subprocess
import sys

import pytest
import torch

from rdskd_lab.lab.session import cores
from rdskd_lab.runs import machine


@pytest.fixture
def system(tmp_path, monkeypatch):
    """Write a system's control groups below a folder: path -> content.  Nobody has set a ulimit."""
    monkeypatch.setattr(machine, "_ulimit", lambda: None)

    def write(**files):
        for path, content in files.items():
            path = tmp_path / path.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content + "\n")
        return tmp_path

    return write


def test_limits_of_cgroup_version_2(system):
    root = system(
        **{
            "proc__self__cgroup": "0::/class/ada",
            "sys__fs__cgroup__class__ada__memory.max": "max",
            "sys__fs__cgroup__class__memory.max": "2147483648",
            "sys__fs__cgroup__class__ada__cpu.max": "50000 100000",
        }
    )
    assert machine.memory_limit(root) == 2**31  # the outer group's
    assert machine.usable_cores(root) == 0.5


def test_limits_of_cgroup_version_1_seen_from_inside_a_container(system):
    root = system(
        **{
            "proc__self__cgroup": "4:memory:/docker/0123\n2:cpu,cpuacct:/docker/0123",
            "sys__fs__cgroup__memory__memory.limit_in_bytes": "1000000000",
            "sys__fs__cgroup__cpu__cpu.cfs_quota_us": "25000",
            "sys__fs__cgroup__cpu__cpu.cfs_period_us": "100000",
        }
    )
    assert machine.memory_limit(root) == 10**9
    assert machine.usable_cores(root) == 0.25


def test_no_limit_is_no_limit(system):
    root = system(
        **{
            "proc__self__cgroup": "4:memory:/\n1:cpu:/\n0::/",
            "sys__fs__cgroup__memory__memory.limit_in_bytes": "9223372036854771712",
            "sys__fs__cgroup__cpu__cpu.cfs_quota_us": "-1",
            "sys__fs__cgroup__cpu__cpu.cfs_period_us": "100000",
            "sys__fs__cgroup__memory.max": "max",
            "sys__fs__cgroup__cpu.max": "max 100000",
        }
    )
    assert machine.memory_limit(root) is None
    assert machine.usable_cores(root) == machine.usable_cores(root / "nothing here") >= 1


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
