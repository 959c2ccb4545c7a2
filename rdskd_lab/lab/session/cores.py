"""Leave a core to the page: a browser and torch that want the same core make every step many times slower."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ...runs.machine import usable_cores


@contextmanager
def leave_a_core() -> Iterator[None]:
    """Let torch compute on one core fewer than this process may use, at least on one, and afterwards as before.

    Sums over another number of threads may differ in the last bit: compare runs that had the same number.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(max(1, min(before, int(usable_cores()) - 1)))
    try:
        yield
    finally:
        torch.set_num_threads(before)
