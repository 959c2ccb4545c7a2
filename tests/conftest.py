"""What holds for every test: those marked `gpu` run only where there is one; all compute in one thread."""

import pytest
import torch


def pytest_collection_modifyitems(items):
    if not torch.cuda.is_available():
        for item in items:
            if item.get_closest_marker("gpu"):
                item.add_marker(pytest.mark.skip(reason="needs a CUDA GPU, and this machine has none"))


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Networks of a few hundred numbers lose time with more threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
