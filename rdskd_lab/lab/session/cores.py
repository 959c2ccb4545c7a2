"""Leave a core to the page: a browser and torch that want the same core make every step many times slower."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def leave_a_core() -> Iterator[None]:
    """Inside: torch computes on one core fewer than there are, at least on one.  Outside: on as many as before.

    Sums over another number of threads may differ in the last bit: compare runs that had the same number.
    """
    before = torch.get_num_threads()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    torch.set_num_threads(max(1, min(before, cores - 1)))
    try:
        yield
    finally:
        torch.set_num_threads(before)
